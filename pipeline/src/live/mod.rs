//! Live traffic: a network interface as a tap.
//!
//! A [`backend::Backend`] brings the frames, opened while there are privileges; [`run`] then needs
//! none. [`tap`] is that of AF_PACKET: the interface with its sockets and rings ([`af_packet`],
//! `block`, `ring`); `dpdk`, a feature, that of DPDK through capsule. Each worker has an intake and
//! an engine that owns all shards: the kernel or the device deals out flows so that both directions
//! of a flow come to the same worker, and no packet crosses from one to another. Where a device
//! cannot, each owns some of the shards, and one worker deals out (`steer`). `control` says when
//! intervals end and looks after the tap; the collector is the same as for recorded traffic, and
//! puts events into the order of time.
//!
//! **How the kernel deals out flows** to AF_PACKET. `PACKET_FANOUT_HASH` takes a hash of addresses and ports
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
pub mod backend;
mod block;
mod clock;
mod control;
#[cfg(feature = "dpdk")]
pub mod dpdk;
pub mod error;
pub mod filter;
pub mod interface;
pub mod notice;
mod pulse;
mod report;
mod ring;
#[cfg(any(feature = "dpdk", test))]
mod steer;
pub mod tap;
pub mod tracepoint;
mod worker;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam::channel::{Sender, bounded, unbounded};
use resetscope_core::engine::{Config, Engine};
use resetscope_core::flow::table::NoMemory;
use resetscope_core::judge::event::Event;
use tracing::debug;

use crate::collect::{OrderBy, Sink, Summary, collect};
use crate::huge_pages;
use crate::worker::{Message, reserved_bytes};

use backend::{Backend, Seat};
use clock::Clock;
use control::Control;
use error::TapError;
use notice::Notice;
use report::Reporter;
use tracepoint::Tracepoint;
use worker::Order;

/// Messages that may wait for the collector.
const QUEUE: usize = 256;

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Workers, at least 1.
    pub workers: usize,
    /// The core for each worker; those beyond the list go where they like.
    pub cores: Vec<usize>,
    /// Length of an interval.
    pub interval: Duration,
    /// When to end; `None` for not by itself.
    pub duration: Option<Duration>,
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

/// The cores that the process may use.
///
/// # Errors
/// What the system said.
pub fn usable_cores() -> io::Result<Vec<usize>> {
    let allowed = rustix::thread::sched_getaffinity(None)?;
    Ok((0..rustix::thread::CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core)).collect())
}

/// Runs `plan` on what `backend` brings into `sink` until `signals` or the plan say stop; meanwhile
/// `tracepoint` is read, if there is one.
///
/// # Errors
/// See [`TapError`]; a broken pipe is among [`TapError::Write`].
pub fn run<B: Backend>(
    plan: &Plan,
    mut backend: B,
    tracepoint: Option<Tracepoint>,
    sink: &mut dyn Sink,
    signals: &Signals,
    notify: &(dyn Fn(&Notice) + Sync),
) -> Result<(), TapError> {
    let workers = plan.workers.max(1);
    let engines = engines(plan, backend.deals_shards())?;
    let bytes = reserved_bytes(&engines)?;
    debug!(bytes, "flow tables reserved");
    engines.iter().for_each(huge_pages::advise);
    let (send, receive) = bounded(QUEUE);
    let taken = Arc::new(AtomicU64::new(0));
    let mut counted = Counted { sink, taken: Arc::clone(&taken) };
    let clock = Arc::new(Clock::default());
    let (reader, _keeper) = tracepoint.map(Tracepoint::split).unzip();
    let (orders, seats) = seats(engines, &send, &clock);
    let pulses = seats.iter().map(|seat: &Seat<_>| seat.reporter.pulse().clone()).collect();
    drop(send);
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
        backend.start(scope, seats, &plan.cores, notify)?;
        let control = Control { plan, signals, notify, clock, workers: orders, pulses, taken };
        if let Some(notice) = backend.begin() {
            notify(&notice);
        }
        let control = thread::Builder::new()
            .name("control".to_owned())
            .spawn_scoped(scope, move || (control.run(&mut backend), backend))
            .map_err(TapError::Thread)?;
        let collected = collect(&receive, workers, OrderBy::Time, &mut counted);
        // Workers whose collector has gone find the channel closed and go on until they are told;
        // and when no worker is left there is nothing to go on for.
        drop(receive);
        signals.stop.store(true, Ordering::Relaxed);
        let controlled = control.join();
        collected.map_err(TapError::Write)?;
        let (controlled, backend) = controlled.map_err(|_| TapError::Abandoned)?;
        controlled.and(backend.end())
    })
}

/// An engine for each worker: with its share of the shards if `deals_shards`, else with all of them.
fn engines(plan: &Plan, deals_shards: bool) -> Result<Vec<Engine>, NoMemory> {
    let workers = plan.workers.max(1);
    if deals_shards {
        return (0..workers).map(|worker| Engine::new(&plan.engine, worker, workers)).collect();
    }
    let each = Config { flows: plan.engine.flows.div_ceil(workers), ..plan.engine.clone() };
    (0..workers).map(|_| Engine::new(&each, 0, 1)).collect()
}

/// A flag that is set when this goes, however that comes about.
struct Raised<'a>(&'a AtomicBool);

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A seat for each engine's worker, and the ends of their order queues.
fn seats<N>(
    engines: Vec<Engine>,
    collector: &Sender<Message>,
    clock: &Arc<Clock>,
) -> (Vec<Sender<Order<N>>>, Vec<Seat<N>>) {
    let seat = |(number, engine)| {
        let (send, orders) = unbounded();
        let reporter = Reporter::new(number, collector.clone());
        (send, Seat { number, engine, orders, reporter, clock: Arc::clone(clock) })
    };
    engines.into_iter().enumerate().map(seat).unzip()
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

    fn wants_events(&self) -> bool {
        self.sink.wants_events()
    }
}

#[cfg(test)]
mod tests {
    use std::thread::Scope;

    use super::backend::Change;
    use super::*;

    /// A tap without frames, whose control dies at the first look.
    struct Doomed;

    impl Backend for Doomed {
        type New = ();

        fn start<'scope>(
            &mut self,
            scope: &'scope Scope<'scope, '_>,
            seats: Vec<Seat<()>>,
            _: &[usize],
            _: &'scope (dyn Fn(&Notice) + Sync),
        ) -> Result<(), TapError> {
            for seat in seats {
                scope.spawn(move || {
                    let seat = seat;
                    while seat.orders.recv().is_ok() {}
                });
            }
            Ok(())
        }

        fn begin(&mut self) -> Option<Notice> {
            None
        }

        fn look(&mut self) -> Result<Change<()>, TapError> {
            panic!("as a defect would")
        }

        fn end(self) -> Result<(), TapError> {
            Ok(())
        }
    }

    struct Nobody;

    impl Sink for Nobody {
        fn event(&mut self, _: &Event) -> io::Result<()> {
            Ok(())
        }

        fn summary(&mut self, _: &Summary) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_run_whose_control_dies_is_no_success() {
        let plan = Plan {
            workers: 2,
            cores: Vec::new(),
            interval: Duration::from_secs(3600),
            duration: None,
            engine: Config { flows: 4096, ..Config::default() },
        };
        let ran = run(&plan, Doomed, None, &mut Nobody, &Signals::default(), &|_| {});
        assert!(matches!(ran, Err(TapError::Abandoned)), "{ran:?}");
    }
}
