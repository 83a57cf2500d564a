//! What the rules look at: one reset's circumstances, derived once from the open event.

use std::cell::Cell;

use crate::flow::record::{Direction, FlowRecord, IP_ID_STEP_MAX, IpIdClass, elapsed, ended, kind};
use crate::flow::record::{micros, seen, state};
use crate::segment::{Payload, TcpFlags, option, quirk};
use crate::seq::Seq;

use super::form::Form;
use super::open::{After, OpenEvent, Rst};
use super::surroundings::Surroundings;

/// Idle timers that devices and programs are known to keep, in seconds. Sources: vendors' manuals
/// for the cloud balancers (NLB 350, Azure 240, GCP 600), nginx 65/75, Node.js 5, ELB 60, F5 and
/// conntrack's close 300, FortiGate and ASA 3600, Linux keepalive 7200, conntrack 432000.
const IDLE_TIERS_S: [u64; 16] =
    [5, 10, 15, 30, 60, 65, 75, 120, 180, 240, 300, 350, 600, 900, 3_600, 7_200];

/// A trigger must be this young for a reset to be its answer: longer than any round trip.
const TRIGGER_AGE_US_MAX: u64 = 3_000_000;

/// However near a host is, a busy one may take this long, in microseconds.
const ANSWER_US_MIN: u64 = 50_000;

/// Where in its life the connection was, as Cloudflare Radar divides it.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The handshake was not complete.
    PostSyn,
    /// The handshake was complete, the initiator had sent no payload.
    PostAck,
    /// The initiator had sent one segment with payload.
    PostPsh,
    /// Later, or unknown because the capture began inside the connection.
    Later,
}

impl Stage {
    /// Every stage, in the order of the counters.
    pub const ALL: [Self; 4] = [Self::PostSyn, Self::PostAck, Self::PostPsh, Self::Later];

    /// The stage's name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PostSyn => "post_syn",
            Self::PostAck => "post_ack",
            Self::PostPsh => "post_psh",
            Self::Later => "later",
        }
    }

    /// The stage of a flow.
    #[must_use]
    pub fn of(flow: &FlowRecord) -> Self {
        let Some(initiator) = flow.initiator() else { return Self::Later };
        let opener = &flow.dir[initiator & 1];
        let spoke = opener.has(seen::DATA) || opener.has(seen::FIN);
        match (flow.is(state::ESTABLISHED), spoke) {
            (false, false) if !flow.dir[(initiator & 1) ^ 1].has(seen::DATA) => Self::PostSyn,
            (_, false) => Self::PostAck,
            _ if opener.has(seen::MORE_DATA) || flow.is(state::MIDSTREAM) => Self::Later,
            _ => Self::PostPsh,
        }
    }
}

/// The circumstances of one reset.
pub struct Facts<'a> {
    /// The flow before the reset.
    pub flow: &'a FlowRecord,
    /// The first RST.
    pub rst: &'a Rst,
    /// What followed.
    pub after: &'a After,
    around: &'a Surroundings,
    asked_around: Cell<bool>,
    /// The claimed sender's direction.
    pub me: &'a Direction,
    /// The other direction.
    pub peer: &'a Direction,
    /// What the other side's last packet was.
    pub trigger: u8,
    /// The RST's form.
    pub form: Form,
    /// Where in its life the connection was.
    pub stage: Stage,
    /// The event is the aftermath of an earlier reset.
    pub aftermath: bool,
    /// The claimed sender opened the connection; `None` when nobody knows who did.
    pub by_initiator: Option<bool>,
    /// Microseconds since the peer's last packet; `None` when the peer never spoke.
    pub trigger_age_us: Option<u64>,
    /// Microseconds since the claimed sender's last packet.
    pub own_age_us: Option<u64>,
    /// Microseconds without any packet before the reset or, when a packet triggered it, before that.
    pub idle_us: u64,
    /// The RST's sequence number minus the next one of its claimed sender.
    pub seq_rel: Option<i32>,
    /// The RST's acknowledgement minus the highest byte of its peer.
    pub ack_rel: Option<i32>,
    /// Distance of the RST's TTL from the range that its claimed sender used.
    pub ttl_delta: Option<i16>,
}

impl<'a> Facts<'a> {
    /// Derives the circumstances of an event.
    #[inline(always)]
    #[must_use]
    pub fn new(event: &'a OpenEvent, around: &'a Surroundings) -> Self {
        let (flow, rst) = (&event.flow, &event.rst);
        let side = rst.side & 1;
        let (me, peer) = (&flow.dir[side], &flow.dir[side ^ 1]);
        let now = micros(rst.time_ns);
        let age = |side: &Direction| (side.packets > 0).then(|| elapsed(side.last(), now));
        let (own_age_us, trigger_age_us) = (age(me), age(peer));
        Self {
            flow,
            rst,
            after: &event.after,
            around,
            asked_around: Cell::new(false),
            me,
            peer,
            trigger: flow.last_kind[side ^ 1],
            form: event.form,
            stage: Stage::of(flow),
            aftermath: event.aftermath,
            by_initiator: flow.initiator().map(|initiator| initiator == side),
            trigger_age_us,
            own_age_us,
            idle_us: idle(event.form, own_age_us, trigger_age_us),
            seq_rel: (me.packets > 0).then(|| Seq(rst.seq).since(Seq(me.nxt))),
            ack_rel: (peer.packets > 0 && rst.flags.any(TcpFlags::ACK))
                .then(|| Seq(rst.ack).since(Seq(peer.nxt))),
            ttl_delta: (me.packets > 0).then(|| ttl_delta(me, rst.ttl)),
        }
    }

    /// What other flows showed. A verdict rests on it if a rule asked.
    #[must_use]
    pub fn around(&self) -> &'a Surroundings {
        self.asked_around.set(true);
        self.around
    }

    /// Whether anybody has asked what other flows showed.
    #[must_use]
    pub const fn asked_around(&self) -> bool {
        self.asked_around.get()
    }

    /// Index in the key of the endpoint that claims to have sent the RST.
    #[must_use]
    pub fn side(&self) -> usize {
        self.rst.side & 1
    }

    /// The RST can be the answer to a packet of the peer: there is one, and it is young enough.
    #[must_use]
    pub fn answers_trigger(&self) -> bool {
        let asked = self.trigger_age_us.is_some_and(|age| age <= self.answer_us_max());
        self.form.is_reply() && (asked || self.after.trigger_overtaken)
    }

    /// The longest that this host may take to answer a packet without a connection: its kernel
    /// answers at once, so little more than it took for the quickest answer ever.
    fn answer_us_max(&self) -> u64 {
        let usual = self.me.min_response_us().filter(|_| !self.midstream());
        usual.map_or(TRIGGER_AGE_US_MAX, |us| (4 * u64::from(us)).max(ANSWER_US_MIN))
    }

    /// Everything that either side sent was acknowledged; a reset's own acknowledgement counts.
    #[must_use]
    pub fn all_acked(&self) -> bool {
        let own = self.flow.unacked(self.side());
        let peers = self.ack_rel.or_else(|| self.flow.unacked(self.side() ^ 1).map(|bytes| -bytes));
        own.is_none_or(|bytes| bytes <= 1) && peers.is_none_or(|behind| behind >= -1)
    }

    /// What the initiator's first payload looked like.
    #[must_use]
    pub fn request_is(&self, payload: Payload) -> bool {
        self.flow.initiator().is_some_and(|side| self.flow.first_payload[side & 1] == payload as u8)
    }

    /// The initiator began with TLS, and the responder's first payload was something else.
    #[must_use]
    pub fn answered_without_tls(&self) -> bool {
        let Some(initiator) = self.flow.initiator() else { return false };
        let answer = self.flow.first_payload[(initiator & 1) ^ 1];
        self.request_is(Payload::TlsClientHello)
            && (answer == Payload::Other as u8 || answer == Payload::HttpResponse as u8)
    }

    /// The known idle timer within 2 % of the silence before the reset, in seconds.
    #[must_use]
    pub fn idle_tier_s(&self) -> Option<u64> {
        let idle_ms = self.idle_us / 1000;
        IDLE_TIERS_S.into_iter().find(|tier| idle_ms.abs_diff(tier * 1000) * 50 <= tier * 1000)
    }

    /// Bits of the record's [`ended`] that were set before the RST.
    #[must_use]
    pub const fn ended(&self, mask: u8) -> bool {
        self.flow.ended & mask != 0
    }

    /// The connection uses timestamps, as far as both directions show.
    #[must_use]
    pub const fn uses_timestamps(&self) -> bool {
        self.me.has(seen::TIMESTAMPS) && self.peer.has(seen::TIMESTAMPS)
    }

    /// The RST carries timestamps.
    #[must_use]
    pub const fn has_timestamps(&self) -> bool {
        self.rst.options & option::TIMESTAMPS != 0
    }

    /// The RST clears DF although its claimed sender always set it. IPv6 has no such bit.
    #[must_use]
    pub fn df_mismatch(&self) -> bool {
        self.rst.quirks & (quirk::DF | quirk::IPV6) == 0
            && self.me.packets > 0
            && self.me.always_df() == Some(true)
    }

    /// The RST's identification minus the sender's last, where the sender's is worth comparing.
    #[must_use]
    pub fn ip_id_step(&self) -> Option<u16> {
        let comparable =
            self.rst.quirks & quirk::IPV6 == 0 && self.me.ip_id_class() != IpIdClass::Unknown;
        comparable.then(|| self.rst.ip_id.wrapping_sub(self.me.ip_id))
    }

    /// The RST's identification does not continue its claimed sender's counter. Zero never counts:
    /// a host that has no connection any more numbers its reset 0.
    #[must_use]
    pub fn ip_id_foreign(&self) -> bool {
        match self.me.ip_id_class() {
            IpIdClass::Incrementing => {
                let step = self.rst.ip_id.wrapping_sub(self.me.ip_id);
                self.rst.ip_id != 0 && (step == 0 || step > 8 * IP_ID_STEP_MAX)
            }
            IpIdClass::Zero => self.rst.ip_id != 0,
            IpIdClass::Random | IpIdClass::Unknown => false,
        }
    }

    /// The peer's last packet had one of the kinds in `mask` (see [`kind`]).
    #[must_use]
    pub const fn trigger_is(&self, mask: u8) -> bool {
        self.trigger & mask != 0
    }

    /// The peer's last packet carried new payload.
    #[must_use]
    pub const fn trigger_is_new_data(&self) -> bool {
        self.trigger & (kind::DATA | kind::RETRANSMISSION) == kind::DATA
    }

    /// The capture lacks bytes of the connection.
    #[must_use]
    pub const fn gap(&self) -> bool {
        self.flow.is(state::GAP)
    }

    /// The capture began inside the connection.
    #[must_use]
    pub const fn midstream(&self) -> bool {
        self.flow.is(state::MIDSTREAM)
    }

    /// Only one direction was captured: a connection of which one side alone was seen, and no answer
    /// to it as the first packet of the other.
    #[must_use]
    pub fn one_way(&self) -> bool {
        match (self.me.packets, self.peer.packets) {
            (1.., 0) => true,
            (0, 3..) => !self.form.is_reply(),
            _ => false,
        }
    }

    /// Packets seen before the RST.
    #[must_use]
    pub const fn packets_before(&self) -> u16 {
        self.me.packets as u16 + self.peer.packets as u16
    }

    /// An earlier reset ended this connection.
    #[must_use]
    pub const fn reset_before(&self) -> bool {
        self.ended(ended::RESET_BY | ended::RESET_BY << 1)
    }
}

/// The silence before a reset; before its trigger, when it answers one.
fn idle(form: Form, own_us: Option<u64>, trigger_us: Option<u64>) -> u64 {
    match (own_us, trigger_us) {
        (Some(own), Some(trigger)) if form.is_reply() && trigger <= TRIGGER_AGE_US_MAX => {
            own.saturating_sub(trigger)
        }
        (Some(own), Some(trigger)) => own.min(trigger),
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => 0,
    }
}

fn ttl_delta(side: &Direction, ttl: u8) -> i16 {
    let ttl = i16::from(ttl);
    let (low, high) = (i16::from(side.ttl_min()), i16::from(side.ttl_max()));
    if ttl < low {
        ttl - low
    } else if ttl > high {
        ttl - high
    } else {
        0
    }
}
