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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use proptest::prelude::*;

    use super::*;
    use crate::source::pcap::Header;
    use crate::source::pcapng::Packets;

    /// Notes where a chain was asked for the next record, and that each lies further on: else a
    /// scout would never come to an end.
    struct Watched<C>(C, RefCell<Vec<usize>>);

    impl<C: Chain> Chain for Watched<C> {
        fn next(&self, bytes: &[u8], at: usize) -> Option<usize> {
            self.1.borrow_mut().push(at);
            let next = self.0.next(bytes, at);
            assert!(next.is_none_or(|next| next >= at + 16), "{at} leads to {next:?}");
            next
        }
    }

    /// Where scouts that run ahead of `at` look for records, if records are of `mean` bytes.
    fn asked(chain: impl Chain, bytes: &[u8], at: usize, mean: usize) -> Vec<usize> {
        let (watched, mut scouts) = (Watched(chain, RefCell::default()), Scouts::default());
        scouts.note(mean, 1);
        scouts.ahead(&watched, bytes, at, at as u64);
        let asked = watched.1.take();
        // What was scouted is not scouted again.
        let len = (bytes.len() - at).min(STRETCH_BYTES);
        for offset in [at, (at + len).saturating_sub(1)].into_iter().filter(|_| len > 0) {
            scouts.ahead(&watched, bytes, at, offset as u64);
        }
        assert_eq!(watched.1.take(), [0; 0]);
        asked
    }

    /// Those of each format, in both byte orders where they differ.
    fn asked_in_each(bytes: &[u8], at: usize, mean: usize) -> [Vec<usize>; 4] {
        let pcap = |magic: [u8; 4]| {
            let mut head = [0; 24];
            head[..4].copy_from_slice(&magic);
            // Version 2.4 reads the same in either order, but for the zeros.
            head[if magic[0] == 0xa1 { 5 } else { 4 }] = 2;
            head[if magic[0] == 0xa1 { 7 } else { 6 }] = 4;
            asked(Header::parse(&head).unwrap().records(bytes, at), bytes, at, mean)
        };
        [
            pcap([0xa1, 0xb2, 0xc3, 0xd4]),
            pcap([0xd4, 0xc3, 0xb2, 0xa1]),
            asked(Packets::<true>, bytes, at, mean),
            asked(Packets::<false>, bytes, at, mean),
        ]
    }

    /// A record of each format as in [`asked_in_each`], with this payload.
    fn records(second: u32, payload: &[u8]) -> [Vec<u8>; 4] {
        let len = payload.len() as u32;
        let total = 32 + len.next_multiple_of(4);
        let join = |words: &[u32], big: bool| -> Vec<u8> {
            let bytes = |word: &u32| if big { word.to_be_bytes() } else { word.to_le_bytes() };
            words.iter().flat_map(bytes).collect()
        };
        let pcap = |big| [&join(&[second, 0, len, len], big), payload].concat();
        let pcapng = |big| {
            let head = join(&[6, total, 0, 0, second, len, len], big);
            let padding = vec![0; (len.next_multiple_of(4) - len) as usize];
            [&head, payload, &padding, &join(&[total], big)].concat()
        };
        [pcap(true), pcap(false), pcapng(true), pcapng(false)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn together_scouts_find_every_record_of_a_sound_capture(
            lens in prop::collection::vec(60..1_500_usize, 20..2_000),
            fill in prop::collection::vec(any::<u8>(), 1_500..3_000),
            first in 0..10_usize,
        ) {
            let (mut captures, mut begins) = ([const { Vec::new() }; 4], [const { Vec::new() }; 4]);
            for (number, len) in lens.iter().enumerate() {
                let payload = &fill[number % (fill.len() - 1_499)..][..*len];
                let records = records(1_700_000_000 + number as u32, payload);
                for (format, record) in records.iter().enumerate() {
                    begins[format].push(captures[format].len());
                    captures[format].extend(record);
                }
            }
            for format in 0..4 {
                let (bytes, at) = (&captures[format], begins[format][first]);
                // The last records have too few behind them to be told from anything else.
                let end = begins[format][lens.len() - 3].min(at + STRETCH_BYTES - SCOUTS);
                let mut asked = asked_in_each(bytes, at, 700)[format].clone();
                asked.sort_unstable();
                let wanted = begins[format].iter().filter(|begin| (at..end).contains(begin));
                for begin in wanted {
                    let found = asked.binary_search(begin).is_ok();
                    prop_assert!(found, "format {format}: {begin} of {}", bytes.len());
                }
            }
        }

        #[test]
        fn whatever_lies_there_scouts_never_turn_back_and_soon_come_to_an_end(
            pieces in prop::collection::vec(
                (prop_oneof![any::<u32>(), 0..300_000_u32, 32..100_u32], 0..4_usize, 0..200_usize),
                0..300,
            ),
            at in any::<prop::sample::Index>(),
        ) {
            let mut bytes = Vec::new();
            for (len, format, keep) in pieces {
                // Records that say anything of their length, cut anywhere.
                let mut record = records(1_700_000_000, &[0xa5; 100])[format].clone();
                let place = if format < 2 { 8 } else { 4 };
                let len = if format % 2 == 0 { len.to_be_bytes() } else { len.to_le_bytes() };
                record[place..place + 4].copy_from_slice(&len);
                bytes.extend(record.iter().take(keep));
            }
            let at = at.index(bytes.len() + 1);
            for asked in asked_in_each(&bytes, at, 700) {
                // A walk asks once for each record, a search thrice for each byte.
                let most = bytes.len() / 16 + SCOUTS * (3 * SEARCH_BYTES + 1);
                prop_assert!(asked.len() <= most, "{} for {} bytes", asked.len(), bytes.len());
                prop_assert!(asked.iter().all(|place| *place >= at));
            }
        }
    }

    #[test]
    fn scouts_stay_at_home_while_records_are_small() {
        let bytes: Vec<u8> = (0..50).flat_map(|n| records(n, &[7; 400])[1].clone()).collect();
        for (mean, run) in [(RECORD_BYTES_MIN - 1, false), (RECORD_BYTES_MIN, true)] {
            assert_eq!(!asked_in_each(&bytes, 0, mean)[1].is_empty(), run, "{mean} bytes");
        }
    }
}
