//! TCP options (RFC 9293 section 3.1): one pass, bounded by the 40 bytes a header can hold.

use super::limits;
use crate::segment::{Segment, option};

const END: u8 = 0;
const NOP: u8 = 1;
const MSS: u8 = 2;
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const SACK: u8 = 5;
const TIMESTAMPS: u8 = 8;
const MPTCP: u8 = 30;

/// The start of the layout of nearly every data segment (RFC 7323 appendix A), as one word.
const USUAL: u32 = u32::from_ne_bytes([NOP, NOP, TIMESTAMPS, 10]);

/// Reads the options area into the fields of `segment` that come from options.
///
/// `area` is what was captured of the `area_len` bytes that the data offset announces: options
/// behind a cut are absent, not malformed. An option of a known kind with a foreign length is
/// passed over. Of an option given twice the last counts, as in common stacks.
#[inline(always)]
pub(super) fn read(area: &[u8], area_len: usize, segment: &mut Segment) {
    segment.mss = 0;
    segment.window_scale = 0;
    // With timestamps or without options, as nearly all are: no jump depends on which. Whether it is
    // neither is a product, as of two conditions a compiler makes two jumps.
    let [a, b, c, d, ..] = area.try_into().unwrap_or(&[0; 12]);
    let unlike = u32::from_ne_bytes([*a, *b, *c, *d]) ^ USUAL;
    segment.options = u8::from(unlike == 0) * option::TIMESTAMPS;
    if u64::from(unlike) * area.len() as u64 == 0 {
        return;
    }
    if !list(area, area_len, |option| note(option, segment)) {
        segment.options |= option::MALFORMED;
    }
}

/// Value and echo reply of the timestamps option (RFC 7323) in an options area, as far as that was
/// captured.
#[must_use]
pub fn timestamps(area: &[u8]) -> Option<[u32; 2]> {
    let mut last = None;
    let mut note = |option: &[u8]| {
        if let [TIMESTAMPS, 10, v0, v1, v2, v3, e0, e1, e2, e3] = *option {
            last = Some([[v0, v1, v2, v3], [e0, e1, e2, e3]].map(u32::from_be_bytes));
        }
    };
    list(area, area.len(), &mut note);
    last
}

/// Walks the list of options; false if it is malformed.
#[inline(never)]
fn list(area: &[u8], area_len: usize, mut note: impl FnMut(&[u8])) -> bool {
    let mut rest = area;
    loop {
        // Bytes the header has from here on, captured or not.
        let room = area_len.saturating_sub(area.len() - rest.len());
        rest = match *rest {
            [] | [END, ..] => return true,
            [NOP, ref tail @ ..] => tail,
            [_] if room > 1 => return true,
            [_] | [_, 0 | 1, ..] => return false,
            [_, len, ..] => match rest.split_at_checked(usize::from(len)) {
                Some((option, tail)) => {
                    note(option);
                    tail
                }
                None if usize::from(len) <= room => return true,
                None => return false,
            },
        };
    }
}

/// Notes one whole option.
fn note(option: &[u8], segment: &mut Segment) {
    segment.options |= match *option {
        [MSS, 4, high, low] => {
            segment.mss = u16::from_be_bytes([high, low]);
            option::MSS
        }
        [WINDOW_SCALE, 3, shift] => {
            segment.window_scale = shift.min(limits::WINDOW_SCALE_MAX);
            option::WINDOW_SCALE
        }
        [SACK_PERMITTED, 2] => option::SACK_PERMITTED,
        [SACK, 10 | 18 | 26 | 34, ..] => option::SACK,
        [TIMESTAMPS, 10, ..] => option::TIMESTAMPS,
        [MPTCP, ..] => option::MPTCP,
        _ => 0,
    };
}
