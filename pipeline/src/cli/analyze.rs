//! `resetscope analyze`: recorded captures in, summaries and events out.

use std::fs::Metadata;
use std::num::NonZero;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, Result, bail};
use resetscope_core::engine::Config;
use tracing::{debug, error, info};

use crate::run::{Plan, run};
use crate::source::{self, Input, Options, Progress};

use super::args::Analyze;
use super::exit::Outcome;
use super::log::Log;
use super::{output, progress};

/// Runs `analyze`.
pub(super) fn analyze(args: &Analyze, log: &Log) -> Result<Outcome> {
    log.quiet(args.quiet);
    let inputs: Vec<Input> = args.files.iter().cloned().map(Input::from).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let options = Options { mmap: !args.no_mmap, stop: Arc::clone(&stop), ..Options::default() };
    // While inputs are being opened there is nothing to tell, and a signal may end the program.
    let source = source::open(inputs, &options)?;
    output::stop_on_signals(&stop)?;
    if let Some(events) = &args.events {
        refuse_input(events, &args.files)?;
    }
    let bar = progress::bar(source.progress(), args.quiet);
    let mut output =
        output::open(args.events.as_deref(), args.format, args.top, args.colour, &bar)?;
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
    let damage = run(&plan, source, &mut output, &stop, &watch)?;
    bar.finish_and_clear();
    output.flush().context("cannot write the results")?;
    for damage in &damage {
        error!("{damage}");
    }
    if stop.load(Ordering::Relaxed) {
        info!("stopped early; the results cover what was read until then");
    }
    Ok(if damage.is_empty() { Outcome::Done } else { Outcome::Damaged })
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

/// Refuses to write events over one of the captures, under whatever name.
fn refuse_input(path: &Path, inputs: &[PathBuf]) -> Result<()> {
    let identity = |path: &Path| {
        let meta = std::fs::metadata(path).ok().filter(Metadata::is_file)?;
        Some((meta.dev(), meta.ino()))
    };
    let Some(target) = identity(path) else { return Ok(()) };
    match inputs.iter().find(|input| identity(input) == Some(target)) {
        Some(input) => bail!(
            "cannot write events to {}: that is the capture {}; name another file",
            path.display(),
            input.display()
        ),
        None => Ok(()),
    }
}
