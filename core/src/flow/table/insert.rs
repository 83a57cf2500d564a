//! New flows: where they go, and who makes room for them.

use super::{FlowTable, Record, Slot};
use crate::flow::bucket::{Class, Ways, tag};

/// Where a new flow was placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inserted {
    /// The slot to write the flow's record to, key included, before anything else is looked up.
    pub slot: Slot,
    /// Class of the flow that made room; until it is overwritten, `slot` holds its record.
    pub evicted: Option<Class>,
}

impl<R: Record> FlowTable<R> {
    /// Makes room for a flow that [`FlowTable::find`] did not find; `None` when nothing in its
    /// buckets may give way.
    ///
    /// Evicted is an embryonic flow if there is one, else a closing, else an established one, and
    /// of several the one that was idle longest. An embryonic newcomer takes no established flow
    /// that was used within the last `shield` ticks. A pinned flow is never evicted.
    #[inline]
    pub fn insert(&mut self, hash: u64, class: Class, tick: u8, shield: u8) -> Option<Inserted> {
        let (tag, first) = (tag(hash), self.first(hash));
        let free = self.buckets.at(first).matches(0);
        if free == 0 {
            return self.insert_crowded(first, tag, class, tick, shield);
        }
        let slot = Slot::new(first, free.trailing_zeros() as usize);
        self.occupy(slot, tag, class, tick, false);
        Some(Inserted { slot, evicted: None })
    }

    fn insert_crowded(
        &mut self,
        first: usize,
        tag: u16,
        class: Class,
        tick: u8,
        shield: u8,
    ) -> Option<Inserted> {
        let second = self.partner(first, tag);
        let may_overflow = self.buckets.at(first).may_overflow();
        let free = if may_overflow { self.buckets.at(second).matches(0) } else { 0 };
        let (slot, evicted) = if free == 0 {
            let ways = if may_overflow { Ways::MAX } else { 0 };
            let slot = self.victim(first, (second, ways), class, tick, shield)?;
            self.buckets.at_mut(slot.bucket()).turn(slot.way());
            (slot, self.remove(slot))
        } else {
            (Slot::new(second, free.trailing_zeros() as usize), None)
        };
        let guest = slot.bucket() != first;
        if guest {
            self.buckets.at_mut(first).raise_overflow();
        }
        self.occupy(slot, tag, class, tick, guest);
        Some(Inserted { slot, evicted })
    }

    /// Who is to make room: in the first bucket, or in `ways` of the second.
    #[inline]
    fn victim(
        &self,
        first: usize,
        (second, ways): (usize, Ways),
        newcomer: Class,
        tick: u8,
        shield: u8,
    ) -> Option<Slot> {
        let (a, b) = (self.buckets.at(first), self.buckets.at(second));
        for class in [Class::Embryonic, Class::Closing, Class::Established] {
            let (in_a, in_b) = (a.of_class(Ways::MAX, class), b.of_class(ways, class));
            if in_a | in_b == 0 {
                continue;
            }
            let (age_a, oldest_a) = a.oldest(in_a, tick);
            let (age_b, oldest_b) = b.oldest(in_b, tick);
            // Among equals rather at home: that adds no overflow.
            let at_home = in_a != 0 && (age_a >= age_b || in_b == 0);
            let (bucket, line, oldest, age) =
                if at_home { (first, a, oldest_a, age_a) } else { (second, b, oldest_b, age_b) };
            let shielded = class == Class::Established && newcomer == Class::Embryonic;
            if shielded && age <= shield {
                return None;
            }
            return Some(Slot::new(bucket, line.next_of(oldest)));
        }
        None
    }
}
