//! What each fact is, and where that knowledge comes from.

use crate::judge::evidence::Fact;

/// A fact in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What is measured, as a noun phrase.
    pub what: &'static str,
    /// The value's unit, with a space before it where one belongs; empty for counts, flags, words.
    pub unit: &'static str,
    /// Where the knowledge to read it comes from.
    pub source: &'static str,
}

const fn fact(what: &'static str, unit: &'static str, source: &'static str) -> Explanation {
    Explanation { what, unit, source }
}

/// The words for a fact.
#[must_use]
pub const fn of(of: Fact) -> Explanation {
    match of {
        Fact::Form => {
            fact("the reset's form", "", "RFC 9293 section 3.5.2; Linux tcp_v4_send_reset")
        }
        Fact::TriggerAgeUs => {
            fact("time since the peer's last packet", " µs", "RFC 9293 section 3.10.7.1")
        }
        Fact::SeqRelNxt => fact(
            "the reset's sequence number against the next one of its claimed sender",
            "",
            "RFC 5961 section 3.2",
        ),
        Fact::AckRelPeer => fact(
            "the reset's acknowledgement against the highest byte of the peer",
            "",
            "RFC 9293 section 3.5.2",
        ),
        Fact::Window => fact("the reset's window field", "", "Linux tcp_send_active_reset"),
        Fact::IdleMs => fact("silence before the reset or its trigger", " ms", "RFC 5382 REQ-5"),
        Fact::IdleTier => {
            fact("a known idle timer that fits the silence", " s", "vendors' manuals")
        }
        Fact::FinSeenC => fact("the client had closed", "", "RFC 9293 section 3.6"),
        Fact::FinSeenS => fact("the server had closed", "", "RFC 9293 section 3.6"),
        Fact::FinUnanswered => fact(
            "the resetting side closed while its request was unanswered",
            "",
            "RFC 9293 section 3.6.1",
        ),
        Fact::DataAfterFin => fact(
            "the peer sent new data after it had acknowledged the resetting side's FIN",
            "",
            "RFC 9293 section 3.6.1",
        ),
        Fact::BytesC => fact("payload of the client", " bytes", "RFC 9293 section 3.4"),
        Fact::BytesS => fact("payload of the server", " bytes", "RFC 9293 section 3.4"),
        Fact::UnackedC => {
            fact("client bytes not acknowledged", " bytes", "RFC 9293 section 3.4 (SND.UNA)")
        }
        Fact::UnackedS => {
            fact("server bytes not acknowledged", " bytes", "RFC 9293 section 3.4 (SND.UNA)")
        }
        Fact::AgeMs => fact("age of the connection", " ms", "the capture's timestamps"),
        Fact::RetxBefore => {
            fact("retransmissions of the resetting side", "", "RFC 9293 section 3.8.1; RFC 6298")
        }
        Fact::PeerRetxBefore => {
            fact("retransmissions of the other side", "", "RFC 9293 section 3.8.1; RFC 6298")
        }
        Fact::ProbesBefore => fact("unanswered keepalive probes", "", "RFC 9293 section 3.8.4"),
        _ => origin(of),
    }
}

/// Facts that bear on who wrote the reset.
const fn origin(of: Fact) -> Explanation {
    match of {
        Fact::TtlDelta => fact(
            "the reset's time to live against that of its claimed sender",
            "",
            "Linux ip_default_ttl; Raman et al., SIGCOMM 2023",
        ),
        Fact::DfMismatch => fact(
            "\"don't fragment\" cleared, unlike its claimed sender's",
            "",
            "RFC 1191 section 3",
        ),
        Fact::IdClass => fact(
            "how the claimed sender numbers its IP packets",
            "",
            "RFC 6864 section 4; arXiv 2406.06483",
        ),
        Fact::IdStep => fact(
            "the reset's IP identification against the sender's last, modulo 65536",
            "",
            "Raman et al., SIGCOMM 2023; measured of Linux 6.18",
        ),
        Fact::TsMissing => {
            fact("timestamps missing from an active reset", "", "RFC 7323 section 3.2")
        }
        Fact::DscpNotEchoed => fact(
            "the DSCP of the packet answered was not copied",
            "",
            "measured of Linux 6.18: replies copy it, nf_reject does not",
        ),
        Fact::Mirrored => fact(
            "window and IP identification equal those of the packet answered",
            "",
            "observed of devices that turn the packet round",
        ),
        Fact::LatencyRatio => fact(
            "time to the reset in percent of the host's quickest answer",
            " %",
            "no host beats its own round trip",
        ),
        Fact::HostTtlDelta => fact(
            "the reset's time to live against the host's SYN-ACKs on other connections",
            "",
            "Linux ip_default_ttl; Raman et al., SIGCOMM 2023",
        ),
        Fact::HostResponseUs => fact(
            "the host's quickest SYN-ACK on other connections",
            " µs",
            "no host beats its own round trip",
        ),
        Fact::NoTrigger => {
            fact("a bare reset that answers no packet seen", "", "RFC 9293 section 3.5.2")
        }
        Fact::RstsSameSide => fact("resets in this direction", "", "Weaver et al., NDSS 2009"),
        Fact::RstsOtherSide => {
            fact("resets in the other direction", "", "Weaver et al., NDSS 2009")
        }
        Fact::OtherSideAfterUs => {
            fact("time to the first reset in the other direction", " µs", "RFC 9293 section 3.5.2")
        }
        Fact::TrainN => {
            fact("different sequence numbers among the resets", "", "Weaver et al., NDSS 2009")
        }
        Fact::TrainDelta => {
            fact("step between the first two of them", " bytes", "dsniff's tcpkill.c")
        }
        _ => surroundings(of),
    }
}

/// Facts of what came after, of other connections, and of the capture.
const fn surroundings(of: Fact) -> Explanation {
    match of {
        Fact::PostRstData => fact(
            "segments with new payload of the named host after its reset",
            "",
            "Weaver, Sommer and Paxson, NDSS 2009",
        ),
        Fact::PostRstAck => fact(
            "late acknowledgements and repeats of the named host after its reset",
            "",
            "Weaver, Sommer and Paxson, NDSS 2009",
        ),
        Fact::PostRstSynAck => {
            fact("a SYN-ACK of the host behind its refusal", "", "RFC 9293 section 3.10.7.2")
        }
        Fact::VictimAfter => {
            fact("packets of the other side after the reset", "", "RFC 5961 section 3.2")
        }
        Fact::SvcAlive => {
            fact("the service accepted other connections within memory", "", "other connections")
        }
        Fact::AcceptedAfter => {
            fact("the service accepted a connection soon after", "", "other connections")
        }
        Fact::RefusedAfter => {
            fact("the service refused a connection soon after", "", "other connections")
        }
        Fact::SourceRefused => {
            fact("endpoints that refused this source within a minute", "", "other connections")
        }
        Fact::CohortN => fact(
            "connections of the same service or hosts that ended within 50 ms",
            "",
            "other connections; measured with ss -K and kill -9",
        ),
        Fact::Midstream => fact("the capture began inside the connection", "", "the capture"),
        Fact::OneWay => fact("only one direction was captured", "", "the capture"),
        Fact::Gap => fact("the capture lacks bytes of the connection", "", "the capture"),
        _ => fact(
            "the verdict could not wait for the race window to end",
            "",
            "the program's own bound",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::of;
    use crate::judge::evidence::Fact;
    use std::collections::BTreeSet;

    #[test]
    fn every_fact_has_its_own_words() {
        let mut seen = BTreeSet::new();
        for &fact in Fact::ALL {
            let words = of(fact);
            assert!(!words.what.is_empty() && !words.source.is_empty(), "{fact:?}");
            assert!(seen.insert(words.what), "{fact:?} has another's words");
        }
    }
}
