//! Who decides what happens when: ends of intervals, the end of it all, and what to do when the
//! interface goes away. Workers only obey.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam::channel::Sender;

use super::backend::{Backend, Change};
use super::clock::{Clock, Watch};
use super::error::TapError;
use super::notice::Notice;
use super::pulse::{Pulse, Watched};
use super::worker::Order;
use super::{Plan, Signals};
use crate::feed::Span;

/// Time between two looks at the signals and the clock.
const ROUND: Duration = Duration::from_millis(20);

/// Time between two looks at the interface.
const LOOK: Duration = Duration::from_millis(200);

/// Summaries that may wait for the output before intervals get longer.
const WAITING_MAX: u64 = 16;

/// The control of a running tap.
pub(super) struct Control<'a, N> {
    pub(super) plan: &'a Plan,
    pub(super) signals: &'a Signals,
    pub(super) notify: &'a (dyn Fn(&Notice) + Sync),
    pub(super) clock: Arc<Clock>,
    /// Ends of the workers' order queues.
    pub(super) workers: Vec<Sender<Order<N>>>,
    /// Whether they go on.
    pub(super) pulses: Vec<Pulse>,
    /// Summaries that the sink has taken.
    pub(super) taken: Arc<AtomicU64>,
}

impl<N: Send> Control<'_, N> {
    /// Runs the tap until the signal to stop or the end of the planned duration, and lets the
    /// workers finish.
    ///
    /// # Errors
    /// When the tap cannot go on; the workers finish all the same.
    pub(super) fn run(&self, tap: &mut impl Backend<New = N>) -> Result<(), TapError> {
        let begun = Instant::now();
        let mut watch = Watch::new();
        let mut intervals = Intervals::begin(self.clock.now_ns(), self.plan.interval);
        let mut watched = Watched::new(&self.pulses);
        let mut look_at = begun;
        let result = loop {
            let over = self.plan.duration.is_some_and(|length| begun.elapsed() >= length);
            if over || self.signals.stop.load(Ordering::Relaxed) {
                break Ok(());
            }
            if let Some(by) = watch.look(&self.clock) {
                (self.notify)(&Notice::ClockSetBack(by));
            }
            if self.signals.renew.swap(false, Ordering::Relaxed) || intervals.is_over() {
                self.close(&mut intervals);
            }
            if Instant::now() >= look_at {
                look_at = Instant::now() + LOOK;
                if let Err(error) = self.look(tap) {
                    break Err(error);
                }
                if watched.all_go_on() {
                    (self.notify)(&Notice::GoesOn);
                }
            }
            let left = self.plan.duration.map_or(ROUND, |of| of.saturating_sub(begun.elapsed()));
            thread::sleep(ROUND.min(left).min(intervals.left()));
        };
        (self.notify)(&Notice::Ending);
        let span = intervals.span(self.clock.now_ns());
        for worker in &self.workers {
            let _ = worker.send(Order::Finish(span));
        }
        result
    }

    fn close(&self, intervals: &mut Intervals) {
        let waiting = intervals.seq.saturating_sub(self.taken.load(Ordering::Relaxed));
        if waiting >= WAITING_MAX {
            if !intervals.prolonged {
                intervals.prolonged = true;
                (self.notify)(&Notice::OutputBehind { waiting });
            }
            return;
        }
        let now_ns = self.clock.now_ns();
        let span = intervals.span(now_ns);
        intervals.next(now_ns);
        for worker in &self.workers {
            let _ = worker.send(Order::Close(span, intervals.seq));
        }
    }

    fn look(&self, tap: &mut impl Backend<New = N>) -> Result<(), TapError> {
        match tap.look()? {
            Change::None => {}
            Change::Told(notice) => (self.notify)(&notice),
            Change::New(each, notice) => {
                for (worker, new) in self.workers.iter().zip(each) {
                    let _ = worker.send(Order::Change(new));
                }
                (self.notify)(&notice);
            }
        }
        Ok(())
    }
}

/// The interval that is going on.
struct Intervals {
    seq: u64,
    start_ns: u64,
    length: Duration,
    /// When it is to end. The monotonic clock decides, so that intervals keep their length whatever
    /// happens to the wall clock. `None` for an end that is beyond all clocks.
    until: Option<Instant>,
    prolonged: bool,
}

impl Intervals {
    fn begin(now_ns: u64, length: Duration) -> Self {
        let until = Instant::now().checked_add(length);
        Self { seq: 0, start_ns: now_ns, length, until, prolonged: false }
    }

    fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    fn left(&self) -> Duration {
        // One that is over and cannot be closed is looked at each round.
        let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
        left.filter(|left| !left.is_zero()).unwrap_or(ROUND)
    }

    /// It, if it ends now.
    fn span(&self, now_ns: u64) -> Span {
        Span { seq: self.seq, start_ns: self.start_ns, end_ns: now_ns.max(self.start_ns) }
    }

    /// Goes on with the next. One that ended when it should is followed by one that ends a length
    /// later; after any other the rhythm begins anew.
    fn next(&mut self, now_ns: u64) {
        let now = Instant::now();
        let late = |until: &Instant| now.checked_duration_since(*until);
        let in_time = |until: &Instant| late(until).is_some_and(|late| late < self.length);
        let begins = self.until.filter(in_time).unwrap_or(now);
        let until = begins.checked_add(self.length);
        *self = Self { seq: self.seq + 1, start_ns: now_ns, until, prolonged: false, ..*self };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_without_end_ends_when_it_is_told_to() {
        let mut intervals = Intervals::begin(5, Duration::MAX);
        assert!(!intervals.is_over());
        assert_eq!(intervals.left(), ROUND);
        intervals.next(9);
        assert_eq!(intervals.span(12), Span { seq: 1, start_ns: 9, end_ns: 12 });
    }
}
