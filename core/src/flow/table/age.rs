//! Flows that fell silent: a hand goes round the buckets and takes them out, class by class.

use super::{FlowTable, Record, Slot};
use crate::flow::bucket::{AGE_MAX, Class};

impl<R: Record> FlowTable<R> {
    /// Ages out flows in `count` buckets from bucket `hand` on (round the end), and returns where
    /// to go on.
    ///
    /// A flow that was idle for more than `limit(class)` ticks is removed and given to `expired`
    /// with its record. Pinned flows stay, and so do those whose limit is [`AGE_MAX`] or above.
    pub fn sweep(
        &mut self,
        hand: usize,
        count: usize,
        tick: u8,
        limit: impl Fn(Class) -> u8,
        mut expired: impl FnMut(Slot, Class, &R),
    ) -> usize {
        let limits = [Class::Embryonic, Class::Closing, Class::Established]
            .map(|class| (class, limit(class)));
        let buckets = self.buckets.len();
        let mut bucket = hand % buckets;
        for _ in 0..count.min(buckets) {
            let line = self.buckets.at(bucket);
            let occupied = line.occupied();
            let mut due = 0;
            for (class, limit) in limits {
                if limit < AGE_MAX {
                    due |= line.of_class(occupied, class) & line.older_than(limit, tick);
                }
            }
            if occupied & line.older_than(AGE_MAX, tick) != 0 {
                self.buckets.at_mut(bucket).grow_older(tick, 0);
            }
            while due != 0 {
                let slot = Slot::new(bucket, due.trailing_zeros() as usize);
                if let Some(class) = self.remove(slot) {
                    expired(slot, class, self.record(slot));
                }
                due &= due - 1;
            }
            bucket = if bucket + 1 == buckets { 0 } else { bucket + 1 };
        }
        bucket
    }

    /// Lets the clock jump from `tick` to `tick + ticks` (modulo 256) without losing count of ages
    /// that would wrap: all flows become older by `ticks`, up to [`AGE_MAX`]. Visits every bucket.
    pub fn leap(&mut self, tick: u8, ticks: u32) {
        for line in self.buckets.iter_mut() {
            if line.occupied() != 0 {
                line.grow_older(tick, ticks);
            }
        }
    }
}
