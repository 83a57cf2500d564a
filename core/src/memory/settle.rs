//! Settling: judging again with what other flows showed, in the order of the capture.
//!
//! An event waits for [`SETTLE_NS`] of packet time, so that what follows it (the same service
//! refusing, other connections dying) can be seen; then it is judged with its surroundings. Of most
//! events only the time waits: see [`Brief::asks_memory`].

use std::collections::VecDeque;
use std::ops::Deref;

use crate::flow::prefetch;
use crate::judge::cause::Subcause;
use crate::judge::event::{Event, Judged};
use crate::judge::open::OpenEvent;
use crate::judge::surroundings::Surroundings;
use crate::judge::{event_of, is_settled_by_memory, subcause_of};
use crate::limits::{COHORT_NS, SETTLE_NS, SETTLING_MAX, clock_was_wrong};
use crate::set_backs::SetBacks;

use super::brief::Brief;
use super::endings::{Endings, Ends};
use super::{Memory, Sighting, endpoint, host};

/// How many events ahead of its turn an event's memory is asked for: it has waited long enough to
/// have left the caches.
const EVENTS_AHEAD: usize = 8;

/// Judges events with cross-flow memory. Events are large and wait long, so they come as `J`,
/// whatever keeps them where they are.
#[derive(Debug)]
pub struct Settler<T, J> {
    memory: Memory,
    /// When each event that waits was, in their order.
    waiting: VecDeque<u64>,
    /// Events that have waited: the number of the first that waits.
    first: u64,
    /// Those of them that will be asked for, by their numbers.
    kept: VecDeque<(u64, T, J)>,
    endings: Endings,
    now_ns: u64,
    /// Of those that wait, so many from the front need not: the clock by which they did was wrong.
    overdue: usize,
    set_backs: SetBacks,
}

/// An event whose surroundings are known as well as they will be.
#[derive(Debug)]
pub struct Settled<T, J> {
    /// What came with it.
    pub tag: T,
    /// The event as its own flow's packets explain it.
    pub judged: J,
    around: Surroundings,
}

impl<T, J: Deref<Target = Judged>> Settled<T, J> {
    /// What it is: the claim of [`Self::event`], without all else.
    #[must_use]
    pub fn subcause(&self) -> Subcause {
        let open = &self.judged.open;
        // What its own flow says is the last word where memory has none.
        if !open.asks_memory || self.around.say_nothing() {
            self.judged.subcause()
        } else {
            subcause_of(open, &self.around)
        }
    }

    /// The event with its verdict and evidence.
    #[must_use]
    pub fn event(&self) -> Event {
        event_of(&self.judged.open, &self.around)
    }
}

impl<T, J> Default for Settler<T, J> {
    fn default() -> Self {
        Self {
            memory: Memory::new(),
            waiting: VecDeque::new(),
            first: 0,
            kept: VecDeque::new(),
            endings: Endings::default(),
            now_ns: 0,
            overdue: 0,
            set_backs: SetBacks::default(),
        }
    }
}

impl<T, J: Deref<Target = Judged>> Settler<T, J> {
    /// Takes a sighting; sightings and events must come in the order of their frames.
    pub fn sighting(&mut self, sighting: &Sighting) {
        self.observe(sighting.time_ns);
        self.memory.accepted(sighting);
    }

    /// Takes an event, in brief, and as a whole with whatever the caller wants back with it. Of those
    /// that do not ask memory the whole may be left out, if the caller has no use for their evidence.
    #[inline]
    pub fn event(&mut self, brief: &Brief, whole: Option<(T, J)>) {
        let (key, time_ns) = (&brief.key, brief.time_ns);
        self.observe(time_ns);
        if brief.is_refusal() {
            self.memory.refused(key, usize::from(brief.side), time_ns);
        }
        if brief.is_ending() {
            self.endings.push(time_ns, ends(brief));
        }
        if let Some((tag, judged)) = whole {
            self.kept.push_back((self.first + self.waiting.len() as u64, tag, judged));
        }
        self.waiting.push_back(time_ns);
    }

    /// Goes by the time of what comes next. What waited for a time that was wrong would for years.
    #[inline]
    fn observe(&mut self, time_ns: u64) {
        self.set_backs.came(1);
        if time_ns > self.now_ns {
            self.now_ns = time_ns;
        } else if clock_was_wrong(self.now_ns, time_ns) && self.set_backs.believe() {
            self.now_ns = time_ns;
            self.overdue = self.waiting.len();
        }
    }

    /// Nothing before `now_ns` will come any more: what waited for it need not wait longer. For live
    /// traffic, where time goes on without packets.
    pub fn advance(&mut self, now_ns: u64) {
        self.now_ns = self.now_ns.max(now_ns);
    }

    /// The next event that came as a whole and whose surroundings are known well enough; all of them
    /// when `at_end`.
    #[inline]
    pub fn settled(&mut self, at_end: bool) -> Option<Settled<T, J>> {
        while let Some(&time_ns) = self.waiting.front() {
            let due = time_ns.saturating_add(SETTLE_NS);
            let known = at_end || due <= self.now_ns || self.overdue > 0;
            if !known && self.waiting.len() < SETTLING_MAX {
                return None;
            }
            self.waiting.pop_front();
            self.overdue = self.overdue.saturating_sub(1);
            self.endings.forget_before(time_ns.saturating_sub(COHORT_NS));
            let number = self.first;
            self.first += 1;
            if self.kept.front().is_some_and(|(first, ..)| *first == number) {
                return self.settle_kept();
            }
        }
        None
    }

    fn settle_kept(&mut self) -> Option<Settled<T, J>> {
        let (_, tag, judged) = self.kept.pop_front()?;
        if let Some((_, _, soon)) = self.kept.get(EVENTS_AHEAD) {
            prefetch::value(&**soon);
        }
        let around = self.surroundings(&judged.open);
        Some(Settled { tag, judged, around })
    }

    /// Whether an event waits that came as a whole and whose tag satisfies `wanted`.
    pub fn waits_for(&self, wanted: impl Fn(&T) -> bool) -> bool {
        self.kept.iter().any(|(_, tag, _)| wanted(tag))
    }

    fn surroundings(&mut self, open: &OpenEvent) -> Surroundings {
        if !is_settled_by_memory(open) {
            return Surroundings::default();
        }
        let (key, side, time_ns) = (&open.flow.key, open.rst.side & 1, open.rst.time_ns);
        let service = endpoint(key, open.service_side());
        let (alive, accepted_after) = self.memory.alive(&service, time_ns);
        let hosts = [host(key, 0), host(key, 1)];
        Surroundings {
            service_alive: Some(alive),
            accepted_after,
            refused_after: self.memory.refused_after(&service, time_ns),
            host_baseline: self.memory.baseline(&hosts[side]),
            cohort: open.ending.then(|| self.endings.cohort(time_ns, &(service, hosts))),
            source_refused: Some(self.memory.refusals(&hosts[side ^ 1], time_ns)),
        }
    }
}

/// Whose connection it was.
fn ends(brief: &Brief) -> Ends {
    let key = &brief.key;
    (endpoint(key, usize::from(brief.service_side)), [host(key, 0), host(key, 1)])
}
