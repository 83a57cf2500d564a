//! What a dashboard shows: sums since the start, the last intervals, the last resets. Its size has a
//! bound however long the tap runs.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use resetscope_core::interval::Ledger;
use resetscope_core::judge::cause::{Cause, Subcause};
use resetscope_core::judge::event::Event;

use crate::collect::Summary;
use crate::collect::top::{Tally, Top};

/// Counts by [`Cause`].
pub type ByCause = [u64; Cause::ALL.len()];

/// Intervals that are remembered one by one.
const INTERVALS: usize = 240;

/// Resets that are remembered one by one.
const RESETS: usize = 200;

/// One reset as a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reset {
    /// When, in nanoseconds since 1970-01-01 UTC.
    pub time_ns: u64,
    /// Who sent it.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
    /// Why.
    pub subcause: Subcause,
    /// How sure that is, in percent.
    pub percent: u8,
}

/// The state of a dashboard.
pub struct Model {
    /// What is listened on.
    pub interface: String,
    /// Planned length of an interval.
    pub interval: Duration,
    /// When the tap was opened.
    pub begun: Instant,
    /// When the running interval began.
    pub opened: Instant,
    /// Intervals that have ended.
    pub ended: u64,
    /// Sums over them.
    pub frames: Ledger,
    /// Connections first seen in them.
    pub connections: u64,
    /// RST packets in them.
    pub packets: u64,
    /// Reset events in them.
    pub resets: ByCause,
    /// Reset events since the last of them ended.
    pub since: ByCause,
    /// Frames of the last of them, and how long it lasted.
    pub last: (u64, Duration),
    history: VecDeque<ByCause>,
    top: Top,
    recent: VecDeque<Reset>,
}

impl Model {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(interface: String, interval: Duration, now: Instant) -> Self {
        Self {
            interface,
            interval,
            begun: now,
            opened: now,
            ended: 0,
            frames: Ledger::default(),
            connections: 0,
            packets: 0,
            resets: ByCause::default(),
            since: ByCause::default(),
            last: (0, Duration::ZERO),
            history: VecDeque::with_capacity(INTERVALS),
            top: Top::default(),
            recent: VecDeque::with_capacity(RESETS),
        }
    }

    /// Takes an event.
    pub fn event(&mut self, event: &Event) {
        let claim = event.verdict.claim;
        if let Some(count) = self.since.get_mut(claim.subcause.cause() as usize) {
            *count += 1;
        }
        self.top.add(&event.into());
        self.recent.truncate(RESETS - 1);
        let end = |side| SocketAddr::new(event.key.ip(side), event.key.port(side));
        self.recent.push_front(Reset {
            time_ns: event.time_ns,
            from: end(event.side),
            to: end(event.side ^ 1),
            subcause: claim.subcause,
            percent: claim.percent,
        });
    }

    /// Takes a summary: another interval has ended.
    pub fn summary(&mut self, summary: &Summary, now: Instant) {
        let interval = &summary.interval;
        self.ended += 1;
        self.opened = now;
        self.frames.merge(&interval.frames);
        self.connections += interval.flows.opened;
        self.packets += interval.resets.packets;
        add(&mut self.resets, &interval.resets.by_cause);
        self.since = ByCause::default();
        let lasted = summary.span.end_ns.saturating_sub(summary.span.start_ns);
        self.last = (interval.frames.received, Duration::from_nanos(lasted));
        self.history.truncate(INTERVALS - 1);
        self.history.push_front(interval.resets.by_cause);
    }

    /// Resets of a cause in each of the last intervals, the latest first.
    pub fn history(&self, cause: Cause) -> impl Iterator<Item = u64> {
        self.history.iter().map(move |counts| counts[cause as usize])
    }

    /// Resets of a cause a second in the last interval.
    #[must_use]
    pub fn rate(&self, cause: Cause) -> f64 {
        per_second(self.history(cause).next().unwrap_or(0), self.last.1)
    }

    /// Frames a second in the last interval.
    #[must_use]
    pub fn frame_rate(&self) -> f64 {
        per_second(self.last.0, self.last.1)
    }

    /// All resets of a cause, those of the running interval among them.
    #[must_use]
    pub fn total(&self, cause: Cause) -> u64 {
        self.resets[cause as usize] + self.since[cause as usize]
    }

    /// Services with the most resets.
    #[must_use]
    pub fn services(&self, most: usize) -> Vec<((IpAddr, u16), &Tally)> {
        self.top.services(most)
    }

    /// The last resets, the latest first.
    pub fn recent(&self) -> impl Iterator<Item = &Reset> {
        self.recent.iter()
    }
}

fn add(sums: &mut ByCause, counts: &ByCause) {
    sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
}

fn per_second(count: u64, lasted: Duration) -> f64 {
    if lasted.is_zero() { 0.0 } else { count as f64 / lasted.as_secs_f64() }
}
