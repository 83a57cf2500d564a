//! The bounded flow table of one shard: fixed memory, two choices of bucket, eviction by class.
//!
//! A hash names a first bucket of 16 ways and, with its tag, a second one. A flow lives in its
//! first bucket unless that was full when it came; then the first bucket counts it as overflowed,
//! and only while that count is above zero do lookups go on to the second. Records lie directly
//! in the way they belong to, so that a lookup costs two cache misses (bucket line, record), and
//! both can be asked for ahead:
//!
//! ```text
//! for every packet of a burst   hint = prefetch_bucket(hash)
//! for every packet of a burst   hint = probe(hash, hint), prefetch_record(hint)
//! for every packet of a burst   at_hint(key, hint), if the flow's class stays what it is; else
//!                               find_hinted(hash, key, hint), or insert(…); touch(…)
//! ```
//!
//! Hints never change a result: where `at_hint` finds nothing, `find_hinted` gives what `find` would.
//!
//! When both buckets are full, a flow of the lowest [`Class`] and greatest age makes room. What
//! that needs to know lies in the two bucket lines, so a flood of new flows costs two lines and
//! the one record that is overwritten, wherever the table stands.
//!
//! The table reads no clock: its *tick* is a count of the caller's choosing, modulo 256, that must
//! not go backwards. Ages are told apart up to [`AGE_MAX`] ticks, on two conditions:
//! [`FlowTable::sweep`] passes over every bucket at least once in 64 ticks, and a clock that jumps
//! further than that is announced with [`FlowTable::leap`].

mod age;
mod insert;

use super::bucket::{Bucket, WAYS, Ways, tag};
use super::key::FlowKey;
use super::slab::{Cutter, Slab};

pub use self::insert::Inserted;
pub use super::bucket::{AGE_MAX, Class};
pub use super::slab::{NoMemory, Region, Zeroable};

/// What a table needs to know of its records: 128 bytes, zeros are a value, and they name their flow.
pub trait Record: Zeroable + Default {
    /// The flow that the record is about.
    fn key(&self) -> &FlowKey;
}

/// The place of a flow in its table; it stays there until it is removed or evicted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct Slot(u32);

impl Slot {
    /// Number of the slot in its table, from 0.
    #[inline]
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    #[inline(always)]
    const fn new(bucket: usize, way: usize) -> Self {
        Self((bucket * WAYS + way) as u32)
    }

    #[inline(always)]
    const fn bucket(self) -> usize {
        self.index() / WAYS
    }

    #[inline(always)]
    const fn way(self) -> usize {
        self.index() % WAYS
    }
}

/// A flow table of fixed size.
pub struct FlowTable<R> {
    buckets: Slab<Bucket>,
    records: Slab<R>,
    by_class: [usize; 4],
}

impl<R: Record> FlowTable<R> {
    /// A table for `capacity` flows, at no more than 170 bytes each.
    ///
    /// It has 1.28 slots for each of them, so that of as many flows in random order fewer than one
    /// in 200 finds both its buckets full and has to displace another.
    ///
    /// # Errors
    /// [`NoMemory`] when the system refuses the memory, or the slots cannot be numbered.
    pub fn new(capacity: usize) -> Result<Self, NoMemory> {
        Self::family(1, capacity)?.pop().ok_or(NoMemory { bytes: 0 })
    }

    /// `count` tables for `capacity` flows each, in one block of memory (see
    /// [`FlowTable::memory`]); otherwise they have nothing to do with each other.
    ///
    /// # Errors
    /// As [`FlowTable::new`].
    pub fn family(count: usize, capacity: usize) -> Result<Vec<Self>, NoMemory> {
        const { assert!(size_of::<R>() == 128, "a record is two cache lines") };
        let too_large = NoMemory { bytes: usize::MAX };
        let buckets = Self::buckets_for(capacity).ok_or(too_large)?;
        let size = Cutter::size::<Bucket>(buckets)
            .zip(Cutter::size::<R>(buckets * WAYS))
            .and_then(|(lines, records)| lines.checked_add(records)?.checked_mul(count))
            .ok_or(too_large)?;
        let mut cutter = Cutter::new(size)?;
        // All bucket lines first: together they are small enough to stay in the outer caches.
        let lines: Vec<_> = (0..count).map_while(|_| cutter.cut(buckets)).collect();
        Ok(lines
            .into_iter()
            .map_while(|buckets: Slab<Bucket>| {
                let records = cutter.cut(buckets.len() * WAYS)?;
                Some(Self { buckets, records, by_class: [0; 4] })
            })
            .collect())
    }

    /// Buckets for `capacity` flows, 12.5 to each: an even number (see [`FlowTable::partner`]).
    fn buckets_for(capacity: usize) -> Option<usize> {
        let buckets = capacity.checked_mul(2)?.div_ceil(25).max(1).checked_next_multiple_of(2)?;
        u32::try_from(buckets.checked_mul(WAYS)?).ok()?;
        Some(buckets)
    }

    /// The first bucket of a hash: bits 26 to 57, scaled to the number of buckets. The six bits
    /// above chose the shard, the low 16 are the tag.
    #[inline(always)]
    fn first(&self, hash: u64) -> usize {
        let bits = hash >> 26 & 0xffff_ffff;
        ((bits * self.buckets.len() as u64) >> 32) as usize
    }

    /// The other bucket of a flow with `tag` in `bucket`.
    ///
    /// The two numbers add up, modulo the even number of buckets, to an odd one that the tag
    /// gives. So they always differ, and each leads to the other: a flow can leave its second
    /// bucket without anybody reading its record for the key.
    #[inline(always)]
    fn partner(&self, bucket: usize, tag: u16) -> usize {
        let len = self.buckets.len();
        let mixed = u64::from(u32::from(tag).wrapping_mul(0x9e37_79b1));
        let sum = ((mixed * (len as u64 / 2)) >> 32) as usize * 2 + 1;
        if sum >= bucket { sum - bucket } else { sum + len - bucket }
    }

    /// Asks for the line of the hash's first bucket, and returns that bucket's first slot.
    #[inline(always)]
    pub fn prefetch_bucket(&self, hash: u64) -> Slot {
        let first = self.first(hash);
        self.buckets.prefetch(first);
        Slot::new(first, 0)
    }

    /// Where the flow probably is, or else where it would probably be inserted; `first` is what
    /// [`FlowTable::prefetch_bucket`] returned.
    ///
    /// Reads bucket lines only.
    #[inline(always)]
    #[must_use]
    pub fn probe(&self, hash: u64, first: Slot) -> Slot {
        let (tag, first) = (tag(hash), first.bucket());
        let line = self.buckets.at(first);
        let hits = line.matches(tag);
        if hits != 0 {
            return Slot::new(first, hits.trailing_zeros() as usize);
        }
        self.probe_further(tag, first)
    }

    /// [`Self::probe`] when the first bucket does not have the tag. Apart, as a burst of known flows
    /// never comes here.
    #[inline(never)]
    fn probe_further(&self, tag: u16, first: usize) -> Slot {
        let line = self.buckets.at(first);
        let free = line.matches(0);
        if line.overflow() == 0 && free != 0 {
            return Slot::new(first, free.trailing_zeros() as usize);
        }
        let second = self.partner(first, tag);
        let line = self.buckets.at(second);
        let hits = line.matches(tag);
        if hits != 0 {
            return Slot::new(second, hits.trailing_zeros() as usize);
        }
        if free != 0 {
            return Slot::new(first, free.trailing_zeros() as usize);
        }
        let free = line.matches(0);
        if free != 0 {
            return Slot::new(second, free.trailing_zeros() as usize);
        }
        // In a flood all are of one age, and the rotor alone decides.
        let line = self.buckets.at(first);
        Slot::new(first, line.next_of(line.of_class(Ways::MAX, Class::Embryonic)))
    }

    /// Asks for both lines of the record in `slot`.
    #[inline(always)]
    pub fn prefetch_record(&self, slot: Slot) {
        self.records.prefetch(slot.index());
    }

    /// Asks for the bucket's line of `slot`.
    #[inline(always)]
    pub fn prefetch_bucket_of(&self, slot: Slot) {
        self.buckets.prefetch(slot.bucket());
    }

    /// The slot of a flow; `hash` must be the one that it was inserted with.
    #[inline(never)]
    #[must_use]
    pub fn find(&self, hash: u64, key: &FlowKey) -> Option<Slot> {
        let (tag, first) = (tag(hash), self.first(hash));
        let line = self.buckets.at(first);
        let found = self.search(first, line.matches(tag), key);
        if found.is_some() || line.overflow() == 0 {
            return found;
        }
        let second = self.partner(first, tag);
        self.search(second, self.buckets.at(second).matches(tag), key)
    }

    /// [`FlowTable::find`], quicker when `hint` is right.
    #[inline]
    #[must_use]
    pub fn find_hinted(&self, hash: u64, key: &FlowKey, hint: Slot) -> Option<Slot> {
        // Without a tag the record is that of a flow removed since.
        let there = self.buckets.at(hint.bucket()).tag_at(hint.way()) != 0;
        if there && self.record(hint).key().is(key) { Some(hint) } else { self.find(hash, key) }
    }

    /// The record of a flow and the tick of its last use, both to be changed, if `hint` is right; the
    /// flow's class must stay what it is.
    #[inline(always)]
    pub fn at_hint(&mut self, key: &FlowKey, hint: Slot) -> Option<(&mut R, &mut u8)> {
        let line = self.buckets.at_mut(hint.bucket());
        let record = self.records.at_mut(hint.index());
        // Without a tag it is that of a flow removed since.
        let there = line.tag_at(hint.way()) != 0 && record.key().is(key);
        there.then(|| (record, line.used_mut(hint.way())))
    }

    #[inline(always)]
    fn search(&self, bucket: usize, mut ways: Ways, key: &FlowKey) -> Option<Slot> {
        while ways != 0 {
            let slot = Slot::new(bucket, ways.trailing_zeros() as usize);
            if self.record(slot).key().is(key) {
                return Some(slot);
            }
            ways &= ways - 1;
        }
        None
    }

    #[inline(always)]
    fn occupy(&mut self, slot: Slot, tag: u16, class: Class, tick: u8, guest: bool) {
        self.buckets.at_mut(slot.bucket()).occupy(slot.way(), tag, class, tick, guest);
        self.by_class[class.index()] += 1;
    }

    /// Removes the flow in `slot` and returns its class; `None` when the slot was free.
    ///
    /// Its record stays readable until the slot is taken again.
    #[inline]
    pub fn remove(&mut self, slot: Slot) -> Option<Class> {
        let class = self.class(slot)?;
        let line = self.buckets.at_mut(slot.bucket());
        let (tag, guest) = (line.tag_at(slot.way()), line.is_guest(slot.way()));
        line.vacate(slot.way());
        if guest {
            let home = self.partner(slot.bucket(), tag);
            self.buckets.at_mut(home).lower_overflow();
        }
        self.by_class[class.index()] -= 1;
        Some(class)
    }

    /// Notes that the flow in `slot` was used at `tick` and is now of `class`; writes only what
    /// changed. A free slot stays free.
    #[inline]
    pub fn touch(&mut self, slot: Slot, class: Class, tick: u8) {
        let line = self.buckets.at_mut(slot.bucket());
        if line.tag_at(slot.way()) == 0 {
            return;
        }
        let before = line.touch(slot.way(), class, tick);
        if before != class {
            self.by_class[before.index()] -= 1;
            self.by_class[class.index()] += 1;
        }
    }

    /// Class of the flow in `slot`; `None` when the slot is free.
    #[inline]
    #[must_use]
    pub fn class(&self, slot: Slot) -> Option<Class> {
        let line = self.buckets.at(slot.bucket());
        (line.tag_at(slot.way()) != 0).then(|| line.class_at(slot.way()))
    }

    /// The record in `slot`; zeros, or that of an earlier flow, when the slot is free.
    #[inline(always)]
    #[must_use]
    pub fn record(&self, slot: Slot) -> &R {
        self.records.at(slot.index())
    }

    /// The record in `slot`, to change it; the key must stay that of the flow.
    #[inline(always)]
    pub fn record_mut(&mut self, slot: Slot) -> &mut R {
        self.records.at_mut(slot.index())
    }

    /// The flows in the table, in order of their slots.
    pub fn iter(&self) -> impl Iterator<Item = (Slot, Class, &R)> {
        (0..self.slots())
            .map(|index| Slot(index as u32))
            .filter_map(|slot| Some((slot, self.class(slot)?, self.record(slot))))
    }

    /// Flows in the table.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_class.iter().sum()
    }

    /// Whether there is no flow in the table.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Flows of each class, by [`Class::index`].
    #[must_use]
    pub const fn len_by_class(&self) -> [usize; 4] {
        self.by_class
    }

    /// Buckets, the unit in which [`FlowTable::sweep`] counts.
    #[must_use]
    pub fn buckets(&self) -> usize {
        self.buckets.len()
    }

    /// Slots: more flows than that are never held.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.records.len()
    }

    /// Bytes that this table alone occupies once all of it has been used.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.buckets) + size_of_val(&*self.records)
    }

    /// The block of memory that the whole family of this table lives in, for a caller that wants
    /// it on huge pages.
    #[must_use]
    pub fn memory(&self) -> Region {
        self.buckets.region()
    }
}

#[cfg(test)]
mod tests;
