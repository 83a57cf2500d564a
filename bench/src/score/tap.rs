//! One capture through the library: the events, and the RSTs they were made of.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use resetscope::collect::{Sink, Summary};
use resetscope::run::{Plan, run};
use resetscope::source::{self, Batch, Fill, Options};
use resetscope_core::engine::Config;
use resetscope_core::flow::key::FlowKey;
use resetscope_core::judge::event::Event;
use resetscope_core::segment::{RstTexts, Segment, TcpFlags};
use resetscope_core::wire;

use super::ScoreError;

/// Flows that the engine remembers: more than any scored capture has.
const FLOWS: usize = 1 << 16;

/// Frames read at a time.
const BATCH: usize = 1024;

/// A RST frame.
#[derive(Clone, Copy, Debug)]
pub struct Rst {
    /// Nanoseconds since 1970-01-01 UTC.
    pub time_ns: u64,
    /// The flow.
    pub key: FlowKey,
}

/// What one capture holds.
#[derive(Default)]
pub struct Tap {
    /// The events, in the order of their frames.
    pub events: Vec<Event>,
    /// Every RST by its frame number, from 1.
    pub rsts: BTreeMap<u64, Rst>,
}

/// Keeps the events, and nothing of the summaries.
struct Keep(Vec<Event>);

impl Sink for Keep {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.0.push(*event);
        Ok(())
    }

    fn summary(&mut self, _: &Summary) -> io::Result<()> {
        Ok(())
    }
}

impl Tap {
    /// Analyses the capture at `path`. What is damaged ends there; the rest counts.
    ///
    /// # Errors
    /// When it cannot be read or analysed at all.
    pub fn analyse(path: &Path) -> Result<Self, ScoreError> {
        let failed = |cause| ScoreError::Analysis { path: path.to_owned(), cause };
        let open = || source::open(vec![path.into()], &Options::default());
        let engine = Config { flows: FLOWS, ..Config::default() };
        let plan = Plan { workers: 1, interval_ns: None, engine };
        let mut keep = Keep(Vec::new());
        let source = open().map_err(|error| failed(error.into()))?;
        run(&plan, source, &mut keep, &Arc::new(AtomicBool::new(false)), &|_| {})
            .map_err(failed)?;
        let mut source = open().map_err(|error| failed(error.into()))?;
        let mut rsts = BTreeMap::new();
        let mut batch = Batch::new(BATCH);
        let mut segment = Segment::default();
        while source.fill(&mut batch, u64::MAX).map_err(|error| failed(error.into()))? != Fill::End
        {
            for (number, frame) in (batch.first_number()..).zip(batch.frames()) {
                let texts = &mut RstTexts::new(1);
                let is_tcp = wire::dissect(&frame, &mut segment, texts).is_ok();
                if is_tcp && segment.flags.any(TcpFlags::RST) {
                    rsts.insert(number, Rst { time_ns: frame.time_ns, key: segment.key });
                }
            }
        }
        Ok(Self { events: keep.0, rsts })
    }
}
