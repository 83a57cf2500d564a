//! Settling: judging again with what other flows showed, in the order of the capture.
//!
//! An event waits for [`SETTLE_NS`] of packet time, so that what follows it (the same service
//! refusing, other connections dying) can be seen; then it is judged with its surroundings.

use std::collections::VecDeque;
use std::ops::Deref;

use crate::flow::prefetch;
use crate::judge::cause::Subcause;
use crate::judge::event::{Event, Judged};
use crate::judge::facts::Stage;
use crate::judge::form::Form;
use crate::judge::surroundings::Surroundings;
use crate::judge::{event_of, is_settled_by_memory, subcause_of};
use crate::limits::{COHORT_NS, ENDINGS_MAX, SETTLE_NS, SETTLING_MAX};

use super::{Endpoint, HostKey, Memory, Sighting, endpoint, host};

/// How many events ahead of its turn an event's memory is asked for: it has waited long enough to
/// have left the caches.
const EVENTS_AHEAD: usize = 8;

/// A connection that its host ended without being asked, as a candidate for a cohort.
#[derive(Clone, Copy, Debug)]
struct Ending {
    time_ns: u64,
    service: Endpoint,
    hosts: [HostKey; 2],
}

/// Judges events with cross-flow memory. Events are large and wait long, so they come as `J`,
/// whatever keeps them where they are.
#[derive(Debug)]
pub struct Settler<T, J> {
    memory: Memory,
    waiting: VecDeque<(T, J)>,
    endings: VecDeque<Ending>,
    now_ns: u64,
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
    /// What it is.
    #[must_use]
    pub fn subcause(&self) -> Subcause {
        let open = &self.judged.open;
        // What its own flow says is the last word where memory has none.
        if is_settled_by_memory(open) {
            subcause_of(open, &self.around)
        } else {
            self.judged.subcause()
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
            endings: VecDeque::new(),
            now_ns: 0,
        }
    }
}

impl<T, J: Deref<Target = Judged>> Settler<T, J> {
    /// Takes a sighting; sightings and events must come in the order of their frames.
    pub fn sighting(&mut self, sighting: &Sighting) {
        self.now_ns = self.now_ns.max(sighting.time_ns);
        self.memory.accepted(sighting);
    }

    /// Takes an event with whatever the caller wants back with it.
    pub fn event(&mut self, tag: T, judged: J) {
        let open = &judged.open;
        let (key, side, time_ns) = (&open.flow.key, open.rst.side & 1, open.rst.time_ns);
        self.now_ns = self.now_ns.max(time_ns);
        let refusal = Stage::of(&open.flow) == Stage::PostSyn
            && open.flow.initiator() == Some(side ^ 1)
            && !open.flow.dir[side].has(!0);
        if refusal {
            self.memory.refused(key, side, time_ns);
        }
        if is_ending(&judged) {
            if self.endings.len() >= ENDINGS_MAX {
                self.endings.pop_front();
            }
            self.endings.push_back(Ending {
                time_ns,
                service: service(&judged),
                hosts: [host(key, 0), host(key, 1)],
            });
        }
        self.waiting.push_back((tag, judged));
    }

    /// Nothing before `now_ns` will come any more: what waited for it need not wait longer. For live
    /// traffic, where time goes on without packets.
    pub fn advance(&mut self, now_ns: u64) {
        self.now_ns = self.now_ns.max(now_ns);
    }

    /// The next event whose surroundings are known well enough; all of them when `at_end`.
    pub fn settled(&mut self, at_end: bool) -> Option<Settled<T, J>> {
        let (_, first) = self.waiting.front()?;
        let due = first.open.rst.time_ns.saturating_add(SETTLE_NS);
        if !at_end && due > self.now_ns && self.waiting.len() < SETTLING_MAX {
            return None;
        }
        let (tag, judged) = self.waiting.pop_front()?;
        if let Some((_, soon)) = self.waiting.get(EVENTS_AHEAD) {
            prefetch::value(&**soon);
        }
        let keep_ns = judged.open.rst.time_ns.saturating_sub(COHORT_NS);
        while self.endings.front().is_some_and(|ending| ending.time_ns < keep_ns) {
            self.endings.pop_front();
        }
        let around = self.surroundings(&judged);
        Some(Settled { tag, judged, around })
    }

    /// Whether an event waits whose tag satisfies `wanted`.
    pub fn waits_for(&self, wanted: impl Fn(&T) -> bool) -> bool {
        self.waiting.iter().any(|(tag, _)| wanted(tag))
    }

    fn surroundings(&self, judged: &Judged) -> Surroundings {
        let open = &judged.open;
        if !is_settled_by_memory(open) {
            return Surroundings::default();
        }
        let (key, side, time_ns) = (&open.flow.key, open.rst.side & 1, open.rst.time_ns);
        let service = service(judged);
        Surroundings {
            service_alive: Some(self.memory.alive(&service, time_ns)),
            accepted_after: self.memory.accepted_after(&service, time_ns),
            refused_after: self.memory.refused_after(&service, time_ns),
            host_baseline: self.memory.baseline(&host(key, side)),
            cohort: is_ending(judged).then(|| self.cohort(judged, &service)),
            source_refused: Some(self.memory.refusals(&host(key, side ^ 1), time_ns)),
        }
    }

    /// Connections that ended within [`COHORT_NS`] of this one and share its service or its hosts,
    /// this one included.
    fn cohort(&self, judged: &Judged, service: &Endpoint) -> u16 {
        let (key, time_ns) = (&judged.open.flow.key, judged.open.rst.time_ns);
        let hosts = [host(key, 0), host(key, 1)];
        let count = self
            .endings
            .iter()
            .filter(|ending| ending.time_ns.abs_diff(time_ns) <= COHORT_NS)
            .filter(|ending| ending.service == *service || ending.hosts == hosts)
            .count();
        u16::try_from(count).unwrap_or(u16::MAX)
    }
}

/// A host that had the connection ended it, and no packet had just asked for that.
fn is_ending(judged: &Judged) -> bool {
    let open = &judged.open;
    let last = open.flow.last();
    open.form == Form::ActiveRa
        && !open.aftermath
        && !open.flow.both_fins()
        && open.age_us(last) >= crate::limits::ENDING_IDLE_US
}

/// The service of the flow: the side that did not open it, or the lower port.
fn service(judged: &Judged) -> Endpoint {
    endpoint(&judged.open.flow.key, judged.open.service_side())
}
