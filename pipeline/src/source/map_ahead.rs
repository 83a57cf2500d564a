//! Mapping ahead: a thread maps the next windows of a file, and lets go of those before, while
//! others work on the frames of the current one.
//!
//! Entering a file's pages in the page table, and taking them out again, costs a twentieth of the
//! work on small frames, and several workers would wait for it in turn. Of a file that has to come
//! from the disk, this is also what reads it ahead.
//!
//! Whatever does not go smoothly (the file ends, shrinks, cannot be mapped) only ends the thread:
//! who asks it for a window maps his own then, and finds out himself what is the matter and where.

use super::mapping::Mapping;
use super::memory::Memory;
use crossbeam::channel::{Receiver, Sender, bounded};
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::thread;

/// What part of a window is mapped a second time with the window behind it, because the record that
/// lies across its end is wanted in one piece. Of a window of 4 MiB it is 256 KiB; a longer record
/// costs no more than to map one window without help.
const OVERLAP: usize = 16;

/// Windows that lie ready. Where each CPU has a worker, the thread may have to wait for its turn as long
/// as two workers take for a window.
const READY: usize = 2;

/// A window that was mapped ahead.
pub(super) struct Piece {
    pub(super) memory: Arc<Memory>,
    /// Offset of its first byte in the file.
    pub(super) offset: u64,
}

impl Piece {
    /// Offset of the byte after its last one.
    fn end(&self) -> u64 {
        self.offset.saturating_add(self.memory.bytes().len() as u64)
    }
}

/// The thread's other end; the thread ends when this is dropped.
pub(super) struct MapAhead(Receiver<Piece>);

impl MapAhead {
    /// Starts the thread, which maps what follows `end`, `window_bytes` at a time: [`READY`] windows
    /// more than were taken.
    ///
    /// # Errors
    /// When the system gives no thread or no descriptor.
    pub(super) fn start(file: &File, end: u64, window_bytes: usize) -> io::Result<Self> {
        let file = file.try_clone()?;
        // One is in the thread's hands.
        let (sender, receiver) = bounded(READY - 1);
        // Never joined: it may wait for the disk. It ends at its next delivery.
        thread::Builder::new()
            .name("map-ahead".into())
            .spawn(move || map_ahead(&file, end, window_bytes, &sender))?;
        Ok(Self(receiver))
    }

    /// The next window, if it shows the bytes from `offset` on and some behind `end`, which lie in a
    /// file of `size` bytes by now. When there is none there will be no other.
    pub(super) fn next(&self, offset: u64, end: u64, size: u64) -> Option<Piece> {
        let piece = self.0.recv().ok()?;
        (piece.offset <= offset && (end + 1..=size).contains(&piece.end())).then_some(piece)
    }
}

fn map_ahead(file: &File, mut end: u64, window_bytes: usize, sender: &Sender<Piece>) {
    let overlap = window_bytes / OVERLAP;
    let mut given: Vec<Arc<Memory>> = Vec::new();
    loop {
        let Ok(size) = file.metadata().map(|metadata| metadata.len()) else { return };
        let offset = end.saturating_sub(overlap as u64);
        let next = size.min(end.saturating_add(window_bytes as u64));
        let Some(len) = usize::try_from(next - offset).ok().filter(|_| next > end) else { return };
        let Ok(mapping) = Mapping::new(file, offset, len, true) else { return };
        let memory = Arc::new(Memory::Mapped(mapping));
        given.push(Arc::clone(&memory));
        if sender.send(Piece { memory, offset }).is_err() {
            return;
        }
        end = next;
        // Those that nobody else has a share in any more go here, where it costs nobody's time.
        given.retain(|memory| Arc::strong_count(memory) > 1);
    }
}
