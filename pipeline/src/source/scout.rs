//! Scouts: they run ahead of a record walk through large records, so that it need not wait.
//!
//! A walk is a chain of loads: each record says where the next one begins. While records are small
//! the next one's line has been asked for long before; large ones lie where no guess hits, and the
//! walk waits for memory once a record (80 ns, more than a third of all the time that full-size
//! frames took). So the stretch ahead is cut into pieces, a scout finds where in its piece a record
//! begins, and all of them walk at the same time: their waits overlap. What they see they forget:
//! their only use is that it lies in the cache when the walk comes by. A scout that took something
//! else for a record has done nothing, neither good nor harm.

use std::hint::black_box;

/// Scouts at a time; about as many loads as a core has under way at once.
const SCOUTS: usize = 8;

/// Bytes that one call scouts. Of records worth it, what the walk needs stays well within a
/// second-level cache.
const STRETCH_BYTES: usize = 1 << 20;

/// Mean length of records from which it is worth it, in bytes.
const RECORD_BYTES_MIN: usize = 256;

/// Bytes in which a scout looks for the begin of a record before it gives up.
const SEARCH_BYTES: usize = 4 << 10;

/// The chain of a format's records.
pub(super) trait Chain {
    /// Where the record behind the one at `at` begins; `None` when what lies there is no record.
    fn next(&self, bytes: &[u8], at: usize) -> Option<usize>;
}

/// How far the scouts have been, and whether they are needed.
#[derive(Debug, Default)]
pub(super) struct Scouts {
    /// Offset in the input up to which they have been.
    until: u64,
    /// Mean length of the last records, in bytes.
    record_bytes: usize,
}

impl Scouts {
    /// Whether records lie so far apart that scouts run.
    pub(super) const fn run(&self) -> bool {
        self.record_bytes >= RECORD_BYTES_MIN
    }

    /// Notes that a walk took `bytes` for `records`.
    pub(super) const fn note(&mut self, bytes: usize, records: usize) {
        if let Some(mean) = bytes.checked_div(records) {
            self.record_bytes = mean;
        }
    }

    /// Runs ahead of the record at `at`, which is at `offset` of the input, unless that was done.
    pub(super) fn ahead(&mut self, chain: &impl Chain, bytes: &[u8], at: usize, offset: u64) {
        if !self.run() || offset < self.until {
            return;
        }
        let end = bytes.len().min(at.saturating_add(STRETCH_BYTES));
        let len = end.saturating_sub(at);
        self.until = offset.saturating_add(len as u64);
        let piece = len / SCOUTS;
        let mut scouts: [(usize, usize); SCOUTS] = std::array::from_fn(|number| {
            let begin = at + number * piece;
            let found = if number == 0 { Some(at) } else { find(chain, bytes, begin) };
            (found.unwrap_or(end), begin + piece)
        });
        let mut busy = true;
        while busy {
            busy = false;
            for (place, end) in &mut scouts {
                if *place < *end {
                    *place = chain.next(bytes, *place).unwrap_or(*end);
                    busy = true;
                }
            }
        }
        black_box(scouts);
    }
}

/// Where, from `begin` on, something begins that is followed by two more records.
fn find(chain: &impl Chain, bytes: &[u8], begin: usize) -> Option<usize> {
    (begin..begin + SEARCH_BYTES).find(|&at| {
        let third = chain.next(bytes, at).and_then(|second| chain.next(bytes, second));
        third.is_some_and(|third| chain.next(bytes, third).is_some())
    })
}
