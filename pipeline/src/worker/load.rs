//! Segments on their way to the worker that owns their shards.

use resetscope_core::segment::{RST_TEXT_LEN, RstTexts, Segment};

/// Segments, with the texts that their RSTs carried.
pub(crate) struct Load {
    segments: Vec<Segment>,
    texts: RstTexts,
}

impl Load {
    /// An empty load with room for `room` segments, which grows when that is too little, and for up
    /// to `texts` texts.
    pub(crate) fn new(room: usize, texts: usize) -> Self {
        Self { segments: Vec::with_capacity(room), texts: RstTexts::new(texts) }
    }

    /// Puts a segment in, with the text that its RST carried.
    #[inline]
    pub(crate) fn put(&mut self, segment: &Segment, text: Option<&[u8; RST_TEXT_LEN]>) {
        self.segments.push(*segment);
        if let (Some(text), Some(last)) = (text, self.segments.last_mut()) {
            last.text = self.texts.keep(text);
        }
    }

    /// The segments, in the order in which they were put in.
    pub(crate) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The texts that their RSTs carried.
    pub(crate) const fn texts(&self) -> &RstTexts {
        &self.texts
    }

    /// Takes everything out; the memory stays.
    pub(crate) fn clear(&mut self) {
        self.segments.clear();
        self.texts.clear();
    }
}
