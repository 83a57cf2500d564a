//! What is remembered of a flow: 128 bytes, two cache lines, the same for IPv4 and IPv6.
//!
//! The first line holds the key and what both sides share; the second holds 32 bytes for each
//! direction. Times are microseconds modulo 2^40 (12.7 days), which spans the longest idle timer
//! a middlebox is known to keep (5 days).

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

/// Bits of [`Direction::flags`]. The low eight are also the letters of Zeek's history: each
/// enters the history once a direction, in the order in which they first happened.
pub mod seen {
    /// An opening SYN.
    pub const SYN: u16 = 0x0001;
    /// A SYN-ACK.
    pub const SYN_ACK: u16 = 0x0002;
    /// A pure acknowledgement.
    pub const ACK: u16 = 0x0004;
    /// Payload.
    pub const DATA: u16 = 0x0008;
    /// A FIN.
    pub const FIN: u16 = 0x0010;
    /// A RST, whoever wrote it.
    pub const RST: u16 = 0x0020;
    /// Retransmitted sequence space.
    pub const RETRANSMITTED: u16 = 0x0040;
    /// A window of zero was advertised.
    pub const ZERO_WINDOW: u16 = 0x0080;
    /// The bits that are history letters.
    pub const LETTERS: u16 = 0x00ff;
    /// The peer acknowledged this side's FIN.
    pub const FIN_ACKED: u16 = 0x0100;
    /// Timestamps option on a segment.
    pub const TIMESTAMPS: u16 = 0x0200;
    /// New payload sent although this side had already acknowledged the peer's FIN.
    pub const DATA_AFTER_PEER_FIN: u16 = 0x0400;
    /// New payload that crossed the peer's FIN: sent before this side can have known of it.
    pub const DATA_CROSSED_PEER_FIN: u16 = 0x0800;
    /// The FIN was sent while this side's own last payload had had no answer, or while an answer
    /// was on its way that this side had not acknowledged.
    pub const FIN_UNANSWERED: u16 = 0x1000;
    /// More than one segment with payload.
    pub const MORE_DATA: u16 = 0x2000;
    /// The window advertised last is zero.
    pub const WINDOW_CLOSED: u16 = 0x4000;
    /// The SYN, or the SYN-ACK, was sent more than once.
    pub const HANDSHAKE_REPEATED: u16 = 0x8000;
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
    /// The snap length cut frames of this flow.
    pub const CUT: u8 = 0x08;
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

/// How a sender numbers its IPv4 packets, as far as seen. RFC 6864 leaves it open, so stacks differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpIdClass {
    /// Fewer than two packets to compare.
    Unknown,
    /// Always zero.
    Zero,
    /// Small steps upwards.
    Incrementing,
    /// Anything else.
    Random,
}

/// Longest step between two IP identifications that still counts as one counter.
pub const IP_ID_STEP_MAX: u16 = 64;

/// What is remembered of one direction.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Direction {
    /// The sequence number behind the highest byte sent.
    pub nxt: u32,
    /// The last acknowledgement number sent.
    pub ack: u32,
    last_lo: u32,
    /// Payload bytes sent, without retransmissions; saturates.
    pub bytes: u32,
    /// The window field of the last packet, not scaled.
    pub window: u16,
    /// IP identification of the last packet.
    pub ip_id: u16,
    min_response_8us: u16,
    /// Bits of [`seen`].
    pub flags: u16,
    last_hi: u8,
    /// Lowest time to live, or hop limit, seen.
    pub ttl_min: u8,
    /// Highest time to live, or hop limit, seen.
    pub ttl_max: u8,
    /// Type of service or traffic class of the last packet.
    pub tos: u8,
    /// Packets other than RSTs, without the copies that captures on several interfaces hold; saturates
    /// at 255.
    pub packets: u8,
    /// Retransmissions; saturates at 255.
    pub retransmissions: u8,
    /// Low nibble: retransmissions since the peer acknowledged anything new. High nibble: keepalive
    /// probes since either side sent payload. Both saturate at 15.
    runs: u8,
    /// Bits 0–1: IP identification class; 2: DF set seen; 3: DF clear seen; 4–7: window scale.
    habits: u8,
}

const ID_MASK: u8 = 0x03;
const ID_ZERO: u8 = 1;
const ID_INCREMENTING: u8 = 2;
const ID_RANDOM: u8 = 3;
const DF_SET: u8 = 0x04;
const DF_CLEAR: u8 = 0x08;

impl Direction {
    /// Whether any bit of `mask` (see [`seen`]) is set.
    #[inline]
    #[must_use]
    pub const fn has(&self, mask: u16) -> bool {
        self.flags & mask != 0
    }

    /// When the last packet of this direction was seen.
    #[inline]
    #[must_use]
    pub const fn last(&self) -> Micros {
        self.last_lo as u64 | (self.last_hi as u64) << 32
    }

    /// This direction as if its last packet, a SYN that ends before `nxt`, had been its only one.
    #[must_use]
    pub fn with_syn_only(&self, nxt: u32) -> Self {
        Self {
            nxt,
            last_lo: self.last_lo,
            last_hi: self.last_hi,
            window: self.window,
            flags: seen::SYN | self.flags & seen::TIMESTAMPS,
            ttl_min: self.ttl_min,
            ttl_max: self.ttl_max,
            tos: self.tos,
            packets: 1,
            habits: self.habits & 0xf0,
            ..Self::default()
        }
    }

    /// Notes the time of a packet.
    #[inline]
    pub const fn set_last(&mut self, now: Micros) {
        self.last_lo = now as u32;
        self.last_hi = (now >> 32) as u8;
    }

    /// Shortest time in which this side answered the peer, in microseconds, at a resolution of 8.
    #[must_use]
    pub const fn min_response_us(&self) -> Option<u32> {
        match self.min_response_8us {
            0 => None,
            units => Some((units as u32 - 1) * 8),
        }
    }

    /// Notes that this side answered within `us` microseconds.
    #[inline]
    pub fn note_response(&mut self, us: u64) {
        let units = (us / 8).min(65_000) as u16 + 1;
        if self.min_response_8us == 0 || units < self.min_response_8us {
            self.min_response_8us = units;
        }
    }

    /// Retransmissions since the peer acknowledged anything new.
    #[inline]
    #[must_use]
    pub const fn retransmission_run(&self) -> u8 {
        self.runs & 0x0f
    }

    /// Keepalive probes since either side sent payload.
    #[inline]
    #[must_use]
    pub const fn probe_run(&self) -> u8 {
        self.runs >> 4
    }

    /// Counts one retransmission.
    pub const fn count_retransmission(&mut self) {
        self.retransmissions = self.retransmissions.saturating_add(1);
        if self.runs & 0x0f < 0x0f {
            self.runs += 1;
        }
    }

    /// Counts one keepalive probe.
    pub const fn count_probe(&mut self) {
        if self.runs >> 4 < 0x0f {
            self.runs += 0x10;
        }
    }

    /// The peer acknowledged something new.
    #[inline]
    pub const fn clear_retransmission_run(&mut self) {
        self.runs &= 0xf0;
    }

    /// The connection went on.
    #[inline]
    pub const fn clear_probe_run(&mut self) {
        self.runs &= 0x0f;
    }

    /// Window scale shift; 0 when unknown.
    #[inline]
    #[must_use]
    pub const fn window_scale(&self) -> u8 {
        self.habits >> 4
    }

    /// Sets the window scale shift (RFC 7323 limits it to 14).
    pub fn set_window_scale(&mut self, shift: u8) {
        self.habits = self.habits & 0x0f | shift.min(14) << 4;
    }

    /// Whether every packet so far had DF set, every one clear, or neither.
    #[must_use]
    pub const fn always_df(&self) -> Option<bool> {
        match self.habits & (DF_SET | DF_CLEAR) {
            DF_SET => Some(true),
            DF_CLEAR => Some(false),
            _ => None,
        }
    }

    /// How this side numbers its IP packets.
    #[must_use]
    pub const fn ip_id_class(&self) -> IpIdClass {
        match self.habits & ID_MASK {
            ID_ZERO => IpIdClass::Zero,
            ID_INCREMENTING => IpIdClass::Incrementing,
            ID_RANDOM => IpIdClass::Random,
            _ => IpIdClass::Unknown,
        }
    }

    /// Learns TTL, DF, TOS and IP identification from a packet that is not a RST.
    ///
    /// SYN and SYN-ACK are left out of the identification baseline: Linux numbers a SYN-ACK 0 and
    /// starts the connection's counter anywhere.
    #[inline]
    pub fn learn(&mut self, segment: &Segment, handshake: bool) {
        let ttl = segment.ttl;
        if self.packets == 0 {
            (self.ttl_min, self.ttl_max) = (ttl, ttl);
        } else {
            self.ttl_min = self.ttl_min.min(ttl);
            self.ttl_max = self.ttl_max.max(ttl);
        }
        let df = segment.has_quirk(crate::segment::quirk::DF);
        self.habits |= if df { DF_SET } else { DF_CLEAR };
        if !handshake && self.has(seen::ACK | seen::DATA | seen::FIN) {
            self.learn_ip_id(segment.ip_id);
        }
        let copy = segment.ip_id != 0 && segment.ip_id == self.ip_id && self.packets > 0;
        self.ip_id = segment.ip_id;
        self.tos = segment.tos;
        self.packets = self.packets.saturating_add(u8::from(!copy));
    }

    #[inline]
    fn learn_ip_id(&mut self, id: u16) {
        let step = id.wrapping_sub(self.ip_id);
        let class = self.habits & ID_MASK;
        let observed = match (id, self.ip_id) {
            (0, 0) => ID_ZERO,
            // The same packet again, as captures on several interfaces hold it.
            _ if step == 0 => return,
            _ if step <= IP_ID_STEP_MAX => ID_INCREMENTING,
            _ => ID_RANDOM,
        };
        // Once random, always random: one large step is enough not to trust the counter.
        if observed > class {
            self.habits = self.habits & !ID_MASK | observed;
        }
    }

    /// The advertised window in bytes, scaled as far as the scale is known.
    #[inline]
    #[must_use]
    pub const fn window_bytes(&self) -> u32 {
        (self.window as u32) << self.window_scale()
    }
}

/// What is remembered of a flow.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
pub struct FlowRecord {
    /// The canonical 5-tuple.
    pub key: FlowKey,
    history: u64,
    /// 1 + place of the open reset event in the shard's ring; 0 when none is open.
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

const _: () = assert!(size_of::<Direction>() == 32, "a direction is half a cache line");
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
        if self.event != 0 {
            Class::Pinned
        } else if self.was_reset() || self.both_fins() {
            Class::Closing
        } else if self.is(state::ESTABLISHED)
            || (self.is(state::MIDSTREAM) && self.dir[0].packets > 0 && self.dir[1].packets > 0)
        {
            Class::Established
        } else {
            Class::Embryonic
        }
    }

    /// An empty record for the flow of `key`, first seen at `now`.
    #[inline]
    #[must_use]
    pub fn new(key: FlowKey, now: Micros) -> Self {
        Self { key, first_lo: now as u32, first_hi: (now >> 32) as u8, ..Self::default() }
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

    /// Both sides have sent a FIN.
    #[inline]
    #[must_use]
    pub const fn both_fins(&self) -> bool {
        self.dir[0].has(seen::FIN) && self.dir[1].has(seen::FIN)
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
        let [a, b] = &self.dir;
        let mut length =
            (a.flags & seen::LETTERS).count_ones() + (b.flags & seen::LETTERS).count_ones();
        let mut rest = bits & seen::LETTERS;
        while rest != 0 && length < 16 {
            let code = u64::from(rest.trailing_zeros()) | (side as u64 & 1) << 3;
            self.history |= code << (4 * length);
            length += 1;
            rest &= rest - 1;
        }
    }

    /// The history in Zeek's letters (base/protocols/conn): upper case for the initiator, each
    /// letter once a direction, in order. Without a known initiator whoever spoke first counts as such.
    #[must_use]
    pub fn history(&self) -> History {
        let [a, b] = &self.dir;
        let length =
            (a.flags & seen::LETTERS).count_ones() + (b.flags & seen::LETTERS).count_ones();
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
                side.learn(&Segment { ip_id, ..Segment::default() }, false);
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
