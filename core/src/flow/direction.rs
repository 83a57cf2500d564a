//! What is remembered of one direction of a flow: 32 bytes, and the habits of its sender's stack.

use std::fmt;

use crate::segment::{Segment, option, quirk};

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
    /// Nothing is pending in the flow, as far as this side's next packet goes: see
    /// [`crate::flow::record::FlowRecord::note_under_way`].
    pub const UNDER_WAY: u16 = 0x0100;
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

/// From the lowest bit: lowest and highest time to live seen, the last type of service, and the time
/// of the last packet as [`Micros`].
#[derive(Clone, Copy, Default)]
#[repr(transparent)]
struct Stamp(u64);

impl Stamp {
    const TTL_MAX: u32 = 8;
    const TOS: u32 = 16;
    const TIME: u32 = 24;
    const HABITS: u64 = (1 << Self::TIME) - 1;

    const fn new(ttl_min: u8, ttl_max: u8, tos: u8, time: Micros) -> Self {
        let habits = u32::from_le_bytes([ttl_min, ttl_max, tos, 0]) as u64;
        Self(time << Self::TIME | habits)
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [ttl_min, ttl_max, tos, ..] = self.0.to_le_bytes();
        write!(f, "at {} ttl {ttl_min}-{ttl_max} tos {tos}", self.0 >> Self::TIME)
    }
}

/// What is remembered of one direction.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Direction {
    /// The sequence number behind the highest byte sent.
    pub nxt: u32,
    /// The last acknowledgement number sent.
    pub ack: u32,
    /// When the last packet was seen, in the upper 40 bits, and habits of the sender in the others,
    /// which so are read and written together: see [`Stamp`].
    stamp: Stamp,
    /// Payload bytes sent, without retransmissions; saturates.
    pub bytes: u32,
    /// The window field of the last packet, not scaled.
    pub window: u16,
    /// IP identification of the last packet.
    pub ip_id: u16,
    min_response_8us: u16,
    /// Packets other than RSTs, without the copies that captures on several interfaces hold; saturates
    /// at 255.
    pub packets: u8,
    /// Retransmissions; saturates at 255.
    pub retransmissions: u8,
    /// Bits of [`seen`].
    pub flags: u16,
    /// Low nibble: retransmissions since the peer acknowledged anything new. High nibble: keepalive
    /// probes since either side sent payload. Both saturate at 15.
    runs: u8,
    /// Bits 0–1: IP identification class; 2: DF clear seen; 3: DF set seen; 4–7: window scale.
    habits: u8,
}

const ID_MASK: u8 = 0x03;
const ID_ZERO: u8 = 1;
const ID_INCREMENTING: u8 = 2;
const ID_RANDOM: u8 = 3;

/// What IP identifications do that leave a sender's class as it is, and are no copy of a packet.
#[repr(align(8))]
struct SteadyIpId {
    /// The shortest step from one to the next.
    first: u16,
    /// How many steps there are from that on.
    steps: u16,
    /// The bits that are 0.
    zeros: u16,
}

/// Where the habits begin in [`Direction::standing`].
pub(super) const HABITS: u32 = 24;

/// The runs in [`Direction::standing`].
pub(super) const RUNS: u32 = 0xff << 16;

/// By class: none for a class that is not known.
const STEADY_IP_ID: [SteadyIpId; 4] = [
    SteadyIpId { first: 0, steps: 0, zeros: 0 },
    SteadyIpId { first: 0, steps: 1, zeros: u16::MAX },
    SteadyIpId { first: 1, steps: IP_ID_STEP_MAX, zeros: 0 },
    SteadyIpId { first: 1, steps: u16::MAX, zeros: 0 },
];

/// Greatest window scale shift (RFC 7323 section 2.3).
const WINDOW_SCALE_MAX: u8 = 14;

/// Longest response time that is told from longer ones, in units of 8 microseconds.
const RESPONSE_MAX: u64 = 65_000;

pub(super) const DF_SET: u8 = 0x08;
pub(super) const DF_CLEAR: u8 = 0x04;

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
        self.stamp.0 >> Stamp::TIME
    }

    /// Lowest time to live, or hop limit, seen.
    #[inline]
    #[must_use]
    pub const fn ttl_min(&self) -> u8 {
        self.stamp.0 as u8
    }

    /// Highest time to live, or hop limit, seen.
    #[inline]
    #[must_use]
    pub const fn ttl_max(&self) -> u8 {
        (self.stamp.0 >> Stamp::TTL_MAX) as u8
    }

    /// Type of service or traffic class of the last packet.
    #[inline]
    #[must_use]
    pub const fn tos(&self) -> u8 {
        (self.stamp.0 >> Stamp::TOS) as u8
    }

    /// This direction as if its last packet, a SYN that ends before `nxt`, had been its only one.
    #[must_use]
    pub fn with_syn_only(&self, nxt: u32) -> Self {
        Self {
            nxt,
            stamp: self.stamp,
            window: self.window,
            flags: seen::SYN | self.flags & seen::TIMESTAMPS,
            packets: 1,
            habits: self.habits & 0xf0,
            ..Self::default()
        }
    }

    /// A direction of which `segment`, a SYN without data, is the first packet, seen at `now`.
    #[inline]
    #[must_use]
    pub fn opened_by_syn(segment: &Segment, now: Micros) -> Self {
        let timestamps = u16::from(segment.has_option(option::TIMESTAMPS)) * seen::TIMESTAMPS;
        let scaled = u8::from(segment.has_option(option::WINDOW_SCALE));
        let df = if segment.has_quirk(quirk::DF) { DF_SET } else { DF_CLEAR };
        Self {
            nxt: segment.end(),
            stamp: Stamp::new(segment.ttl, segment.ttl, segment.tos, now),
            window: segment.window,
            ip_id: segment.ip_id,
            packets: 1,
            flags: seen::SYN | timestamps,
            habits: df | (segment.window_scale.min(WINDOW_SCALE_MAX) * scaled) << 4,
            ..Self::default()
        }
    }

    /// Counts a packet; stops at 255.
    #[inline(always)]
    pub const fn count_packet(&mut self) {
        self.packets += (self.packets != u8::MAX) as u8;
    }

    /// Notes the time of a packet.
    #[inline]
    pub const fn set_last(&mut self, now: Micros) {
        self.stamp.0 = self.stamp.0 & Stamp::HABITS | now << Stamp::TIME;
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
        let units = (us / 8).min(RESPONSE_MAX) as u16;
        self.min_response_8us = self.shortest_response().min(units).wrapping_add(1);
    }

    /// Whether a packet at `now` that answers one at `before` answers sooner than any so far;
    /// `at_least` is the least time that is believed: [`i64::MAX`] if that one asked nothing, else 0.
    #[inline(always)]
    #[must_use]
    pub fn answers_sooner(&self, at_least: i64, before: Micros, now: Micros) -> bool {
        // Signed: an answer before its question takes no time at all.
        let gap = (now.wrapping_sub(before) << Stamp::TIME).cast_signed();
        let units = gap >> (Stamp::TIME + 3);
        let least = (u64::from(self.min_response_8us).wrapping_sub(1) << 1 >> 1).cast_signed();
        units.max(at_least) < least
    }

    /// 0 stands for none: less one, that is the longest.
    #[inline(always)]
    const fn shortest_response(&self) -> u16 {
        self.min_response_8us.wrapping_sub(1)
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

    /// Sets the window scale shift.
    pub fn set_window_scale(&mut self, shift: u8) {
        self.habits = self.habits & 0x0f | shift.min(WINDOW_SCALE_MAX) << 4;
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

    /// Learns time, TTL, DF, TOS and IP identification from a packet that is not a RST.
    ///
    /// SYN and SYN-ACK are left out of the identification baseline: Linux numbers a SYN-ACK 0 and
    /// starts the connection's counter anywhere.
    #[inline]
    pub fn learn(&mut self, segment: &Segment, now: Micros, handshake: bool) {
        let ttl = segment.ttl;
        // All ones before the first packet; without a jump, as one cannot tell beforehand.
        let none = 0u8.wrapping_sub(u8::from(self.packets == 0));
        let (low, high) = ((self.ttl_min() | none).min(ttl), (self.ttl_max() & !none).max(ttl));
        self.stamp = Stamp::new(low, high, segment.tos, now);
        let df = segment.has_quirk(quirk::DF);
        self.habits |= if df { DF_SET } else { DF_CLEAR };
        if !handshake && self.has(seen::ACK | seen::DATA | seen::FIN) {
            self.learn_ip_id(segment.ip_id);
        }
        let copy = segment.ip_id != 0 && segment.ip_id == self.ip_id && self.packets > 0;
        self.ip_id = segment.ip_id;
        self.packets = self.packets.saturating_add(u8::from(!copy));
    }

    /// What is not usual about `segment` when this side sends it: 0 for nothing.
    ///
    /// Besides what [`super::usual::Usual`] says, that is whatever [`Self::learn`] would learn more from
    /// than a type of service and an IP identification, or not count; of the times to live only the
    /// lowest is taken for granted. A number and no condition: see [`crate::track::steady`].
    #[inline(always)]
    #[must_use]
    pub fn surprises(&self, segment: &Segment) -> u32 {
        let standing = self.standing();
        let missing = segment.usual.missing_in(standing);
        let ttl = u32::from(segment.ttl ^ self.stamp.0 as u8);
        let steady = &STEADY_IP_ID[(standing >> HABITS) as usize & usize::from(ID_MASK)];
        let step = segment.ip_id.wrapping_sub(self.ip_id).wrapping_sub(steady.first);
        missing | ttl | u32::from(step >= steady.steps) | u32::from(segment.ip_id & steady.zeros)
    }

    /// Notes whether this side may go on as usual: when `against` is 0 and nothing of its own stands
    /// against it.
    #[inline(always)]
    pub const fn set_under_way(&mut self, against: u32) {
        let against = against | (self.flags & seen::WINDOW_CLOSED) as u32;
        self.flags = (self.flags & !seen::UNDER_WAY) | (seen::UNDER_WAY * (against == 0) as u16);
    }

    /// 0 when neither retransmissions nor probes are being counted.
    #[inline(always)]
    #[must_use]
    pub const fn runs_as_number(&self) -> u32 {
        self.runs as u32
    }

    /// What is held against [`super::usual::Usual`], as one word: [`Self::flags`], the runs and the
    /// habits.
    #[inline(always)]
    const fn standing(&self) -> u32 {
        self.flags as u32 | (self.runs as u32) << 16 | (self.habits as u32) << HABITS
    }

    /// What [`Self::learn`] and [`Self::set_last`] note of a packet that changes no habits.
    #[inline(always)]
    pub const fn stamp_again(&mut self, tos: u8, now: Micros) {
        let ttl = self.stamp.0 & ((1 << Stamp::TOS) - 1);
        self.stamp.0 = now << Stamp::TIME | (tos as u64) << Stamp::TOS | ttl;
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
