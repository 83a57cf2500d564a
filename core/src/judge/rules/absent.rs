//! Resets by hosts that had no such connection, or none any more.

use crate::flow::record::{ended, kind, seen, state};
use crate::judge::cause::{Subcause, Verdict};
use crate::judge::facts::{Facts, Stage};
use crate::judge::form::Form;
use crate::judge::origin::{Families, Origin};
use crate::limits::{QUICKER_US_MIN, SCAN_TARGETS};
use crate::segment::{Payload, TcpFlags};

/// A SYN-ACK this late finds an initiator that has retransmitted its SYN or given up (RFC 6298: the
/// first retransmission comes after one second).
const LATE_SYN_ACK_US: u64 = 900_000;

/// Nothing a host answers is this old.
const UNPROMPTED_US: u64 = 5_000_000;

/// Silence after which lost state is the likely reason for a bare answer.
const QUIET_US: u64 = 60_000_000;

/// 2.3: packets for a connection that a reset had ended before.
pub(super) fn after_reset(facts: &Facts<'_>, _: &Origin) -> Option<Verdict> {
    if facts.flow.both_fins() {
        return None;
    }
    let later = facts.reset_before() && facts.form.is_reply() && facts.peer.packets > 0;
    (facts.aftermath || later).then(|| {
        if facts.ended(ended::REFUSED) && facts.trigger_is(kind::SYN) {
            refusal(facts)
        } else {
            Verdict::new(Subcause::AfterReset, 98)
        }
    })
}

/// 3.5: a connection that has ended, long quiet, and then a reset with the numbers of one that is
/// alive. Its hosts know nothing of it any more; a device that kept a state of its own does.
pub(super) fn device_after_end(facts: &Facts<'_>, origin: &Origin) -> Option<Verdict> {
    let unprompted = facts.trigger_age_us.is_some_and(|us| us >= UNPROMPTED_US);
    let over = facts.flow.both_fins() || facts.reset_before();
    let foreign =
        origin.supporting.any(Families::TTL) || facts.ttl_delta.is_some_and(|by| by.abs() >= 16);
    (unprompted && over && foreign && facts.form == Form::ActiveRa)
        .then(|| Verdict::new(Subcause::NoSession, 65).or(Subcause::AfterClose, 30))
}

/// 0.1, and what else a reset behind both FINs can be.
pub(super) fn after_close(facts: &Facts<'_>, _: &Origin) -> Option<Verdict> {
    if !facts.flow.both_fins() {
        return None;
    }
    let gave_up = facts.me.retransmission_run() >= 3 && facts.form != Form::ReplyR;
    if gave_up {
        return None;
    }
    if discarded_response(facts) {
        return Some(
            Verdict::new(Subcause::ClientGaveUp, 94)
                .or(Subcause::AfterClose, 25)
                .or(Subcause::DataAfterClose, 15),
        );
    }
    if facts.peer.has(seen::DATA_AFTER_PEER_FIN) && facts.form.is_reply() {
        return Some(Verdict::new(Subcause::DataAfterClose, 85).or(Subcause::AfterClose, 20));
    }
    if facts.form == Form::ActiveRa && facts.ack_rel.is_some_and(|by| by < -1) {
        return Some(Verdict::new(Subcause::UnreadData, 80).or(Subcause::AfterClose, 40));
    }
    let lost = facts.flow.unacked(facts.side() ^ 1).is_some_and(|bytes| bytes > 1);
    if lost && facts.peer.has(seen::DATA_CROSSED_PEER_FIN) && facts.form.is_reply() {
        // The peer's data met a closed socket before its own FIN did.
        return Some(
            Verdict::new(Subcause::LateSegmentAfterClose, 70)
                .or(Subcause::UnreadData, 20)
                .or(Subcause::AfterClose, 10),
        );
    }
    Some(Verdict::new(Subcause::AfterClose, 97))
}

/// The initiator closed while its request was unanswered, and the answer then met a closed socket.
fn discarded_response(facts: &Facts<'_>) -> bool {
    facts.by_initiator == Some(true)
        && facts.me.has(seen::FIN_UNANSWERED)
        && facts.peer.has(seen::DATA)
        && facts.form.is_reply()
}

/// 0.4: a SYN met an old connection; the old owner acknowledged, and the new one reset that
/// (RFC 9293 section 3.5.1, RFC 5961 section 4).
pub(super) fn port_reuse(facts: &Facts<'_>, _: &Origin) -> Option<Verdict> {
    let side = usize::from(facts.flow.is(state::SYN_ON_LIVE_BY));
    if !facts.flow.is(state::SYN_ON_LIVE) || side != facts.side() {
        return None;
    }
    if facts.form == Form::ReplyR || facts.rst.seq == facts.peer.ack {
        let percent = if facts.after.reopened || facts.after.sender_data > 0 { 97 } else { 60 };
        return Some(Verdict::new(Subcause::PortReuse, percent).or(Subcause::HalfOpen, 5));
    }
    None
}

/// 5.3: the claimed sender's retransmissions went unanswered, it fell silent, and a later packet of
/// the peer met nothing: its answer lies below what had been sent.
pub(super) fn silent_give_up(facts: &Facts<'_>, _: &Origin) -> Option<Verdict> {
    let run = facts.me.retransmission_run();
    let below = facts.seq_rel.is_some_and(|by| by < 0);
    if facts.form != Form::ReplyR || !below || run < 2 || facts.me.has(seen::FIN) {
        return None;
    }
    let quiet = facts.own_age_us.is_some_and(|us| us >= 500_000);
    let percent = match (run, quiet) {
        (3.., true) => 96,
        (_, true) => 92,
        _ => 75,
    };
    Some(Verdict::new(Subcause::SilentGiveUp, percent).or(Subcause::HalfOpen, 100 - percent))
}

/// 1.x, and 3.1 where only the DSCP betrays a device: the answer to a SYN.
pub(super) fn refused(facts: &Facts<'_>, origin: &Origin) -> Option<Verdict> {
    let syn_only = facts.peer.has(seen::SYN)
        && !facts.me.has(seen::SYN_ACK | seen::ACK | seen::DATA)
        && facts.by_initiator == Some(false);
    let accepts = facts.rst.flags.any(TcpFlags::ACK) && facts.ack_rel == Some(0);
    // The port of an old connection, whose end was not captured, is used again.
    let opener = usize::from(facts.flow.is(state::SYN_ON_LIVE_BY));
    let reused = facts.flow.is(state::SYN_ON_LIVE)
        && opener != facts.side()
        && facts.trigger_is(kind::SYN)
        && facts.form == Form::ReplyRa;
    if reused {
        return Some(refusal(facts));
    }
    if !syn_only {
        return None;
    }
    if origin.supporting.any(Families::DSCP) && facts.rst.window == 0 {
        return Some(Verdict::new(Subcause::SynRejected, 60).or(Subcause::NoListener, 45));
    }
    if accepts {
        return Some(refusal(facts));
    }
    Some(Verdict::new(Subcause::NoListener, 50).or(Subcause::SynRejected, 40))
}

/// A plain refusal; how sure depends on what other flows showed of host, service and source.
fn refusal(facts: &Facts<'_>) -> Verdict {
    let around = facts.around();
    let alive = around.service_alive;
    // Who asks again and is accepted met a service that was starting.
    let likeness = if facts.after.reopened { Likeness::Unknown } else { Likeness::of(facts) };
    match likeness {
        Likeness::Foreign => {
            return Verdict::new(Subcause::SynRejected, 94).or(Subcause::ServiceDown, 15);
        }
        Likeness::Odd if alive == Some(true) && around.accepted_after => {
            return Verdict::new(Subcause::SynRejected, 78).or(Subcause::ServiceDown, 28);
        }
        _ => {}
    }
    if around.source_refused.is_some_and(|ports| usize::from(ports) >= SCAN_TARGETS) {
        return Verdict::new(Subcause::PortScan, 98).or(Subcause::NoListener, 10);
    }
    match (alive, likeness) {
        (Some(true), Likeness::Own) => {
            // A rule on the host itself refuses with the same bytes.
            Verdict::new(Subcause::ServiceDown, 60).or(Subcause::SynRejected, 35)
        }
        (Some(true), _) => Verdict::new(Subcause::ServiceDown, 55).or(Subcause::SynRejected, 40),
        (Some(false), Likeness::Own) => {
            Verdict::new(Subcause::NoListener, 97).or(Subcause::SynRejected, 8)
        }
        // Without the host's own answers to compare with, a device is as good an explanation.
        _ => Verdict::new(Subcause::NoListener, 60)
            .or(Subcause::SynRejected, 20)
            .or(Subcause::ServiceDown, 15),
    }
}

/// How much a refusal looks like the host that it names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Likeness {
    /// Nothing is known of the host.
    Unknown,
    /// As far away, and no quicker than it ever answered.
    Own,
    /// One of the two does not fit. Alone that proves nothing: a service may set its own TTL.
    Odd,
    /// Neither fits.
    Foreign,
}

impl Likeness {
    /// Compares a refusal with the SYN-ACKs of its host. It counts as quicker at less than half the
    /// shortest time, by a margin that no jitter explains.
    fn of(facts: &Facts<'_>) -> Self {
        let Some((low, high, response_us)) = facts.around().host_baseline else {
            return Self::Unknown;
        };
        let off = !(low..=high).contains(&facts.rst.ttl);
        let quicker = response_us.zip(facts.trigger_age_us).is_some_and(|(usual, age)| {
            age * 2 < u64::from(usual) && u64::from(usual) >= age + QUICKER_US_MIN
        });
        match (off, quicker) {
            (false, false) => Self::Own,
            (true, true) => Self::Foreign,
            _ => Self::Odd,
        }
    }
}

/// 0.6, 2.5, 5.4: the handshake began and one side reset it.
pub(super) fn handshake(facts: &Facts<'_>, _: &Origin) -> Option<Verdict> {
    if facts.stage != Stage::PostSyn {
        return None;
    }
    if facts.by_initiator == Some(true) {
        return Some(initiator_in_handshake(facts));
    }
    let repeated =
        facts.me.has(seen::HANDSHAKE_REPEATED) || facts.peer.has(seen::HANDSHAKE_REPEATED);
    if repeated {
        return Some(Verdict::new(Subcause::HandshakeLoss, 78).or(Subcause::Overload, 20));
    }
    Some(Verdict::new(Subcause::RefusedRequest, 60).or(Subcause::Overload, 30))
}

fn initiator_in_handshake(facts: &Facts<'_>) -> Verdict {
    if !facts.peer.has(seen::SYN_ACK) {
        return if facts.peer.packets > 0 && facts.form == Form::ReplyR {
            // A packet in SYN-SENT that acknowledges something else (RFC 9293 section 3.10.7.3).
            Verdict::new(Subcause::HalfOpen, 95).or(Subcause::PortReuse, 20)
        } else if facts.me.has(seen::HANDSHAKE_REPEATED) {
            Verdict::new(Subcause::HandshakeLoss, 70).or(Subcause::ClientGaveUp, 40)
        } else {
            Verdict::new(Subcause::ClientGaveUp, 50).or(Subcause::OneWay, 40)
        };
    }
    let acceptable = facts.peer.ack == facts.me.nxt;
    if !facts.me.has(seen::SYN) {
        return Verdict::new(Subcause::Backscatter, 96).or(Subcause::LateSynAck, 25);
    }
    if !acceptable {
        return Verdict::new(Subcause::LateSynAck, 88).or(Subcause::HalfOpen, 25);
    }
    let answer_us = facts.own_age_us.unwrap_or(0).saturating_sub(facts.trigger_age_us.unwrap_or(0));
    if facts.form.is_reply() || facts.trigger_age_us.is_some_and(|us| us < 1_000_000) {
        let late = answer_us >= LATE_SYN_ACK_US || facts.me.has(seen::HANDSHAKE_REPEATED);
        return if late {
            Verdict::new(Subcause::LateSynAck, 97).or(Subcause::HalfOpenProbe, 10)
        } else {
            Verdict::new(Subcause::HalfOpenProbe, 97)
                .or(Subcause::LateSynAck, 10)
                .or(Subcause::Injection, 5)
        };
    }
    Verdict::new(Subcause::ClientGaveUp, 50).or(Subcause::HalfOpenProbe, 40)
}

/// 2.7, 1.1, 7.1: the RST is all that was captured of its connection.
pub(super) fn no_other_packet(facts: &Facts<'_>, _: &Origin) -> Option<Verdict> {
    if facts.packets_before() > 0 {
        return None;
    }
    Some(match facts.form {
        Form::ReplyRa if facts.rst.payload_len == 0 => Verdict::new(Subcause::NoListener, 50)
            .or(Subcause::Backscatter, 35)
            .or(Subcause::OneWay, 15),
        _ if !facts.rst.flags.any(TcpFlags::ACK) && facts.rst.payload_len == 0 => {
            Verdict::new(Subcause::Backscatter, 60).or(Subcause::OneWay, 40)
        }
        _ => Verdict::new(Subcause::Midstream, 70).or(Subcause::OneWay, 30),
    })
}

/// 7.1, 7.2: too little was captured to tell.
pub(super) fn too_little(facts: &Facts<'_>, _: &Origin) -> Option<Verdict> {
    if facts.one_way() {
        return Some(Verdict::new(Subcause::OneWay, 88).or(Subcause::HalfOpen, 20));
    }
    let closing = facts.me.has(seen::FIN) || facts.peer.has(seen::FIN);
    // A request that the reset leaves unanswered says enough.
    let asked = facts.trigger_is_new_data() && facts.ack_rel == Some(0);
    let enough = closing || asked || facts.packets_before() >= 4;
    if facts.midstream() && !facts.form.is_reply() && !enough {
        return Some(
            Verdict::new(Subcause::Midstream, 70)
                .or(Subcause::UnreadData, 30)
                .or(Subcause::Abort, 20),
        );
    }
    None
}

/// 0.3, 2.2, 4.6: the resetting side had sent its FIN, and packets still came.
pub(super) fn after_own_fin(facts: &Facts<'_>, _: &Origin) -> Option<Verdict> {
    if !facts.me.has(seen::FIN) || facts.form == Form::ActiveRa {
        return None;
    }
    if discarded_response(facts) && facts.trigger_is(kind::DATA) {
        return Some(
            Verdict::new(Subcause::ClientGaveUp, 94)
                .or(Subcause::LateSegmentAfterClose, 30)
                .or(Subcause::DataAfterClose, 10),
        );
    }
    if facts.peer.has(seen::DATA_AFTER_PEER_FIN) {
        return Some(
            Verdict::new(Subcause::DataAfterClose, 98).or(Subcause::LateSegmentAfterClose, 10),
        );
    }
    Some(
        Verdict::new(Subcause::LateSegmentAfterClose, 97)
            .or(Subcause::DataAfterClose, 8)
            .or(Subcause::Abort, 5),
    )
}

/// 2.6: a host answers an acknowledgement of bytes it never sent. Its answer has that number, far
/// from all that the connection used, so nobody on the connection accepts it.
pub(super) fn nat_bypass(facts: &Facts<'_>, _: &Origin) -> Option<Verdict> {
    // Far below what a sender of that many bytes had reached lies what its peer has not heard of.
    let sent = |by: i32| by < 0 && by.unsigned_abs() <= facts.me.bytes.saturating_add(2);
    let far = facts.seq_rel.is_some_and(|by| by.unsigned_abs() > 1 << 20 && !sent(by));
    let asked = facts.ended(ended::ACK_UNSENT) || facts.trigger_is(kind::OUT_OF_WINDOW);
    let bare = !facts.rst.flags.any(TcpFlags::ACK) && facts.rst.window == 0;
    // What answers a SYN-ACK that acknowledges something else is the initiator itself.
    let opening = facts.stage == Stage::PostSyn && facts.by_initiator == Some(true);
    (far && bare && !opening && (asked || facts.form == Form::ReplyR))
        .then(|| Verdict::new(Subcause::NatBypass, 95).or(Subcause::Ineffective, 20))
}

/// 2.1, 2.4, 4.5: a host answers a packet of an established connection as if it knew of none.
pub(super) fn stateless(facts: &Facts<'_>, origin: &Origin) -> Option<Verdict> {
    if !facts.form.is_reply() || facts.peer.packets == 0 {
        return None;
    }
    let overflowed = facts.by_initiator == Some(false)
        && !facts.me.has(seen::DATA | seen::ACK | seen::FIN)
        && facts.me.has(seen::HANDSHAKE_REPEATED);
    if overflowed {
        return Some(Verdict::new(Subcause::Overload, 97).or(Subcause::HandshakeLoss, 20));
    }
    let foreign_ttl = facts.ttl_delta.is_some_and(|by| by != 0) && facts.me.packets >= 2;
    if foreign_ttl && facts.idle_us < 1_000_000 && origin.supporting.any(Families::LATENCY) {
        return Some(
            Verdict::new(Subcause::NoSession, 80)
                .or(Subcause::IdleStateLost, 20)
                .or(Subcause::HalfOpen, 15),
        );
    }
    if foreign_ttl {
        // Without a silence before it, a host may as well have answered for a dead connection with
        // another time to live than the live one had.
        let percent = match (facts.idle_us < 1_000_000, facts.idle_tier_s()) {
            (true, _) => 75,
            (false, None) => 95,
            (false, Some(_)) => 96,
        };
        return Some(
            Verdict::new(Subcause::IdleStateLost, percent)
                .or(Subcause::HalfOpen, 28)
                .or(Subcause::NoSession, 14),
        );
    }
    if facts.midstream() && facts.me.packets == 0 {
        return Some(
            Verdict::new(Subcause::HalfOpen, 95)
                .or(Subcause::IdleStateLost, 15)
                .or(Subcause::NoSession, 10),
        );
    }
    let quiet = facts.idle_us >= QUIET_US;
    let percent = if quiet || origin.supporting.count() == 0 { 96 } else { 70 };
    let verdict = Verdict::new(Subcause::HalfOpen, percent);
    Some(if quiet {
        verdict.or(Subcause::IdleStateLost, 15)
    } else if facts.request_is(Payload::None) {
        verdict.or(Subcause::Overload, 10).or(Subcause::MidstreamReject, 8)
    } else {
        verdict.or(Subcause::MidstreamReject, 12).or(Subcause::Injection, 5)
    })
}
