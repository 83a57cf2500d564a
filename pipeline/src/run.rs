//! One run over recorded traffic: source → workers → collector → sink.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{io, thread};

use crossbeam::channel::{Sender, bounded};
use resetscope_core::engine::{Config, Engine};
use resetscope_core::flow::table::NoMemory;
use tracing::debug;

use crate::collect::{OrderBy, Sink, collect};
use crate::feed::Feed;
use crate::huge_pages;
use crate::source::{Damage, Oddity, Progress, Source, SourceError};
use crate::worker::gauge::{Gauge, Unmeasured};
use crate::worker::{Message, desks, reserved_bytes, run_alone, run_together};

/// Messages that may wait for the collector.
const QUEUE: usize = 64;

/// Time between two looks at the progress.
const WATCH_PERIOD: Duration = Duration::from_millis(100);

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Workers, at least 1.
    pub workers: usize,
    /// Length of an interval in nanoseconds of packet time; `None` for one over everything.
    pub interval_ns: Option<u64>,
    /// What the engines are built for.
    pub engine: Config,
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The flow tables do not fit.
    #[error("cannot reserve the memory of the flow tables; lower --flows")]
    Memory(NoMemory),
    /// The results could not be written.
    #[error("cannot write the results")]
    Write(#[source] io::Error),
    /// The source as a whole broke.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The system refused a thread.
    #[error("cannot start a worker thread")]
    Thread(#[source] io::Error),
}

impl From<NoMemory> for RunError {
    fn from(error: NoMemory) -> Self {
        Self::Memory(error)
    }
}

/// What a run found out about its inputs beside their frames.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What was damaged.
    pub damage: Vec<Damage>,
    /// What was odd.
    pub oddities: Vec<Oddity>,
}

/// Runs `plan` over `source` into `sink`, and returns what was found about the input. `watch` is
/// called now and then with how far the source has come; `stop` ends the run early, with all
/// results so far.
///
/// # Errors
/// See [`RunError`]; a broken pipe is among [`RunError::Write`].
pub fn run(
    plan: &Plan,
    source: Box<dyn Source>,
    sink: &mut dyn Sink,
    stop: &Arc<AtomicBool>,
    watch: &(dyn Fn(Progress) + Sync),
) -> Result<Findings, RunError> {
    let mut engines = engines(plan)?;
    let bytes = reserved_bytes(&engines)?;
    debug!(bytes, "flow tables reserved");
    // Half as much again as the tables: of small frames, that is where huge pages begin to save more
    // than it takes to clear them; of large ones, where the difference no longer matters.
    let long = |total: u64| total >= bytes as u64 + bytes as u64 / 2;
    let long = source.progress().total.is_none_or(long);
    engines.iter().for_each(if long { huge_pages::advise } else { huge_pages::decline });
    let mut gauges = vec![Unmeasured; engines.len()];
    let feed = Feed::new(source, plan.interval_ns, Arc::clone(stop));
    let work = |engines: &mut [Engine]| drive(engines, &mut gauges, feed, sink, stop, watch);
    if long {
        let cpus = thread::available_parallelism().map_or(1, NonZero::get);
        let all_busy = engines.len() >= cpus;
        huge_pages::populate_meanwhile(&mut engines, all_busy, work)
    } else {
        work(&mut engines)
    }
}

/// The engines of a plan, one for each worker, with all their memory reserved.
///
/// # Errors
/// When the system refuses the memory.
pub fn engines(plan: &Plan) -> Result<Vec<Engine>, RunError> {
    let workers = plan.workers.max(1);
    let made = (0..workers).map(|worker| Engine::new(&plan.engine, worker, workers));
    Ok(made.collect::<Result<_, _>>()?)
}

/// [`run`] with engines that are there already: each of `gauges` measures the bursts of one of them.
/// `stop` must be the one of `feed`.
///
/// # Errors
/// As [`run`].
pub fn drive<G: Gauge>(
    engines: &mut [Engine],
    gauges: &mut [G],
    feed: Feed,
    sink: &mut dyn Sink,
    stop: &AtomicBool,
    watch: &(dyn Fn(Progress) + Sync),
) -> Result<Findings, RunError> {
    let workers = engines.len();
    let feed = Mutex::new(feed);
    let (send, receive) = bounded(QUEUE);
    let done = AtomicBool::new(false);
    let broken = AtomicBool::new(false);
    let collected = thread::scope(|scope| {
        let spawned = spawn_workers(scope, engines, gauges, (&feed, &broken), &send);
        drop(send);
        let watched = spawned.and_then(|()| {
            let named = thread::Builder::new().name("progress".into());
            named.spawn_scoped(scope, || progress(&feed, &done, watch))
        });
        let watcher = watched.map_err(|refused| {
            // Those that have begun would read on to the end, or wait for those that have not.
            stop.store(true, Ordering::Relaxed);
            broken.store(true, Ordering::Relaxed);
            RunError::Thread(refused)
        })?;
        let collected = collect(&receive, workers, OrderBy::Frame, sink);
        // Workers whose collector has gone find the channel closed and the feed stopped.
        drop(receive);
        if collected.is_err() {
            stop.store(true, Ordering::Relaxed);
        }
        done.store(true, Ordering::Relaxed);
        watcher.thread().unpark();
        collected.map_err(RunError::Write)
    });
    let (source, error) = feed.into_inner().unwrap_or_else(PoisonError::into_inner).into_parts();
    collected?;
    match error {
        Some(error) => Err(error.into()),
        None => Ok(Findings { damage: source.damage().to_vec(), oddities: source.oddities() }),
    }
}

fn spawn_workers<'scope, 'env, G: Gauge>(
    scope: &'scope thread::Scope<'scope, 'env>,
    engines: &'scope mut [Engine],
    gauges: &'scope mut [G],
    (feed, broken): (&'env Mutex<Feed>, &'env AtomicBool),
    collector: &Sender<Message>,
) -> io::Result<()> {
    let count = engines.len();
    let alone = count == 1;
    for ((engine, gauge), desk) in engines.iter_mut().zip(gauges).zip(desks(count)) {
        let collector = collector.clone();
        let named = thread::Builder::new().name(format!("worker-{}", desk.worker()));
        named.spawn_scoped(scope, move || {
            if alone {
                run_alone(engine, gauge, feed, collector);
            } else {
                run_together(engine, gauge, (feed, broken), desk, collector);
            }
        })?;
    }
    Ok(())
}

/// Reports progress until the run is over.
fn progress(feed: &Mutex<Feed>, done: &AtomicBool, watch: &(dyn Fn(Progress) + Sync)) {
    while !done.load(Ordering::Relaxed) {
        let now = feed.lock().unwrap_or_else(PoisonError::into_inner).progress();
        watch(now);
        thread::park_timeout(WATCH_PERIOD);
    }
}
