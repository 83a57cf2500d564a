//! Reading ahead: a thread reads (and decompresses) into buffers while others work on the frames
//! of the buffers before.

use super::memory::{Buffer, Pool};
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded};
use std::io::{self, ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Buffers that are read ahead at most.
const AHEAD_MAX: usize = 3;

/// The longest wait for a delivery: whoever waits may have other things to do.
const PATIENCE: Duration = Duration::from_millis(20);

/// A reader's bytes, buffer after buffer.
pub(super) enum Feed {
    /// Read when asked for.
    Inline {
        reader: Box<dyn Read + Send>,
        pool: Pool,
        /// What ended the last buffer, not told yet: not every reader says it twice.
        failed: Option<io::Error>,
    },
    /// Read ahead by a thread, which ends when this is dropped.
    Ahead { receiver: Receiver<Delivery>, endless: bool, stop: Arc<AtomicBool> },
}

/// What the reading thread sends.
pub(super) enum Delivery {
    Buffer(Buffer),
    /// The input ends here, well or badly; always the last one.
    End(io::Result<()>),
}

/// What a feed gives.
pub(super) enum Fed {
    Buffer(Buffer),
    /// Nothing at the moment; when asked to wait, nothing for some milliseconds.
    Later,
    End(io::Result<()>),
    /// Nothing came until waiting was no longer wanted.
    Stopped,
}

impl Feed {
    pub(super) fn inline(reader: Box<dyn Read + Send>, buffer_bytes: usize) -> Self {
        Self::Inline { reader, pool: Pool::new(buffer_bytes), failed: None }
    }

    /// Starts the reading thread. What is `endless` may block the next read for as long as it
    /// lives, and what came before must not wait for it: a buffer is handed over after each read,
    /// full or not. (A pipe that gives more than is taken fills up meanwhile, and its reads become
    /// as large as the pipe.) Nor is an endless one waited for longer than some milliseconds, and
    /// not at all once `stop` is set.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn ahead(
        reader: Box<dyn Read + Send>,
        buffer_bytes: usize,
        endless: bool,
        stop: Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let (sender, receiver) = bounded(AHEAD_MAX);
        let pool = Pool::new(buffer_bytes);
        // Never joined: it may be blocked in a read from a pipe for as long as the pipe lives. It
        // ends at its next delivery, holding nothing but its reader and buffers.
        thread::Builder::new()
            .name("read-ahead".into())
            .spawn(move || read_ahead(reader, &pool, &sender, endless))?;
        Ok(Self::Ahead { receiver, endless, stop })
    }

    /// The next buffer of at least one byte.
    pub(super) fn next(&mut self, wait: bool) -> Fed {
        match self {
            Self::Inline { reader, pool, failed } => {
                if let Some(error) = failed.take() {
                    return Fed::End(Err(error));
                }
                let mut buffer = pool.take();
                let result = fill(reader.as_mut(), &mut buffer, false);
                if buffer.filled == 0 {
                    return Fed::End(result);
                }
                // What was read before an error comes first.
                *failed = result.err();
                Fed::Buffer(buffer)
            }
            Self::Ahead { receiver, endless: true, stop } if wait => wait_for(receiver, stop),
            Self::Ahead { receiver, .. } if wait => {
                receiver.recv().map_or_else(|_| Fed::died(), Fed::from)
            }
            Self::Ahead { receiver, .. } => match receiver.try_recv() {
                Ok(delivery) => delivery.into(),
                Err(TryRecvError::Empty) => Fed::Later,
                Err(TryRecvError::Disconnected) => Fed::died(),
            },
        }
    }
}

impl Fed {
    fn died() -> Self {
        Self::End(Err(io::Error::other("the thread that reads it has died")))
    }
}

impl From<Delivery> for Fed {
    fn from(delivery: Delivery) -> Self {
        match delivery {
            Delivery::Buffer(buffer) => Self::Buffer(buffer),
            Delivery::End(result) => Self::End(result),
        }
    }
}

/// Waits a while for a delivery.
fn wait_for(receiver: &Receiver<Delivery>, stop: &AtomicBool) -> Fed {
    match receiver.recv_timeout(PATIENCE) {
        Ok(delivery) => delivery.into(),
        Err(RecvTimeoutError::Disconnected) => Fed::died(),
        Err(RecvTimeoutError::Timeout) if stop.load(Ordering::Relaxed) => Fed::Stopped,
        Err(RecvTimeoutError::Timeout) => Fed::Later,
    }
}

fn read_ahead(
    mut reader: Box<dyn Read + Send>,
    pool: &Pool,
    sender: &Sender<Delivery>,
    once: bool,
) {
    loop {
        let mut buffer = pool.take();
        let result = fill(reader.as_mut(), &mut buffer, once);
        let ended = result.is_err() || buffer.filled == 0;
        if buffer.filled > 0 && sender.send(Delivery::Buffer(buffer)).is_err() {
            return;
        }
        if ended {
            let _ = sender.send(Delivery::End(result));
            return;
        }
    }
}

/// Reads until the buffer is full or the input ends, or only `once`.
fn fill(reader: &mut dyn Read, buffer: &mut Buffer, once: bool) -> io::Result<()> {
    loop {
        let room = buffer.room();
        if room.is_empty() {
            return Ok(());
        }
        match reader.read(room) {
            Ok(0) => return Ok(()),
            Ok(n) => buffer.filled += n,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        }
        if once {
            return Ok(());
        }
    }
}

/// Counts the bytes that pass, for others to look at, and repeats reads that a signal interrupted:
/// not every decoder bears one in the middle of a header.
pub(super) struct Counted<R> {
    pub(super) inner: R,
    pub(super) bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let n = loop {
            match self.inner.read(room) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        self.bytes.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}
