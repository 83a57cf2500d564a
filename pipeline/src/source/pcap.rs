//! The pcap format: a 24-byte file header, then records of a small header and the captured bytes
//! (draft-ietf-opsawg-pcap; the oddities as libpcap's savefile.c handles them).
//!
//! The walk is the first thing every recorded frame meets, so it is compiled once for each layout
//! and branches on nothing but lengths and time.

use super::batch::Slot;
use super::prefetch::{AHEAD_BYTES, prefetch};
use super::scout::Chain;
use super::walk::{FRAME_BYTES_MAX, Room, Stop, Walked, read_u16, read_u32};

/// Bytes of the file header.
pub(super) const FILE_HEADER_BYTES: usize = 24;

/// Times in seconds and microseconds.
const MAGIC_MICRO: u32 = 0xa1b2_c3d4;
/// Times in seconds and nanoseconds.
const MAGIC_NANO: u32 = 0xa1b2_3c4d;
/// Alexey Kuznetsov's patched libpcap: record headers carry interface, protocol and packet type
/// after the usual fields.
const MAGIC_MODIFIED: u32 = 0xa1b2_cd34;

/// Bytes of a record header.
const RECORD_BYTES: usize = 16;
/// Bytes of a record header of the modified format.
const RECORD_BYTES_MODIFIED: usize = 24;

/// What the file header says of the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    big: bool,
    magic: u32,
    /// The two lengths may stand in either order.
    either: bool,
    link: u16,
}

/// Whether a pcap file begins with these bytes.
pub(crate) fn is_magic(bytes: &[u8]) -> bool {
    bytes.len() >= 4 && magic(bytes).is_some()
}

/// The magic number and whether the file is big-endian.
fn magic(bytes: &[u8]) -> Option<(u32, bool)> {
    [true, false]
        .map(|big| (read_u32(bytes, 0, big), big))
        .into_iter()
        .find(|(magic, _)| matches!(*magic, MAGIC_MICRO | MAGIC_NANO | MAGIC_MODIFIED))
}

impl Header {
    /// Reads a file header that begins with a known magic number.
    ///
    /// # Errors
    /// Major and minor version when libpcap would refuse them: the versions in use were 2.0 to 2.4,
    /// and 543.0 in the tcpdump of DG/UX.
    pub(super) fn parse(header: &[u8; FILE_HEADER_BYTES]) -> Result<Self, (u16, u16)> {
        let (magic, big) = magic(header).unwrap_or((MAGIC_MICRO, false));
        let (major, minor) = (read_u16(header, 4, big), read_u16(header, 6, big));
        // The two lengths changed places in 2.3, and not in every program at once. Where they may
        // stand either way, the smaller one is the captured one.
        let either = match (major, minor) {
            (2, 4) => false,
            (2, 0..=3) | (543, 0) => true,
            _ => return Err((major, minor)),
        };
        // Snapshot length (at 16) is not needed; in the wild it is anything from 0 to 2^32 - 1.
        // The upper 16 bits of the link type are the length of the frame check sequence and flags.
        #[expect(clippy::cast_possible_truncation, reason = "the lower half is the link type")]
        let link = read_u32(header, 20, big) as u16;
        Ok(Self { big, magic, either, link })
    }

    fn record_bytes(self) -> usize {
        if self.magic == MAGIC_MODIFIED { RECORD_BYTES_MODIFIED } else { RECORD_BYTES }
    }

    /// Describes the records that begin at `at`, as far as `room` and the bytes go.
    pub(super) fn walk(self, bytes: &[u8], at: usize, room: Room<'_>) -> Walked {
        let walk = match (self.magic, self.big, self.either) {
            (MAGIC_NANO, false, false) => walk::<false, true, 16, false>,
            (MAGIC_NANO, false, true) => walk::<false, true, 16, true>,
            (MAGIC_NANO, true, false) => walk::<true, true, 16, false>,
            (MAGIC_NANO, true, true) => walk::<true, true, 16, true>,
            (MAGIC_MODIFIED, false, false) => walk::<false, false, 24, false>,
            (MAGIC_MODIFIED, false, true) => walk::<false, false, 24, true>,
            (MAGIC_MODIFIED, true, false) => walk::<true, false, 24, false>,
            (MAGIC_MODIFIED, true, true) => walk::<true, false, 24, true>,
            (_, false, false) => walk::<false, false, 16, false>,
            (_, false, true) => walk::<false, false, 16, true>,
            (_, true, false) => walk::<true, false, 16, false>,
            (_, true, true) => walk::<true, false, 16, true>,
        };
        walk(self.link, bytes, at, room)
    }

    /// Says what is missing when the input ends within a record of which these bytes are there.
    pub(super) fn describe_cut(self, rest: &[u8]) -> String {
        let need = self.record_bytes();
        if rest.len() < need {
            return format!(
                "it is cut within a record header, of which {} of {need} bytes are there",
                rest.len()
            );
        }
        let (first, second) = (read_u32(rest, 8, self.big), read_u32(rest, 12, self.big));
        let (captured, _) = lengths_of(self.either, first, second);
        format!(
            "it is cut within a record of {captured} bytes, of which {} are there",
            rest.len() - need
        )
    }
}

/// The records of a file, as their headers and the times in them say: all are of about the time of
/// one that is known.
pub(super) struct Records {
    header: Header,
    /// The upper half of that time's seconds, which lasts for 18 hours.
    about: u32,
}

impl Header {
    /// The chain of the records around the one at `at`.
    pub(super) fn records(self, bytes: &[u8], at: usize) -> Records {
        Records { header: self, about: read_u32(bytes, at, self.big) >> 16 }
    }
}

impl Chain for Records {
    #[inline]
    fn next(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let head = bytes.get(at..).and_then(<[u8]>::first_chunk::<RECORD_BYTES>)?;
        let Header { big, either, .. } = self.header;
        let (captured, _) = lengths_of(either, read_u32(head, 8, big), read_u32(head, 12, big));
        let likely = read_u32(head, 0, big) >> 16 == self.about && captured <= FRAME_BYTES_MAX;
        likely.then(|| at + self.header.record_bytes() + captured as usize)
    }
}

/// Captured and original length from the two fields in the order they stand.
#[inline]
fn lengths_of(either: bool, first: u32, second: u32) -> (u32, u32) {
    if either { (first.min(second), first.max(second)) } else { (first, second) }
}

/// The walk of one layout.
fn walk<const BIG: bool, const NANO: bool, const HEAD: usize, const EITHER: bool>(
    link: u16,
    bytes: &[u8],
    mut at: usize,
    room: Room<'_>,
) -> Walked {
    let mut frames = 0;
    for slot in room.slots {
        let Some(head) = bytes.get(at..).and_then(<[u8]>::first_chunk::<HEAD>) else {
            return Walked { frames, at, stop: Stop::Hungry };
        };
        if !room.scouted {
            prefetch(bytes, at + AHEAD_BYTES);
        }
        let seconds = read_u32(head, 0, BIG);
        let fraction = read_u32(head, 4, BIG);
        let (captured, original) =
            lengths_of(EITHER, read_u32(head, 8, BIG), read_u32(head, 12, BIG));
        if captured > FRAME_BYTES_MAX {
            let stop = Stop::Broken(format!(
                "a record says it holds {captured} bytes, more than the {FRAME_BYTES_MAX} that are believed"
            ));
            return Walked { frames, at, stop };
        }
        // Neither the product nor the sum can overflow: 2^32 seconds are 4.3e18 ns of 1.8e19. A
        // fraction of a second or more simply carries over.
        let nanos = if NANO { u64::from(fraction) } else { u64::from(fraction) * 1_000 };
        let time_ns = u64::from(seconds) * 1_000_000_000 + nanos;
        let start = at + HEAD;
        let end = start + captured as usize;
        if end > bytes.len() {
            return Walked { frames, at, stop: Stop::Hungry };
        }
        if time_ns >= room.limit_ns {
            return Walked { frames, at, stop: Stop::Limit(time_ns) };
        }
        *slot = Slot {
            time_ns,
            offset: start as u64,
            cap_len: captured,
            wire_len: original.max(captured),
            link,
            memory: room.memory,
        };
        at = end;
        frames += 1;
    }
    Walked { frames, at, stop: Stop::Full }
}
