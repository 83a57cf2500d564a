//! Live traffic: a network interface as a tap.
//!
//! [`tap`] is the interface with its sockets and rings ([`af_packet`], `block`), opened while there
//! are privileges; [`run`] then needs none. Each worker has a ring and an engine that owns all
//! shards: the kernel deals out flows to the rings so that both directions of a flow come to the
//! same one, and no packet crosses from one worker to another. `control` says when intervals end
//! and looks after the interface; the collector is the same as for recorded traffic, and puts
//! events into the order of time.
//!
//! **How the kernel deals out flows.** `PACKET_FANOUT_HASH` takes a hash of addresses and ports
//! which is the same for both directions. Where it cannot see them the directions may part: inside
//! VXLAN and Geneve the outer UDP ports decide, and fragments of IPv4 go by their addresses only.
//! One worker has no such limits.
//!
//! **Numbers of frames.** A worker counts the frames that it takes; that is the `frame` of an
//! event. With several workers the same number may occur once for each.
//!
//! **The kernel's reasons.** Where this host's own sockets send resets, [`tracepoint`] can say why, in
//! the kernel's words. It is kept beside the verdict and never asked for it.
//!
//! **Intervals** end by the wall clock. A frame counts in the interval in which its worker took
//! it, which is some milliseconds after it came.

pub mod af_packet;
mod block;
mod clock;
mod control;
pub mod error;
pub mod filter;
pub mod interface;
pub mod notice;
mod pulse;
mod report;
pub mod tap;
pub mod tracepoint;
mod worker;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, Scope};
use std::time::Duration;

use crossbeam::channel::{Sender, bounded, unbounded};
use resetscope_core::engine::{Config, Engine};
use resetscope_core::judge::event::Event;
use rustix::thread::{CpuSet, sched_setaffinity};
use tracing::debug;

use crate::collect::{OrderBy, Sink, Summary, collect};
use crate::huge_pages;
use crate::worker::{Message, reserved_bytes};

use af_packet::Setup;
use clock::Clock;
use control::Control;
use error::TapError;
use filter::Expression;
use interface::Interface;
use notice::Notice;
use pulse::Pulse;
use report::Reporter;
use tap::Tap;
use tracepoint::Tracepoint;
use worker::{Order, Worker};

/// Messages that may wait for the collector.
const QUEUE: usize = 256;

/// How rings are made, whatever interface it turns out to be.
#[derive(Clone, Debug)]
pub struct Ringwork {
    /// Memory of a ring in bytes.
    pub ring_bytes: u32,
    /// Memory of a block in bytes, a power of two.
    pub block_bytes: u32,
    /// After this time the kernel hands over a block that is not full, in milliseconds.
    pub block_timeout_ms: u32,
    /// Whether to ask for frames that are addressed to others.
    pub promiscuous: bool,
    /// Bytes of a frame that are kept.
    pub snaplen: u32,
    /// Which frames are seen; all if `None`.
    pub filter: Option<Expression>,
}

impl Ringwork {
    fn setup(&self, interface: &Interface) -> Setup {
        let mut filter = match &self.filter {
            Some(expression) => expression.compile(interface.link, self.snaplen),
            None => filter::take_all(self.snaplen),
        };
        if interface.loopback {
            filter = filter::program::incoming_only(&filter);
        }
        Setup {
            ring_bytes: self.ring_bytes,
            block_bytes: self.block_bytes,
            block_timeout_ms: self.block_timeout_ms,
            promiscuous: self.promiscuous,
            filter,
        }
    }
}

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The interface's name.
    pub interface: String,
    /// Workers, at least 1.
    pub workers: usize,
    /// The core for each worker; those beyond the list go where they like.
    pub cores: Vec<usize>,
    /// Length of an interval.
    pub interval: Duration,
    /// When to end; `None` for not by itself.
    pub duration: Option<Duration>,
    /// How long a worker looks at an empty ring before it sleeps.
    pub busy_poll: Duration,
    /// How rings are made.
    pub rings: Ringwork,
    /// What the engines are built for, all together.
    pub engine: Config,
}

/// How the outside world speaks to a running tap.
#[derive(Clone, Debug, Default)]
pub struct Signals {
    /// End, with all results so far.
    pub stop: Arc<AtomicBool>,
    /// Begin a new interval now; taken back when it has begun.
    pub renew: Arc<AtomicBool>,
}

/// Runs `plan` on `tap` into `sink` until `signals` or the plan say stop; meanwhile `tracepoint` is
/// read, if there is one.
///
/// # Errors
/// See [`TapError`]; a broken pipe is among [`TapError::Write`].
pub fn run(
    plan: &Plan,
    mut tap: Tap,
    tracepoint: Option<Tracepoint>,
    sink: &mut dyn Sink,
    signals: &Signals,
    notify: &(dyn Fn(&Notice) + Sync),
) -> Result<(), TapError> {
    let workers = plan.workers.max(1);
    let each = Config { flows: plan.engine.flows.div_ceil(workers), ..plan.engine.clone() };
    let engines = (0..workers).map(|_| Engine::new(&each, 0, 1)).collect::<Result<Vec<_>, _>>()?;
    debug!(bytes = reserved_bytes(&engines), "flow tables reserved");
    engines.iter().for_each(huge_pages::advise);
    let (send, receive) = bounded(QUEUE);
    let taken = Arc::new(AtomicU64::new(0));
    let mut counted = Counted { sink, taken: Arc::clone(&taken) };
    let clock = Arc::new(Clock::default());
    let (reader, _keeper) = tracepoint.map(Tracepoint::split).unzip();
    let collected = AtomicBool::new(false);
    thread::scope(|scope| {
        let _reading = Raised(&collected);
        if let Some(reader) = reader {
            let (clock, over) = (Arc::clone(&clock), &collected);
            thread::Builder::new()
                .name("tracepoint".to_owned())
                .spawn_scoped(scope, move || reader.run(over, &clock, notify))
                .map_err(TapError::Thread)?;
        }
        let spawned = spawn(scope, engines, &mut tap, plan, &send, &clock, notify)?;
        let (orders, pulses) = spawned.into_iter().unzip();
        drop(send);
        let control = Control { plan, signals, notify, clock, workers: orders, pulses, taken };
        notify(&tap.begin());
        let control = thread::Builder::new()
            .name("control".to_owned())
            .spawn_scoped(scope, move || control.run(&mut tap))
            .map_err(TapError::Thread)?;
        let collected = collect(&receive, workers, OrderBy::Time, &mut counted);
        // Workers whose collector has gone find the channel closed and go on until they are told.
        drop(receive);
        if collected.is_err() {
            signals.stop.store(true, Ordering::Relaxed);
        }
        let controlled = control.join().unwrap_or(Ok(()));
        collected.map_err(TapError::Write)?;
        controlled
    })
}

/// A flag that is set when this goes, however that comes about.
struct Raised<'a>(&'a AtomicBool);

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Starts the workers; returns the ends of their order queues.
/// Starts the workers; returns the ends of their order queues, and their pulses.
fn spawn<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    engines: Vec<Engine>,
    tap: &mut Tap,
    plan: &'env Plan,
    collector: &Sender<Message>,
    clock: &Arc<Clock>,
    notify: &'env (dyn Fn(&Notice) + Sync),
) -> Result<Vec<(Sender<Order>, Pulse)>, TapError> {
    let mut rings = tap.take_rings().into_iter();
    let mut ends = Vec::with_capacity(engines.len());
    for (number, engine) in engines.into_iter().enumerate() {
        let (send, orders) = unbounded();
        let reporter = Reporter::new(number, collector.clone());
        let pulse = reporter.pulse().clone();
        let worker = Worker {
            engine,
            ring: rings.next().map(Box::new),
            orders,
            reporter,
            clock: Arc::clone(clock),
            busy_poll: plan.busy_poll,
            block_timeout: Duration::from_millis(plan.rings.block_timeout_ms.into()),
        };
        let core = plan.cores.get(number).copied();
        thread::Builder::new()
            .name(format!("worker-{number}"))
            .spawn_scoped(scope, move || {
                if let Some(core) = core {
                    pin(core, notify);
                }
                worker.run();
            })
            .map_err(TapError::Thread)?;
        ends.push((send, pulse));
    }
    Ok(ends)
}

/// Ties the calling thread to a core.
fn pin(core: usize, notify: &(dyn Fn(&Notice) + Sync)) {
    let mut set = CpuSet::new();
    set.set(core);
    if let Err(error) = sched_setaffinity(None, &set) {
        notify(&Notice::NotPinned { core, reason: error.to_string() });
    }
}

/// A sink that lets others know how many summaries it has taken.
struct Counted<'a> {
    sink: &'a mut dyn Sink,
    taken: Arc<AtomicU64>,
}

impl Sink for Counted<'_> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.sink.event(event)
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        self.sink.summary(summary)?;
        self.taken.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}
