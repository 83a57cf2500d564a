//! Sorting reports: thousands at a time, near each other.

/// Set in [`Entry::place`] for events.
const EVENT: u32 = 1 << 31;

/// The mark of one report, and where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// What reports are ordered by first.
    pub(super) mark: u64,
    /// Index of the message.
    run: u32,
    /// Index among its sightings, or among its events.
    place: u32,
}

impl Entry {
    pub(super) const fn of_sighting(mark: u64, run: usize, index: u32) -> Self {
        Self { mark, run: run as u32, place: index }
    }

    pub(super) const fn of_event(mark: u64, run: usize, index: u32) -> Self {
        Self { mark, run: run as u32, place: index | EVENT }
    }

    pub(super) const fn is_event(self) -> bool {
        self.place & EVENT != 0
    }

    pub(super) const fn run(self) -> usize {
        self.run as usize
    }

    pub(super) const fn index(self) -> usize {
        (self.place & !EVENT) as usize
    }
}

/// Values of a digit of eight bits.
const VALUES: usize = 256;

/// Marks that are no more than so many digits apart are sorted by digits; that is four seconds.
const DIGITS: usize = 4;

/// Fewer entries are sorted by comparing them.
const BY_DIGITS_MIN: usize = 64;

/// Sorts entries, with room that it keeps.
#[derive(Default)]
pub(super) struct Sorter {
    room: Vec<Entry>,
}

impl Sorter {
    /// Sorts by mark, then by `then`; a sighting comes before an event of the same rank. Beyond that no
    /// two may be of one rank: what decides then is where they happen to lie.
    pub(super) fn sort<R: Ord>(&mut self, entries: &mut Vec<Entry>, then: impl Fn(Entry) -> R) {
        if !entries.is_sorted_by_key(|entry| entry.mark) {
            self.sort_by_mark(entries);
        }
        if entries.windows(2).any(|pair| matches!(pair, [a, b] if a.mark == b.mark)) {
            for same in entries.chunk_by_mut(|a, b| a.mark == b.mark).filter(|same| same.len() > 1)
            {
                same.sort_unstable_by_key(|entry| (then(*entry), entry.place, entry.run));
            }
        }
    }

    fn sort_by_mark(&mut self, entries: &mut Vec<Entry>) {
        let least = entries.iter().map(|entry| entry.mark).min().unwrap_or(0);
        let most = entries.iter().map(|entry| entry.mark).max().unwrap_or(0);
        let bits = u64::BITS - (most - least).leading_zeros();
        let digits = bits.div_ceil(VALUES.trailing_zeros()) as usize;
        if entries.len() < BY_DIGITS_MIN || digits > DIGITS {
            entries.sort_unstable_by_key(|entry| entry.mark);
            return;
        }
        let digit = |entry: &Entry, of: usize| ((entry.mark - least) >> (8 * of)) as usize % VALUES;
        let mut counts = [[0u32; VALUES]; DIGITS];
        for entry in &*entries {
            for (of, counts) in counts.iter_mut().enumerate().take(digits) {
                counts[digit(entry, of)] += 1;
            }
        }
        self.room.clear();
        self.room.extend_from_slice(entries);
        for (of, counts) in counts.iter_mut().enumerate().take(digits) {
            let mut before = 0;
            for count in counts.iter_mut() {
                (*count, before) = (before, before + *count);
            }
            for entry in &*entries {
                let place = &mut counts[digit(entry, of)];
                if let Some(to) = self.room.get_mut(*place as usize) {
                    *to = *entry;
                }
                *place += 1;
            }
            std::mem::swap(entries, &mut self.room);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, Sorter};
    use proptest::prelude::*;

    /// Marks near each other, far from each other, or the same.
    fn marks() -> impl Strategy<Value = Vec<u64>> {
        (any::<u64>(), 0u32..64).prop_flat_map(|(begin, size)| {
            let mark = any::<u64>().prop_map(move |any| begin.saturating_add(any >> size));
            prop::collection::vec(mark, 0..300)
        })
    }

    proptest! {
        #[test]
        fn entries_are_sorted_by_mark_then_by_what_the_caller_says(lists in prop::collection::vec(marks(), 1..4)) {
            let mut sorter = Sorter::default();
            for marks in lists {
                let entry = |(index, mark): (u32, u64)| if index % 3 == 0 {
                    Entry::of_sighting(mark, 0, index)
                } else {
                    Entry::of_event(mark, 1, index)
                };
                let mut got: Vec<Entry> = (0..).zip(marks).map(entry).collect();
                let mut want = got.clone();
                want.sort_by_key(|entry| (entry.mark, entry.index() % 5, entry.place));
                sorter.sort(&mut got, |entry| entry.index() % 5);
                prop_assert_eq!(got, want);
            }
        }
    }
}
