//! Judged events on their way out of an engine.

use std::ops::Index;

use crate::flow::prefetch;
use crate::judge::event::Judged;
use crate::judge::open::{OpenEvent, Text};
use crate::limits::DOCKET;

/// Judged events in no particular order, and the texts of their resets.
///
/// Events are large, so they stay where they were judged: a docket is exchanged for an empty one. Few
/// exceed what it has room for; those behind are copied.
#[derive(Clone, Debug, Default)]
pub struct Docket {
    /// What lies behind `filled` is left from an earlier use, to be written over.
    room: Vec<Judged>,
    filled: usize,
    more: Vec<Judged>,
    /// The texts of some events, by their index.
    texts: Vec<(usize, Text)>,
}

impl Docket {
    /// An empty docket to exchange for another. Memory for [`DOCKET`] events is reserved, and taken
    /// when it is first used; the default has none.
    #[must_use]
    pub fn with_room() -> Self {
        let room = Vec::with_capacity(DOCKET);
        Self { room, filled: 0, more: Vec::new(), texts: Vec::new() }
    }

    /// Events in it.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.filled + self.more.len()
    }

    /// Whether there is no event in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All events, by number.
    pub fn iter(&self) -> impl Iterator<Item = &Judged> {
        self.room.iter().take(self.filled).chain(&self.more)
    }

    /// The text of event number `index`.
    #[must_use]
    pub fn text(&self, index: usize) -> Option<&Text> {
        let found = self.texts.binary_search_by_key(&index, |(of, _)| *of).ok()?;
        self.texts.get(found).map(|(_, text)| text)
    }

    /// Takes everything out. The memory stays, but for that of events beyond the room.
    pub fn clear(&mut self) {
        self.filled = 0;
        self.more = Vec::new();
        self.texts.clear();
    }
}

impl Index<usize> for Docket {
    type Output = Judged;

    #[inline]
    fn index(&self, index: usize) -> &Judged {
        if index < self.filled { &self.room[index] } else { &self.more[index - self.filled] }
    }
}

/// An engine's docket, and the bound of what it holds.
pub(crate) struct Outbox {
    docket: Docket,
    most: usize,
    /// Where those are judged that there is no room for.
    spare: Box<Judged>,
}

impl Outbox {
    /// Room for `most` events. Memory is reserved, and taken when it is first used.
    pub(crate) fn new(most: usize) -> Self {
        let more = Vec::with_capacity(most.saturating_sub(DOCKET));
        let docket = Docket { more, ..Docket::with_room() };
        Self { docket, most, spare: Box::new(Judged { open: OpenEvent::empty() }) }
    }

    pub(crate) const fn len(&self) -> usize {
        self.docket.len()
    }

    /// Where the next event is to be written, all of it, and whether it will be kept. They are written
    /// where they will lie: to put such a large thing together elsewhere first would cost more than to
    /// judge it.
    #[inline(always)]
    pub(crate) fn next(&mut self, text: Option<&Text>) -> (&mut OpenEvent, bool) {
        let index = self.docket.len();
        if index >= self.most {
            return (&mut self.spare.open, false);
        }
        if let Some(text) = text {
            self.docket.texts.push((index, *text));
        }
        let Docket { room, filled, more, .. } = &mut self.docket;
        if *filled < room.len() {
            *filled += 1;
            if let Some(soon) = room.get(*filled + 4) {
                prefetch::value(soon);
            }
            return (&mut room[*filled - 1].open, true);
        }
        let list = if room.len() < DOCKET {
            *filled += 1;
            room
        } else {
            more
        };
        list.push(Judged { open: OpenEvent::empty() });
        match list.last_mut() {
            Some(place) => (&mut place.open, true),
            None => (&mut self.spare.open, false),
        }
    }

    /// Exchanges all events for `empty`, which must be.
    pub(crate) fn exchange(&mut self, empty: &mut Docket) {
        // What was reserved for more stays here.
        empty.more.extend_from_slice(&self.docket.more);
        self.docket.more.clear();
        std::mem::swap(&mut empty.more, &mut self.docket.more);
        std::mem::swap(empty, &mut self.docket);
    }

    /// Takes all events out.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Judged> + '_ {
        let Docket { room, filled, more, texts } = &mut self.docket;
        texts.clear();
        let filled = std::mem::take(filled);
        room.iter().take(filled).copied().chain(more.drain(..))
    }
}
