//! One bucket of the flow table: what must be known of 16 flows to find, age and evict them, in
//! one cache line.
//!
//! A way's tag tells almost always whether a looked-for key can be there; its coarse age and class
//! are all that eviction asks. So neither a miss nor the choice of a victim touches a record.

#![expect(unsafe_code, reason = "a bucket says of itself that zeros are a value of it")]

use super::lanes;
use super::slab::Zeroable;

/// Flows a bucket has room for.
pub(super) const WAYS: usize = 16;

/// Ages stop here, in ticks: the 64 above it are the slack that one pass of ageing has before an
/// age would wrap and look young again.
pub const AGE_MAX: u8 = 191;

/// How readily a flow gives up its place when its buckets are full.
#[repr(u8)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Class {
    /// Only one side has been heard; the first to go.
    #[default]
    Embryonic,
    /// FIN or RST seen; goes when no embryonic flow is left to take.
    Closing,
    /// Both sides have been heard; goes last, and not for an embryonic newcomer while in use.
    Established,
    /// A verdict is pending: never evicted, never aged out.
    Pinned,
}

impl Class {
    /// All classes, in the order of [`Class::index`].
    pub const ALL: [Self; 4] = [Self::Embryonic, Self::Closing, Self::Established, Self::Pinned];

    /// Position in [`Class::ALL`].
    #[inline]
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// The tag of a hash: its low 16 bits, which choose neither shard nor bucket; never 0.
#[inline]
pub(super) const fn tag(hash: u64) -> u16 {
    let low = hash as u16;
    if low == 0 { 1 } else { low }
}

/// Sets of ways are bit masks: bit `w` stands for way `w`.
pub(super) type Ways = u16;

/// The line of one bucket.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
pub(super) struct Bucket {
    /// Tag of the flow in each way, 0 for a free way.
    tags: [u16; WAYS],
    /// Tick of each way's last use, modulo 256.
    used: [u8; WAYS],
    /// Low bits of the ways' classes.
    class_low: Ways,
    /// High bits of the ways' classes.
    class_high: Ways,
    /// Ways whose flow has this bucket as its second choice.
    guests: Ways,
    /// Flows with this bucket as first choice that live in their second one.
    overflow: u16,
    /// Where the choice among equally old ways begins.
    rotor: u8,
    spare: [u8; 7],
}

const _: () = assert!(size_of::<Bucket>() == 64, "a bucket is one cache line");

// SAFETY: integers only.
unsafe impl Zeroable for Bucket {}

impl Bucket {
    /// Ways that carry `tag`; tag 0 asks for the free ways.
    #[inline(always)]
    pub(super) fn matches(&self, tag: u16) -> Ways {
        lanes::equal(&self.tags, tag)
    }

    /// Ways that hold a flow.
    #[inline(always)]
    pub(super) fn occupied(&self) -> Ways {
        !self.matches(0)
    }

    /// The ways among `ways` that are of `class`.
    #[inline(always)]
    pub(super) const fn of_class(&self, ways: Ways, class: Class) -> Ways {
        let code = class as u8;
        let low = if code & 1 == 0 { !self.class_low } else { self.class_low };
        let high = if code & 2 == 0 { !self.class_high } else { self.class_high };
        ways & low & high
    }

    /// The greatest age among `ways`, in ticks, and the ways that have it.
    #[inline(always)]
    pub(super) fn oldest(&self, ways: Ways, tick: u8) -> (u8, Ways) {
        lanes::oldest(&self.used, ways, tick)
    }

    /// The ways, free ones included, that were last used more than `limit` ticks ago.
    #[inline(always)]
    pub(super) fn older_than(&self, limit: u8, tick: u8) -> Ways {
        lanes::older_than(&self.used, limit, tick)
    }

    /// The first of `ways` (not empty) from the rotor on.
    #[inline(always)]
    pub(super) const fn next_of(&self, ways: Ways) -> usize {
        let rotor = self.rotor as u32 & 15;
        ((ways.rotate_right(rotor).trailing_zeros() + rotor) & 15) as usize
    }

    /// Moves the rotor behind `way`.
    #[inline(always)]
    pub(super) const fn turn(&mut self, way: usize) {
        self.rotor = (way as u8 + 1) & 15;
    }

    /// Tag of the flow in `way`; 0 when the way is free.
    #[inline(always)]
    pub(super) const fn tag_at(&self, way: usize) -> u16 {
        self.tags[way & 15]
    }

    /// Tick of the last use of `way`.
    #[inline(always)]
    pub(super) const fn used_mut(&mut self, way: usize) -> &mut u8 {
        &mut self.used[way & 15]
    }

    /// Class of the flow in `way`; meaningless for a free way.
    #[inline(always)]
    pub(super) const fn class_at(&self, way: usize) -> Class {
        let low = self.class_low >> (way & 15) & 1;
        let high = self.class_high >> (way & 15) & 1;
        Class::ALL[(high << 1 | low) as usize & 3]
    }

    /// Whether the flow in `way` is here because its first bucket was full; meaningless for a free
    /// way.
    #[inline(always)]
    pub(super) const fn is_guest(&self, way: usize) -> bool {
        self.guests >> (way & 15) & 1 != 0
    }

    /// Flows that overflowed from this bucket to their second choice.
    #[inline(always)]
    pub(super) const fn overflow(&self) -> u16 {
        self.overflow
    }

    /// Whether one more flow may overflow from here: its count must stay exact.
    #[inline(always)]
    pub(super) const fn may_overflow(&self) -> bool {
        self.overflow < u16::MAX
    }

    /// A flow of this bucket moved in elsewhere.
    #[inline(always)]
    pub(super) const fn raise_overflow(&mut self) {
        self.overflow = self.overflow.saturating_add(1);
    }

    /// A flow of this bucket that lived elsewhere is gone.
    #[inline(always)]
    pub(super) const fn lower_overflow(&mut self) {
        self.overflow = self.overflow.saturating_sub(1);
    }

    /// Lets a flow move into `way`.
    #[inline(always)]
    pub(super) const fn occupy(
        &mut self,
        way: usize,
        tag: u16,
        class: Class,
        tick: u8,
        guest: bool,
    ) {
        self.tags[way & 15] = tag;
        self.used[way & 15] = tick;
        self.guests = self.guests & !(1 << (way & 15)) | (guest as u16) << (way & 15);
        self.set_class(way, class);
    }

    /// Frees `way`.
    #[inline(always)]
    pub(super) const fn vacate(&mut self, way: usize) {
        self.tags[way & 15] = 0;
    }

    /// Notes a use of `way` and the flow's class; leaves the line clean when nothing is new, and
    /// returns the class that was there before.
    #[inline(always)]
    pub(super) fn touch(&mut self, way: usize, class: Class, tick: u8) -> Class {
        if self.used[way & 15] != tick {
            self.used[way & 15] = tick;
        }
        let before = self.class_at(way);
        if before != class {
            self.set_class(way, class);
        }
        before
    }

    const fn set_class(&mut self, way: usize, class: Class) {
        let bit = 1 << (way & 15);
        let code = class as u16;
        self.class_low = self.class_low & !bit | (code & 1) << (way & 15);
        self.class_high = self.class_high & !bit | (code >> 1) << (way & 15);
    }

    /// Makes all ages `ticks` greater as the clock goes from `tick` to `tick + ticks`, but none
    /// greater than [`AGE_MAX`].
    pub(super) fn grow_older(&mut self, tick: u8, ticks: u32) {
        let step = u8::try_from(ticks).unwrap_or(u8::MAX);
        let now = tick.wrapping_add(ticks as u8);
        for used in &mut self.used {
            let age = tick.wrapping_sub(*used).saturating_add(step).min(AGE_MAX);
            *used = now.wrapping_sub(age);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AGE_MAX, Bucket, Class, WAYS, tag};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ways_keep_what_was_put_into_them(
            moves in prop::collection::vec((0..WAYS, 1u16.., 0usize..4, any::<u8>(), any::<bool>()), 0..60)
        ) {
            let mut bucket = Bucket::default();
            let mut model = [None; WAYS];
            for (way, tag, class, tick, guest) in moves {
                let class = Class::ALL[class];
                if model[way].is_some() && tag % 3 == 0 {
                    bucket.vacate(way);
                    model[way] = None;
                } else {
                    bucket.occupy(way, tag, class, tick, guest);
                    model[way] = Some((tag, class, guest));
                }
                for (way, held) in model.iter().enumerate() {
                    let occupied = bucket.occupied();
                    prop_assert_eq!(occupied >> way & 1 != 0, held.is_some());
                    let Some((tag, class, guest)) = *held else { continue };
                    prop_assert_eq!(bucket.tag_at(way), tag);
                    prop_assert_eq!(bucket.class_at(way), class);
                    prop_assert_eq!(bucket.is_guest(way), guest);
                    for other in Class::ALL {
                        let is = bucket.of_class(occupied, other) >> way & 1 != 0;
                        prop_assert_eq!(is, other == class);
                    }
                }
            }
        }
    }

    #[test]
    fn the_rotor_takes_equals_in_turn() {
        let mut bucket = Bucket::default();
        for (ways, want) in [
            (0xffff, 0),
            (0xffff, 1),
            (0x8001, 15),
            (0x8001, 0),
            (0x0001, 0),
            (0x0010, 4),
            (0x0010, 4),
            (0x000f, 0),
        ] {
            let way = bucket.next_of(ways);
            assert_eq!(way, want, "{ways:#06x} from rotor {}", bucket.rotor);
            bucket.turn(way);
        }
    }

    #[test]
    fn a_tag_is_never_the_mark_of_a_free_way() {
        for (hash, want) in [(0, 1), (1, 1), (0xffff_0000, 1), (0x1234_5678, 0x5678)] {
            assert_eq!(tag(hash), want, "{hash:#x}");
        }
    }

    #[test]
    fn ages_grow_by_the_leap_and_stop_before_they_wrap() {
        for (age, ticks, want) in [
            (0u8, 0u32, 0u8),
            (3, 10, 13),
            (10, 180, 190),
            (10, 181, AGE_MAX),
            (10, 300, AGE_MAX),
            (200, 1, AGE_MAX),
            (0, u32::MAX, AGE_MAX),
        ] {
            for tick in [0u8, 5, 250] {
                let mut bucket = Bucket::default();
                bucket.occupy(7, 9, Class::Established, tick.wrapping_sub(age), false);
                bucket.grow_older(tick, ticks);
                let now = tick.wrapping_add(ticks as u8);
                let got = bucket.oldest(1 << 7, now);
                assert_eq!(got, (want, 1 << 7), "age {age} + {ticks} at tick {tick}");
            }
        }
    }
}
