//! Segments on their way to the worker that owns their shards.

use resetscope_core::flow::prefetch;
use resetscope_core::segment::{RstTexts, Segment};

/// How many segments ahead those that will be written are asked for: a load does not stay in the nearest
/// cache, and another core may have read it.
const SEGMENTS_AHEAD: usize = 4;

/// Segments, with the texts that their RSTs carried.
pub(crate) struct Load {
    /// Room for segments; the first `filled` are there. Written over again and again, as clearing
    /// what will be written anyway takes time.
    room: Vec<Segment>,
    filled: usize,
    texts: RstTexts,
}

impl Load {
    /// An empty load with room for `room` segments, which grows when that is too little, and for up
    /// to `texts` texts.
    pub(crate) fn new(room: usize, texts: usize) -> Self {
        Self { room: vec![Segment::default(); room.max(1)], filled: 0, texts: RstTexts::new(texts) }
    }

    /// The next segment, to write it, and where the text of its RST goes.
    #[inline(always)]
    pub(crate) fn place(&mut self) -> (&mut Segment, &mut RstTexts) {
        if self.filled >= self.room.len() {
            self.grow();
        }
        let at = self.filled.min(self.room.len() - 1);
        self.filled += 1;
        let segment = &mut self.room[at];
        prefetch::value_to_own_behind(segment, SEGMENTS_AHEAD);
        (segment, &mut self.texts)
    }

    #[cold]
    fn grow(&mut self) {
        self.room.resize(self.room.len() * 2, Segment::default());
    }

    /// The segments, in the order in which they were written.
    pub(crate) fn segments(&self) -> &[Segment] {
        self.room.get(..self.filled).unwrap_or_default()
    }

    /// The texts that their RSTs carried.
    pub(crate) const fn texts(&self) -> &RstTexts {
        &self.texts
    }

    /// Takes everything out; the memory stays.
    pub(crate) fn clear(&mut self) {
        self.filled = 0;
        self.texts.clear();
    }
}
