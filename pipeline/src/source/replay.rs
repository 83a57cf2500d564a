//! A recording as a source that plays it again and again, time going on from loop to loop.

use super::batch::Batch;
use super::memory::{Buffer, Memory};
use super::prefetch::{AHEAD_BYTES, prefetch};
use super::recording::{CHUNK_FRAMES, Chunk, Recording};
use super::rotate::Rotation;
use super::{Damage, Deadline, Fill, Played, Progress, Source, SourceError};
use super::{boundary_as_recorded, later};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Plays a recording in whole loops.
pub struct Replay {
    recording: Recording,
    played: Arc<Played>,
    deadline: Deadline,
    /// Frames handed out.
    position: u64,
    /// Frames after which it ends, once that is known.
    end: u64,
    cursor: Cursor,
}

/// The next frame's place, and how often all chunks have been through.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    lap: u64,
    chunk: usize,
    slot: usize,
}

impl Replay {
    /// Plays until the end of the loop in which `time` is over, and at least one loop.
    #[must_use]
    pub fn new(recording: Recording, time: Duration, played: Arc<Played>) -> Self {
        let deadline = Deadline::new(time);
        Self { recording, played, deadline, position: 0, end: u64::MAX, cursor: Cursor::default() }
    }

    /// How much later than recorded the frames of a lap come.
    fn shift_ns(&self, lap: u64) -> u64 {
        lap.saturating_mul(self.recording.copies).saturating_mul(self.recording.period_ns)
    }

    /// Changes the chunk's addresses or ports to those of the lap, if they are others.
    fn rotate(&self, chunk: &mut Chunk, at: Cursor) {
        let rotation = self.recording.rotation;
        if rotation == Rotation::None || chunk.lap == at.lap {
            return;
        }
        let begun = Instant::now();
        let (from, to) = (chunk.lap, at.lap);
        chunk.lap = to;
        let (frames, copies) = (self.recording.frames(), self.recording.copies);
        let first = (at.chunk * CHUNK_FRAMES) as u64;
        let Chunk { memory, slots, spots, .. } = chunk;
        let bytes = own(memory);
        for (index, (slot, spots)) in (first..).zip(slots.iter().zip(spots)) {
            prefetch(bytes, slot.offset as usize + AHEAD_BYTES);
            let copy = index / frames;
            let (from, to) = (from * copies + copy, to * copies + copy);
            spots.turn(bytes, slot.offset as usize, rotation, from, to);
        }
        let spent = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.played.rotate_ns.fetch_add(spent, Ordering::Relaxed);
    }

    /// Hands out what is left of one chunk, as far as the batch takes it, and says whether a frame at the
    /// limit ended that.
    fn play(&mut self, chunk: &mut Chunk, batch: &mut Batch, until_ns: u64) -> bool {
        self.rotate(chunk, self.cursor);
        let shift_ns = self.shift_ns(self.cursor.lap);
        let limit_ns = boundary_as_recorded(until_ns, shift_ns);
        let first = self.cursor.slot;
        let left = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
        let most = chunk.slots.len().saturating_sub(first).min(batch.capacity()).min(left);
        let (frames, times_ns) = chunk.before(first, most, limit_ns);
        if frames > 0 {
            batch.share((&chunk.slots, first), frames, times_ns, &chunk.memory);
            batch.postpone(shift_ns, 0);
            self.played.line_bytes.fetch_add(chunk.line_bytes(first, frames), Ordering::Relaxed);
        }
        self.position += frames as u64;
        self.cursor.slot += frames;
        frames < most
    }

    /// Goes on to the next chunk when one is through.
    fn step(&mut self, chunks: &[Chunk]) {
        if chunks.get(self.cursor.chunk).is_none_or(|chunk| self.cursor.slot < chunk.slots.len()) {
            return;
        }
        self.cursor.slot = 0;
        self.cursor.chunk += 1;
        if self.cursor.chunk == chunks.len() {
            self.cursor.chunk = 0;
            self.cursor.lap += 1;
        }
    }

    fn fill_from(&mut self, chunks: &mut [Chunk], batch: &mut Batch, until_ns: u64) -> Fill {
        if self.position == self.end {
            return Fill::End;
        }
        let Some(chunk) = chunks.get_mut(self.cursor.chunk) else { return Fill::End };
        if self.play(chunk, batch, until_ns) {
            return Fill::Boundary;
        }
        self.step(chunks);
        if let Some(next) = chunks.get(self.cursor.chunk) {
            next.ask_for_begin();
        }
        Fill::Frames
    }
}

/// The bytes of a chunk, to change them. A batch that still shares them keeps them as they are, and
/// the chunk goes on with a copy: rare, as many others came since.
fn own(memory: &mut Arc<Memory>) -> &mut [u8] {
    if Arc::get_mut(memory).is_none() {
        *memory = Arc::new(Memory::Buffer(Buffer::lasting(memory.bytes().to_vec())));
    }
    match Arc::get_mut(memory) {
        Some(Memory::Buffer(buffer)) => &mut buffer.data,
        _ => &mut [],
    }
}

fn lock(chunks: &Mutex<Vec<Chunk>>) -> MutexGuard<'_, Vec<Chunk>> {
    chunks.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Source for Replay {
    fn fill(&mut self, batch: &mut Batch, until_ns: u64) -> Result<Fill, SourceError> {
        self.deadline.begin();
        if self.end == u64::MAX && self.deadline.passed() {
            let frames = self.recording.frames();
            self.end = self.position.next_multiple_of(frames).max(frames);
        }
        batch.restart(self.position + 1);
        let chunks = Arc::clone(&self.recording.chunks);
        let filled = self.fill_from(&mut lock(&chunks), batch, until_ns);
        Ok(filled)
    }

    fn peek_time(&mut self) -> Option<u64> {
        if self.position == self.end {
            return None;
        }
        let chunks = lock(&self.recording.chunks);
        let slot = chunks.get(self.cursor.chunk)?.slots.get(self.cursor.slot)?;
        Some(later(slot.time_ns, self.shift_ns(self.cursor.lap)))
    }

    fn progress(&self) -> Progress {
        let consumed = self.position / self.recording.frames() * self.recording.bytes();
        Progress { consumed, total: None }
    }

    fn damage(&self) -> &[Damage] {
        self.recording.damage()
    }
}
