//! Memory that frames lie in: a piece of a mapped file, or a buffer that returns to its pool.

use super::mapping::Mapping;
use crossbeam::channel::{Receiver, Sender, bounded};

/// Bytes before the data of a buffer, where the unread tail of the buffer before it is put so that
/// no record is split. Holds the tail of all but giant records; for those a buffer is made.
pub(super) const HEADROOM: usize = 64 << 10;

/// The most that is held of a record, header and all, to have it in one piece.
pub(super) const RECORD_BYTES_MAX: usize = 1 << 20;

/// Buffers that wait for their next use; more are let go.
const POOLED_MAX: usize = 64;

/// A piece of memory that frames point into.
#[derive(Debug)]
pub(super) enum Memory {
    Mapped(Mapping),
    Buffer(Buffer),
}

impl Memory {
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Mapped(mapping) => mapping.bytes(),
            Self::Buffer(buffer) => &buffer.data,
        }
    }

    /// Bytes of data the buffer can take; a mapping is the kernel's memory and counts as none.
    pub(super) fn buffer_bytes(&self) -> usize {
        match self {
            Self::Mapped(_) => 0,
            Self::Buffer(buffer) => buffer.data.len().saturating_sub(HEADROOM),
        }
    }
}

/// [`HEADROOM`] and the data after it; goes back to its pool when nobody points into it any more.
#[derive(Debug)]
pub(super) struct Buffer {
    pub(super) data: Vec<u8>,
    /// Bytes of data after the headroom.
    pub(super) filled: usize,
    home: Option<Sender<Vec<u8>>>,
}

impl Buffer {
    /// A buffer of no bytes, to begin with.
    pub(super) fn empty() -> Self {
        Self { data: Vec::new(), filled: 0, home: None }
    }

    /// A buffer of its own for bytes that stay.
    pub(super) fn lasting(data: Vec<u8>) -> Self {
        Self { data, filled: 0, home: None }
    }

    /// A buffer of its own for a tail that no headroom holds, and the data that follows it.
    pub(super) fn joined(tail: &[u8], data: &[u8]) -> Self {
        let mut joined = vec![0; HEADROOM];
        joined.reserve_exact(tail.len() + data.len());
        joined.extend_from_slice(tail);
        joined.extend_from_slice(data);
        Self { filled: tail.len() + data.len(), data: joined, home: None }
    }

    /// The data, without the headroom.
    pub(super) fn data(&self) -> &[u8] {
        self.data.get(HEADROOM..HEADROOM + self.filled).unwrap_or_default()
    }

    /// The part that data is read into.
    pub(super) fn room(&mut self) -> &mut [u8] {
        self.data.get_mut(HEADROOM + self.filled..).unwrap_or_default()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(home) = &self.home {
            // A full or abandoned pool lets the buffer go.
            let _ = home.try_send(std::mem::take(&mut self.data));
        }
    }
}

/// Buffers of one size, used over and over.
#[derive(Debug)]
pub(super) struct Pool {
    idle: Receiver<Vec<u8>>,
    home: Sender<Vec<u8>>,
    data_bytes: usize,
}

impl Pool {
    /// A pool of buffers that take `data_bytes` of data each.
    pub(super) fn new(data_bytes: usize) -> Self {
        let (home, idle) = bounded(POOLED_MAX);
        Self { idle, home, data_bytes: data_bytes.max(1) }
    }

    /// A buffer without data: one that came back, or a new one.
    pub(super) fn take(&self) -> Buffer {
        let data = self.idle.try_recv().unwrap_or_else(|_| vec![0; HEADROOM + self.data_bytes]);
        Buffer { data, filled: 0, home: Some(self.home.clone()) }
    }
}
