//! What is remembered of a flow: 128 bytes, two cache lines, the same for IPv4 and IPv6.
//!
//! The first line holds the key and what both sides share; the second holds 32 bytes for each
//! direction. Times are microseconds modulo 2^40 (12.7 days), which spans the longest idle timer
//! a middlebox is known to keep (5 days).

pub use super::direction::{Direction, IP_ID_STEP_MAX, IpIdClass, seen};
use super::key::FlowKey;
use super::table::{Class, Record, Zeroable};
use crate::segment::Segment;

/// Microseconds modulo 2^40.
pub type Micros = u64;

const TIME_MASK: u64 = (1 << 40) - 1;

/// The 40-bit microsecond time of a nanosecond timestamp.
#[inline]
#[must_use]
pub const fn micros(time_ns: u64) -> Micros {
    (time_ns / 1000) & TIME_MASK
}

/// Microseconds from `earlier` to `later`; 0 when time went backwards.
#[inline]
#[must_use]
pub const fn elapsed(earlier: Micros, later: Micros) -> u64 {
    let gap = later.wrapping_sub(earlier) & TIME_MASK;
    if gap < 1 << 39 { gap } else { 0 }
}

/// Bits of [`FlowRecord::state`].
pub mod state {
    /// Which endpoint opened the connection (0 or 1), when [`INITIATOR_KNOWN`].
    pub const INITIATOR: u8 = 0x01;
    /// A SYN or SYN-ACK showed who opened the connection.
    pub const INITIATOR_KNOWN: u8 = 0x02;
    /// The first packet seen was not a SYN.
    pub const MIDSTREAM: u8 = 0x04;
    /// Which endpoint sent payload last, when any did.
    pub const LAST_DATA: u8 = 0x08;
    /// The initiator acknowledged the SYN-ACK.
    pub const ESTABLISHED: u8 = 0x10;
    /// Bytes were acknowledged, or skipped, that the capture does not hold.
    pub const GAP: u8 = 0x20;
    /// A SYN arrived on a connection that was alive.
    pub const SYN_ON_LIVE: u8 = 0x40;
    /// The endpoint that sent that SYN.
    pub const SYN_ON_LIVE_BY: u8 = 0x80;
}

/// Bits of [`FlowRecord::ended`].
pub mod ended {
    /// A reset claimed to come from endpoint 0; shift left by one for endpoint 1.
    pub const RESET_BY: u8 = 0x01;
    /// An acknowledgement for bytes the peer had never sent, far beyond any gap.
    pub const ACK_UNSENT: u8 = 0x04;
    /// The reset in the open event answers a SYN.
    pub const REFUSED: u8 = 0x10;
    /// The time to live of the SYN on a live connection was not the sender's usual one.
    pub const SYN_ON_LIVE_FOREIGN: u8 = 0x20;
    /// Endpoint 0 has sent an acknowledgement; shift left by one for endpoint 1. Until then its
    /// [`super::Direction::ack`] means nothing: 0 is a sequence number like any other.
    pub const ACKED_BY: u8 = 0x40;
}

/// Bits of [`FlowRecord::last_kind`]: what the last packet of a direction was.
pub mod kind {
    /// SYN.
    pub const SYN: u8 = 0x01;
    /// FIN.
    pub const FIN: u8 = 0x02;
    /// ACK.
    pub const ACK: u8 = 0x04;
    /// Payload.
    pub const DATA: u8 = 0x08;
    /// Sequence space sent before.
    pub const RETRANSMISSION: u8 = 0x10;
    /// A keepalive probe: no new sequence space, one byte below the next.
    pub const PROBE: u8 = 0x20;
    /// Outside the receiver's window.
    pub const OUT_OF_WINDOW: u8 = 0x40;
    /// A TLS alert.
    pub const ALERT: u8 = 0x80;
}

/// What is remembered of a flow.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
pub struct FlowRecord {
    /// The canonical 5-tuple.
    pub key: FlowKey,
    history: u64,
    /// Place of the open reset event in the shard's ring; 0 when none is open. An event that was judged
    /// leaves it as it is, until the flow's next packet.
    pub event: u32,
    first_lo: u32,
    first_hi: u8,
    /// Bits of [`state`].
    pub state: u8,
    /// Bits of [`ended`].
    pub ended: u8,
    /// What the last packet of each direction was: bits of [`kind`].
    pub last_kind: [u8; 2],
    /// What each direction's first payload looked like: a [`crate::segment::Payload`] as a number.
    pub first_payload: [u8; 2],
    spare: u8,
    /// What is remembered of each direction, indexed as the key's endpoints.
    pub dir: [Direction; 2],
}

const _: () = assert!(size_of::<FlowRecord>() == 128, "a flow is two cache lines");

#[expect(unsafe_code, reason = "the table hands out zeroed memory")]
// SAFETY: integers and arrays of integers only.
unsafe impl Zeroable for FlowRecord {}

impl Record for FlowRecord {
    #[inline(always)]
    fn key(&self) -> &FlowKey {
        &self.key
    }
}

impl FlowRecord {
    /// How the table is to treat the flow when it needs room.
    #[inline]
    #[must_use]
    pub const fn class(&self) -> Class {
        let [a, b] = &self.dir;
        let joined = self.is(state::MIDSTREAM) & (a.packets > 0) & (b.packets > 0);
        // Without the jumps of a chain: which of these a flow is, is hard to predict.
        let established = self.is(state::ESTABLISHED) | joined;
        let closing = self.was_reset() | self.both_fins();
        let open = if established { Class::Established } else { Class::Embryonic };
        let ended = if closing { Class::Closing } else { open };
        if self.event != 0 { Class::Pinned } else { ended }
    }

    /// An empty record for the flow of `key`, first seen at `now`.
    #[inline]
    #[must_use]
    pub fn new(key: FlowKey, now: Micros) -> Self {
        Self { key, first_lo: now as u32, first_hi: (now >> 32) as u8, ..Self::default() }
    }

    /// The record of a flow that `segment`, a SYN without data, opens at `now`.
    #[inline]
    #[must_use]
    pub fn opened_by_syn(segment: &Segment, now: Micros) -> Self {
        let side = usize::from(segment.direction & 1);
        let mut flow = Self::new(segment.key, now);
        // A SYN is the letter of code 0.
        flow.history = (side as u64) << 3;
        flow.state = state::INITIATOR_KNOWN | side as u8;
        flow.last_kind[side] = kind::SYN;
        flow.dir[side] = Direction::opened_by_syn(segment, now);
        flow
    }

    /// When the flow's first packet was seen.
    #[must_use]
    pub const fn first(&self) -> Micros {
        self.first_lo as u64 | (self.first_hi as u64) << 32
    }

    /// When the flow's last packet, in either direction, was seen; [`Self::first`] before any.
    #[inline]
    #[must_use]
    pub fn last(&self) -> Micros {
        let [a, b] = &self.dir;
        match (a.packets, b.packets) {
            (0, 0) => self.first(),
            (_, 0) => a.last(),
            (0, _) => b.last(),
            _ if elapsed(a.last(), b.last()) > 0 => b.last(),
            _ => a.last(),
        }
    }

    /// Whether all bits of `mask` (see [`state`]) are set.
    #[inline]
    #[must_use]
    pub const fn is(&self, mask: u8) -> bool {
        self.state & mask == mask
    }

    /// The endpoint that opened the connection, when a SYN or SYN-ACK told.
    #[must_use]
    pub const fn initiator(&self) -> Option<usize> {
        if self.is(state::INITIATOR_KNOWN) {
            Some((self.state & state::INITIATOR) as usize)
        } else {
            None
        }
    }

    /// Declares endpoint `side` the one that opened the connection.
    pub const fn set_initiator(&mut self, side: usize) {
        self.state = self.state & !state::INITIATOR | state::INITIATOR_KNOWN | (side as u8 & 1);
    }

    /// The endpoint that sent payload last, when any did.
    #[must_use]
    pub const fn last_data(&self) -> Option<usize> {
        if self.dir[0].has(seen::DATA) || self.dir[1].has(seen::DATA) {
            Some(self.is(state::LAST_DATA) as usize)
        } else {
            None
        }
    }

    /// Notes that endpoint `side` sent payload last, if `data`; without a jump.
    #[inline(always)]
    pub const fn note_last_data(&mut self, data: bool, side: usize) {
        let by = (side & 1) as u8 * state::LAST_DATA;
        self.state ^= (self.state ^ by) & (data as u8 * state::LAST_DATA);
    }

    /// Both sides have sent a FIN.
    #[inline]
    #[must_use]
    pub const fn both_fins(&self) -> bool {
        self.dir[0].flags & self.dir[1].flags & seen::FIN != 0
    }

    /// A reset, whoever wrote it, was seen in either direction.
    #[inline]
    #[must_use]
    pub const fn was_reset(&self) -> bool {
        self.ended & (ended::RESET_BY | ended::RESET_BY << 1) != 0
    }

    /// `side` has sent an acknowledgement.
    #[inline]
    #[must_use]
    pub const fn has_acked(&self, side: usize) -> bool {
        self.ended & (ended::ACKED_BY << (side & 1)) != 0
    }

    /// Notes of each direction whether its next packet can be a usual one (see
    /// [`super::usual`]), which is so in a connection that both sides are in, when no reset waits for
    /// its verdict, nothing is repeated or probed, no window is closed, the other side has not said
    /// FIN, and it is not the acknowledgement that establishes the connection.
    ///
    /// To be called after every packet that is not usual itself, and after a reset. What else changes it
    /// (the end of an event) only makes it true, and may wait: until then packets go the long way.
    #[inline]
    pub const fn note_under_way(&mut self) {
        const BOTH_ACKED: u8 = ended::ACKED_BY | ended::ACKED_BY << 1;
        let pending = seen::SYN_ACK * !self.is(state::ESTABLISHED) as u16;
        let [a, b] = &mut self.dir;
        // One number that is 0 when nothing stands against it, for the same reason as above.
        let of_flow = self.event | (self.ended & BOTH_ACKED ^ BOTH_ACKED) as u32;
        let of_both = of_flow | a.runs_as_number() | b.runs_as_number();
        let (after_a, after_b) = (a.flags & (seen::FIN | pending), b.flags & (seen::FIN | pending));
        a.set_under_way(of_both | after_b as u32);
        b.set_under_way(of_both | after_a as u32);
    }

    /// Bytes that `side` sent and the other has not acknowledged; negative when more was
    /// acknowledged than was seen. `None` before both sides spoke.
    #[must_use]
    pub const fn unacked(&self, side: usize) -> Option<i32> {
        let (me, peer) = (&self.dir[side & 1], &self.dir[(side & 1) ^ 1]);
        if me.packets == 0 || !self.has_acked(side ^ 1) {
            return None;
        }
        Some(me.nxt.wrapping_sub(peer.ack).cast_signed())
    }

    /// Appends what `bits` say happened first in direction `side`. `dir[side].flags` must not yet
    /// hold them.
    #[cold]
    pub fn append_history(&mut self, side: usize, bits: u16) {
        let mut length = self.letters();
        let mut rest = bits & seen::LETTERS;
        while rest != 0 && length < 16 {
            let code = u64::from(rest.trailing_zeros()) | (side as u64 & 1) << 3;
            self.history |= code << (4 * length);
            length += 1;
            rest &= rest - 1;
        }
    }

    /// Letters in the history, and those that it had no room for.
    const fn letters(&self) -> u32 {
        let [a, b] = &self.dir;
        let both = (a.flags & seen::LETTERS) as u32 | ((b.flags & seen::LETTERS) as u32 * 0x1_0000);
        both.count_ones()
    }

    /// The history in Zeek's letters (base/protocols/conn): upper case for the initiator, each
    /// letter once a direction, in order. Without a known initiator whoever spoke first counts as such.
    #[must_use]
    pub fn history(&self) -> History {
        let length = self.letters();
        let first = self.history >> 3 & 1;
        let initiator = self.initiator().map_or(first, |side| side as u64);
        let mut letters = [0; 16];
        for (at, letter) in letters.iter_mut().enumerate().take(length as usize) {
            let code = self.history >> (4 * at);
            let lower = b"shadfrtw"[code as usize & 7];
            *letter = if code >> 3 & 1 == initiator { lower.to_ascii_uppercase() } else { lower };
        }
        History { letters, length: length.min(16) as u8 }
    }
}

/// A history string of at most 16 letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History {
    letters: [u8; 16],
    length: u8,
}

impl History {
    /// The letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let letters = self.letters.get(..usize::from(self.length)).unwrap_or_default();
        std::str::from_utf8(letters).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::Segment;

    #[test]
    fn elapsed_time_wraps_and_never_runs_backwards() {
        let wrap = TIME_MASK;
        for (from, to, want) in [(10, 30, 20), (wrap, 4, 5), (30, 10, 0), (0, 0, 0)] {
            assert_eq!(elapsed(from, to), want, "{from} -> {to}");
        }
    }

    #[test]
    fn ip_identification_is_learned_and_one_leap_makes_it_random() {
        for (ids, want) in [
            (&[0u16, 0, 0][..], IpIdClass::Zero),
            (&[7, 8, 10], IpIdClass::Incrementing),
            (&[65_535, 0, 1], IpIdClass::Incrementing),
            (&[7, 8, 5000], IpIdClass::Random),
            (&[7], IpIdClass::Unknown),
        ] {
            let mut side = Direction::default();
            for &ip_id in ids {
                side.learn(&Segment { ip_id, ..Segment::default() }, 0, false);
                side.flags |= seen::ACK;
            }
            assert_eq!(side.ip_id_class(), want, "{ids:?}");
        }
    }

    #[test]
    fn history_keeps_order_and_marks_the_initiator() {
        let mut flow = FlowRecord::default();
        for (side, bits) in
            [(1, seen::SYN), (0, seen::SYN_ACK), (1, seen::ACK), (1, seen::DATA), (0, seen::RST)]
        {
            flow.append_history(side, bits);
            flow.dir[side].flags |= bits;
        }
        flow.set_initiator(1);
        assert_eq!(flow.history().as_str(), "ShADr");
    }
}
