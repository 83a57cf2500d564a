//! A recording: all frames of a capture, in memory, in the order in which they come.

use super::batch::{Batch, NO_TIMES, SLOTS_ASKED_FOR, Slot, around, sum_line_bytes};
use super::error::{Damage, SourceError};
use super::memory::{Buffer, Memory};
use super::rotate::{Rotation, Spots};
use super::{Fill, Source, later, period};
use resetscope_core::flow::prefetch::{self, LINE};
use std::sync::{Arc, Mutex};

/// Frames that share a piece of memory: about those of one batch.
pub(super) const CHUNK_FRAMES: usize = 1024;

/// Shorter captures are laid out several times in a row up to this many frames or bytes, so that a
/// piece of memory comes again only after all workers have let it go.
const FRAMES_MIN: usize = 64 * CHUNK_FRAMES;
const BYTES_MIN: usize = 64 << 20;

/// Why a capture cannot be held in memory.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// It could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// It is too large.
    #[error(
        "the capture does not fit into memory: more than {} MB; read it anew for each loop instead",
        bytes_max / 1_000_000
    )]
    TooLarge {
        /// Bytes of frames that would have been accepted.
        bytes_max: usize,
    },
    /// There is nothing to play.
    #[error("there are no frames in the capture")]
    Empty,
}

/// Frames that lie in one piece of memory.
pub(super) struct Chunk {
    pub(super) memory: Arc<Memory>,
    pub(super) slots: Arc<[Slot]>,
    /// No frame is of an earlier time than the one before it.
    in_order: bool,
    /// Bytes that all its frames take on an Ethernet line.
    line_bytes: u64,
    /// Where each frame is changed; empty when none is.
    pub(super) spots: Vec<Spots>,
    /// How often all chunks had been through when this one was changed last.
    pub(super) lap: u64,
}

impl Chunk {
    /// How many of up to `most` frames from `first` on come before the first one of `limit_ns` or later,
    /// and the earliest and the latest of their times.
    pub(super) fn before(&self, first: usize, most: usize, limit_ns: u64) -> (usize, (u64, u64)) {
        let slots = self.slots.get(first..).unwrap_or_default();
        let slots = slots.get(..most).unwrap_or(slots);
        let early = |slot: &Slot| slot.time_ns < limit_ns;
        if self.in_order {
            // Nearly always all of them do: then no others need be read for this.
            let all = slots.last().is_some_and(early);
            let frames = if all { slots.len() } else { slots.partition_point(early) };
            let taken = slots.get(..frames).unwrap_or_default();
            let times_ns = match (taken.first(), taken.last()) {
                (Some(first), Some(last)) => (first.time_ns, last.time_ns),
                _ => NO_TIMES,
            };
            (frames, times_ns)
        } else {
            let times = slots.iter().take_while(|slot| early(slot)).map(|slot| slot.time_ns);
            times.fold((0, NO_TIMES), |(frames, times_ns), time_ns| {
                (frames + 1, around(times_ns, (time_ns, time_ns)))
            })
        }
    }

    /// Asks for the descriptors that a reader begins with, before it has asked for any itself.
    pub(super) fn ask_for_begin(&self) {
        let begin = self.slots.get(..SLOTS_ASKED_FOR).unwrap_or(&self.slots);
        begin.iter().step_by(LINE / size_of::<Slot>()).for_each(prefetch::value);
    }

    /// Bytes that `frames` from `first` on take on an Ethernet line.
    pub(super) fn line_bytes(&self, first: usize, frames: usize) -> u64 {
        if frames == self.slots.len() {
            // Nearly always: then the descriptors need not be read for this.
            return self.line_bytes;
        }
        sum_line_bytes(self.slots.get(first..first + frames).unwrap_or_default())
    }
}

/// A capture in memory. Clones are handles to the same memory.
#[derive(Clone)]
pub struct Recording {
    pub(super) chunks: Arc<Mutex<Vec<Chunk>>>,
    pub(super) rotation: Rotation,
    /// How often the capture lies in the chunks.
    pub(super) copies: u64,
    pub(super) period_ns: u64,
    frames: u64,
    bytes: u64,
    damage: Vec<Damage>,
}

impl Recording {
    /// Reads all of `source`, at most `bytes_max` bytes of frames, and finds what `rotation` will
    /// have to change.
    ///
    /// # Errors
    /// When it cannot be read, does not fit, or has no frames.
    pub fn load(
        source: &mut dyn Source,
        rotation: Rotation,
        bytes_max: usize,
    ) -> Result<Self, RecordingError> {
        let mut builder = Builder::default();
        let mut batch = Batch::new(CHUNK_FRAMES);
        while source.fill(&mut batch, u64::MAX)? != Fill::End {
            for frame in batch.frames() {
                let spots = Spots::find(frame.bytes, frame.link, rotation);
                let slot = Slot {
                    time_ns: frame.time_ns,
                    wire_len: frame.wire_len,
                    link: frame.link.0,
                    ..Slot::default()
                };
                builder.add(frame.bytes, slot, spots);
            }
            if builder.bytes > bytes_max {
                return Err(RecordingError::TooLarge { bytes_max });
            }
        }
        let (frames, bytes) = (builder.frames, builder.bytes);
        let times = || builder.slots().map(|slot| slot.time_ns);
        let (Some(first), Some(last)) = (times().min(), times().max()) else {
            return Err(RecordingError::Empty);
        };
        let period_ns = period(first, last, frames as u64);
        let copies = (FRAMES_MIN / frames).min(BYTES_MIN / bytes.max(1)).max(1) as u64;
        Ok(Self {
            chunks: Arc::new(Mutex::new(builder.repeated(copies, period_ns, rotation))),
            rotation,
            copies,
            period_ns,
            frames: frames as u64,
            bytes: bytes as u64,
            damage: source.damage().to_vec(),
        })
    }

    /// Frames of the capture, at least 1.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.frames
    }

    /// Captured bytes of all its frames.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What was found damaged when it was read.
    #[must_use]
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }
}

/// Lays frames out in chunks, each frame on a cache line of its own as a network adapter does.
#[derive(Default)]
struct Builder {
    chunks: Vec<Chunk>,
    data: Vec<u8>,
    open: Vec<Slot>,
    spots: Vec<Spots>,
    frames: usize,
    bytes: usize,
}

impl Builder {
    fn add(&mut self, bytes: &[u8], slot: Slot, spots: Spots) {
        let start = self.data.len().next_multiple_of(LINE);
        self.data.resize(start, 0);
        self.data.extend_from_slice(bytes);
        self.open.push(Slot {
            offset: start as u64,
            cap_len: bytes.len() as u32,
            memory: 0,
            ..slot
        });
        self.spots.push(spots);
        self.frames += 1;
        self.bytes += bytes.len();
        if self.open.len() == CHUNK_FRAMES {
            self.close();
        }
    }

    fn close(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let mut data = std::mem::take(&mut self.data);
        data.shrink_to_fit();
        self.chunks.push(Chunk {
            memory: Arc::new(Memory::Buffer(Buffer::lasting(data))),
            in_order: self.open.is_sorted_by_key(|slot| slot.time_ns),
            line_bytes: sum_line_bytes(&self.open),
            slots: std::mem::take(&mut self.open).into(),
            spots: std::mem::take(&mut self.spots),
            lap: 0,
        });
    }

    fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.chunks.iter().flat_map(|chunk| &*chunk.slots).chain(&self.open)
    }

    /// The chunks of everything added, `copies` times in a row, each copy `period_ns` later and
    /// changed as the loop of that number.
    fn repeated(mut self, copies: u64, period_ns: u64, rotation: Rotation) -> Vec<Chunk> {
        self.close();
        if copies == 1 {
            return self.chunks;
        }
        let mut all = Self::default();
        let mut bytes = Vec::new();
        for copy in 0..copies {
            for chunk in &self.chunks {
                for (slot, spots) in chunk.slots.iter().zip(&chunk.spots) {
                    let start = slot.offset as usize;
                    let frame = chunk.memory.bytes().get(start..start + slot.cap_len as usize);
                    bytes.clear();
                    bytes.extend_from_slice(frame.unwrap_or_default());
                    spots.turn(&mut bytes, 0, rotation, 0, copy);
                    let shift_ns = copy.saturating_mul(period_ns);
                    let slot = Slot { time_ns: later(slot.time_ns, shift_ns), ..*slot };
                    all.add(&bytes, slot, *spots);
                }
            }
        }
        all.close();
        all.chunks
    }
}
