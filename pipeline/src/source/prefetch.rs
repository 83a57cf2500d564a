//! A hint to bring memory into the cache before it is needed.
//!
//! A record walk is a chain of loads, each of which says where the next one is, so that the
//! processor cannot run ahead by itself; hinting some kilobytes ahead halved the time per record of
//! a file in page cache (76-byte records: 11 to 6 ns, 2 KiB ahead about as good as 4).

#![allow(unsafe_code)]

/// How far ahead of a walk memory is asked for.
pub(super) const AHEAD_BYTES: usize = 2048;

/// Asks for the two cache lines at `at` of `bytes`; an index beyond the end is harmless.
#[inline(always)]
pub(super) fn prefetch(bytes: &[u8], at: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let line = bytes.as_ptr().wrapping_add(at).cast::<i8>();
        // SAFETY: a prefetch reads nothing as far as the program can tell and never faults, not even
        // at an address that is not mapped; the pointer arithmetic is wrapping.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(line);
            _mm_prefetch::<_MM_HINT_T0>(line.wrapping_add(64));
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (bytes, at);
}
