//! What each sub-cause means, and how it shows on the wire.

use crate::judge::cause::Subcause;

/// A sub-cause in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What happened, in a sentence that needs no context.
    pub meaning: &'static str,
    /// How it shows on the wire: what to look for, continuing "It would show by".
    pub shows: &'static str,
    /// Where that knowledge comes from.
    pub source: &'static str,
}

/// The words for a sub-cause.
#[must_use]
pub const fn of(subcause: Subcause) -> Explanation {
    let (meaning, shows, source) = match subcause.id().as_bytes() {
        [b'0' | b'1', ..] => complete_or_closed(subcause),
        [b'2', ..] => absent(subcause),
        [b'3', ..] => foreign(subcause),
        [b'4', ..] => program(subcause),
        [b'5', ..] => network(subcause),
        [b'6', ..] => killed(subcause),
        _ => not_told(subcause),
    };
    Explanation { meaning, shows, source }
}

type Words = (&'static str, &'static str, &'static str);

const fn complete_or_closed(subcause: Subcause) -> Words {
    match subcause {
        Subcause::AfterClose => (
            "Both sides had closed the connection; the reset only answers a straggler.",
            "a FIN from each side before the reset",
            "RFC 9293 section 3.5.2, group 1",
        ),
        Subcause::AbortAfterExchange => (
            "A program ended the finished exchange by a reset instead of a FIN, to save the \
             waiting time. Nobody lost anything.",
            "all bytes of both sides acknowledged, then an active reset where a FIN would stand",
            "Linux tcp_disconnect (SO_LINGER 0); Arlitt and Williamson, CCR 35(1), 2005",
        ),
        Subcause::LateSegmentAfterClose => (
            "The resetting side had closed; segments that its peer had already sent met a closed \
             socket.",
            "a FIN of the resetting side, then bare resets that answer packets on their way",
            "RFC 9293 section 3.10.7.1; Linux TCP_ABORT_ON_DATA, TIMEWAIT_SOCKET",
        ),
        Subcause::PortReuse => (
            "A new connection took the addresses and ports of an old one that the other side had \
             not forgotten; the reset cleared the old one away.",
            "a SYN, a plain ACK of the old connection, a reset with that number, then a new \
             handshake",
            "RFC 9293 section 3.5.1; RFC 5961 section 4",
        ),
        Subcause::Ineffective => (
            "The receiver could not accept the reset, and the connection went on.",
            "a sequence number that is not the next one expected, and new data from both sides",
            "RFC 5961 section 3.2",
        ),
        Subcause::HalfOpenProbe => (
            "The initiator only wanted to know whether the port is open: it reset the connection \
             instead of completing the handshake.",
            "SYN, SYN-ACK, a reset from the initiator at once, and no data",
            "nmap's SYN scan; load balancers' TCP health checks",
        ),
        Subcause::NoListener => (
            "No program listens on the port.",
            "a RST-ACK with sequence number 0 in answer to the SYN, from the host's own distance, \
             on a port that never accepted",
            "RFC 9293 section 3.10.7.1; Linux NO_SOCKET",
        ),
        Subcause::ServiceDown => (
            "The service was there before and is not now: stopped, crashed or restarting.",
            "a refusal of the host itself on a port that accepted connections within memory",
            "RFC 9293 section 3.10.7.1",
        ),
        Subcause::PortScan => (
            "One source tries many ports, and this one is closed.",
            "ten or more refusals to one source within a minute",
            "the program's own limit SCAN_TARGETS",
        ),
        _ => (
            "A virtual address answers, but no server stands behind the port.",
            "a refusal or an early reset by the address of a balancer that answers other ports",
            "F5 rst-cause \"No pool member available\"",
        ),
    }
}

const fn absent(subcause: Subcause) -> Words {
    match subcause {
        Subcause::HalfOpen => (
            "One side had lost its state (a restart, a silent abort) or never had any; the other \
             did not know and sent.",
            "a bare reset whose number is what the peer acknowledged, with no FIN or reset of that \
             side before",
            "RFC 9293 section 3.5.1, half-open connections; Linux NO_SOCKET",
        ),
        Subcause::DataAfterClose => (
            "The peer went on sending although it knew that the other side had closed.",
            "a FIN of the resetting side, its acknowledgement, then new data",
            "RFC 9293 section 3.6; Linux TIMEWAIT_SOCKET",
        ),
        Subcause::AfterReset => (
            "An earlier reset had ended the connection; this one answers packets that came later.",
            "a reset before, and a bare reset for each later packet",
            "RFC 9293 section 3.5.2, group 1",
        ),
        Subcause::IdleStateLost => (
            "A device in the path (NAT, balancer, firewall) had forgotten the connection after a \
             silence; the first packet that followed was refused.",
            "silence near a known timer, then an immediate bare reset at another TTL than the \
             host's",
            "vendors' idle timers: AWS NLB 350 s, Azure 240 s, Google Cloud 600 s",
        ),
        Subcause::LateSynAck => (
            "The SYN-ACK came after the initiator had given up, or answered another SYN.",
            "a SYN-ACK about a second late or behind repeated SYNs, and a bare reset of the \
             initiator",
            "RFC 6298 section 2 (first retransmission after 1 s); Linux NO_SOCKET",
        ),
        Subcause::NatBypass => (
            "A packet passed an address translator untranslated; the host that got it knew no \
             such connection.",
            "a bare reset whose number is megabytes away from all that this connection used",
            "kubernetes issue 74839; netfilter's INVALID state",
        ),
        _ => (
            "The answer to a packet that somebody else sent in this host's name.",
            "a SYN-ACK or reset that nothing in the capture asked for",
            "Moore et al., \"Inferring Internet Denial-of-Service Activity\", 2001",
        ),
    }
}

const fn foreign(subcause: Subcause) -> Words {
    match subcause {
        Subcause::SynRejected => (
            "A firewall or other device refused the SYN in the host's name.",
            "a refusal quicker than the host or from another distance, DSCP not copied, or a \
             SYN-ACK of the real host behind it",
            "Linux nf_reject_ipv4 (\"reject with tcp reset\")",
        ),
        Subcause::MidstreamReject => (
            "A device in the path refused a packet of a running connection by its rules.",
            "a reset to one side only, in answer to its packet, while the named host goes on",
            "Linux nf_reject_ipv4; RFC 3360",
        ),
        Subcause::Injection => (
            "A third party forged the reset, most often because of what the payload said.",
            "life of the named host after its reset, numbers beyond all it had sent, or several \
             header fields unlike its own; often both ends at once",
            "Weaver, Sommer and Paxson, NDSS 2009",
        ),
        Subcause::BlindInjection => (
            "A third party that does not see the connection guessed sequence numbers.",
            "three or more resets with different numbers, none exact, and a connection that lives \
             on",
            "RFC 5961 section 1.2",
        ),
        Subcause::NoSession => (
            "A stateful device refused a packet because it has no session for it, after a failover \
             or on an asymmetric path.",
            "an immediate reset from a device's distance without a long silence before it, or one \
             with the connection's numbers some seconds after both ends had closed",
            "Juniper SRX tcp-rst; F5 rst-cause \"No flow found for ACK\"",
        ),
        _ => (
            "A device sent the reset and says so in its payload.",
            "text in the reset's payload",
            "RFC 9293 section 3.5.2; F5 tm.rstcause.pkt; Wireshark tcp.reset_cause",
        ),
    }
}

const fn program(subcause: Subcause) -> Words {
    match subcause {
        Subcause::UnreadData => (
            "The program closed its socket while received data lay unread, so the system sent a \
             reset instead of a FIN.",
            "an active reset soon after data of the peer that got no answer",
            "RFC 2525 section 2.17; Linux TCP_ABORT_ON_CLOSE",
        ),
        Subcause::Abort => (
            "The program aborted in mid-exchange (SO_LINGER 0 or its like).",
            "an active reset while bytes of its own sender were not yet acknowledged, or by the \
             opener directly behind the handshake",
            "RFC 9293 section 3.9.1.6 (ABORT); Linux tcp_disconnect",
        ),
        Subcause::ProcessExit => (
            "The process ended, and its connections with it.",
            "connections of one service that end within 50 ms, and a port that refuses afterwards",
            "Linux TCP_ABORT_ON_CLOSE at exit, measured with kill -9",
        ),
        Subcause::RefusedRequest => (
            "The program did not like the request and hung up without an answer.",
            "a reset of the server milliseconds after the first request, with no byte in return",
            "Linux TCP_ABORT_ON_CLOSE, TCP_STATE",
        ),
        Subcause::Overload => (
            "The service could not take the connection on: its queue was full, or the listener \
             closed with connections waiting.",
            "a complete handshake, no byte from the service, repeated SYN-ACKs, many connections \
             alike",
            "Linux tcp_abort_on_overflow (INVALID_SYN); tcp_disconnect of a listener's children",
        ),
        Subcause::ClientGaveUp => (
            "The client did not want the response any more, as when a tab is closed or its own \
             time limit passes.",
            "a reset of the client while the response streams or is awaited",
            "Linux TCP_ABORT_ON_CLOSE at the client",
        ),
        _ => (
            "The TLS handshake failed, and the connection with it.",
            "a reset directly behind a ClientHello or an alert",
            "RFC 8446 section 6.2",
        ),
    }
}

const fn network(subcause: Subcause) -> Words {
    match subcause {
        Subcause::KeepaliveExpired => (
            "The sender's keepalive probes were not answered, so it gave the connection up.",
            "at least two probes (one number below the next), evenly spaced, then an active reset",
            "RFC 9293 section 3.8.4; Linux TCP_KEEPALIVE_TIMEOUT",
        ),
        Subcause::RetransmissionGaveUp => (
            "The sender repeated itself in vain and ended the connection with a reset, as some \
             systems do (Linux does not).",
            "three or more retransmissions without an acknowledgement, then a reset of their \
             sender",
            "RFC 9293 section 3.8.3; observed of Windows",
        ),
        Subcause::SilentGiveUp => (
            "The sender repeated itself in vain and silently forgot the connection; a later packet \
             of its peer found nothing.",
            "retransmissions, silence, then a bare reset numbered below what had been sent",
            "Linux tcp_retries2, TCP_USER_TIMEOUT: no reset at expiry",
        ),
        Subcause::HandshakeLoss => (
            "The handshake lost packets and was given up.",
            "repeated SYNs or SYN-ACKs before the reset",
            "RFC 9293 section 3.8.3; Linux tcp_syn_retries",
        ),
        _ => (
            "The program lost patience while the path was losing packets.",
            "retransmissions of the resetting side shortly before its active reset",
            "Linux tcp_disconnect, TCP_ABORT_ON_CLOSE",
        ),
    }
}

const fn killed(subcause: Subcause) -> Words {
    match subcause {
        Subcause::SocketKill => (
            "A tool or an administrator ended the socket on its host. One such reset alone looks \
             like a program's own abort.",
            "three or more connections of one service or host pair ending within 50 ms without a \
             packet that asked for it, while the port stays open",
            "Linux tcp_abort (ss -K, SOCK_DESTROY)",
        ),
        Subcause::Tcpkill => (
            "Somebody ran tcpkill or a relative of it.",
            "bare resets in threes, spaced by the raw window of the packet they follow, DF clear, \
             random IP identification",
            "dsniff's tcpkill.c",
        ),
        Subcause::Killcx => (
            "Somebody ran killcx or a relative of it: a forged SYN drew out the sequence numbers \
             that the resets need.",
            "a SYN on a living connection with a foreign TTL, an ACK in answer, then exact resets",
            "killcx; RFC 5961 section 4.2 (the challenge ACK)",
        ),
        Subcause::IdleTimer => (
            "A device's idle timer ended the connection and told both ends.",
            "silence near a known timer, then resets to both ends within milliseconds that no \
             packet asked for",
            "Azure Load Balancer TCP reset on idle; F5 \"Reset on Timeout\"",
        ),
        Subcause::Drain => (
            "A pool member was taken out, and its connections were reset.",
            "many connections of one virtual address reset within a second by that address",
            "balancers' \"action on service down: reset\"",
        ),
        _ => (
            "The state table of a translator or firewall was flushed.",
            "many connections refused in one interval after silences of different lengths",
            "netfilter conntrack -F",
        ),
    }
}

const fn not_told(subcause: Subcause) -> Words {
    match subcause {
        Subcause::Midstream => (
            "The capture began inside the connection and shows too little of it.",
            "no SYN, and only a few packets before the reset",
            "the capture itself",
        ),
        Subcause::OneWay => (
            "Only one direction of the connection was captured.",
            "packets of one side only, acknowledging what was never seen",
            "the capture itself",
        ),
        Subcause::CaptureGap => (
            "The capture lacks packets around the reset.",
            "acknowledgements of bytes that were not captured",
            "the capture itself",
        ),
        _ => (
            "Several causes fit these packets equally well.",
            "no pattern of any other sub-cause",
            "the rules themselves",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::of;
    use crate::judge::cause::Subcause;
    use std::collections::BTreeSet;

    #[test]
    fn every_subcause_has_its_own_words() {
        let mut seen = BTreeSet::new();
        for &subcause in Subcause::ALL {
            let words = of(subcause);
            assert!(words.meaning.ends_with('.'), "{subcause:?}");
            assert!(!words.shows.is_empty() && !words.shows.ends_with('.'), "{subcause:?}");
            assert!(!words.source.is_empty(), "{subcause:?}");
            assert!(seen.insert(words.meaning), "{subcause:?} has another's words");
        }
    }
}
