//! `resetscope analyze`: recorded captures in, summaries, events and a report out.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::Result;
use resetscope_core::engine::Config;
use tracing::{debug, warn};

use crate::report::Ending;
use crate::run::{Plan, run};
use crate::source::{self, Input, Options, Progress};

use super::args::Analyze;
use super::exit::Outcome;
use super::log::Log;
use super::output::{self, Outputs};
use super::{place, privacy, progress, report};
use crate::config;

/// Runs `analyze`.
pub(super) fn analyze(args: &Analyze, log: &Log) -> Result<Outcome> {
    log.quiet(args.quiet);
    let mut files = config::Files::default();
    args.output_files.clone().over(&mut files);
    let request = output::Request {
        events: args.events.as_deref(),
        format: args.format,
        top: args.top,
        files: &files,
        report: args.report.path.as_deref(),
    };
    request.check()?;
    let inputs: Vec<Input> = args.files.iter().cloned().map(Input::from).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let options = Options { mmap: !args.no_mmap, stop: Arc::clone(&stop), ..Options::default() };
    // While inputs are being opened there is nothing to tell, and a signal may end the program.
    let source = source::open(inputs, &options)?;
    output::stop_on_signals(&stop)?;
    let mask = privacy::mask(args.privacy.privacy.as_deref())?;
    for path in request.paths() {
        place::refuse_input("results", path, &args.files)?;
    }
    let mut report = report::create(&args.report, &args.files)?;
    let bar = progress::bar(source.progress(), args.quiet);
    let mut outputs = Outputs::new(&request, args.colour, &bar);
    outputs.open_files(&request)?;
    let watch = |progress: Progress| bar.set_position(progress.consumed);
    let plan = plan(args);
    debug!(
        files = args.files.len(),
        bytes = source.progress().total,
        mapped = !args.no_mmap,
        workers = plan.workers,
        flows = plan.engine.flows,
        "reading"
    );
    let mut sink = outputs.sink(mask, report::others(&mut report), &stop);
    let ran = run(&plan, source, &mut sink, &stop, &watch);
    drop(sink);
    bar.finish_and_clear();
    let ended = outputs.end();
    let findings = match ran {
        Ok(findings) => findings,
        Err(error) => return ended.refuse_missing(Err(error.into())).map(|()| Outcome::Done),
    };
    let outcome = Outcome::of(&findings);
    // Who reads stdout, and has seen enough, knows that there is more.
    let stopped = stop.load(Ordering::Relaxed) && !ended.closed;
    if stopped {
        warn!("stopped early; the results cover what was read until then");
    }
    if let Some(report) = report {
        report.finish(&Ending {
            damage: &findings.damage,
            oddities: &findings.oddities,
            stopped,
        })?;
    }
    ended.refuse_missing(Ok(()))?;
    Ok(outcome)
}

fn plan(args: &Analyze) -> Plan {
    let cores = || thread::available_parallelism().map_or(1, NonZero::get);
    Plan {
        workers: args.workers.map_or_else(cores, usize::from),
        interval_ns: args
            .interval
            .map(|length| u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)),
        engine: Config {
            flows: usize::try_from(args.flows).unwrap_or(usize::MAX),
            ..Config::default()
        },
    }
}
