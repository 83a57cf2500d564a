//! The unread bytes of an input, always contiguous: the next piece of a mapped file, or the next
//! buffer with the unread tail of the one before it put in front.

use super::mapping::Mapping;
use super::memory::{Buffer, HEADROOM, Memory, RECORD_BYTES_MAX};
use super::readahead::{Fed, Feed};
use std::fs::File;
use std::io;
use std::sync::Arc;

/// Where the bytes come from.
pub(super) enum Supply {
    File(MappedFile),
    Feed(Feed),
    /// Everything was read.
    Nothing,
}

/// A file that is mapped a window at a time.
pub(super) struct MappedFile {
    file: File,
    window_bytes: usize,
}

/// What asking for more bytes gave.
#[derive(Debug)]
pub(super) enum More {
    /// There are more; indices have changed.
    Yes,
    /// Not at the moment.
    Later,
    /// The input ends, well or badly, with the bytes that are there.
    End(io::Result<()>),
    /// There may be, but nobody wants to wait any longer.
    Stopped,
}

/// A view on the unread bytes of an input.
pub(super) struct Window {
    memory: Arc<Memory>,
    /// First unread byte and end of the bytes of `memory` that may be read.
    at: usize,
    end: usize,
    /// Stream offset of byte 0 of `memory`, modulo 2^64 (a buffer's headroom may lie before 0).
    origin: u64,
    supply: Supply,
}

impl Window {
    /// A window on what the feed gives, whose first byte is at `offset` of the input.
    pub(super) fn fed(feed: Feed, offset: u64) -> Self {
        Self {
            memory: Arc::new(Memory::Buffer(Buffer::empty())),
            at: 0,
            end: 0,
            origin: offset,
            supply: Supply::Feed(feed),
        }
    }

    /// A window on a regular file from `offset` on.
    ///
    /// # Errors
    /// When the file cannot be mapped; it may still be readable.
    pub(super) fn mapped(
        file: File,
        offset: u64,
        window_bytes: usize,
    ) -> Result<Self, (File, io::Error)> {
        let supply = MappedFile { file, window_bytes };
        let mut window = Self {
            memory: Arc::new(Memory::Buffer(Buffer::empty())),
            at: 0,
            end: 0,
            origin: offset,
            supply: Supply::Nothing,
        };
        match window.map_next(&supply) {
            More::End(Err(cause)) => Err((supply.file, cause)),
            _ => {
                window.supply = Supply::File(supply);
                Ok(window)
            }
        }
    }

    /// The memory that frames point into.
    pub(super) fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    /// Memory up to the end of what may be read; [`Self::at`] is an index into it.
    pub(super) fn bytes(&self) -> &[u8] {
        self.memory.bytes().get(..self.end).unwrap_or_default()
    }

    /// Index of the first unread byte.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The unread bytes.
    pub(super) fn rest(&self) -> &[u8] {
        self.bytes().get(self.at..).unwrap_or_default()
    }

    /// Everything before the index `at` was read.
    pub(super) fn advance_to(&mut self, at: usize) {
        self.at = at.clamp(self.at, self.end.max(self.at));
    }

    /// Offset of the first unread byte in the (decompressed) input.
    pub(super) fn offset(&self) -> u64 {
        self.origin.wrapping_add(self.at as u64)
    }

    /// Adds bytes behind the unread ones, without moving them in the stream.
    pub(super) fn more(&mut self, wait: bool) -> More {
        match std::mem::replace(&mut self.supply, Supply::Nothing) {
            Supply::Nothing => More::End(Ok(())),
            Supply::File(mapped) => {
                let more = self.map_next(&mapped);
                if matches!(more, More::Yes) {
                    self.supply = Supply::File(mapped);
                }
                more
            }
            Supply::Feed(mut feed) => match feed.next(wait) {
                Fed::Buffer(buffer) => {
                    self.supply = Supply::Feed(feed);
                    self.append(buffer)
                }
                Fed::Later => {
                    self.supply = Supply::Feed(feed);
                    More::Later
                }
                Fed::End(result) => More::End(result),
                Fed::Stopped => More::Stopped,
            },
        }
    }

    /// Maps the file from the first unread byte on.
    fn map_next(&mut self, mapped: &MappedFile) -> More {
        let offset = self.offset();
        let unread = self.end - self.at;
        let size = match mapped.file.metadata() {
            Ok(metadata) => metadata.len(),
            Err(cause) => return More::End(Err(cause)),
        };
        let left = usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX);
        if left <= unread {
            return More::End(Ok(()));
        }
        // A record longer than the window makes it grow.
        let len = mapped.window_bytes.max(unread.saturating_mul(2)).clamp(1, left);
        match Mapping::new(&mapped.file, offset, len, true) {
            Ok(mapping) => {
                self.memory = Arc::new(Memory::Mapped(mapping));
                (self.at, self.end, self.origin) = (0, len, offset);
                More::Yes
            }
            Err(cause) => More::End(Err(cause)),
        }
    }

    /// Puts the unread bytes into the headroom of a fresh buffer and goes on there.
    fn append(&mut self, mut buffer: Buffer) -> More {
        let (offset, rest) = (self.offset(), self.rest());
        if rest.len() > RECORD_BYTES_MAX {
            return More::End(Err(io::Error::other("a record is too long to be held")));
        }
        let at = match HEADROOM.checked_sub(rest.len()) {
            Some(at) => {
                if let Some(room) = buffer.data.get_mut(at..HEADROOM) {
                    room.copy_from_slice(rest);
                }
                at
            }
            None => {
                buffer = Buffer::joined(rest, buffer.data());
                HEADROOM
            }
        };
        let end = HEADROOM + buffer.filled;
        self.memory = Arc::new(Memory::Buffer(buffer));
        (self.at, self.end, self.origin) = (at, end, offset.wrapping_sub(at as u64));
        More::Yes
    }
}
