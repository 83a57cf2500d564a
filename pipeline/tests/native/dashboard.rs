//! The dashboard as it is drawn, without a terminal.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Cell;
use resetscope::collect::{Sink, Summary};
use resetscope::run::{Plan, run};
use resetscope::source::{self, Input};
use resetscope::tui::model::Model;
use resetscope::tui::view::{Look, draw};
use resetscope_core::engine::Config;
use resetscope_core::judge::cause::Cause;
use resetscope_core::judge::event::Event;

/// Feeds a model, and keeps sums beside it.
struct Feeder {
    model: Model,
    events: u64,
    sums: resetscope_core::interval::Interval,
    intervals: u64,
}

impl Sink for Feeder {
    fn event(&mut self, event: &Event) -> std::io::Result<()> {
        self.events += 1;
        self.model.event(event);
        Ok(())
    }

    fn summary(&mut self, summary: &Summary) -> std::io::Result<()> {
        self.intervals += 1;
        self.sums.merge(&summary.interval);
        self.model.summary(summary, self.model.begun);
        Ok(())
    }
}

/// The shipped capture in intervals of five seconds.
fn fed() -> Feeder {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/corpus/six-causes.pcap.gz");
    let source = source::open(vec![Input::from(file)], &Default::default()).unwrap();
    let plan = Plan {
        workers: 1,
        interval_ns: Some(5_000_000_000),
        engine: Config { flows: 8192, ..Config::default() },
    };
    let model = Model::new("eth0".to_owned(), Duration::from_secs(5), Instant::now());
    let mut feeder = Feeder { model, events: 0, sums: Default::default(), intervals: 0 };
    let stop = Arc::new(AtomicBool::new(false));
    run(&plan, source, &mut feeder, &stop, &|_| {}).unwrap();
    feeder
}

fn drawn(model: &Model, columns: u16, rows: u16, remark: Option<&str>) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    let now = model.begun + Duration::from_millis(2_500);
    let look = Look { remark, ..Look::default() };
    terminal.draw(|frame| draw(frame, model, now, look)).unwrap();
    let buffer = terminal.backend().buffer().clone();
    let cells = buffer.content().chunks(usize::from(columns).max(1));
    cells.map(|row| row.iter().map(Cell::symbol).collect()).collect()
}

#[test]
fn the_screen_shows_the_numbers_of_the_summaries() {
    let Feeder { model, events, sums, intervals } = fed();
    let rows = drawn(&model, 120, 40, Some("resetscope: listening on eth0"));
    let screen = rows.join("\n");
    let frames = &sums.frames;
    for text in [
        "resetscope eth0 · 2 s".to_owned(),
        format!("interval {intervals}: 2 s of 5 s"),
        format!("{events} resets"),
        format!("{} RST packets · {} connections", sums.resets.packets, sums.flows.opened),
        format!("{} frames", frames.received),
        format!("= {} analysed + {} skipped", frames.analysed, frames.skipped.iter().sum::<u64>()),
        format!("+ {} shed", frames.shed.iter().sum::<u64>()),
        "10.77.199.66:10199".to_owned(),
        "q quit".to_owned(),
        "listening on eth0".to_owned(),
    ] {
        assert!(screen.contains(&text), "{text} is not in\n{screen}");
    }
    for cause in Cause::ALL {
        let row = rows.iter().find(|row| row.starts_with(cause.name())).unwrap();
        let count = sums.resets.by_cause[cause as usize];
        let fields: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(fields[1], count.to_string(), "{row}");
        assert_eq!(row.contains(['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']), count > 0, "{row}");
    }
    let last = model.recent().next().unwrap();
    let row = rows.iter().find(|row| row.contains(&format!("→ {}", last.to))).unwrap();
    let verdict = format!("{} {}%", last.subcause.name(), last.percent);
    assert!(row.contains(&verdict), "{verdict} is not in {row}");
}

#[test]
fn no_terminal_is_too_small_or_too_large() {
    let full = fed().model;
    let empty = Model::new("eth0".to_owned(), Duration::from_secs(10), Instant::now());
    for (columns, rows) in [(0, 0), (1, 1), (3, 2), (40, 10), (10, 40), (80, 24), (300, 100)] {
        for model in [&full, &empty] {
            let screen = drawn(model, columns, rows, Some("said"));
            assert_eq!(screen.len(), usize::from(if columns > 0 { rows } else { 0 }));
        }
    }
    let small = drawn(&full, 40, 10, None).join("\n");
    for text in ["61 resets", "2211 frames", "closed_port", "q quit"] {
        assert!(small.contains(text), "{text} is not in\n{small}");
    }
}
