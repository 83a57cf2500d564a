//! Interface description blocks: link type, snapshot length, and how the interface counts time.

use super::options::Options;
use super::time::Clock;
use crate::source::walk::{read_u16, read_u32, read_u64};

/// What stands before the options, the framing included.
const FIXED_BYTES: usize = 16;

const OPTION_TIME_RESOLUTION: u16 = 9;
const OPTION_TIME_OFFSET: u16 = 14;

/// One interface of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) link: u16,
    /// Most bytes captured of a packet; 0 means no limit.
    pub(super) snap_len: u32,
    pub(super) clock: Clock,
}

impl Interface {
    /// Reads a framed interface description block.
    ///
    /// # Errors
    /// What is wrong, when options contradict the block: a resolution missed would falsify every
    /// time that follows.
    pub(super) fn parse(block: &[u8], big: bool) -> Result<Self, String> {
        let Some(end) = block.len().checked_sub(4).filter(|end| *end >= FIXED_BYTES) else {
            return Err("an interface description is shorter than its fixed fields".into());
        };
        let mut clock = Clock::DEFAULT;
        let options = block.get(FIXED_BYTES..end).unwrap_or_default();
        for option in Options::new(options, big) {
            let (code, value) =
                option.map_err(|what| format!("in an interface description, {what}"))?;
            match (code, value) {
                (OPTION_TIME_RESOLUTION, &[resolution]) => {
                    clock = clock.with_resolution(resolution);
                }
                (OPTION_TIME_OFFSET, &[_, _, _, _, _, _, _, _]) => {
                    clock = clock.with_offset(read_u64(value, 0, big).cast_signed());
                }
                _ => {}
            }
        }
        Ok(Self { link: read_u16(block, 8, big), snap_len: read_u32(block, 12, big), clock })
    }
}
