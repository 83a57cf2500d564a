//! Runs captures through the library and keeps everything that comes out.

#![allow(dead_code, reason = "each test file uses its part")]

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use resetscope::collect::{Sink, Summary};
use resetscope::run::{Plan, run};
use resetscope::sink;
use resetscope::source::{
    Batch, Damage, Fill, Input, Oddity, Options, Progress, Source, SourceError, open,
};
use resetscope_core::engine::Config;
use resetscope_core::judge::event::Event;
use serde_json::Value;

use super::traffic::Dice;

/// The capture that the project ships.
pub(crate) fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/corpus/six-causes.pcap.gz")
}

/// Rows of a table of the captures that others recorded, as columns by name; `None`, and said so,
/// where the captures are not there.
pub(crate) fn shared(table: &str) -> Option<Vec<Row>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/captures");
    let Ok(text) = std::fs::read_to_string(folder.join(table)) else {
        println!("skipped: no captures in {}", folder.display());
        return None;
    };
    let mut lines = text.lines();
    let columns: Vec<String> =
        lines.next().unwrap_or_default().split('\t').map(str::to_owned).collect();
    let rows = lines.map(|line| Row {
        fields: columns.iter().cloned().zip(line.split('\t').map(str::to_owned)).collect(),
        files: folder.join("files"),
    });
    Some(rows.collect())
}

/// One row.
pub(crate) struct Row {
    fields: Vec<(String, String)>,
    files: PathBuf,
}

impl Row {
    /// The field of this name, empty when there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.fields.iter().find(|(column, _)| column == name).map_or("", |(_, field)| field)
    }

    /// The field as a number.
    pub(crate) fn number(&self, name: &str) -> u64 {
        self.get(name).parse().unwrap()
    }

    /// Where the capture lies.
    pub(crate) fn path(&self) -> PathBuf {
        self.files.join(self.get("file"))
    }
}

/// A plan with a small flow table.
pub(crate) fn plan(workers: usize, interval_ns: Option<u64>) -> Plan {
    let engine = Config { flows: 1 << 15, ..Config::default() };
    Plan { workers, interval_ns, engine }
}

/// Everything that came out of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Summaries as JSON lines.
    pub(crate) summaries: Vec<u8>,
    /// Events as JSON lines.
    pub(crate) events: Vec<u8>,
    /// What was damaged.
    pub(crate) damage: Vec<Damage>,
    /// What was odd.
    pub(crate) oddities: Vec<Oddity>,
}

impl Outcome {
    pub(crate) fn summaries(&self) -> Vec<Value> {
        lines(&self.summaries)
    }

    pub(crate) fn events(&self) -> Vec<Value> {
        lines(&self.events)
    }
}

/// JSON lines as values.
pub(crate) fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

impl Sink for Outcome {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        sink::event::write(&mut self.events, event)
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        assert!(summary.interval.frames.balances(), "{:?}", summary.interval.frames);
        sink::summary::write(&mut self.summaries, summary, 20)
    }
}

/// Runs a source to its end.
pub(crate) fn analyse(source: Box<dyn Source>, plan: &Plan) -> Outcome {
    let mut outcome = Outcome::default();
    let stop = Arc::new(AtomicBool::new(false));
    let findings = run(plan, source, &mut outcome, &stop, &|_| {}).unwrap();
    (outcome.damage, outcome.oddities) = (findings.damage, findings.oddities);
    outcome
}

/// Takes summaries, and does not want to see events.
struct Silent(Outcome);

impl Sink for Silent {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.0.event(event)
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        self.0.summary(summary)
    }

    fn wants_events(&self) -> bool {
        false
    }
}

/// Runs a source to its end for nothing but its summaries.
pub(crate) fn analyse_in_brief(source: Box<dyn Source>, plan: &Plan) -> Outcome {
    let mut silent = Silent(Outcome::default());
    run(plan, source, &mut silent, &Arc::new(AtomicBool::new(false)), &|_| {}).unwrap();
    silent.0
}

/// Runs one file, read as a user would.
///
/// # Errors
/// When it is refused.
pub(crate) fn analyse_file(path: &Path, plan: &Plan) -> Result<Outcome, SourceError> {
    Ok(analyse(open([Input::from(path)], &Options::default())?, plan))
}

/// Bytes in memory as a source.
pub(crate) fn source_of(bytes: &[u8]) -> Result<Box<dyn Source>, SourceError> {
    let reader = Box::new(io::Cursor::new(bytes.to_vec()));
    open([Input::Reader("memory".into(), reader)], &Options::default())
}

/// A source that gives batches of random sizes, small ones for the most part.
pub(crate) struct Chopped {
    inner: Box<dyn Source>,
    dice: Dice,
}

impl Chopped {
    pub(crate) fn boxed(inner: Box<dyn Source>, seed: u64) -> Box<dyn Source> {
        Box::new(Self { inner, dice: Dice::new(seed) })
    }
}

impl Source for Chopped {
    fn fill(&mut self, batch: &mut Batch, until_ns: u64) -> Result<Fill, SourceError> {
        let most = [1, 7, 129, 1024][self.dice.below(4) as usize];
        *batch = Batch::new(1 + self.dice.below(most) as usize);
        self.inner.fill(batch, until_ns)
    }

    fn peek_time(&mut self) -> Option<u64> {
        self.inner.peek_time()
    }

    fn progress(&self) -> Progress {
        self.inner.progress()
    }

    fn damage(&self) -> &[Damage] {
        self.inner.damage()
    }

    fn take_lost(&mut self) -> u64 {
        self.inner.take_lost()
    }

    fn oddities(&self) -> Vec<Oddity> {
        self.inner.oddities()
    }
}
