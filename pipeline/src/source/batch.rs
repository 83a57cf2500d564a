//! A batch of frames: small descriptors, and a share in the memory they point into.

use super::memory::Memory;
use super::{TIME_MAX_NS, line_bytes};
use resetscope_core::flow::prefetch::{self, LINE};
use resetscope_core::frame::{Frame, LinkType};
use std::sync::Arc;

/// Where one frame lies and what is known about it without looking inside.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slot {
    pub(super) time_ns: u64,
    /// Offset of the captured bytes in their piece of memory.
    pub(super) offset: u64,
    pub(super) cap_len: u32,
    pub(super) wire_len: u32,
    pub(super) link: u16,
    /// Which of the batch's pieces of memory.
    pub(super) memory: u16,
}

const _: () = assert!(size_of::<Slot>() == 32, "two descriptors a cache line");

impl Slot {
    /// The frame, which lies in `memory`.
    #[inline(always)]
    fn frame(self, memory: &[u8]) -> Frame<'_> {
        let start = self.offset as usize;
        let bytes = memory.get(start..start + self.cap_len as usize);
        debug_assert!(bytes.is_some(), "a descriptor points outside its memory");
        Frame {
            bytes: bytes.unwrap_or_default(),
            wire_len: self.wire_len,
            time_ns: self.time_ns,
            link: LinkType(self.link),
        }
    }
}

/// How many frames ahead of the reader their memory is asked for: at 30 ns a frame, some times as
/// long as memory takes to answer.
const FRAMES_AHEAD: usize = 16;

/// Frames as a [`super::Source`] hands them over; made once, filled again and again.
///
/// It owns a share of the memory its frames lie in (a mapping or a buffer), so it may outlive the
/// source, be sent to another thread and be worked on without the source's lock. Filling and
/// clearing give the shares back.
///
/// ```
/// let batch = resetscope::source::Batch::new(1024);
/// assert!(batch.is_empty());
/// assert_eq!(batch.capacity(), 1024);
/// ```
#[derive(Debug)]
pub struct Batch {
    slots: Vec<Slot>,
    len: usize,
    memories: Vec<Arc<Memory>>,
    held_bytes: usize,
    first_number: u64,
}

impl Batch {
    /// An empty batch for up to `capacity` frames, at least one.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            slots: vec![Slot::default(); capacity.max(1)],
            len: 0,
            memories: Vec::with_capacity(16),
            held_bytes: 0,
            first_number: 1,
        }
    }

    /// Frames it can hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// Frames it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Forgets its frames and gives their memory back.
    pub fn clear(&mut self) {
        self.len = 0;
        self.held_bytes = 0;
        self.memories.clear();
    }

    /// The number of its first frame in the whole input, counted from 1 in merged order.
    #[must_use]
    pub fn first_number(&self) -> u64 {
        self.first_number
    }

    /// The frame at `index`, or `None` at `len()` and beyond.
    #[must_use]
    pub fn frame(&self, index: usize) -> Option<Frame<'_>> {
        self.filled().get(index).map(|slot| slot.frame(self.memory(slot.memory)))
    }

    /// Its frames in order.
    #[must_use]
    pub fn frames(&self) -> Frames<'_> {
        let frames = Frames { batch: self, next: 0, held: (0, self.memory(0)) };
        (0..FRAMES_AHEAD).for_each(|index| frames.ask_for(index));
        frames
    }

    /// The latest of its frames' times; `None` when it is empty.
    #[must_use]
    pub fn latest_ns(&self) -> Option<u64> {
        self.filled().iter().map(|slot| slot.time_ns).max()
    }

    /// Bytes that its frames had on the wire, summed over the batch.
    #[must_use]
    pub fn bytes_on_wire(&self) -> u64 {
        self.filled().iter().map(|slot| u64::from(slot.wire_len)).sum()
    }

    /// Bytes that were captured of its frames, summed over the batch.
    #[must_use]
    pub fn bytes_captured(&self) -> u64 {
        self.filled().iter().map(|slot| u64::from(slot.cap_len)).sum()
    }

    /// Bytes that its frames take on an Ethernet line.
    pub(super) fn bytes_on_line(&self) -> u64 {
        self.filled().iter().map(|slot| line_bytes(slot.wire_len)).sum()
    }

    /// Makes its frames come `shift_ns` later, and as many numbers later as `frames` came before.
    pub(super) fn postpone(&mut self, shift_ns: u64, frames: u64) {
        self.first_number += frames;
        for slot in self.slots.get_mut(..self.len).unwrap_or_default() {
            slot.time_ns = slot.time_ns.saturating_add(shift_ns).min(TIME_MAX_NS);
        }
    }

    fn filled(&self) -> &[Slot] {
        self.slots.get(..self.len).unwrap_or_default()
    }

    /// All bytes of one of its pieces of memory.
    fn memory(&self, index: u16) -> &[u8] {
        self.memories.get(usize::from(index)).map_or(&[], |memory| memory.bytes())
    }

    /// Begins a new filling whose first frame has this number.
    pub(super) fn restart(&mut self, first_number: u64) {
        self.clear();
        self.first_number = first_number;
    }

    /// The slots not yet filled.
    pub(super) fn free(&mut self) -> &mut [Slot] {
        self.slots.get_mut(self.len..).unwrap_or_default()
    }

    /// Counts `frames` slots, written through [`Self::free`], as filled.
    pub(super) fn commit(&mut self, frames: usize) {
        self.len = (self.len + frames).min(self.slots.len());
    }

    /// The index that the next piece of memory will have; `None` when there is no index left.
    pub(super) fn next_memory(&self) -> Option<u16> {
        u16::try_from(self.memories.len()).ok()
    }

    /// Takes a share of the memory that slots with the index [`Self::next_memory`] point into.
    pub(super) fn hold(&mut self, memory: &Arc<Memory>) {
        self.held_bytes += memory.buffer_bytes();
        self.memories.push(Arc::clone(memory));
    }

    /// Bytes of read buffers (not of mappings) that it keeps from being used again.
    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }
}

/// The frames of a [`Batch`], in order.
///
/// Where the frames lie far apart, reading their headers is one wait for memory after the other, so
/// each is asked for some frames ahead.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    batch: &'a Batch,
    next: usize,
    /// The piece of memory that the last frame lay in, and its number: nearly always the next one's.
    held: (u16, &'a [u8]),
}

impl Frames<'_> {
    /// Asks for the headers of the frame at `index`, if there is one.
    #[inline(always)]
    fn ask_for(&self, index: usize) {
        if let Some(slot) = self.batch.filled().get(index) {
            let memory = if slot.memory == self.held.0 {
                self.held.1
            } else {
                self.batch.memory(slot.memory)
            };
            let address = memory.as_ptr().wrapping_add(slot.offset as usize);
            prefetch::line(address);
            // The same line again for a short frame: what length comes next cannot be predicted.
            let behind = usize::from(slot.cap_len as usize > LINE) * LINE;
            prefetch::line(address.wrapping_add(behind));
        }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    #[inline]
    fn next(&mut self) -> Option<Frame<'a>> {
        let slot = self.batch.filled().get(self.next)?;
        if slot.memory != self.held.0 {
            self.held = (slot.memory, self.batch.memory(slot.memory));
        }
        self.ask_for(self.next + FRAMES_AHEAD);
        self.next += 1;
        Some(slot.frame(self.held.1))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.batch.len - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Frames<'_> {}
