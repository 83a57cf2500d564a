//! A live worker: one ring, one engine, and nobody to wait for.
//!
//! It goes from block to block; orders, the clock and the collector get their turn between two
//! blocks. Whatever the collector does, the ring is emptied.

use std::hint;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, TryRecvError};
use resetscope_core::engine::Engine;
use resetscope_core::interval::Ledger;

use super::af_packet::Ring;
use super::clock::Clock;
use super::report::Reporter;
use crate::feed::Span;

/// The longest sleep: orders and the clock get their turn this often even without packets.
const NAP: Duration = Duration::from_millis(50);

/// Time between two advances of all shards' clocks, in nanoseconds.
const ADVANCE_NS: u64 = 250_000_000;

/// How far behind the wall clock the tap is known to be complete, beyond two timeouts of a block:
/// frames are stamped before the kernel puts them into a block.
const LAG: Duration = Duration::from_millis(100);

/// How much earlier than its predecessor a frame of a busy ring may be stamped: several cores of
/// the kernel fill it.
const DISORDER_NS: u64 = 1_000_000;

/// What a worker is told.
pub(super) enum Order {
    /// Go on with this ring; the interface had gone away, or was not there yet.
    Ring(Box<Ring>),
    /// Hand over the interval, and go on with the one of this number.
    Close(Span, u64),
    /// Judge all that is open, hand over the last interval, and end.
    Finish(Span),
}

/// What a worker works with.
pub(super) struct Worker {
    pub(super) engine: Engine,
    /// `None` while there is no interface.
    pub(super) ring: Option<Box<Ring>>,
    pub(super) orders: Receiver<Order>,
    pub(super) reporter: Reporter,
    pub(super) clock: Arc<Clock>,
    /// How long to look at an empty ring before sleeping.
    pub(super) busy_poll: Duration,
    /// After this time the kernel hands over a block that is not full.
    pub(super) block_timeout: Duration,
}

impl Worker {
    /// Works until it is told to finish.
    pub(super) fn run(self) {
        let Self { engine, ring, orders, reporter, clock, busy_poll, block_timeout } = self;
        let mut tap = Tap { engine, ring, clock, block_timeout, frames: 0, through_ns: 0 };
        let mut reporter = reporter;
        let mut due_ns = 0;
        loop {
            reporter.pulse().beat();
            match orders.try_recv() {
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => return,
                Ok(Order::Ring(ring)) => tap.change(ring),
                Ok(Order::Close(span, next_seq)) => {
                    tap.count_drops();
                    let now_ns = tap.complete_ns();
                    reporter.report(&mut tap.engine, now_ns);
                    reporter.hand_over(&mut tap.engine, span, next_seq);
                }
                Ok(Order::Finish(span)) => {
                    tap.drain();
                    tap.engine.finish();
                    return reporter.finish(&mut tap.engine, span);
                }
            }
            let busy = tap.take_block();
            if !busy {
                tap.let_time_pass();
            }
            let now_ns = tap.complete_ns();
            let due = now_ns >= due_ns;
            if due {
                tap.engine.advance(now_ns);
                tap.count_drops();
                due_ns = now_ns + ADVANCE_NS;
            }
            if due || tap.engine.has_events() {
                reporter.report(&mut tap.engine, now_ns);
            }
            if !busy {
                tap.wait(busy_poll);
            }
        }
    }
}

/// A worker's engine at its ring.
struct Tap {
    engine: Engine,
    ring: Option<Box<Ring>>,
    clock: Arc<Clock>,
    block_timeout: Duration,
    /// Frames so far: the number of the last one.
    frames: u64,
    /// The time of the latest frame, or the time until which there certainly was none.
    through_ns: u64,
}

impl Tap {
    /// Analyses the next block; false when there is none.
    fn take_block(&mut self) -> bool {
        let Some(mut block) = self.ring.as_mut().and_then(|ring| ring.next_block()) else {
            return false;
        };
        let mut frames = block.frames(self.clock.stamps());
        self.engine.push(&mut frames, self.frames + 1);
        self.frames += frames.taken();
        self.through_ns = self.through_ns.max(frames.last_ns());
        true
    }

    /// No block was there just now: so nothing came until a moment ago.
    fn let_time_pass(&mut self) {
        let lag = LAG + 2 * self.block_timeout;
        let until_ns = self.clock.now_ns().saturating_sub(super::clock::nanoseconds(lag));
        self.through_ns = self.through_ns.max(until_ns);
    }

    /// All frames before this time have been analysed.
    const fn complete_ns(&self) -> u64 {
        self.through_ns.saturating_sub(DISORDER_NS)
    }

    /// Puts what the kernel dropped into the ledger.
    fn count_drops(&mut self) {
        let dropped = self.ring.as_ref().map_or(0, |ring| ring.take_drops());
        if dropped > 0 {
            let mut ledger = Ledger::default();
            ledger.kernel_dropped(dropped);
            self.engine.count_frames(&ledger);
        }
    }

    /// Waits for the next block, or a while.
    fn wait(&self, busy_poll: Duration) {
        let Some(ring) = &self.ring else { return thread::sleep(NAP) };
        if !busy_poll.is_zero() {
            let begun = Instant::now();
            while begun.elapsed() < busy_poll {
                if ring.is_ready() {
                    return;
                }
                hint::spin_loop();
            }
        }
        if ring.wait(NAP).is_err() {
            thread::sleep(NAP);
        }
    }

    /// Takes everything that has arrived until now, also what waits in a block that is not full.
    fn drain(&mut self) {
        let now_ns = self.clock.now_ns();
        // The kernel's timer looks after a block once each timeout and hands it over at the second
        // look; a while longer for a kernel that is busy.
        let patience = 2 * self.block_timeout + Duration::from_millis(20);
        let mut quiet = Instant::now();
        while self.through_ns < now_ns && quiet.elapsed() < patience {
            if self.take_block() {
                quiet = Instant::now();
            } else if let Some(ring) = &self.ring {
                let _ = ring.wait(patience.saturating_sub(quiet.elapsed()));
            } else {
                break;
            }
        }
        self.count_drops();
    }

    /// Finishes the ring of an interface that has gone away, and goes on with another.
    fn change(&mut self, ring: Box<Ring>) {
        self.drain();
        self.ring = Some(ring);
    }
}
