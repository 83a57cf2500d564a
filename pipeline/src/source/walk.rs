//! What the record walks of the formats have in common: their outcome, and their limits.

use super::batch::Slot;

/// The longest captured frame of a pcap record that is believed. libpcap and Wireshark write at
/// most 262,144 bytes; Linux's largest segmentation-offload packet is twice that.
pub(super) const FRAME_BYTES_MAX: u32 = 512 << 10;

/// Where and how far a walk may go.
#[derive(Debug)]
pub(super) struct Room<'a> {
    /// Descriptors to write, in order.
    pub(super) slots: &'a mut [Slot],
    /// What to write into [`Slot::memory`].
    pub(super) memory: u16,
    /// The walk stops before the first frame of this time or later.
    pub(super) limit_ns: u64,
    /// What the walk is about to read has been brought near already.
    pub(super) scouted: bool,
}

/// Where a walk ended.
#[derive(Debug)]
pub(super) struct Walked {
    /// Descriptors written.
    pub(super) frames: usize,
    /// Index of the first byte not consumed: the beginning of a record, also of a broken one.
    pub(super) at: usize,
    /// Why it ended there.
    pub(super) stop: Stop,
}

/// Why a walk ended.
#[derive(Debug)]
pub(super) enum Stop {
    /// Every slot is used.
    Full,
    /// The next frame is complete and has this time, which is not before the limit.
    Limit(u64),
    /// The bytes end within a record, or exactly before one.
    Hungry,
    /// The record is broken; the sentence says how.
    Broken(String),
}

/// Reads 2 bytes at `at` in the byte order asked for; 0 where there are none.
#[inline]
pub(super) fn read_u16(bytes: &[u8], at: usize, big: bool) -> u16 {
    let raw = bytes.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
    if big { u16::from_be_bytes(raw) } else { u16::from_le_bytes(raw) }
}

/// Reads 4 bytes at `at` in the byte order asked for; 0 where there are none.
#[inline]
pub(super) fn read_u32(bytes: &[u8], at: usize, big: bool) -> u32 {
    let raw = bytes.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
    if big { u32::from_be_bytes(raw) } else { u32::from_le_bytes(raw) }
}

/// Reads 8 bytes at `at` in the byte order asked for; 0 where there are none.
#[inline]
pub(super) fn read_u64(bytes: &[u8], at: usize, big: bool) -> u64 {
    let raw = bytes.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
    if big { u64::from_be_bytes(raw) } else { u64::from_le_bytes(raw) }
}
