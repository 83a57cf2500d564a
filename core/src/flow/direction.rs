//! What is remembered of one direction of a flow: 32 bytes, and the habits of its sender's stack.

use crate::segment::Segment;

use super::record::Micros;

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
        self.note_response_if(true, us);
    }

    /// [`Self::note_response`], or nothing; without a branch.
    #[inline(always)]
    pub fn note_response_if(&mut self, answers: bool, us: u64) {
        let units = if answers { (us / 8).min(65_000) as u16 } else { u16::MAX };
        // 0 stands for none: less one, that is the longest.
        let shortest = self.min_response_8us.wrapping_sub(1).min(units);
        self.min_response_8us = shortest.wrapping_add(1);
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

    /// Keeps the count of retransmissions, or of probes, or clears it; without a branch.
    #[inline(always)]
    pub const fn keep_runs(&mut self, retransmissions: bool, probes: bool) {
        self.runs &= (retransmissions as u8 * 0x0f) | (probes as u8 * 0xf0);
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
        // The same packet again, as captures on several interfaces hold it, says nothing.
        let unchanged = if id == 0 { ID_ZERO } else { 0 };
        let changed = if step <= IP_ID_STEP_MAX { ID_INCREMENTING } else { ID_RANDOM };
        let observed = if step == 0 { unchanged } else { changed };
        // Once random, always random: one large step is enough not to trust the counter.
        self.habits = self.habits & !ID_MASK | observed.max(self.habits & ID_MASK);
    }

    /// The advertised window in bytes, scaled as far as the scale is known.
    #[inline]
    #[must_use]
    pub const fn window_bytes(&self) -> u32 {
        (self.window as u32) << self.window_scale()
    }
}

const _: () = assert!(size_of::<Direction>() == 32, "a direction is half a cache line");
