//! A hint to bring memory into the cache before it is needed.
//!
//! A record walk is a chain of loads, each of which says where the next one is, so that the
//! processor cannot run ahead by itself; hinting some kilobytes ahead halved the time per record of
//! a file in page cache (76-byte records: 11 to 6 ns, 2 KiB ahead about as good as 4).

use resetscope_core::flow::prefetch::{LINE, line};

/// How far ahead of a walk memory is asked for.
pub(super) const AHEAD_BYTES: usize = 2048;

/// Asks for the two cache lines at `at` of `bytes`; an index beyond the end is harmless.
#[inline(always)]
pub(super) fn prefetch(bytes: &[u8], at: usize) {
    let first = bytes.as_ptr().wrapping_add(at);
    line(first);
    line(first.wrapping_add(LINE));
}
