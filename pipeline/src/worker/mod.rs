//! Workers: each owns some of the shards, and all of them share the reading and dissecting.
//!
//! One worker alone runs frames straight through its engine. Several take turns at the feed, a
//! batch at a time; who took a batch dissects it and sends each segment to the owner of its shard
//! (`exchange`). Owners take the parcels in the order of the batches, so every shard sees its
//! packets in the order of the capture.

pub mod events;
mod exchange;
pub mod gauge;
pub(crate) mod load;
mod patience;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crossbeam::channel::Sender;
use resetscope_core::engine::Engine;
use resetscope_core::flow::table::NoMemory;
use resetscope_core::interval::{Interval, Ledger, Shed};
use resetscope_core::memory::Sighting;

use crate::feed::{Cut, Feed, Signal, Span};
use crate::source::Batch;

use events::{Events, Pool};
use exchange::Desk;
pub use exchange::desks;
use gauge::Gauge;
use patience::Patience;

/// Frames of a batch: small enough that its segments stay in the second-level cache.
pub const BATCH_FRAMES: usize = 1024;

/// Events and sightings that are worth a message of their own: waking the collector takes
/// microseconds. Fewer wait for the next advance of the clocks; nothing could be settled before that.
pub const REPORT_MIN: usize = 1024;

/// What a worker tells the collector.
pub enum Message {
    /// Events judged during interval `seq`.
    Events {
        /// The worker.
        worker: usize,
        /// The interval in which they were judged.
        seq: u64,
        /// The events, in no particular order.
        events: Events,
        /// Services seen accepting, in no particular order.
        sightings: Vec<Sighting>,
        /// All events and sightings of frames before this one have been sent: a frame number, or
        /// a time in nanoseconds since 1970-01-01 UTC, as [`crate::collect::OrderBy`] says.
        watermark: u64,
    },
    /// The worker's part of an interval that has ended.
    Interval {
        /// The interval.
        span: Span,
        /// The worker's part of it.
        interval: Box<Interval>,
    },
}

/// Memory that is reserved for the flow tables of these engines, in bytes.
///
/// # Errors
/// When it is more than the machine has: Linux promises that too, and kills the program when the
/// tables fill.
pub fn reserved_bytes(engines: &[Engine]) -> Result<usize, NoMemory> {
    let bytes = engines.iter().filter_map(Engine::memory).map(|region| region.len).sum();
    let machine = rustix::system::sysinfo();
    let unit = u64::from(machine.mem_unit.max(1));
    if bytes as u64 > machine.totalram.saturating_mul(unit) {
        return Err(NoMemory { bytes });
    }
    Ok(bytes)
}

/// The state that a worker needs to report.
struct Reporter {
    worker: usize,
    seq: u64,
    collector: Sender<Message>,
    pool: Pool,
}

impl Reporter {
    /// Sends what has been judged. `through` is the number of the last frame that was analysed.
    fn events(&self, engine: &mut Engine, through: u64) {
        let next = through.saturating_add(1);
        let watermark = engine.oldest_open_frame().map_or(next, |oldest| oldest.min(next));
        let events = self.pool.drain(engine);
        let sightings = engine.drain_sightings().collect();
        let (worker, seq) = (self.worker, self.seq);
        let message = Message::Events { worker, seq, events, sightings, watermark };
        // A collector that has gone does not want anything any more.
        let _ = self.collector.send(message);
    }

    /// Does what follows a batch; true at the end of all.
    fn signal(&mut self, engine: &mut Engine, signal: Signal, through: u64) -> bool {
        match signal {
            Signal::Go => {
                if engine.waiting() >= REPORT_MIN {
                    self.events(engine, through);
                }
                false
            }
            Signal::Advance(now_ns) => {
                while engine.advance_some(now_ns) {
                    self.events(engine, through);
                }
                self.events(engine, through);
                false
            }
            Signal::Close { span, next_seq } => {
                self.hand_over(engine, span, through);
                self.seq = next_seq;
                false
            }
            Signal::SetBack { now_ns, closed } => {
                engine.set_back(now_ns);
                match closed {
                    Some((span, next_seq)) => {
                        self.hand_over(engine, span, through);
                        self.seq = next_seq;
                    }
                    None => self.events(engine, through),
                }
                false
            }
            Signal::Finish(span) => {
                engine.finish();
                self.hand_over(engine, span, u64::MAX - 1);
                true
            }
        }
    }

    fn hand_over(&self, engine: &mut Engine, span: Span, through: u64) {
        self.events(engine, through);
        let interval = Box::new(engine.take_interval());
        let _ = self.collector.send(Message::Interval { span, interval });
    }
}

/// Runs the only worker until the feed ends.
pub fn run_alone(
    engine: &mut Engine,
    gauge: &mut impl Gauge,
    feed: &Mutex<Feed>,
    collector: Sender<Message>,
) {
    let mut reporter = Reporter { worker: 0, seq: 0, collector, pool: Pool::default() };
    let mut batch = Batch::new(BATCH_FRAMES);
    let mut through = 0;
    loop {
        let cut = feed.lock().unwrap_or_else(PoisonError::into_inner).next(&mut batch);
        let Some(cut) = cut else { return };
        gauge.burst(batch.len(), || engine.push(batch.frames(), batch.first_number()));
        through += batch.len() as u64;
        if cut.lost > 0 {
            let mut ledger = Ledger::default();
            ledger.lost(Shed::KernelDrop, cut.lost);
            engine.count_frames(&ledger);
        }
        if reporter.signal(engine, cut.signal, through) {
            return;
        }
    }
}

/// Raises a flag when its worker unwinds: what that had taken from the feed never reaches the others.
struct Guard<'a>(&'a AtomicBool);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

/// Runs one of several workers until the feed ends, or until `broken` says that not all of them are at
/// work: then there is nothing to wait for.
pub fn run_together(
    engine: &mut Engine,
    gauge: &mut impl Gauge,
    (feed, broken): (&Mutex<Feed>, &AtomicBool),
    mut desk: Desk,
    collector: Sender<Message>,
) {
    let mut reporter = Reporter { worker: desk.worker(), seq: 0, collector, pool: Pool::default() };
    let mut batch = Batch::for_one_of(desk.workers(), BATCH_FRAMES);
    let mut patience = Patience::default();
    // A pipe that is silent gives empty batches, which are nothing to do.
    let mut seen = 0;
    let _guard = Guard(broken);
    loop {
        while let Some(parcel) = desk.receive() {
            engine.count_frames(parcel.ledger());
            gauge.burst(parcel.segments().len(), || {
                engine.process(parcel.segments(), parcel.texts());
            });
            let (signal, through) = (parcel.signal(), parcel.through());
            desk.give_back(parcel);
            if through > seen {
                seen = through;
                patience.renew();
            }
            if reporter.signal(engine, signal, through) {
                return;
            }
        }
        if desk.can_send() && take_turn(feed, &mut batch, &mut desk) {
            if !batch.is_empty() {
                patience.renew();
            }
            continue;
        }
        if broken.load(Ordering::Relaxed) {
            return;
        }
        patience.wait();
    }
}

/// Takes the next batch from the feed, if nobody else is at it, and sends it on.
fn take_turn(feed: &Mutex<Feed>, batch: &mut Batch, desk: &mut Desk) -> bool {
    let cut: Option<Cut> = match feed.try_lock() {
        Ok(mut feed) => feed.next(batch),
        Err(std::sync::TryLockError::Poisoned(poisoned)) => poisoned.into_inner().next(batch),
        Err(std::sync::TryLockError::WouldBlock) => None,
    };
    let Some(cut) = cut else { return false };
    desk.send(batch, cut);
    true
}
