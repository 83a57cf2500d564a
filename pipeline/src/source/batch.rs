//! A batch of frames: small descriptors, and a share in the memory they point into.

use super::memory::Memory;
use super::{TIME_MAX_NS, later, line_bytes};
use resetscope_core::flow::prefetch::{self, LINE};
use resetscope_core::frame::{Frame, LinkType};
use std::ops::Range;
use std::sync::Arc;
use std::{ptr, slice};

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
    /// The frame, which lies in `memory` and comes `shift_ns` later than this says.
    #[inline(always)]
    fn frame(self, memory: &[u8], shift_ns: u64) -> Frame<'_> {
        let rest = memory.get(self.offset as usize..);
        let bytes = match rest.and_then(|rest| rest.get(..self.cap_len as usize)) {
            Some(bytes) => bytes,
            None => outside(),
        };
        Frame {
            bytes,
            wire_len: self.wire_len,
            time_ns: later(self.time_ns, shift_ns),
            link: LinkType(self.link),
        }
    }
}

/// Earliest and latest time of no frames.
pub(super) const NO_TIMES: (u64, u64) = (u64::MAX, 0);

/// Earliest and latest time of two lots of frames together.
#[inline]
pub(super) fn around(a: (u64, u64), b: (u64, u64)) -> (u64, u64) {
    (a.0.min(b.0), a.1.max(b.1))
}

/// Bytes that these frames take on an Ethernet line.
pub(super) fn sum_line_bytes(slots: &[Slot]) -> u64 {
    slots.iter().map(|slot| line_bytes(slot.wire_len)).sum()
}

/// The bytes of a descriptor that points outside its memory: there is none such.
#[cold]
fn outside<'a>() -> &'a [u8] {
    debug_assert!(false, "a descriptor points outside its memory");
    &[]
}

/// How many frames ahead of the reader their memory is asked for: at 30 ns a frame, some times as
/// long as memory takes to answer.
const FRAMES_AHEAD: usize = 16;

/// How far ahead of the reader descriptors are asked for. Those of a recording are read here for the
/// first time, a few bytes every now and then: no stream that a processor would see as one.
const SLOTS_AHEAD_BYTES: usize = 2048;

/// Descriptors that a reader needs before those come that it asks for itself.
pub(super) const SLOTS_ASKED_FOR: usize = FRAMES_AHEAD + SLOTS_AHEAD_BYTES / size_of::<Slot>();

/// Mean distance of frames, in bytes, up to which what the next batch will need is asked for while this
/// one is read: two lines for each of these frames cover all of those.
const NEXT_BATCH_DISTANCE_MAX: usize = 2 * LINE;

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
    /// The descriptors of a recording, and which is the first, when those are used and not its own.
    shared: Option<(Arc<[Slot]>, usize)>,
    len: usize,
    memories: Vec<Arc<Memory>>,
    held_bytes: usize,
    first_number: u64,
    /// Which batch of the source its reader will probably have next, counted from this one: 1 if it has
    /// all.
    next_turn: usize,
    /// The earliest and the latest time in the descriptors.
    times_ns: (u64, u64),
    /// How much later its frames come than the descriptors say.
    shift_ns: u64,
}

impl Batch {
    /// An empty batch for up to `capacity` frames, at least one.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            slots: vec![Slot::default(); capacity.max(1)],
            shared: None,
            len: 0,
            memories: Vec::with_capacity(16),
            held_bytes: 0,
            first_number: 1,
            next_turn: 1,
            times_ns: NO_TIMES,
            shift_ns: 0,
        }
    }

    /// A batch for one of `readers` who take turns at a source.
    #[must_use]
    pub fn for_one_of(readers: usize, capacity: usize) -> Self {
        Self { next_turn: readers, ..Self::new(capacity) }
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
        self.shared = None;
        self.len = 0;
        self.held_bytes = 0;
        self.memories.clear();
        self.times_ns = NO_TIMES;
        self.shift_ns = 0;
    }

    /// The number of its first frame in the whole input, counted from 1 in merged order.
    #[must_use]
    pub fn first_number(&self) -> u64 {
        self.first_number
    }

    /// The frame at `index`, or `None` at `len()` and beyond.
    #[must_use]
    pub fn frame(&self, index: usize) -> Option<Frame<'_>> {
        let slot = self.filled().get(index)?;
        Some(slot.frame(self.memory(slot.memory), self.shift_ns))
    }

    /// Its frames in order.
    #[must_use]
    pub fn frames(&self) -> Frames<'_> {
        let slots = self.filled();
        let (near, ahead) = slots.split_at(slots.len().min(FRAMES_AHEAD));
        let (held, beyond) = ((0, self.memory(0)), self.next_batch_beyond());
        let frames = Frames { batch: self, slots: slots.iter(), ahead: ahead.iter(), held, beyond };
        near.iter().for_each(|slot| frames.ask_for(slot));
        frames
    }

    /// The latest of its frames' times; `None` when it is empty.
    #[must_use]
    pub fn latest_ns(&self) -> Option<u64> {
        self.times().map(|(_, latest_ns)| latest_ns)
    }

    /// The earliest and the latest of its frames' times; `None` when it is empty.
    #[must_use]
    pub fn times(&self) -> Option<(u64, u64)> {
        let (earliest_ns, latest_ns) = self.times_ns;
        let times = (later(earliest_ns, self.shift_ns), later(latest_ns, self.shift_ns));
        (self.len > 0).then_some(times)
    }

    /// Becomes the frames of `whole` at `range`, and takes a share in all of its memory.
    pub(crate) fn become_part(&mut self, whole: &Self, range: Range<usize>) {
        self.restart(whole.first_number + range.start as u64);
        let part = whole.filled().get(range).unwrap_or_default();
        let slots = self.slots.len().max(part.len());
        self.slots.resize(slots, Slot::default());
        self.slots.iter_mut().zip(part).for_each(|(slot, from)| *slot = *from);
        let times = part.iter().map(|slot| slot.time_ns);
        self.times_ns = times.fold(NO_TIMES, |times, time_ns| around(times, (time_ns, time_ns)));
        self.len = part.len();
        self.shift_ns = whole.shift_ns;
        self.memories.extend_from_slice(&whole.memories);
        self.held_bytes = whole.held_bytes;
    }

    /// Bytes that its frames had on the wire, summed over the batch.
    #[must_use]
    pub fn bytes_on_wire(&self) -> u64 {
        self.filled().iter().map(|slot| u64::from(slot.wire_len)).sum()
    }

    /// Bytes that its frames take on an Ethernet line.
    pub(super) fn bytes_on_line(&self) -> u64 {
        sum_line_bytes(self.filled())
    }

    /// Makes its frames come `shift_ns` later, and as many numbers later as `frames` came before.
    pub(super) fn postpone(&mut self, shift_ns: u64, frames: u64) {
        self.first_number += frames;
        self.shift_ns = shift_ns;
    }

    /// How far beyond each of its frames those of the batch will lie that its reader has next, if they
    /// follow these in memory and lie as close together; else 0.
    fn next_batch_beyond(&self) -> usize {
        let (Some(first), Some(last)) = (self.filled().first(), self.filled().last()) else {
            return 0;
        };
        let distance = last.offset.saturating_sub(first.offset) as usize;
        let close = distance <= self.len * NEXT_BATCH_DISTANCE_MAX;
        // In the order of a recording's frames, the next ones lie in a piece of memory of their own.
        let follow = self.shared.is_none() && first.memory == last.memory;
        if close && follow { (distance + last.cap_len as usize) * self.next_turn } else { 0 }
    }

    fn filled(&self) -> &[Slot] {
        match &self.shared {
            Some((slots, first)) => slots.get(*first..*first + self.len).unwrap_or_default(),
            None => self.slots.get(..self.len).unwrap_or_default(),
        }
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

    /// Counts `frames` slots, written through [`Self::free`], as filled; `times_ns` are the earliest and
    /// the latest of their times.
    pub(super) fn commit(&mut self, frames: usize, times_ns: (u64, u64)) {
        self.len = (self.len + frames).min(self.slots.len());
        self.times_ns = around(self.times_ns, times_ns);
    }

    /// Holds `frames` that a recording has descriptors of, from `first` of `slots` on, instead of any of
    /// its own; all lie in `memory`, and `times_ns` are the earliest and the latest of their times.
    pub(super) fn share(
        &mut self,
        (slots, first): (&Arc<[Slot]>, usize),
        frames: usize,
        times_ns: (u64, u64),
        memory: &Arc<Memory>,
    ) {
        debug_assert!(self.is_empty(), "a batch's descriptors are its own or shared");
        self.shared = Some((Arc::clone(slots), first));
        self.len = frames;
        debug_assert!(times_ns.1 <= TIME_MAX_NS, "later than times go");
        self.times_ns = times_ns;
        self.hold(memory);
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
/// each is asked for some frames ahead. Where they lie close together, those of the next batch are
/// fetched meanwhile, a few bytes a frame: the walk over their records, which does little else, would
/// wait for all of them (of 66 ns a packet of 60 bytes that came to 4).
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    batch: &'a Batch,
    slots: slice::Iter<'a, Slot>,
    /// What is to be asked for next.
    ahead: slice::Iter<'a, Slot>,
    /// The piece of memory that the last frame lay in, and its number: nearly always the next one's.
    held: (u16, &'a [u8]),
    /// As [`Batch::next_batch_beyond`] says.
    beyond: usize,
}

impl Frames<'_> {
    /// Asks for the headers of a frame.
    #[inline(always)]
    fn ask_for(&self, slot: &Slot) {
        prefetch::line(ptr::from_ref(slot).cast::<u8>().wrapping_add(SLOTS_AHEAD_BYTES));
        let memory =
            if slot.memory == self.held.0 { self.held.1 } else { self.batch.memory(slot.memory) };
        let address = memory.as_ptr().wrapping_add(slot.offset as usize);
        prefetch::line(address);
        // The same line again for a short frame: what length comes next cannot be predicted.
        let behind = usize::from(slot.cap_len as usize > LINE) * LINE;
        prefetch::line(address.wrapping_add(behind));
        if self.beyond > 0 {
            let next_batch = address.wrapping_add(self.beyond);
            prefetch::line_for_later(next_batch);
            prefetch::line_for_later(next_batch.wrapping_add(LINE));
        }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    #[inline]
    fn next(&mut self) -> Option<Frame<'a>> {
        let slot = self.slots.next()?;
        if slot.memory != self.held.0 {
            self.held = (slot.memory, self.batch.memory(slot.memory));
        }
        if let Some(ahead) = self.ahead.next() {
            self.ask_for(ahead);
        }
        Some(slot.frame(self.held.1, self.batch.shift_ns))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.slots.size_hint()
    }
}

impl ExactSizeIterator for Frames<'_> {}

#[cfg(test)]
mod tests {
    use super::super::TIME_MAX_NS;
    use super::{Batch, Slot};

    #[test]
    fn frames_come_later_by_what_was_asked_but_never_later_than_times_go() {
        for (shift_ns, times) in [
            (0, [5, 9]),
            (100, [105, 109]),
            (TIME_MAX_NS - 7, [TIME_MAX_NS - 2, TIME_MAX_NS]),
            (u64::MAX, [TIME_MAX_NS; 2]),
        ] {
            let mut batch = Batch::new(2);
            for (slot, time_ns) in batch.free().iter_mut().zip([5, 9]) {
                *slot = Slot { time_ns, ..Slot::default() };
            }
            batch.commit(2, (5, 9));
            batch.postpone(shift_ns, 7);
            assert!(batch.frames().map(|frame| frame.time_ns).eq(times), "{shift_ns}");
            assert_eq!((batch.times(), batch.first_number()), (Some(times.into()), 8));
            batch.clear();
            assert_eq!(batch.times(), None);
        }
    }
}
