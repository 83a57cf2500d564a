//! Connections that their hosts ended unasked, and how many of them ended together.
//!
//! In a storm of such resets each asks for its cohort among a thousand others. Looking at all of them
//! took ten times as long as all else that is done for a reset, so those that may still count are
//! tallied by what they share.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use foldhash::fast::RandomState;

use crate::limits::{COHORT_NS, ENDINGS_MAX};

use super::{Endpoint, HostKey};

/// Whose connection it was: endings with the same service, or between the same hosts, are compared.
pub(super) type Ends = (Endpoint, [HostKey; 2]);

/// A connection that its host ended without being asked, as a candidate for a cohort.
#[derive(Clone, Copy, Debug)]
struct Ending {
    time_ns: u64,
    of: Ends,
}

/// How many endings of a kind there are.
#[derive(Debug)]
struct Tally<K>(HashMap<K, u32, RandomState>);

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<K: Hash + Eq> Tally<K> {
    fn add(&mut self, key: K) {
        *self.0.entry(key).or_default() += 1;
    }

    fn remove(&mut self, key: K) {
        if let Entry::Occupied(mut entry) = self.0.entry(key) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }

    fn of(&self, key: &K) -> u32 {
        self.0.get(key).copied().unwrap_or(0)
    }
}

/// The latest endings, at most [`ENDINGS_MAX`].
#[derive(Debug, Default)]
pub(super) struct Endings {
    queue: VecDeque<Ending>,
    /// Neighbours in the queue of which the second is the earlier one.
    disorder: usize,
    /// So many from the front are in the tallies.
    tallied: usize,
    by_service: Tally<Endpoint>,
    by_hosts: Tally<[HostKey; 2]>,
    by_both: Tally<Ends>,
}

impl Endings {
    /// Adds one; the first makes room.
    pub(super) fn push(&mut self, time_ns: u64, of: Ends) {
        if self.queue.len() >= ENDINGS_MAX {
            self.pop();
        }
        self.disorder += usize::from(self.queue.back().is_some_and(|last| last.time_ns > time_ns));
        self.queue.push_back(Ending { time_ns, of });
    }

    fn pop(&mut self) {
        let Some(first) = self.queue.pop_front() else { return };
        self.disorder -=
            usize::from(self.queue.front().is_some_and(|next| next.time_ns < first.time_ns));
        if self.tallied > 0 {
            self.tallied -= 1;
            self.by_service.remove(first.of.0);
            self.by_hosts.remove(first.of.1);
            self.by_both.remove(first.of);
        }
    }

    /// Forgets all from the front that were earlier than `time_ns`.
    #[inline]
    pub(super) fn forget_before(&mut self, time_ns: u64) {
        while self.queue.front().is_some_and(|ending| ending.time_ns < time_ns) {
            self.pop();
        }
    }

    /// How many are within [`COHORT_NS`] of `time_ns` and share service or hosts with `of`.
    pub(super) fn cohort(&mut self, time_ns: u64, of: &Ends) -> u16 {
        let count = if self.tally(time_ns) {
            self.by_service.of(&of.0) + self.by_hosts.of(&of.1) - self.by_both.of(of)
        } else {
            self.look_at_all(time_ns, of)
        };
        u16::try_from(count).unwrap_or(u16::MAX)
    }

    /// Makes the tallies those of all endings within [`COHORT_NS`] of `time_ns`; false if that is more
    /// work than to look at all. As time goes on, each ending comes in and goes out once.
    fn tally(&mut self, time_ns: u64) -> bool {
        let (from, to) = (time_ns.saturating_sub(COHORT_NS), time_ns.saturating_add(COHORT_NS));
        let begins = self.queue.front().is_none_or(|first| first.time_ns >= from);
        let last = self.tallied.checked_sub(1).and_then(|last| self.queue.get(last));
        if self.disorder > 0 || !begins || last.is_some_and(|last| last.time_ns > to) {
            return false;
        }
        while let Some(next) = self.queue.get(self.tallied).filter(|next| next.time_ns <= to) {
            let of = next.of;
            self.tallied += 1;
            self.by_service.add(of.0);
            self.by_hosts.add(of.1);
            self.by_both.add(of);
        }
        true
    }

    fn look_at_all(&self, time_ns: u64, of: &Ends) -> u32 {
        let counts = |ending: &&Ending| {
            ending.time_ns.abs_diff(time_ns) <= COHORT_NS
                && (ending.of.0 == of.0 || ending.of.1 == of.1)
        };
        self.queue.iter().filter(counts).map(|_| 1).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::{Endings, Ends};
    use crate::flow::key::FlowKey;
    use crate::limits::{COHORT_NS, ENDINGS_MAX};
    use crate::memory::{endpoint, host};
    use proptest::prelude::*;

    /// Connections of few services and few pairs of hosts.
    fn ends() -> impl Strategy<Value = Ends> {
        (0u8..3, 4u8..7, 0u16..2).prop_map(|(client, server, port)| {
            let (key, side) = FlowKey::new(([client; 16], 9), ([server; 16], port), 0);
            (endpoint(&key, usize::from(side ^ 1)), [host(&key, 0), host(&key, 1)])
        })
    }

    /// Time that goes on by little or much, and now and then goes back; every second or so is asked
    /// for its cohort some endings later.
    fn steps() -> impl Strategy<Value = Vec<(Ends, i64, usize)>> {
        let forth = prop_oneof![8 => 0..100_000i64, 3 => 0..30_000_000i64, 1 => 0..90_000_000i64];
        let any = prop_oneof![20 => forth.clone(), 1 => -20_000_000..0i64];
        let step = |time: BoxedStrategy<i64>| (ends(), time, 0usize..6);
        let of = |time| prop::collection::vec(step(time), 1..3 * ENDINGS_MAX / 2);
        prop_oneof![of(forth.boxed()), of((0..60_000i64).boxed()), of(any.boxed())]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn tallies_count_what_looking_at_all_of_them_counts(steps in steps(), begin in 0..2u64) {
            let mut endings = Endings::default();
            let mut now = begin * 1_770_000_000_000_000_000;
            let mut asked = std::collections::VecDeque::new();
            for (of, by, wait) in steps {
                now = now.saturating_add_signed(by);
                endings.push(now, of);
                asked.push_back((now, of));
                while asked.len() > wait {
                    let Some((time_ns, of)) = asked.pop_front() else { break };
                    endings.forget_before(time_ns.saturating_sub(COHORT_NS));
                    let want = endings.look_at_all(time_ns, &of);
                    prop_assert_eq!(u32::from(endings.cohort(time_ns, &of)), want);
                    prop_assert!(endings.queue.len() <= ENDINGS_MAX);
                }
            }
            endings.forget_before(u64::MAX);
            prop_assert_eq!(endings.disorder + endings.tallied + endings.by_both.0.len(), 0);
        }
    }
}
