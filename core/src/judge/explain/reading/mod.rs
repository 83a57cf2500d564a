//! What one value of a fact says, and for or against which sub-causes it argues.
//!
//! Each reading looks at one fact alone, as a person does who goes down the list; the limits are
//! those of the rules.

mod around;
mod flow;

use crate::judge::cause::Subcause::{self, *};
use crate::judge::event::Event;
use crate::judge::evidence::Fact;
use crate::judge::facts::Stage;
use crate::judge::form::Form;

/// What a value says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What it says, as whole sentences.
    pub says: &'static str,
    /// Sub-causes that it makes more likely.
    pub favours: &'static [Subcause],
    /// Sub-causes that it makes less likely.
    pub against: &'static [Subcause],
}

/// How a reading stands to a sub-cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaning {
    /// It argues for it.
    For,
    /// It argues against it.
    Against,
    /// It says nothing about it.
    Neither,
}

impl Reading {
    /// How the reading stands to `subcause`.
    #[must_use]
    pub fn leaning(&self, subcause: Subcause) -> Leaning {
        if self.favours.contains(&subcause) {
            Leaning::For
        } else if self.against.contains(&subcause) {
            Leaning::Against
        } else {
            Leaning::Neither
        }
    }
}

/// Sub-causes in which a host refuses a SYN by itself.
const CLOSED: &[Subcause] = &[NoListener, ServiceDown, PortScan, NoBackend];

/// Answers of a host without the connection, and of a device that answers like one.
const ANSWERS: &[Subcause] = &[
    AfterClose,
    LateSegmentAfterClose,
    PortReuse,
    HalfOpenProbe,
    HalfOpen,
    DataAfterClose,
    AfterReset,
    IdleStateLost,
    LateSynAck,
    NatBypass,
    Backscatter,
    MidstreamReject,
    NoSession,
    SilentGiveUp,
];

/// Refusals of a SYN, by the host or by a device.
const REFUSALS: &[Subcause] =
    &[NoListener, ServiceDown, PortScan, NoBackend, SynRejected, AfterReset, Backscatter];

/// Resets by a host that had the connection, which only an active form shows.
const ENDED: &[Subcause] = &[
    AbortAfterExchange,
    UnreadData,
    Abort,
    ProcessExit,
    KeepaliveExpired,
    RetransmissionGaveUp,
    AbortDuringLoss,
    SocketKill,
];

/// Whatever a host with the connection does.
const HAD_IT: &[Subcause] = &[
    AbortAfterExchange,
    UnreadData,
    Abort,
    ProcessExit,
    RefusedRequest,
    Overload,
    ClientGaveUp,
    TlsFailure,
    KeepaliveExpired,
    RetransmissionGaveUp,
    AbortDuringLoss,
    SocketKill,
];

/// What an active form cannot be.
const NOT_ACTIVE: &[Subcause] = &[
    NoListener,
    ServiceDown,
    PortScan,
    HalfOpen,
    DataAfterClose,
    AfterReset,
    LateSynAck,
    NatBypass,
    SilentGiveUp,
    MidstreamReject,
];

/// Resets that somebody other than the named host wrote.
const FOREIGN: &[Subcause] = &[
    SynRejected,
    MidstreamReject,
    Injection,
    BlindInjection,
    NoSession,
    Tcpkill,
    Killcx,
    IdleTimer,
    IdleStateLost,
];

/// Forged resets, and what is left of a connection that outlives one.
const FORGED: &[Subcause] =
    &[SynRejected, MidstreamReject, Injection, BlindInjection, Ineffective, Tcpkill, Killcx];

const LOSS: &[Subcause] = &[AbortDuringLoss, RetransmissionGaveUp, SilentGiveUp, HandshakeLoss];

const NONE: &[Subcause] = &[];

const fn neutral(says: &'static str) -> Reading {
    Reading { says, favours: NONE, against: NONE }
}

const fn reads(
    says: &'static str,
    favours: &'static [Subcause],
    against: &'static [Subcause],
) -> Reading {
    Reading { says, favours, against }
}

/// Reads one fact of an event.
#[must_use]
pub fn of(event: &Event, fact: Fact, value: i64) -> Reading {
    match fact {
        Fact::Form => flow::form(event, value),
        Fact::TriggerAgeUs => flow::trigger_age(value),
        Fact::SeqRelNxt => flow::sequence(value),
        Fact::AckRelPeer => flow::acknowledgement(value),
        Fact::Window => flow::window(event, value),
        Fact::IdleMs => flow::idle(event, value),
        Fact::IdleTier => reads(
            "The silence is within 2 % of a timer that devices or programs are known to keep.",
            &[IdleStateLost, IdleTimer],
            NONE,
        ),
        Fact::FinSeenC | Fact::FinSeenS => flow::fin(event, fact),
        Fact::FinUnanswered => reads(
            "The client had asked, and closed without waiting for the answer: what came met nobody.",
            &[ClientGaveUp],
            &[AfterClose],
        ),
        Fact::DataAfterFin => reads(
            "The peer knew that the resetting side had closed, and sent more: there was no reader.",
            &[DataAfterClose],
            NONE,
        ),
        Fact::BytesC | Fact::BytesS | Fact::UnackedC | Fact::UnackedS => {
            flow::volume(event, fact, value)
        }
        Fact::AgeMs => neutral("From the first packet seen to the reset."),
        Fact::RetxBefore | Fact::PeerRetxBefore | Fact::ProbesBefore => flow::repeats(fact, value),
        Fact::TtlDelta
        | Fact::DfMismatch
        | Fact::IdClass
        | Fact::IdStep
        | Fact::TsMissing
        | Fact::DscpNotEchoed
        | Fact::Mirrored
        | Fact::NoTrigger => around::header(event, fact, value),
        Fact::LatencyRatio | Fact::HostTtlDelta | Fact::HostResponseUs => {
            around::host(event, fact, value)
        }
        Fact::PostRstData
        | Fact::PostRstAck
        | Fact::PostRstSynAck
        | Fact::VictimAfter
        | Fact::RstsSameSide
        | Fact::RstsOtherSide
        | Fact::OtherSideAfterUs
        | Fact::TrainN
        | Fact::TrainDelta => around::after(fact, value),
        Fact::SvcAlive
        | Fact::AcceptedAfter
        | Fact::RefusedAfter
        | Fact::SourceRefused
        | Fact::CohortN => around::others(event, fact, value),
        Fact::Midstream => reads(
            "The capture does not show how the connection began, nor what was said before.",
            &[Midstream],
            NONE,
        ),
        Fact::OneWay => {
            reads("What the other side sent was not captured, or it sent nothing.", &[OneWay], NONE)
        }
        Fact::Gap => reads(
            "Bytes were acknowledged or skipped that the capture does not hold: numbers that look \
             wrong may be right.",
            &[CaptureGap],
            NONE,
        ),
        Fact::WindowCut => neutral("Too many resets at once: life after this one may be missed."),
    }
}

/// The resetting side is the client, as far as that is known.
fn by_client(event: &Event) -> bool {
    event.service_side() & 1 != event.side & 1
}
