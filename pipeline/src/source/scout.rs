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
    /// Offset in the input up to which they have been: probably the begin of a record.
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

    /// Runs ahead of a walk over `records` records from the one at `at` on, which is at `offset` of the
    /// input, as far as that was not done.
    ///
    /// They run half as far again: so a walk that is cut short again and again does not send them out each
    /// time. What a walk needs of that many records stays within a second-level cache.
    pub(super) fn ahead(
        &mut self,
        chain: &impl Chain,
        bytes: &[u8],
        at: usize,
        offset: u64,
        records: usize,
    ) {
        let walk = records.saturating_mul(self.record_bytes);
        let done = usize::try_from(self.until.saturating_sub(offset)).unwrap_or(usize::MAX);
        if !self.run() || done >= walk.min(bytes.len().saturating_sub(at)) {
            return;
        }
        let end = bytes.len().min(at.saturating_add(walk).saturating_add(walk / 2));
        let begin = at + done;
        let piece = end.saturating_sub(begin) / SCOUTS;
        let mut scouts: [(usize, usize); SCOUTS] = std::array::from_fn(|number| {
            let from = begin + number * piece;
            let to = if number + 1 == SCOUTS { end } else { from + piece };
            let found = if number == 0 { Some(from) } else { find(chain, bytes, from) };
            (found.unwrap_or(to), to)
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
        let [.., (last, _)] = black_box(scouts);
        self.until = offset.saturating_add((last - at) as u64);
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

    /// Records of one walk.
    const WALK: usize = 1_024;

    /// Where scouts that run ahead of a walk from `at` on look for records, if records are of `mean` bytes.
    fn asked(chain: impl Chain, bytes: &[u8], at: usize, mean: usize) -> Vec<usize> {
        let (watched, mut scouts) = (Watched(chain, RefCell::default()), Scouts::default());
        scouts.note(mean, 1);
        scouts.ahead(&watched, bytes, at, at as u64, WALK);
        let asked = watched.1.take();
        // What was scouted is not scouted again, by this walk or one that is through sooner.
        scouts.ahead(&watched, bytes, at, at as u64, WALK);
        scouts.ahead(&watched, bytes, at, at as u64, WALK / 2);
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
                let end = begins[format][lens.len() - 3].min(at + WALK * 700);
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
    fn walk_after_walk_scouts_have_been_at_every_record_once() {
        let payload = |number: u32| vec![7; 400 + number as usize * 37 % 1_000];
        let captured: Vec<Vec<u8>> =
            (0..3_000).map(|n| records(1_700_000_000 + n, &payload(n))[1].clone()).collect();
        let bytes = captured.concat();
        let begins: Vec<usize> = captured
            .iter()
            .scan(0, |end, record| Some(std::mem::replace(end, *end + record.len())))
            .collect();
        let mut head = [0; 24];
        head[..5].copy_from_slice(&[0xd4, 0xc3, 0xb2, 0xa1, 2]);
        head[6] = 4;
        // Full walks, and some that are cut short.
        for cut_to in [256, 100, 3] {
            let chain = Header::parse(&head).unwrap().records(&bytes, 0);
            let (watched, mut scouts) = (Watched(chain, RefCell::default()), Scouts::default());
            scouts.note(900, 1);
            for walk in begins.chunks(cut_to) {
                scouts.ahead(&watched, &bytes, walk[0], walk[0] as u64, 256);
            }
            let mut asked = watched.1.take();
            asked.sort_unstable();
            // The last ones have too few behind them to be told from anything else.
            let sure = &begins[..begins.len() - 5];
            asked.retain(|at| sure.binary_search(at).is_ok());
            let times = asked.len() as f64 / sure.len() as f64;
            asked.dedup();
            let missed: Vec<_> =
                sure.iter().filter(|at| asked.binary_search(at).is_err()).collect();
            assert!(missed.is_empty(), "walks of {cut_to}: {missed:?} of {}", bytes.len());
            // Each begin of a piece is looked at three times more to know it as one.
            assert!(times < 1.3, "walks of {cut_to}: {times} times each");
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
