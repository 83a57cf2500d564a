//! The 16 ways of a bucket side by side in vector registers: SSE2 on x86-64, NEON on aarch64, one
//! way after the other elsewhere.
//!
//! Wider ones do not pay, nor do newer instructions elsewhere: a program compiled as a whole for AVX2
//! and BMI (x86-64-v3), or for AVX-512 (x86-64-v4), needed 21.5 and 21.5 ns a packet with 1,000
//! connections and 42.7 and 42.6 with a million, where the one for any x86-64 needed 21.3 and 42.3
//! (medians of five turns). So there is one way for all, and none is chosen at run time.

#![allow(unsafe_code, reason = "vector loads take pointers, and a processor must have the vectors")]
#![allow(unused_unsafe, reason = "without vectors there is nothing unsafe to call")]

use super::bucket::{WAYS, Ways};

#[cfg(target_arch = "aarch64")]
use neon as vector;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
use scalar as vector;
#[cfg(target_arch = "x86_64")]
use sse2 as vector;

/// The ways that carry `tag`.
#[inline(always)]
pub(super) fn equal(tags: &[u16; WAYS], tag: u16) -> Ways {
    // SAFETY: every x86-64 has SSE2, every aarch64 with a Rust standard library NEON.
    unsafe { vector::equal(tags, tag) }
}

/// The ways whose age at `tick` is above `limit`.
#[inline(always)]
pub(super) fn older_than(used: &[u8; WAYS], limit: u8, tick: u8) -> Ways {
    // SAFETY: as above.
    unsafe { vector::older_than(used, limit, tick) }
}

/// The greatest age among `ways` at `tick`, 0 for none, and the ways that have it.
#[inline(always)]
pub(super) fn oldest(used: &[u8; WAYS], ways: Ways, tick: u8) -> (u8, Ways) {
    // SAFETY: as above.
    unsafe { vector::oldest(used, ways, tick) }
}

#[cfg(target_arch = "x86_64")]
mod sse2 {
    use super::{WAYS, Ways};
    use core::arch::x86_64::{
        __m128i, _mm_and_si128, _mm_cmpeq_epi8, _mm_cmpeq_epi16, _mm_cvtsi128_si32,
        _mm_loadu_si128, _mm_max_epu8, _mm_movemask_epi8, _mm_packs_epi16, _mm_set1_epi8,
        _mm_set1_epi16, _mm_set1_epi64x, _mm_setzero_si128, _mm_srli_si128, _mm_sub_epi8,
        _mm_subs_epu8, _mm_unpacklo_epi64,
    };

    #[inline]
    #[target_feature(enable = "sse2")]
    pub(super) fn equal(tags: &[u16; WAYS], tag: u16) -> Ways {
        let wanted = _mm_set1_epi16(tag.cast_signed());
        let halves = tags.as_ptr().cast::<__m128i>();
        // SAFETY: two loads of 16 bytes, alignment not assumed, from an array of 32.
        let (low, high) = unsafe { (_mm_loadu_si128(halves), _mm_loadu_si128(halves.add(1))) };
        let hits = _mm_packs_epi16(_mm_cmpeq_epi16(low, wanted), _mm_cmpeq_epi16(high, wanted));
        _mm_movemask_epi8(hits) as Ways
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn ages(used: &[u8; WAYS], tick: u8) -> __m128i {
        // SAFETY: one load of 16 bytes, alignment not assumed, from an array of 16.
        let used = unsafe { _mm_loadu_si128(used.as_ptr().cast::<__m128i>()) };
        _mm_sub_epi8(_mm_set1_epi8(tick.cast_signed()), used)
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    pub(super) fn older_than(used: &[u8; WAYS], limit: u8, tick: u8) -> Ways {
        let excess = _mm_subs_epu8(ages(used, tick), _mm_set1_epi8(limit.cast_signed()));
        !(_mm_movemask_epi8(_mm_cmpeq_epi8(excess, _mm_setzero_si128())) as Ways)
    }

    /// 0xff in the bytes whose bit is set in `ways`.
    #[inline]
    #[target_feature(enable = "sse2")]
    fn spread(ways: Ways) -> __m128i {
        let [low, high] = ways.to_le_bytes();
        let bytes =
            _mm_unpacklo_epi64(_mm_set1_epi8(low.cast_signed()), _mm_set1_epi8(high.cast_signed()));
        let bits = _mm_set1_epi64x(0x8040_2010_0804_0201_u64.cast_signed());
        _mm_cmpeq_epi8(_mm_and_si128(bytes, bits), bits)
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    pub(super) fn oldest(used: &[u8; WAYS], ways: Ways, tick: u8) -> (u8, Ways) {
        let ages = _mm_and_si128(ages(used, tick), spread(ways));
        let top = _mm_max_epu8(ages, _mm_srli_si128::<8>(ages));
        let top = _mm_max_epu8(top, _mm_srli_si128::<4>(top));
        let top = _mm_max_epu8(top, _mm_srli_si128::<2>(top));
        let top = _mm_max_epu8(top, _mm_srli_si128::<1>(top));
        let age = _mm_cvtsi128_si32(top) as u8;
        let equal = _mm_cmpeq_epi8(ages, _mm_set1_epi8(age.cast_signed()));
        (age, _mm_movemask_epi8(equal) as Ways & ways)
    }
}

#[cfg(target_arch = "aarch64")]
mod neon {
    use super::{WAYS, Ways};
    use core::arch::aarch64::{
        uint8x16_t, vaddv_u8, vandq_u8, vceqq_u8, vceqq_u16, vcgtq_u8, vcombine_u8, vdup_n_u8,
        vdupq_n_u8, vdupq_n_u16, vget_high_u8, vget_low_u8, vld1q_u8, vld1q_u16, vmaxvq_u8,
        vreinterpretq_u8_u16, vsubq_u8, vtstq_u8, vuzp1q_u8,
    };

    /// In each byte the bit that stands for it in its half of [`Ways`].
    #[inline]
    #[target_feature(enable = "neon")]
    fn bits() -> uint8x16_t {
        const BITS: [u8; WAYS] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
        // SAFETY: one load of 16 bytes from an array of 16.
        unsafe { vld1q_u8(BITS.as_ptr()) }
    }

    /// The ways whose byte is 0xff; the others' are 0. NEON has no instruction that gathers bits,
    /// but a sum of different bits is their union.
    #[inline]
    #[target_feature(enable = "neon")]
    fn gather(bytes: uint8x16_t) -> Ways {
        let bits = vandq_u8(bytes, bits());
        Ways::from_le_bytes([vaddv_u8(vget_low_u8(bits)), vaddv_u8(vget_high_u8(bits))])
    }

    /// 0xff in the bytes whose bit is set in `ways`.
    #[inline]
    #[target_feature(enable = "neon")]
    fn spread(ways: Ways) -> uint8x16_t {
        let [low, high] = ways.to_le_bytes();
        vtstq_u8(vcombine_u8(vdup_n_u8(low), vdup_n_u8(high)), bits())
    }

    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) fn equal(tags: &[u16; WAYS], tag: u16) -> Ways {
        let wanted = vdupq_n_u16(tag);
        let tags = tags.as_ptr();
        // SAFETY: two loads of 8 values from an array of 16.
        let (low, high) = unsafe { (vld1q_u16(tags), vld1q_u16(tags.add(8))) };
        let [low, high] = [low, high].map(|half| vreinterpretq_u8_u16(vceqq_u16(half, wanted)));
        gather(vuzp1q_u8(low, high))
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn ages(used: &[u8; WAYS], tick: u8) -> uint8x16_t {
        // SAFETY: one load of 16 bytes from an array of 16.
        let used = unsafe { vld1q_u8(used.as_ptr()) };
        vsubq_u8(vdupq_n_u8(tick), used)
    }

    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) fn older_than(used: &[u8; WAYS], limit: u8, tick: u8) -> Ways {
        gather(vcgtq_u8(ages(used, tick), vdupq_n_u8(limit)))
    }

    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) fn oldest(used: &[u8; WAYS], ways: Ways, tick: u8) -> (u8, Ways) {
        let ages = vandq_u8(ages(used, tick), spread(ways));
        let age = vmaxvq_u8(ages);
        (age, gather(vceqq_u8(ages, vdupq_n_u8(age))) & ways)
    }
}

#[cfg(any(test, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod scalar {
    //! Also the reference in tests.

    use super::{WAYS, Ways};

    fn those<T: Copy>(lanes: &[T; WAYS], wanted: impl Fn(T) -> bool) -> Ways {
        lanes
            .iter()
            .enumerate()
            .fold(0, |ways, (way, &lane)| ways | Ways::from(wanted(lane)) << way)
    }

    pub(super) fn equal(tags: &[u16; WAYS], tag: u16) -> Ways {
        those(tags, |t| t == tag)
    }

    pub(super) fn older_than(used: &[u8; WAYS], limit: u8, tick: u8) -> Ways {
        those(used, |u| tick.wrapping_sub(u) > limit)
    }

    pub(super) fn oldest(used: &[u8; WAYS], ways: Ways, tick: u8) -> (u8, Ways) {
        let masked = |way: usize| ways >> way & 1 != 0;
        let age = used
            .iter()
            .enumerate()
            .filter(|&(way, _)| masked(way))
            .map(|(_, u)| tick.wrapping_sub(*u))
            .max()
            .unwrap_or(0);
        (age, those(used, |u| tick.wrapping_sub(u) == age) & ways)
    }
}

#[cfg(test)]
mod tests {
    use super::{WAYS, scalar};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn vector_lanes_agree_with_the_scalar_reference(
            tags in prop::array::uniform16(0u16..6),
            used: [u8; WAYS],
            ways: u16,
            wanted in 0u16..6,
            limit: u8,
            tick: u8,
        ) {
            prop_assert_eq!(super::equal(&tags, wanted), scalar::equal(&tags, wanted));
            prop_assert_eq!(
                super::older_than(&used, limit, tick),
                scalar::older_than(&used, limit, tick)
            );
            prop_assert_eq!(super::oldest(&used, ways, tick), scalar::oldest(&used, ways, tick));
        }

        #[test]
        fn vector_lanes_compare_all_sixteen_bits(tags: [u16; WAYS], way in 0..WAYS, bit in 0..16) {
            let near = tags[way] ^ 1u16 << bit;
            prop_assert_eq!(super::equal(&tags, tags[way]), scalar::equal(&tags, tags[way]));
            prop_assert_eq!(super::equal(&tags, near), scalar::equal(&tags, near));
        }
    }
}
