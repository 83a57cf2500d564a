//! Readings of the reset's numbers and of what its connection did before.

use super::*;

pub(super) fn form(event: &Event, value: i64) -> Reading {
    let alone = event.evidence.get(Fact::AgeMs).is_none();
    match Form::ALL.into_iter().find(|form| *form as i64 == value) {
        Some(Form::ReplyR) => reads(
            "A bare RST whose sequence number is what the peer acknowledged: how a host (or a \
             firewall in its name) answers a packet of a connection that it does not know.",
            ANSWERS,
            ENDED,
        ),
        Some(Form::ReplyRa) if event.stage != Stage::PostSyn && !alone => reads(
            "A RST-ACK with nothing of its own that acknowledges the packet answered: how a host \
             (or a firewall in its name) answers a packet without ACK of a connection that it does \
             not know.",
            ANSWERS,
            ENDED,
        ),
        Some(Form::ReplyRa) => reads(
            "A RST-ACK with nothing of its own that acknowledges the packet answered: how a host \
             (or a firewall in its name) answers a SYN that it does not want.",
            REFUSALS,
            ENDED,
        ),
        Some(Form::ActiveRa) => reads(
            "A RST-ACK with the connection's own numbers: its writer had the connection and ended \
             it.",
            HAD_IT,
            NOT_ACTIVE,
        ),
        _ if alone => reads(
            "The capture holds nothing of the connection that its numbers could be held against.",
            &[Backscatter, OneWay, Midstream],
            NONE,
        ),
        _ => reads(
            "Neither a host without the connection nor one that has it writes these numbers, as \
             far as the capture shows the connection.",
            &[Injection, BlindInjection, Tcpkill, NatBypass, Ineffective],
            &[AbortAfterExchange, UnreadData, KeepaliveExpired],
        ),
    }
}

pub(super) fn trigger_age(us: i64) -> Reading {
    match us {
        ..50_000 => neutral("Quick enough to be the answer to that packet."),
        50_000..=3_000_000 => {
            neutral("It may be the answer to that packet, over a long path or by a busy host.")
        }
        _ => reads(
            "Older than any answer: nothing that the peer sent asked for this reset.",
            &[AbortAfterExchange, KeepaliveExpired, ProcessExit, SocketKill, IdleTimer],
            &[NoListener, ServiceDown, PortScan, HalfOpen, DataAfterClose, MidstreamReject],
        ),
    }
}

pub(super) fn sequence(by: i64) -> Reading {
    match by {
        0 => reads(
            "Exactly the next byte of its claimed sender: the peer accepts it, and its writer knew \
             the connection or was told the number by the packet answered.",
            NONE,
            &[BlindInjection, Ineffective, NatBypass, SilentGiveUp],
        ),
        _ if by.abs() > 1 << 20 => reads(
            "Far from all that this connection used: the reset answers numbers of somewhere else.",
            &[NatBypass, Ineffective, BlindInjection],
            ENDED,
        ),
        -1 => neutral("One below the next byte: the number of the FIN, or of a probe."),
        ..0 => reads(
            "Below what the sender had sent: it answers a packet written before those bytes \
             arrived, or they never arrived.",
            &[SilentGiveUp, LateSegmentAfterClose, AfterReset],
            NONE,
        ),
        _ => reads(
            "Beyond all that the sender had sent, as far as captured: a guess, or bytes that the \
             capture lacks.",
            &[Injection, BlindInjection, Tcpkill, Ineffective, CaptureGap],
            NONE,
        ),
    }
}

pub(super) fn acknowledgement(by: i64) -> Reading {
    match by {
        0 => reads(
            "It acknowledges all that the peer had sent: its writer had seen the peer's last byte.",
            NONE,
            &[CaptureGap],
        ),
        -1 => neutral("All but one number, as when the peer's FIN had not arrived."),
        ..0 => reads(
            "It leaves bytes of the peer unacknowledged: they had not arrived, or were thrown away.",
            &[UnreadData, ClientGaveUp, AbortDuringLoss],
            &[AbortAfterExchange],
        ),
        _ => reads(
            "It acknowledges bytes that the peer never sent, as far as captured.",
            &[Injection, BlindInjection, CaptureGap],
            ENDED,
        ),
    }
}

pub(super) fn window(event: &Event, value: i64) -> Reading {
    match (event.form(), value) {
        (Some(Form::ActiveRa), 0) => {
            neutral("Zero: a full receive buffer, another system than Linux, or a forged header.")
        }
        (Some(Form::ActiveRa), _) => reads("A window as a living socket has it.", HAD_IT, NONE),
        (_, 0) => neutral("Zero, as in every reset without a socket behind it."),
        _ => reads(
            "Not zero although no socket stands behind this form: hosts do not write that.",
            FORGED,
            NONE,
        ),
    }
}

pub(super) fn idle(event: &Event, ms: i64) -> Reading {
    let handshake = event.stage == Stage::PostSyn;
    match ms {
        _ if handshake => neutral("The handshake was not complete: silence says little here."),
        ..500 => reads(
            "The connection was busy: no timer for silence had run out.",
            NONE,
            &[IdleStateLost, IdleTimer, SocketKill, KeepaliveExpired],
        ),
        500..60_000 if event.form() != Some(Form::ActiveRa) => neutral("The exchange had paused."),
        500..60_000 => reads(
            "The exchange had paused: a program's or an operator's decision, or a short timer.",
            &[AbortAfterExchange, SocketKill],
            NONE,
        ),
        _ => reads(
            "A long silence, in which devices forget connections, hosts restart and timers expire.",
            &[HalfOpen, IdleStateLost, IdleTimer, SocketKill, KeepaliveExpired],
            NONE,
        ),
    }
}

pub(super) fn fin(event: &Event, fact: Fact) -> Reading {
    let both = event.evidence.get(Fact::FinSeenC).is_some()
        && event.evidence.get(Fact::FinSeenS).is_some();
    let own = by_client(event) == (fact == Fact::FinSeenC);
    match (both, own) {
        (true, _) => reads(
            "Both sides had closed: nothing was left to break.",
            &[AfterClose],
            &[Abort, ProcessExit, SocketKill, IdleTimer],
        ),
        (_, true) => reads(
            "The resetting side had closed its half before.",
            &[LateSegmentAfterClose, DataAfterClose, AbortAfterExchange, UnreadData],
            &[HalfOpen, SocketKill],
        ),
        _ => reads(
            "The other side had closed its half; the reset came in place of the second FIN.",
            &[AbortAfterExchange, UnreadData],
            &[HalfOpen, IdleTimer],
        ),
    }
}

pub(super) fn volume(event: &Event, fact: Fact, value: i64) -> Reading {
    let asked = event.evidence.get(Fact::BytesC).is_some_and(|bytes| bytes > 0);
    let by_client = by_client(event);
    let own = by_client == (fact == Fact::UnackedC);
    match (fact, value) {
        (Fact::BytesC, 0) => reads(
            "The client had said nothing yet.",
            if by_client { &[HalfOpenProbe, Abort] } else { &[Overload] },
            &[UnreadData, RefusedRequest, TlsFailure, ClientGaveUp],
        ),
        (Fact::BytesS, 0) if asked && !by_client => reads(
            "The server had been asked and had answered nothing.",
            &[UnreadData, RefusedRequest, TlsFailure, Overload],
            &[AbortAfterExchange],
        ),
        (Fact::BytesS, 0) => neutral("The server had said nothing yet."),
        (Fact::BytesS, _) if !by_client => {
            reads("The server had begun to answer.", NONE, &[RefusedRequest, Overload, NoBackend])
        }
        (Fact::BytesC | Fact::BytesS, _) => neutral("Payload went this way before the reset."),
        (_, ..=1) => {
            let says = "Nothing of it was on its way: the peer had confirmed it (a SYN or FIN \
                        counts one).";
            if own { reads(says, NONE, &[Abort, AbortDuringLoss]) } else { neutral(says) }
        }
        _ if !own && event.form().is_some_and(Form::is_reply) => {
            neutral("Bytes of the other side were unconfirmed: those that the reset answers.")
        }
        _ if own => reads(
            "Bytes of the resetting side were still on their way: it did not wait for them.",
            &[Abort, AbortDuringLoss, RetransmissionGaveUp, SilentGiveUp],
            NONE,
        ),
        _ => reads(
            "Bytes of the other side were still unconfirmed: the resetting side had not taken them.",
            &[UnreadData, ClientGaveUp, RefusedRequest],
            NONE,
        ),
    }
}

pub(super) fn repeats(fact: Fact, count: i64) -> Reading {
    match (fact, count) {
        (Fact::ProbesBefore, ..=1) => neutral("One probe: any idle connection has that."),
        (Fact::ProbesBefore, _) => reads(
            "Probe after probe without an answer.",
            &[KeepaliveExpired],
            &[SocketKill, IdleTimer, AbortAfterExchange],
        ),
        (Fact::RetxBefore, ..=2) => reads(
            "It had repeated itself without an answer: the path was losing packets.",
            &[AbortDuringLoss, SilentGiveUp, HandshakeLoss],
            NONE,
        ),
        (Fact::RetxBefore, _) => reads(
            "It had repeated itself three times or more without an answer.",
            LOSS,
            &[AbortAfterExchange],
        ),
        _ => reads(
            "It repeated itself: its packets or their acknowledgements were lost, or nobody read \
             them.",
            &[HandshakeLoss, AbortDuringLoss, Overload],
            NONE,
        ),
    }
}
