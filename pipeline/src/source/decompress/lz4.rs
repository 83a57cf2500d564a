//! lz4 frames in a row, skippable ones among them, and what else may follow
//! (<https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md>).

use super::{Garbage, Lookahead};
use lz4_flex::frame::FrameDecoder;
use std::io::{self, ErrorKind, Read};

/// First bytes of a frame, and of one in the legacy format.
const MAGIC: [[u8; 4]; 2] = [[0x04, 0x22, 0x4d, 0x18], [0x02, 0x21, 0x4c, 0x18]];
/// Those of a skippable frame, after a byte of which the upper half is 5.
const SKIPPABLE: [u8; 3] = [0x2a, 0x4d, 0x18];

/// The content of all frames. The decoder ends in the same way after a frame and within a cut one;
/// what it consumed, and whether it met the end of its input, tells the two apart.
pub(super) struct Frames {
    /// One a frame, for it does not expect the next frame to have another block size; `None` after
    /// the end.
    decoder: Option<FrameDecoder<Watched>>,
    /// Data of the current frame came out, its end mark did not come yet.
    within_frame: bool,
    /// Frames of the legacy format have no end mark.
    legacy: bool,
    garbage: Garbage,
}

/// Counts what passes and notices the end.
struct Watched {
    inner: Lookahead,
    read_bytes: u64,
    ended: bool,
}

impl Watched {
    const fn new(inner: Lookahead) -> Self {
        Self { inner, read_bytes: 0, ended: false }
    }
}

impl Read for Watched {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(room)?;
        self.read_bytes += n as u64;
        self.ended |= n == 0 && !room.is_empty();
        Ok(n)
    }
}

impl Frames {
    pub(super) fn new(input: Lookahead, legacy: bool, garbage: Garbage) -> Self {
        let decoder = Some(FrameDecoder::new(Watched::new(input)));
        Self { decoder, within_frame: false, legacy, garbage }
    }

    /// A decoder for the next frame, if there is one.
    fn next(&self, mut input: Lookahead) -> io::Result<Option<FrameDecoder<Watched>>> {
        loop {
            match *input.peek(4)? {
                [] => return Ok(None),
                [0x50..=0x5f, ref rest @ ..] if rest == SKIPPABLE => {
                    input.skip(4)?;
                    let &[a, b, c, d] = input.peek(4)? else {
                        return Err(ErrorKind::UnexpectedEof.into());
                    };
                    input.skip(4 + u64::from(u32::from_le_bytes([a, b, c, d])))?;
                }
                ref start if MAGIC.iter().any(|magic| magic.starts_with(start)) => {
                    return Ok(Some(FrameDecoder::new(Watched::new(input))));
                }
                _ => {
                    self.garbage.note();
                    return Ok(None);
                }
            }
        }
    }
}

impl Read for Frames {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = &mut self.decoder
            && !room.is_empty()
        {
            let before = decoder.get_ref().read_bytes;
            let n = decoder.read(room)?;
            if n > 0 {
                self.within_frame = true;
                return Ok(n);
            }
            let watched = decoder.get_ref();
            let cut = self.within_frame || watched.read_bytes != before;
            if !watched.ended {
                // An end mark; another frame may follow.
                let ended = self.decoder.take();
                if let Some(ended) = ended {
                    self.decoder = self.next(ended.into_inner().inner)?;
                }
                self.within_frame = false;
            } else if cut && !self.legacy {
                return Err(ErrorKind::UnexpectedEof.into());
            } else {
                self.decoder = None;
            }
        }
        Ok(0)
    }
}
