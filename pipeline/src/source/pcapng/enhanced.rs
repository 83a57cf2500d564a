//! Runs of enhanced packet blocks, which are nearly all of every pcapng file: walked without a
//! branch per kind of trouble. Whatever is not a whole and sound packet before the limit ends the
//! run and is left to the careful walk, which knows what to say about it; so is one that tells of
//! others lost.

use super::interface::Interface;
use super::losses;
use super::{BLOCK_BYTES_MAX, PACKET_ENHANCED, PACKET_HEAD_BYTES};
use crate::source::batch::Slot;
use crate::source::prefetch::{AHEAD_BYTES, prefetch};
use crate::source::scout::Chain;
use crate::source::walk::{Room, read_u32};

/// Bytes of a packet block around the packet's own: the head, and the length at the tail.
const AROUND_BYTES: usize = PACKET_HEAD_BYTES + 4;

/// The packet blocks of a section.
pub(in crate::source) struct Packets<const BIG: bool>;

impl<const BIG: bool> Chain for Packets<BIG> {
    #[inline]
    fn next(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let head = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>)?;
        let total = read_u32(head, 4, BIG) as usize;
        let likely = read_u32(head, 0, BIG) == PACKET_ENHANCED
            && (AROUND_BYTES..=BLOCK_BYTES_MAX).contains(&total)
            && total.is_multiple_of(4);
        likely.then(|| at + total)
    }
}

/// Describes the packets from `at` on; returns how many, and the first byte after them.
pub(super) fn run<const BIG: bool>(
    interfaces: &[Interface],
    bytes: &[u8],
    mut at: usize,
    room: Room<'_>,
) -> (usize, usize) {
    let mut frames = 0;
    for slot in room.slots {
        let head = bytes.get(at..).and_then(<[u8]>::first_chunk::<PACKET_HEAD_BYTES>);
        let Some(head) = head else { break };
        if !room.scouted {
            prefetch(bytes, at + AHEAD_BYTES);
        }
        let total = read_u32(head, 4, BIG) as usize;
        let captured = read_u32(head, 20, BIG);
        let fits = total.checked_sub(AROUND_BYTES).is_some_and(|held| captured as usize <= held);
        let sound = read_u32(head, 0, BIG) == PACKET_ENHANCED
            && fits
            && total.is_multiple_of(4)
            && total <= BLOCK_BYTES_MAX;
        let end = at + total;
        if !sound || end > bytes.len() || read_u32(bytes, end - 4, BIG) as usize != total {
            break;
        }
        let behind = at + PACKET_HEAD_BYTES + (captured as usize).next_multiple_of(4);
        if losses::in_options(bytes.get(behind..end - 4).unwrap_or_default(), BIG) > 0 {
            break;
        }
        let Some(interface) = interfaces.get(read_u32(head, 8, BIG) as usize) else { break };
        let units = u64::from(read_u32(head, 12, BIG)) << 32 | u64::from(read_u32(head, 16, BIG));
        let time_ns = interface.clock.to_ns(units);
        if time_ns >= room.limit_ns {
            break;
        }
        *slot = Slot {
            time_ns,
            offset: (at + PACKET_HEAD_BYTES) as u64,
            cap_len: captured,
            wire_len: read_u32(head, 24, BIG).max(captured),
            link: interface.link,
            memory: room.memory,
        };
        at = end;
        frames += 1;
    }
    (frames, at)
}
