//! One plain sentence for each verdict, with the numbers that a person can look up in Wireshark.

use std::fmt::{self, Display};

use super::cause::Subcause;
use super::event::Event;
use super::evidence::Fact;
use super::form::Form;

/// Displays an event's note.
pub struct Note<'a>(pub &'a Event);

/// Milliseconds that read well: `0.4 ms`, `12 ms`, `3.2 s`.
struct Time(i64);

impl Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            us if us < 1_000 => write!(f, "{us} µs"),
            us if us < 10_000 => write!(f, "{}.{} ms", us / 1_000, us % 1_000 / 100),
            us if us < 1_000_000 => write!(f, "{} ms", us / 1_000),
            us => write!(f, "{}.{} s", us / 1_000_000, us % 1_000_000 / 100_000),
        }
    }
}

/// `after 12 ms of silence`; a silence is measured in whole milliseconds.
struct Silence(Time);

impl Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Time(0) => write!(f, "without a pause"),
            time => write!(f, "after {time} of silence"),
        }
    }
}

/// `1 RST answers`, `3 RSTs answer`.
struct Answers(u32);

impl Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => write!(f, "1 RST answers"),
            several => write!(f, "{several} RSTs answer"),
        }
    }
}

/// One thing in which a RST differs from the host that it names.
enum Difference {
    TimeToLive(i64),
    Quick(i64),
    Is(&'static str),
    OtherSide(i64),
}

impl Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimeToLive(by) => write!(f, "time to live {by:+}"),
            Self::Quick(percent) => write!(f, "{percent} % of its quickest answer's time"),
            Self::Is(says) => f.write_str(says),
            Self::OtherSide(rsts) => write!(f, "{rsts} RSTs to the other side"),
        }
    }
}

impl Display for Note<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let event = self.0;
        let fact = |fact: Fact| event.evidence.get(fact).unwrap_or(0);
        let age = Time(fact(Fact::TriggerAgeUs));
        let idle = Time(fact(Fact::IdleMs) * 1_000);
        match event.verdict.claim.subcause {
            Subcause::AfterClose if !self.answers() => {
                write!(f, "Both sides had sent FIN: the connection was over before the reset.")
            }
            Subcause::AfterClose => {
                write!(f, "Both sides had sent FIN; the reset only answers what still arrived.")
            }
            Subcause::AbortAfterExchange => match self.unacknowledged() {
                0 => write!(
                    f,
                    "Everything sent had been acknowledged, and a RST took the place of the FIN \
                     {}.",
                    Silence(idle)
                ),
                bytes => write!(
                    f,
                    "The exchange was over but for the acknowledgement of {bytes} bytes, and a RST \
                     took the place of the FIN {}.",
                    Silence(idle)
                ),
            },
            Subcause::LateSegmentAfterClose => write!(
                f,
                "The sender had already closed with FIN; {} what the peer still had on its way.",
                Answers(event.packets)
            ),
            Subcause::PortReuse => write!(
                f,
                "A new SYN met the old connection, the old owner acknowledged it, and this RST \
                 cleared the way for a new handshake."
            ),
            Subcause::Ineffective => write!(
                f,
                "The RST's sequence number is {} off and both sides went on sending.",
                fact(Fact::SeqRelNxt)
            ),
            Subcause::HalfOpenProbe => write!(
                f,
                "The initiator answered the SYN-ACK with RST after {age}: the port was probed, \
                 not used."
            ),
            Subcause::NoListener => {
                if event.initiator.is_none() {
                    return write!(
                        f,
                        "A RST-ACK with sequence number 0, as a closed port answers a SYN; the SYN \
                         itself was not captured."
                    );
                }
                write!(f, "The SYN was answered with RST-ACK after {age}: nobody listens.")
            }
            Subcause::ServiceDown => write!(
                f,
                "The SYN was answered with RST-ACK after {age}, although the service accepted \
                 other connections."
            ),
            Subcause::PortScan => {
                write!(f, "One of many closed ports that this source tried; answered after {age}.")
            }
            Subcause::NoBackend => {
                write!(f, "The address answers, but no server stands behind the port.")
            }
            _ => self.failures(f),
        }
    }
}

impl Note<'_> {
    fn failures(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let event = self.0;
        let fact = |fact: Fact| event.evidence.get(fact).unwrap_or(0);
        let age = Time(fact(Fact::TriggerAgeUs));
        let idle = Time(fact(Fact::IdleMs) * 1_000);
        match event.verdict.claim.subcause {
            Subcause::HalfOpen if event.form() == Some(Form::ReplyR) => write!(
                f,
                "A bare RST whose number is what the peer acknowledged {age} before: the host \
                 knows no such connection."
            ),
            Subcause::HalfOpen => write!(
                f,
                "A RST-ACK that has no number of its own and acknowledges a packet of {age} before: \
                 the host knows no such connection."
            ),
            Subcause::DataAfterClose => write!(
                f,
                "The sender had closed with FIN, the peer knew it and sent more data; the RST \
                 answers that."
            ),
            Subcause::AfterReset => write!(
                f,
                "The connection had been reset before; {} later packets.",
                Answers(event.packets)
            ),
            Subcause::IdleStateLost => match event.evidence.get(Fact::IdleTier) {
                Some(tier) => write!(
                    f,
                    "After {idle} of silence (a known timer: {tier} s) the first packet met a \
                     device that had forgotten the connection."
                ),
                None => write!(
                    f,
                    "After {idle} of silence a packet was answered as if there were no \
                     connection, from another distance than the host (time to live {:+}).",
                    fact(Fact::TtlDelta)
                ),
            },
            _ => self.refused_or_foreign(f),
        }
    }

    fn refused_or_foreign(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let event = self.0;
        let fact = |fact: Fact| event.evidence.get(fact).unwrap_or(0);
        let age = Time(fact(Fact::TriggerAgeUs));
        match event.verdict.claim.subcause {
            Subcause::LateSynAck => write!(
                f,
                "The SYN-ACK came too late or acknowledged another SYN; the initiator no longer \
                 wanted it."
            ),
            Subcause::NatBypass => write!(
                f,
                "The RST answers an acknowledgement of bytes never sent here: a packet that \
                 passed the address translator unchanged."
            ),
            Subcause::Backscatter => write!(
                f,
                "Nothing in the capture asked for this: the answer to a packet that somebody \
                 else sent in this host's name, or before the capture began."
            ),
            Subcause::SynRejected => write!(
                f,
                "The SYN was refused after {age} by something that does not behave like the host \
                 itself."
            ),
            Subcause::SelfDeclared => write!(
                f,
                "The RST says who wrote it: \"{}\".",
                String::from_utf8_lossy(event.payload()).trim_end_matches('\0').escape_debug()
            ),
            Subcause::MidstreamReject | Subcause::Injection | Subcause::BlindInjection => {
                self.foreign(f)
            }
            Subcause::NoSession if event.form() == Some(Form::ActiveRa) => write!(
                f,
                "{} after the connection's last packet came a reset with its numbers from another \
                 distance than its host (time to live {:+}): a device had kept a state of its own.",
                Time(fact(Fact::IdleMs) * 1_000),
                fact(Fact::TtlDelta)
            ),
            Subcause::NoSession => write!(
                f,
                "A packet of {age} before was answered as if there were no connection, from another \
                 distance than the host (time to live {:+}): a device had no session for it.",
                fact(Fact::TtlDelta)
            ),
            _ => self.hosts(f),
        }
    }

    fn foreign(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fact = |fact: Fact| self.0.evidence.get(fact).unwrap_or(0);
        let alive = fact(Fact::PostRstData) + fact(Fact::PostRstAck);
        if alive > 0 {
            return write!(
                f,
                "The host that the RST names went on sending ({alive} more): it did not write it."
            );
        }
        if fact(Fact::TrainN) > 1 {
            return write!(
                f,
                "{} RSTs guess different sequence numbers, {} apart: a host knows its own.",
                fact(Fact::RstsSameSide),
                fact(Fact::TrainDelta)
            );
        }
        write!(f, "The RST does not look like the host it names")?;
        let mut between = ": ";
        for difference in self.differences().into_iter().flatten() {
            write!(f, "{between}{difference}")?;
            between = ", ";
        }
        write!(f, ".")
    }

    /// In what the RST differs from its host, as far as a header or a watch shows it.
    fn differences(&self) -> [Option<Difference>; 8] {
        let fact = |fact: Fact| self.0.evidence.get(fact);
        let holds = |flag: Fact, says: &'static str| fact(flag).map(|_| Difference::Is(says));
        let ratio = fact(Fact::LatencyRatio).filter(|&percent| percent < 50);
        [
            fact(Fact::TtlDelta).filter(|&by| by != 0).map(Difference::TimeToLive),
            ratio.map(Difference::Quick),
            holds(Fact::DfMismatch, "DF clear"),
            holds(Fact::TsMissing, "no timestamps"),
            holds(Fact::DscpNotEchoed, "DSCP not copied"),
            holds(Fact::Mirrored, "window and IP identification of the packet answered"),
            holds(Fact::NoTrigger, "no packet that it answers"),
            fact(Fact::RstsOtherSide).map(Difference::OtherSide),
        ]
    }

    /// The RST has the form of an answer, and there is something that it can be the answer to.
    fn answers(&self) -> bool {
        let event = self.0;
        event.form().is_some_and(Form::is_reply) && event.evidence.get(Fact::NoTrigger).is_none()
    }

    /// Bytes of either side that nobody had acknowledged, the reset included; a FIN or SYN alone is none.
    fn unacknowledged(&self) -> i64 {
        let event = self.0;
        let fact = |fact: Fact| event.evidence.get(fact).filter(|&bytes| bytes > 1).unwrap_or(0);
        let (client, server) = (fact(Fact::UnackedC), fact(Fact::UnackedS));
        let (own, peers) =
            if event.service_side() == event.side { (server, client) } else { (client, server) };
        let taken = event.evidence.get(Fact::AckRelPeer).is_some_and(|behind| behind >= -1);
        own + if taken { 0 } else { peers }
    }

    fn hosts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let event = self.0;
        let fact = |fact: Fact| event.evidence.get(fact).unwrap_or(0);
        let age = Time(fact(Fact::TriggerAgeUs));
        match event.verdict.claim.subcause {
            Subcause::UnreadData => write!(
                f,
                "The host still had the connection and ended it {age} after data from its peer \
                 that was not answered: closed with data unread."
            ),
            Subcause::Abort
                if fact(Fact::BytesC) + fact(Fact::BytesS) == 0 && event.initiator.is_some() =>
            {
                write!(f, "The handshake was complete, and its host aborted before any payload.")
            }
            Subcause::Abort => {
                write!(f, "The host still had the connection and aborted it in mid-exchange.")
            }
            Subcause::ProcessExit => {
                write!(f, "Connections of one service ended together and the port closed.")
            }
            Subcause::RefusedRequest => {
                write!(f, "The host refused {age} after what its peer sent, without an answer.")
            }
            Subcause::Overload if fact(Fact::BytesC) > 0 => write!(
                f,
                "The client had spoken, and the service, which had not, reset: it could not take the \
                 connection on."
            ),
            Subcause::Overload => write!(
                f,
                "The handshake was complete and nothing had been said when the service reset: it \
                 could not take the connection on."
            ),
            Subcause::Tcpkill
            | Subcause::Killcx
            | Subcause::IdleTimer
            | Subcause::SocketKill
            | Subcause::Drain
            | Subcause::NatFlush => self.kills(f),
            Subcause::ClientGaveUp => write!(
                f,
                "The client ended the connection with {} response bytes received, while more was \
                 expected or on its way.",
                fact(Fact::BytesS)
            ),
            Subcause::TlsFailure => {
                write!(f, "The reset came {age} after a TLS handshake message.")
            }
            Subcause::Midstream => {
                write!(f, "The capture began inside the connection and shows too little of it.")
            }
            Subcause::OneWay => write!(f, "Only one direction of the connection was captured."),
            Subcause::CaptureGap => write!(f, "The capture lacks packets around the reset."),
            Subcause::KeepaliveExpired
            | Subcause::RetransmissionGaveUp
            | Subcause::AbortDuringLoss
            | Subcause::SilentGiveUp
            | Subcause::HandshakeLoss => self.losses(f),
            _ => write!(f, "Several causes fit these packets equally well."),
        }
    }

    fn losses(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fact = |fact: Fact| self.0.evidence.get(fact).unwrap_or(0);
        match self.0.verdict.claim.subcause {
            Subcause::KeepaliveExpired => write!(
                f,
                "{} keepalive probes were all that the sender had sent since the last data, and \
                 the RST followed the last of them like another: no answer had reached it.",
                fact(Fact::ProbesBefore)
            ),
            Subcause::RetransmissionGaveUp | Subcause::AbortDuringLoss => write!(
                f,
                "{} retransmissions of the sender had gone unanswered.",
                fact(Fact::RetxBefore)
            ),
            Subcause::SilentGiveUp => write!(
                f,
                "The sender had retransmitted {} times in vain and forgotten the connection; a \
                 late packet of its peer found nothing (the RST lies {} bytes below what was sent).",
                fact(Fact::RetxBefore),
                -fact(Fact::SeqRelNxt)
            ),
            _ => write!(f, "The handshake lost packets and was given up."),
        }
    }

    fn kills(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fact = |fact: Fact| self.0.evidence.get(fact).unwrap_or(0);
        let idle = Time(fact(Fact::IdleMs) * 1_000);
        match self.0.verdict.claim.subcause {
            Subcause::SocketKill => {
                write!(f, "The socket was ended on its host after {idle} of silence.")
            }
            Subcause::Tcpkill => write!(
                f,
                "{} bare RSTs, {} apart, which is the window of the packet they follow: tcpkill.",
                fact(Fact::RstsSameSide),
                fact(Fact::TrainDelta)
            ),
            Subcause::Killcx => write!(
                f,
                "A SYN that its sender cannot have written came just before: it provokes the \
                 numbers that a kill needs."
            ),
            Subcause::IdleTimer => write!(
                f,
                "After {idle} of silence both ends were reset within {}: a device's idle timer.",
                Time(fact(Fact::OtherSideAfterUs))
            ),
            Subcause::Drain => write!(f, "A pool member was taken out and its connections reset."),
            _ => write!(f, "A device's state table was flushed."),
        }
    }
}
