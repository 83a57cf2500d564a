//! The unread bytes of an input, always contiguous: the next piece of a mapped file, or the next
//! buffer with the unread tail of the one before it put in front.

use super::map_ahead::{MapAhead, Piece};
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
    /// Whether a thread may map the windows after the second one.
    may_ahead: bool,
    ahead: Option<MapAhead>,
}

impl MappedFile {
    /// The window that was mapped ahead, if there is one that shows what is wanted.
    fn next(&mut self, offset: u64, end: u64, size: u64) -> Option<Piece> {
        let piece = self.ahead.as_ref()?.next(offset, end, size);
        if piece.is_none() {
            self.ahead = None;
        }
        piece
    }

    /// Has the windows from `end` on mapped ahead, if that is wanted, and if there are enough bytes
    /// `left` that it pays. Without a thread each is mapped when it is needed.
    fn map_ahead(&mut self, end: u64, left: usize) {
        if self.may_ahead && left > self.window_bytes {
            self.ahead = MapAhead::start(&self.file, end, self.window_bytes).ok();
        }
    }
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

    /// A window on a regular file from `offset` on. With `may_ahead` a thread gets the next ones
    /// ready, as soon as a second one is asked for and is not the last.
    ///
    /// # Errors
    /// When the file cannot be mapped; it may still be readable.
    pub(super) fn mapped(
        file: File,
        offset: u64,
        window_bytes: usize,
        may_ahead: bool,
    ) -> Result<Self, (File, io::Error)> {
        let mut supply = MappedFile { file, window_bytes, may_ahead: false, ahead: None };
        let mut window = Self {
            memory: Arc::new(Memory::Buffer(Buffer::empty())),
            at: 0,
            end: 0,
            origin: offset,
            supply: Supply::Nothing,
        };
        match window.map_next(&mut supply) {
            More::End(Err(cause)) => Err((supply.file, cause)),
            _ => {
                supply.may_ahead = may_ahead;
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
            Supply::File(mut mapped) => {
                let more = self.map_next(&mut mapped);
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

    /// Maps the file from the first unread byte on, or takes what was mapped ahead.
    fn map_next(&mut self, mapped: &mut MappedFile) -> More {
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
        let behind = offset + unread as u64;
        if let Some(piece) = mapped.next(offset, behind, size) {
            self.show(piece.memory, piece.offset, offset);
            return More::Yes;
        }
        // A record longer than the window makes it grow.
        let len = mapped.window_bytes.max(unread.saturating_mul(2)).clamp(1, left);
        match Mapping::new(&mapped.file, offset, len, true) {
            Ok(mapping) => {
                self.show(Arc::new(Memory::Mapped(mapping)), offset, offset);
                mapped.map_ahead(offset + len as u64, left - len);
                More::Yes
            }
            Err(cause) => More::End(Err(cause)),
        }
    }

    /// Shows all of `memory`, which begins at `origin` of the input, from `offset` of the input on.
    fn show(&mut self, memory: Arc<Memory>, origin: u64, offset: u64) {
        (self.at, self.end) = ((offset - origin) as usize, memory.bytes().len());
        (self.memory, self.origin) = (memory, origin);
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "in a test, both are its failure")]

    use std::io::Write;

    use super::*;

    /// A file of `len` bytes, nowhere the same for long, and those bytes.
    fn file(len: usize) -> (File, Vec<u8>) {
        let bytes: Vec<u8> = (0..len as u64).map(|n| (n * n / 7) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        (file, bytes)
    }

    fn mapped(file: &File, window_bytes: usize) -> Window {
        Window::mapped(file.try_clone().unwrap(), 0, window_bytes, true).unwrap()
    }

    /// Reads records of `len` bytes to the end, or `most` of them; returns what was read and not.
    fn read(window: &mut Window, len: usize, most: usize) -> (Vec<u8>, Vec<u8>) {
        let (mut read, begin) = (Vec::new(), window.offset());
        for _ in 0..most {
            while window.rest().len() < len {
                match window.more(true) {
                    More::Yes => assert_eq!(window.offset(), begin + read.len() as u64),
                    More::End(Ok(())) => return (read, window.rest().to_vec()),
                    other => panic!("{other:?} after {} bytes", read.len()),
                }
            }
            read.extend(&window.rest()[..len]);
            window.advance_to(window.at() + len);
        }
        (read, window.rest().to_vec())
    }

    #[test]
    fn a_file_mapped_in_windows_of_any_size_shows_every_byte_once_and_in_order() {
        for (size, window_bytes, record, why) in [
            (100_000, 4_096, 100, "records that fit into what windows have in common"),
            (100_000, 4_096, 1_000, "records that do not always"),
            (100_000, 4_096, 10_000, "records longer than a window"),
            (100_000, 10, 3, "windows that have nothing in common"),
            (8_192, 4_096, 1_024, "exactly two windows of whole records"),
            (8_193, 4_096, 1, "one byte more than two windows"),
            (100, 4_096, 7, "less than a window"),
        ] {
            let (file, bytes) = file(size);
            let (mut got, rest) = read(&mut mapped(&file, window_bytes), record, usize::MAX);
            assert!(rest.len() < record, "{why}");
            got.extend(rest);
            assert!(got == bytes, "{why}: {} bytes", got.len());
        }
    }

    #[test]
    fn a_file_that_grows_while_it_is_read_is_read_to_its_new_end() {
        let (mut file, mut bytes) = file(40_000);
        let mut window = mapped(&file, 4_096);
        let (mut got, _) = read(&mut window, 100, 395);
        file.write_all(&[7; 30_000]).unwrap();
        bytes.extend([7; 30_000]);
        got.extend(window.rest());
        window.advance_to(usize::MAX);
        while matches!(window.more(true), More::Yes) {
            got.extend(window.rest());
            window.advance_to(usize::MAX);
        }
        assert!(got == bytes, "{} bytes", got.len());
    }

    #[test]
    fn of_a_file_that_was_cut_only_what_is_left_is_shown() {
        // All behind the second window, which is shown when the file is cut; the third may have been
        // mapped by then.
        for left in [8_192, 8_193, 9_000, 12_288, 14_000] {
            let (file, bytes) = file(40_000);
            let mut window = mapped(&file, 4_096);
            let (mut got, _) = read(&mut window, 100, 45);
            file.set_len(left as u64).unwrap();
            let (more, rest) = read(&mut window, 100, usize::MAX);
            got.extend(more);
            got.extend(rest);
            assert!(got == bytes[..left], "left {left}: {} bytes", got.len());
        }
    }
}
