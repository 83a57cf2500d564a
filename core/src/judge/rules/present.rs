//! Resets by hosts that had the connection and ended it.

use crate::flow::record::{kind, seen};
use crate::judge::cause::{Subcause, Verdict};
use crate::judge::facts::{Facts, Stage};
use crate::judge::form::Form;
use crate::judge::origin::Origin;
use crate::limits::COHORT_MIN;
use crate::segment::Payload;

/// A response that ends in a reset within this time was cut short by closing, not by waiting.
const AT_ONCE_US: u64 = 50_000;

/// Retransmissions count as the reason when the last was this recent.
const LOSS_AGE_US_MAX: u64 = 120_000_000;

/// Silence after which a reset looks like a timer's or an operator's, not like part of an exchange.
const IDLE_US: u64 = 500_000;

/// 5.1: keepalive probes went unanswered (RFC 9293 section 3.8.4).
pub(super) fn keepalive_expired(facts: &Facts<'_>, _: &Origin) -> Option<Verdict> {
    if facts.form == Form::ReplyR || facts.aftermath {
        return None;
    }
    // Who has just acknowledged something of the peer's knows that the peer lives.
    if facts.flow.last_kind[facts.side()] & kind::PROBE == 0 {
        return None;
    }
    let answered = facts.trigger_age_us.is_some_and(|us| Some(us) < facts.own_age_us);
    match facts.me.probe_run() {
        // One probe alone is any idle connection's; the second shows that the first was in vain.
        0 | 1 => None,
        _ if answered => expired_beyond(facts),
        _ => Some(Verdict::new(Subcause::KeepaliveExpired, 97)),
    }
}

/// Probes whose answers the tap saw, and the prober perhaps did not: its timer counts whole seconds
/// from the last probe (`tcp_keepalive_intvl`), which a program's abort would meet only by chance.
fn expired_beyond(facts: &Facts<'_>) -> Option<Verdict> {
    let own_us = facts.own_age_us?;
    let off_us = own_us.abs_diff(own_us.saturating_add(500_000) / 1_000_000 * 1_000_000);
    let on_time = own_us >= 900_000 && off_us <= 60_000;
    (on_time && facts.me.probe_run() >= 2).then(|| {
        Verdict::new(Subcause::KeepaliveExpired, 95)
            .or(Subcause::AbortAfterExchange, 15)
            .or(Subcause::SocketKill, 10)
    })
}

/// 5.2, 5.5: the resetting side had retransmitted in vain. Linux gives up silently, so three
/// retransmissions and a reset mean another stack, or a program that lost patience.
pub(super) fn retransmission_gave_up(facts: &Facts<'_>, _: &Origin) -> Option<Verdict> {
    let run = facts.me.retransmission_run();
    let heard = facts.flow.unacked(facts.side()) == Some(0);
    if run < 3 || heard || facts.form == Form::ReplyR || facts.form == Form::ReplyRa {
        return None;
    }
    if facts.stage == Stage::PostSyn {
        return Some(Verdict::new(Subcause::HandshakeLoss, 85).or(Subcause::ClientGaveUp, 30));
    }
    Some(if facts.has_timestamps() {
        Verdict::new(Subcause::AbortDuringLoss, 93).or(Subcause::RetransmissionGaveUp, 20)
    } else {
        Verdict::new(Subcause::RetransmissionGaveUp, 93).or(Subcause::AbortDuringLoss, 25)
    })
}

/// 4.3, 6.1: connections that ended together. When the port closes with them, the process ended;
/// when it stays open, somebody picked the connections.
pub(super) fn together(facts: &Facts<'_>, _: &Origin) -> Option<Verdict> {
    if facts.form != Form::ActiveRa || facts.aftermath || facts.stage == Stage::PostSyn {
        return None;
    }
    let around = facts.around();
    let closing = facts.me.has(seen::FIN) || facts.peer.has(seen::FIN);
    let cohort = around.cohort.unwrap_or(1);
    let (alive, closed) = (around.accepted_after, around.refused_after);
    // Who refuses one and accepts another has not ended: a rule may refuse, too.
    if closed && !alive && facts.by_initiator == Some(false) {
        let percent = if cohort >= COHORT_MIN { 97 } else { 95 };
        return Some(Verdict::new(Subcause::ProcessExit, percent).or(Subcause::UnreadData, 12));
    }
    if cohort < COHORT_MIN {
        return None;
    }
    if facts.by_initiator == Some(false) && !facts.me.has(seen::DATA) {
        // Accepted by the kernel, never by the program: the listener went with its queue.
        return Some(Verdict::new(Subcause::Overload, 96).or(Subcause::UnreadData, 20));
    }
    if closing {
        // Many that end at once because their peers closed at once are picked by nobody.
        return None;
    }
    let percent = if alive { 97 } else { 93 };
    Some(
        Verdict::new(Subcause::SocketKill, percent)
            .or(Subcause::AbortAfterExchange, 12)
            .or(Subcause::ProcessExit, 10),
    )
}

/// 4.2, 4.5, 1.4: accepted, and reset before the initiator said anything.
pub(super) fn no_payload(facts: &Facts<'_>, _: &Origin) -> Option<Verdict> {
    if facts.stage != Stage::PostAck || facts.form.is_reply() || facts.me.has(seen::DATA) {
        return None;
    }
    if facts.peer.has(seen::DATA) || facts.peer.has(seen::FIN) {
        return None;
    }
    Some(if facts.by_initiator == Some(true) {
        Verdict::new(Subcause::Abort, 80)
            .or(Subcause::HalfOpenProbe, 25)
            .or(Subcause::ClientGaveUp, 15)
    } else {
        Verdict::new(Subcause::Overload, 96).or(Subcause::Abort, 25).or(Subcause::NoBackend, 10)
    })
}

/// 0.2, 4.1: a reset by the side that had closed, or in answer to the other side's close.
pub(super) fn after_fin(facts: &Facts<'_>, _: &Origin) -> Option<Verdict> {
    let (mine, theirs) = (facts.me.has(seen::FIN), facts.peer.has(seen::FIN));
    if !mine && !theirs {
        return None;
    }
    if mine {
        let crossed = facts.peer.has(seen::DATA_CROSSED_PEER_FIN);
        let behind = facts.ack_rel.is_some_and(|by| by < 0);
        let lost = facts.flow.unacked(facts.side()).is_some_and(|bytes| bytes > 1);
        let unread = facts.flow.last_data() == Some(facts.side() ^ 1)
            && facts.trigger_is_new_data()
            && facts.trigger_age_us.is_some_and(|us| us < AT_ONCE_US);
        return Some(if facts.me.retransmission_run() > 1 {
            Verdict::new(Subcause::AbortDuringLoss, 90).or(Subcause::AbortAfterExchange, 30)
        } else if crossed || behind || unread {
            Verdict::new(Subcause::UnreadData, 97).or(Subcause::AbortAfterExchange, 30)
        } else if lost {
            Verdict::new(Subcause::Abort, 75).or(Subcause::AbortAfterExchange, 40)
        } else {
            Verdict::new(Subcause::AbortAfterExchange, 96).or(Subcause::UnreadData, 20)
        });
    }
    if facts.by_initiator == Some(true) && facts.answered_without_tls() {
        return Some(Verdict::new(Subcause::TlsFailure, 97).or(Subcause::AbortAfterExchange, 30));
    }
    let asked = facts.by_initiator == Some(false) && facts.peer.has(seen::DATA);
    if asked && !facts.me.has(seen::DATA) {
        // Half-closed behind its request: the peer still waits for an answer.
        return Some(
            Verdict::new(Subcause::UnreadData, 70)
                .or(Subcause::Abort, 25)
                .or(Subcause::AbortAfterExchange, 5),
        );
    }
    // Whoever sent FIN behind its request waits for no answer; an alert of ours that the peer has
    // not acknowledged yet is no loss.
    let own = facts.flow.unacked(facts.side()).is_none_or(|bytes| bytes <= 1);
    let goodbye = facts.flow.last_kind[facts.side()] & kind::ALERT != 0;
    Some(if own || goodbye {
        Verdict::new(Subcause::AbortAfterExchange, 96).or(Subcause::UnreadData, 12)
    } else {
        Verdict::new(Subcause::Abort, 80)
            .or(Subcause::UnreadData, 25)
            .or(Subcause::AbortAfterExchange, 15)
    })
}

/// The responder had been asked and had not answered.
fn owes_response(facts: &Facts<'_>) -> bool {
    facts.by_initiator != Some(true) && facts.flow.last_data() == Some(facts.side() ^ 1)
}

/// 5.5: the path was losing packets when the program gave up.
pub(super) fn during_loss(facts: &Facts<'_>, _: &Origin) -> Option<Verdict> {
    let recent = facts.own_age_us.is_some_and(|us| us < LOSS_AGE_US_MAX);
    let unacked = facts.flow.unacked(facts.side()).is_some_and(|bytes| bytes > 0);
    if facts.me.retransmission_run() == 0 || !unacked || !recent || facts.form.is_reply() {
        return None;
    }
    Some(Verdict::new(Subcause::AbortDuringLoss, 90).or(Subcause::Abort, 35))
}

/// 4.x: ended in mid-exchange.
pub(super) fn unfinished(facts: &Facts<'_>, _: &Origin) -> Option<Verdict> {
    let side = facts.side();
    // Resets that answer acknowledgements with lower numbers show that those were still on their
    // way: where the sender stood, its data was not acknowledged.
    let in_flight = facts.after.train > 1 && facts.after.steps[0] < 0;
    let own_unacked = in_flight || facts.flow.unacked(side).is_some_and(|bytes| bytes > 0);
    let own_unacked = own_unacked && !awaits_delayed_ack(facts);
    let missed = facts.ack_rel.is_some_and(|by| by < 0);
    if facts.me.has(seen::WINDOW_CLOSED) && facts.peer.has(seen::DATA) {
        // A window that never opened again: what filled it was never read.
        let subcause = if facts.by_initiator == Some(true) {
            Subcause::ClientGaveUp
        } else {
            Subcause::UnreadData
        };
        return Some(Verdict::new(subcause, 80).or(Subcause::Abort, 12));
    }
    if facts.by_initiator == Some(true) {
        let streaming = facts.flow.last_data() == Some(side ^ 1)
            && facts.trigger_is_new_data()
            && facts.trigger_age_us.is_some_and(|us| us < AT_ONCE_US);
        let waiting = facts.flow.last_data() == Some(side);
        let reopened = facts.me.has(seen::ZERO_WINDOW) && facts.own_age_us < facts.trigger_age_us;
        return if missed || streaming || reopened {
            Some(
                Verdict::new(Subcause::ClientGaveUp, 97)
                    .or(Subcause::UnreadData, 20)
                    .or(Subcause::AbortAfterExchange, 10),
            )
        } else if own_unacked {
            Some(
                Verdict::new(Subcause::Abort, 94)
                    .or(Subcause::ClientGaveUp, 25)
                    .or(Subcause::AbortDuringLoss, 10),
            )
        } else if waiting && !facts.trigger_is(kind::ALERT) {
            Some(
                Verdict::new(Subcause::ClientGaveUp, 94)
                    .or(Subcause::Abort, 20)
                    .or(Subcause::AbortAfterExchange, 15),
            )
        } else {
            None
        };
    }
    let alerted = facts.flow.first_payload[side] == Payload::TlsAlert as u8;
    if alerted && facts.request_is(Payload::TlsClientHello) {
        return Some(Verdict::new(Subcause::TlsFailure, 97).or(Subcause::Abort, 10));
    }
    if own_unacked {
        return Some(
            Verdict::new(Subcause::Abort, 96)
                .or(Subcause::UnreadData, 15)
                .or(Subcause::AbortDuringLoss, 10),
        );
    }
    if !owes_response(facts) && !missed {
        return None;
    }
    Some(unanswered(facts))
}

/// All that is not acknowledged is one segment, sent more than a round trip ago: its receiver has
/// it and delays the acknowledgement (RFC 9293 section 3.8.6.3: by less than 500 ms).
fn awaits_delayed_ack(facts: &Facts<'_>) -> bool {
    let bytes = facts.flow.unacked(facts.side()).unwrap_or(0);
    let Some(us) = facts.own_age_us else { return false };
    let round_trip = u64::from(facts.peer.min_response_us().unwrap_or(0))
        + u64::from(facts.me.min_response_us().unwrap_or(0));
    (1..=1460).contains(&bytes)
        && facts.me.retransmission_run() == 0
        && us > 2 * round_trip.max(2_500)
        && us < 500_000
}

/// The responder resets while a request waits for its answer.
fn unanswered(facts: &Facts<'_>) -> Verdict {
    let silent = !facts.me.has(seen::DATA);
    let tls = facts.request_is(Payload::TlsClientHello);
    if silent && tls {
        return Verdict::new(Subcause::TlsFailure, 97)
            .or(Subcause::UnreadData, 20)
            .or(Subcause::Injection, 10);
    }
    let alerted = facts.flow.last_kind[facts.side()] & kind::ALERT != 0;
    if alerted || facts.trigger_is(kind::ALERT) {
        return Verdict::new(Subcause::TlsFailure, 97).or(Subcause::AbortAfterExchange, 30);
    }
    // A while later the program may have read the request, and somebody ended its socket.
    let at_once = facts.trigger_age_us.is_some_and(|us| us < AT_ONCE_US);
    let verdict = Verdict::new(Subcause::UnreadData, if at_once { 97 } else { 90 });
    if silent && at_once {
        verdict.or(Subcause::RefusedRequest, 20).or(Subcause::Abort, 10)
    } else {
        verdict.or(Subcause::Abort, 20).or(Subcause::SocketKill, 10)
    }
}

/// 0.2, 6.1: everything was delivered, and a reset took the place of the FIN.
pub(super) fn finished(facts: &Facts<'_>, _: &Origin) -> Option<Verdict> {
    if facts.form == Form::Odd {
        return Some(Verdict::new(Subcause::Abort, 45).or(Subcause::Injection, 35));
    }
    if facts.midstream() && !(facts.me.has(seen::DATA) || facts.peer.has(seen::DATA)) {
        return Some(
            Verdict::new(Subcause::Midstream, 45)
                .or(Subcause::AbortAfterExchange, 25)
                .or(Subcause::SocketKill, 25),
        );
    }
    Some(if facts.idle_us < IDLE_US {
        Verdict::new(Subcause::AbortAfterExchange, 96)
            .or(Subcause::UnreadData, 15)
            .or(Subcause::Abort, 8)
    } else {
        Verdict::new(Subcause::AbortAfterExchange, 58)
            .or(Subcause::SocketKill, 35)
            .or(Subcause::Abort, 15)
    })
}
