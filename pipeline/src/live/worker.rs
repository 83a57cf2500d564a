//! A live worker: one intake, one engine, and nobody to wait for.
//!
//! It goes from one handful of frames to the next; orders, the clock and the collector get their
//! turn in between. Whatever the collector does, the intake is emptied.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, TryRecvError};
use resetscope_core::engine::Engine;
use resetscope_core::interval::Ledger;

use super::clock::{Clock, nanoseconds};
use super::report::Reporter;
use crate::feed::Span;
use crate::worker::REPORT_MIN;

/// The longest sleep: orders and the clock get their turn this often even without packets.
const NAP: Duration = Duration::from_millis(50);

/// Time between two advances of all shards' clocks, in nanoseconds.
const ADVANCE_NS: u64 = 250_000_000;

/// How much earlier than its predecessor a frame of a busy tap may be stamped: several cores of the
/// kernel, or several queues, fill it.
const DISORDER_NS: u64 = 1_000_000;

/// What a worker is told; `N` is what its intake can be given while it runs.
pub(super) enum Order<N> {
    /// Go on with this; what there was has gone away, or there was nothing yet.
    Change(N),
    /// Hand over the interval, and go on with the one of this number.
    Close(Span, u64),
    /// Judge all that is open, hand over the last interval, and end.
    Finish(Span),
}

/// What an intake gave to the engine at once.
pub(super) struct Taken {
    /// Frames.
    pub(super) frames: u64,
    /// The latest of their times, in nanoseconds since 1970-01-01 UTC.
    pub(super) last_ns: u64,
}

/// Where a worker's frames come from.
pub(super) trait Intake {
    /// What it can be given while it runs.
    type New: Send;

    /// Gives the next frames to the engine, the first of them as number `first`; `None` when there
    /// are none just now.
    fn take(&mut self, engine: &mut Engine, clock: &Clock, first: u64) -> Option<Taken>;

    /// Counts what was lost since the last call.
    fn count_losses(&mut self, ledger: &mut Ledger);

    /// When it is empty, it is known to be complete up to this long ago; `None` when its frames
    /// have times that are not those of the clock.
    fn lag(&self) -> Option<Duration>;

    /// What says, at the end, that no more will come.
    fn end(&self) -> End;

    /// Waits until there may be frames, at most this long.
    fn wait(&mut self, longest: Duration);

    /// Goes on with what it is given.
    fn change(&mut self, new: Self::New);

    /// Hears that all frames until `through_ns` have been taken.
    fn pass(&mut self, _through_ns: u64) {}

    /// Hears that no more will be taken.
    fn close(&mut self) {}
}

/// What says that no more frames will come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Silence of this length, or a frame that came after the end was asked for.
    Silence(Duration),
    /// The intake itself, which does, or does not yet.
    Closed(bool),
}

/// What came of a worker's turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// There were frames.
    Busy,
    /// There were none.
    Idle,
    /// It was told to finish, and has.
    Done,
}

/// A worker's engine at its intake.
pub(super) struct Worker<I: Intake> {
    engine: Engine,
    intake: I,
    orders: Receiver<Order<I::New>>,
    reporter: Reporter,
    clock: Arc<Clock>,
    /// Frames so far: the number of the last one.
    frames: u64,
    /// The time of the latest frame, or the time until which there certainly was none.
    through_ns: u64,
    /// When the shards' clocks are advanced next.
    due_ns: u64,
}

impl<I: Intake> Worker<I> {
    pub(super) fn new(
        engine: Engine,
        intake: I,
        orders: Receiver<Order<I::New>>,
        reporter: Reporter,
        clock: Arc<Clock>,
    ) -> Self {
        Self { engine, intake, orders, reporter, clock, frames: 0, through_ns: 0, due_ns: 0 }
    }

    /// Works until it is told to finish.
    pub(super) fn run(mut self) {
        loop {
            match self.turn() {
                Turn::Busy => {}
                Turn::Idle => self.intake.wait(NAP),
                Turn::Done => return,
            }
        }
    }

    /// Obeys, takes what is there, and reports.
    pub(super) fn turn(&mut self) -> Turn {
        self.reporter.pulse().beat();
        match self.orders.try_recv() {
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return Turn::Done,
            Ok(Order::Change(new)) => {
                // What is left of the old comes first.
                self.drain();
                self.intake.change(new);
            }
            Ok(Order::Close(span, next_seq)) => {
                self.count_losses();
                let now_ns = self.complete_ns();
                self.reporter.report(&mut self.engine, now_ns);
                self.reporter.hand_over(&mut self.engine, span, next_seq);
            }
            Ok(Order::Finish(span)) => {
                self.drain();
                self.intake.close();
                self.engine.finish();
                self.reporter.finish(&mut self.engine, span);
                return Turn::Done;
            }
        }
        let busy = self.take();
        if !busy {
            self.let_time_pass();
        }
        self.intake.pass(self.through_ns);
        let now_ns = self.complete_ns();
        let due = now_ns >= self.due_ns;
        if due {
            while self.engine.advance_some(now_ns) {
                self.reporter.report(&mut self.engine, now_ns);
            }
            self.count_losses();
            self.due_ns = now_ns + ADVANCE_NS;
        }
        if due || self.engine.waiting() >= REPORT_MIN {
            self.reporter.report(&mut self.engine, now_ns);
        }
        if busy { Turn::Busy } else { Turn::Idle }
    }

    /// Analyses the next frames; false when there are none.
    fn take(&mut self) -> bool {
        let taken = self.intake.take(&mut self.engine, &self.clock, self.frames + 1);
        let Some(Taken { frames, last_ns }) = taken else { return false };
        self.frames += frames;
        self.through_ns = self.through_ns.max(last_ns);
        true
    }

    /// Nothing was there just now: so nothing came until a moment ago.
    fn let_time_pass(&mut self) {
        let Some(lag) = self.intake.lag() else { return };
        let until_ns = self.clock.now_ns().saturating_sub(nanoseconds(lag));
        self.through_ns = self.through_ns.max(until_ns);
    }

    /// All frames before this time have been analysed.
    const fn complete_ns(&self) -> u64 {
        self.through_ns.saturating_sub(DISORDER_NS)
    }

    /// Puts what was lost into the ledger.
    fn count_losses(&mut self) {
        let mut ledger = Ledger::default();
        self.intake.count_losses(&mut ledger);
        self.engine.count_frames(&ledger);
    }

    /// Takes everything that has arrived until now.
    fn drain(&mut self) {
        let now_ns = self.clock.now_ns();
        let mut quiet = Instant::now();
        loop {
            let left = match self.intake.end() {
                End::Closed(true) => break,
                End::Closed(false) => NAP,
                End::Silence(_) if self.through_ns >= now_ns => break,
                End::Silence(patience) => match patience.saturating_sub(quiet.elapsed()) {
                    Duration::ZERO => break,
                    left => left,
                },
            };
            if self.take() {
                self.intake.pass(self.through_ns);
                // A backlog may hold more events than there is room for.
                if self.engine.waiting() >= REPORT_MIN {
                    let now_ns = self.complete_ns();
                    self.reporter.report(&mut self.engine, now_ns);
                }
                quiet = Instant::now();
            } else {
                self.intake.wait(left);
            }
        }
        self.count_losses();
    }
}
