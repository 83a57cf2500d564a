//! zstd frames in a row (RFC 8878 section 3), skippable ones among them, and what else may follow.
//! The library reads all of them; what is no frame it refuses, wherever it stands.

use super::{Garbage, Lookahead};
use std::io::{self, Read};

/// What the library says of something that does not begin as a frame does.
const NO_FRAME: &str = "Unknown frame descriptor";

/// The largest window that a stream may ask for, as a power of two: 2 GiB, all that `zstd --long` can
/// write. That is what a stream can make us allocate; only what it really fills becomes resident.
const WINDOW_LOG_MAX: u32 = 31;

/// The content of all frames.
pub(super) struct Frames {
    decoder: zstd::stream::read::Decoder<'static, Lookahead>,
    /// Some content came.
    came: bool,
    garbage: Garbage,
}

impl Frames {
    /// The frames of an input.
    ///
    /// # Errors
    /// When the library has no memory for itself.
    pub(super) fn new(input: Lookahead, garbage: Garbage) -> io::Result<Self> {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?;
        decoder.window_log_max(WINDOW_LOG_MAX)?;
        Ok(Self { decoder, came: false, garbage })
    }
}

impl Read for Frames {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self.decoder.read(room) {
            Ok(n) => {
                self.came |= n > 0;
                Ok(n)
            }
            Err(cause) if self.came && cause.to_string() == NO_FRAME => {
                self.garbage.note();
                Ok(0)
            }
            Err(cause) => Err(cause),
        }
    }
}
