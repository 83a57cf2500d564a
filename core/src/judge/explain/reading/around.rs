//! Readings of what tells the reset's writer from the host it names: headers, what came after, and
//! other connections.

use super::*;
use crate::flow::record::{IP_ID_STEP_MAX, IpIdClass};
use crate::limits::{QUICKER_US_MIN, SCAN_TARGETS};

pub(super) fn header(event: &Event, fact: Fact, value: i64) -> Reading {
    let active = event.form() == Some(Form::ActiveRa);
    match (fact, value) {
        (Fact::TtlDelta, 0) => reads(
            "Within what the sender's other packets had: it came from as far away as one of them.",
            NONE,
            FOREIGN,
        ),
        (Fact::TtlDelta, -1..=1) if !active => {
            neutral("One hop of difference: routes differ by that, so it proves little.")
        }
        (Fact::TtlDelta, _) if active => reads(
            "A socket sends all its packets with one time to live: this came from elsewhere.",
            FOREIGN,
            HAD_IT,
        ),
        (Fact::TtlDelta, _) => reads(
            "From another distance, or with another initial value: a device, or a host that \
             answers with its system's default where its socket had set its own.",
            FOREIGN,
            NONE,
        ),
        (Fact::DfMismatch, _) => reads(
            "No common system clears it just for a reset; tools with raw sockets do.",
            &[Injection, BlindInjection, Tcpkill, Killcx, IdleTimer],
            HAD_IT,
        ),
        (Fact::IdClass, _) => id_class(value),
        (Fact::IdStep, _) => id_step(event, value, active),
        (Fact::TsMissing, _) => reads(
            "A host that still has the connection puts its timestamps on the reset.",
            FORGED,
            HAD_IT,
        ),
        (Fact::DscpNotEchoed, _) => reads(
            "A host copies the DSCP of the packet answered; a rejecting firewall writes zero.",
            &[SynRejected, MidstreamReject, Injection],
            NONE,
        ),
        (Fact::Mirrored, _) => reads(
            "Its writer turned the packet round instead of writing one of its own.",
            &[SynRejected, MidstreamReject, Injection],
            CLOSED,
        ),
        _ => reads(
            "A host without the connection sends a bare reset only as an answer.",
            &[Injection, BlindInjection, Tcpkill, Killcx, IdleTimer],
            &[HalfOpen, DataAfterClose, MidstreamReject, LateSynAck],
        ),
    }
}

/// What is compared with all that is known of the host.
pub(super) fn host(event: &Event, fact: Fact, value: i64) -> Reading {
    match (fact, value) {
        (Fact::LatencyRatio, ..50) => reads(
            "Less than half of the quickest answer that this host ever gave: somebody nearer wrote \
             it.",
            FOREIGN,
            ENDED,
        ),
        (Fact::LatencyRatio, _) => {
            neutral("Quicker than the host ever answered, but not by so much that it could not.")
        }
        (Fact::HostTtlDelta, 0) => {
            reads("It came from as far away as the host's SYN-ACKs do.", NONE, FOREIGN)
        }
        (Fact::HostTtlDelta, _) => reads(
            "From another distance than the host's SYN-ACKs, or with another initial value: a \
             device, or a service that sets its own.",
            &[SynRejected, Injection],
            CLOSED,
        ),
        (_, quickest) => {
            let age = event.evidence.get(Fact::TriggerAgeUs);
            if age.is_some_and(|age| {
                age * 2 < quickest && quickest >= age + QUICKER_US_MIN.cast_signed()
            }) {
                reads(
                    "The reset came in less than half of that: somebody nearer wrote it.",
                    &[SynRejected, Injection],
                    CLOSED,
                )
            } else {
                neutral("The reset took about as long, or longer.")
            }
        }
    }
}

fn id_class(value: i64) -> Reading {
    const ZERO: i64 = IpIdClass::Zero as i64;
    const INCREMENTING: i64 = IpIdClass::Incrementing as i64;
    neutral(match value {
        ZERO => "Always zero, so a number in the reset would be strange.",
        INCREMENTING => "One after the other, so a reset of the same socket continues the count.",
        _ => "At random, so that the reset's number says nothing.",
    })
}

fn id_step(event: &Event, step: i64, active: bool) -> Reading {
    const INCREMENTING: i64 = IpIdClass::Incrementing as i64;
    let counts = event.evidence.get(Fact::IdClass) == Some(INCREMENTING);
    let near = (1..=8 * i64::from(IP_ID_STEP_MAX)).contains(&step);
    match (counts, near) {
        (true, true) => reads("It continues the sender's count.", NONE, FOREIGN),
        (true, false) if active => reads("It does not continue the sender's count.", FOREIGN, NONE),
        (true, false) => neutral(
            "It does not continue the sender's count; a host that has no connection any more writes \
             0 there, and so does a firewall.",
        ),
        (false, _) if step == 0 => neutral("The same number as before."),
        _ => neutral("Without a count to continue it says nothing."),
    }
}

pub(super) fn after(fact: Fact, value: i64) -> Reading {
    match (fact, value) {
        (Fact::PostRstData, _) => reads(
            "A host that has reset a connection sends no more data on it: somebody else wrote the \
             reset, or nobody accepted it.",
            FORGED,
            HAD_IT,
        ),
        (Fact::PostRstAck, ..=1) => neutral("One may have been on its way, or overtaken."),
        (Fact::PostRstAck, _) => reads(
            "A host that has reset a connection acknowledges nothing on it any more.",
            FORGED,
            HAD_IT,
        ),
        (Fact::PostRstSynAck, _) => reads(
            "The host accepted what it is said to have refused: somebody else refused.",
            &[SynRejected],
            CLOSED,
        ),
        (Fact::VictimAfter, _) => {
            neutral("It had not got the reset yet, did not accept it, or opened a new connection.")
        }
        (Fact::RstsSameSide, ..=1) => neutral("A single reset in this direction."),
        (Fact::RstsSameSide, _) => {
            neutral("Hosts repeat a reset for each late packet; forgers send several at once.")
        }
        (Fact::RstsOtherSide, _) => neutral(
            "Both ends were reset: by a third party, or the one in answer to the other's packets.",
        ),
        (Fact::OtherSideAfterUs, ..200_000) => reads(
            "Both ends were reset by one decision.",
            &[IdleTimer, Injection, Tcpkill, Killcx],
            NONE,
        ),
        (Fact::OtherSideAfterUs, _) => neutral("Too long after to be one decision."),
        (Fact::TrainN, ..=2) => reads(
            "The number changed between resets: a host that answers follows what it is sent.",
            &[Injection, Tcpkill],
            NONE,
        ),
        (Fact::TrainN, _) => reads(
            "A host knows its own number; whoever tries several is guessing.",
            &[Injection, BlindInjection, Tcpkill],
            HAD_IT,
        ),
        (_, ..=0) => reads(
            "Downwards: later resets answer acknowledgements that were still on their way.",
            &[Abort, ClientGaveUp],
            &[Injection, Tcpkill],
        ),
        _ => neutral(
            "Upwards. The raw window of the packet followed marks tcpkill; 1460 and its multiples \
             mark injectors that count in segments.",
        ),
    }
}

pub(super) fn others(event: &Event, fact: Fact, value: i64) -> Reading {
    let syn = event.stage == Stage::PostSyn;
    match (fact, value) {
        (Fact::SvcAlive, 0) if syn => reads(
            "No connection to it was accepted while the capture remembered.",
            &[NoListener],
            &[ServiceDown],
        ),
        (Fact::SvcAlive, _) if syn => reads(
            "It accepted a connection before: there was a program behind the port.",
            &[ServiceDown, SynRejected],
            &[NoListener],
        ),
        (Fact::SvcAlive, 0) => neutral("No other connection to it was seen accepted."),
        (Fact::SvcAlive, _) => neutral("There is a program behind the port."),
        (Fact::AcceptedAfter, _) if syn && event.evidence.get(Fact::RefusedAfter).is_some() => {
            neutral("It took one connection right after and refused another: it was starting.")
        }
        (Fact::AcceptedAfter, _) if syn => reads(
            "It took another connection right after: it was not down.",
            &[SynRejected],
            &[NoListener],
        ),
        (Fact::AcceptedAfter, _) => {
            reads("The port stayed open: the process lives.", &[SocketKill], &[ProcessExit])
        }
        (Fact::RefusedAfter, _) if syn => neutral("It refused others as well."),
        (Fact::RefusedAfter, _) => reads(
            "The port closed together with the connection: the process ended.",
            &[ProcessExit],
            &[SocketKill, IdleTimer],
        ),
        (Fact::SourceRefused, _) => {
            if usize::try_from(value).is_ok_and(|count| count >= SCAN_TARGETS) {
                reads(
                    "So many closed ports in a minute: it is looking for open ones.",
                    &[PortScan],
                    NONE,
                )
            } else {
                reads("Too few to call it a scan.", NONE, &[PortScan])
            }
        }
        (_, 3..) => {
            reads("They ended by one decision.", &[SocketKill, ProcessExit, Overload, Drain], NONE)
        }
        _ => reads(
            "One other at most ended with it: too few to call it one decision about many.",
            NONE,
            &[SocketKill, ProcessExit, Drain],
        ),
    }
}
