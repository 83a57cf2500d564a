//! gzip members in a row (RFC 1952 section 2.2), the zeros that tapes and block devices put behind
//! them, and what else may follow.

use super::{Garbage, Lookahead};
use flate2::bufread::GzDecoder;
use std::io::{self, Read};

/// The first two bytes of a member.
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The content of all members.
pub(super) struct Members {
    member: GzDecoder<Lookahead>,
    garbage: Garbage,
}

impl Members {
    pub(super) fn new(input: Lookahead, garbage: Garbage) -> Self {
        Self { member: GzDecoder::new(input), garbage }
    }
}

impl Read for Members {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            let n = self.member.read(room)?;
            if n > 0 || room.is_empty() {
                return Ok(n);
            }
            let input = self.member.get_mut();
            input.skip_while(|byte| byte == 0)?;
            match *input.peek(MAGIC.len())? {
                [] => return Ok(0),
                // One byte that fits is taken for a member that was cut.
                ref start if MAGIC.starts_with(start) => {
                    let input = std::mem::replace(self.member.get_mut(), Lookahead::empty());
                    self.member = GzDecoder::new(input);
                }
                _ => {
                    self.garbage.note();
                    return Ok(0);
                }
            }
        }
    }
}
