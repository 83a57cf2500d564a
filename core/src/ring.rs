//! The ring of a shard's open events, oldest first.
//!
//! It has a fixed size. An event's *place*, as records and other events know it, is 1 + its index, so
//! that 0 is none.

use crate::flow::prefetch;
use crate::flow::table::Slot;
use crate::judge::open::Text;
use crate::judge::watch::Watch;
use crate::segment::RST_TEXT_LEN;

/// How many events ahead of its judgement an event's memory is asked for.
const AHEAD: usize = 4;

/// The open events of a shard, in the order in which they began. Some of those that are not the oldest
/// may have been judged out of turn.
pub(crate) struct Ring {
    watches: Vec<Watch>,
    /// What the resets said, for those events that have text.
    texts: Vec<Text>,
    size: usize,
    /// Index of the oldest.
    head: usize,
    /// How many there are, from there on.
    len: usize,
}

impl Ring {
    /// Room for `size` events. Memory is reserved, and taken when it is first used.
    pub(crate) fn new(size: usize) -> Self {
        let size = size.max(1);
        Self {
            watches: Vec::with_capacity(size),
            texts: Vec::with_capacity(size),
            size,
            head: 0,
            len: 0,
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Events from the oldest on; some of them may have been judged.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.len == self.size
    }

    /// Index of the event that comes so many after the oldest, at most `size`.
    #[inline(always)]
    const fn index(&self, ahead: usize) -> usize {
        let index = self.head + ahead;
        if index < self.size { index } else { index - self.size }
    }

    /// The oldest event; it may have been judged already.
    #[inline]
    pub(crate) fn oldest(&self) -> Option<&Watch> {
        if self.len == 0 { None } else { self.watches.get(self.head) }
    }

    /// Place of the oldest event.
    #[inline]
    pub(crate) fn oldest_place(&self) -> u32 {
        place_of(self.head)
    }

    /// The oldest event, if it has not been judged.
    #[inline]
    pub(crate) fn oldest_mut(&mut self) -> Option<&mut Watch> {
        if self.len == 0 { None } else { self.watches.get_mut(self.head) }
    }

    /// The oldest event that has not been judged.
    pub(crate) fn oldest_open(&self) -> Option<&Watch> {
        (0..self.len)
            .filter_map(|ahead| self.watches.get(self.index(ahead)))
            .find(|watch| watch.is_open)
    }

    /// Adds an event that `begin` writes, with its text if it has any, and returns its place. There must
    /// be room.
    #[inline(always)]
    pub(crate) fn push(&mut self, text: Option<&Text>, begin: impl FnOnce(&mut Watch)) -> u32 {
        let index = self.index(self.len);
        if index >= self.watches.len() {
            self.watches.push(Watch::empty());
        }
        if let Some(free) = self.watches.get_mut(index) {
            begin(free);
        }
        self.len += 1;
        if let Some(text) = text {
            self.keep_text(index, text);
        }
        place_of(index)
    }

    #[cold]
    fn keep_text(&mut self, index: usize, text: &Text) {
        if self.texts.len() <= index {
            self.texts.resize(index + 1, [0; RST_TEXT_LEN]);
        }
        self.texts[index] = *text;
    }

    /// The event at `place` of the flow in `slot`, unless it was judged. Records may lead to places
    /// that others have taken since.
    #[inline]
    pub(crate) fn open_at(&mut self, place: u32, slot: Slot) -> Option<&mut Watch> {
        let index = (place as usize).checked_sub(1)?;
        self.watches.get_mut(index).filter(|watch| watch.is_open && watch.slot == slot)
    }

    /// Closes the event at `place`, and returns it and its text; `None` if it was judged.
    #[inline(always)]
    pub(crate) fn close(&mut self, place: u32) -> Option<(&Watch, Option<&Text>)> {
        let index = (place as usize).checked_sub(1)?;
        let watch = self.watches.get_mut(index).filter(|watch| watch.is_open)?;
        watch.is_open = false;
        let text = if watch.has_text { self.texts.get(index) } else { None };
        Some((watch, text))
    }

    /// Leaves the oldest event behind, and returns the slot of one whose turn comes soon. Events are
    /// judged long after they were written, so memory is asked for ahead.
    #[inline]
    pub(crate) fn pass(&mut self) -> Option<Slot> {
        self.head = self.index(1);
        self.len -= 1;
        if self.len <= AHEAD {
            return None;
        }
        if let Some(watch) = self.watches.get(self.index(AHEAD)) {
            prefetch::value(watch);
        }
        self.watches.get(self.index(AHEAD / 2)).map(|watch| watch.slot)
    }
}

fn place_of(index: usize) -> u32 {
    u32::try_from(index + 1).unwrap_or(0)
}
