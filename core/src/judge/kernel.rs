//! What the Linux kernel's own reason for a reset rules out.
//!
//! Since 6.10 Linux names a reason for each reset that its own sockets send (`enum sk_rst_reason`,
//! include/net/rstreason.h), which `tcp:tcp_send_reset` shows. The judge never sees it: a verdict
//! comes from the wire alone. Held against the verdict afterwards it can show that one is wrong,
//! and only that: one reason goes with many causes.

use super::cause::{Cause, Subcause};

/// What a reason says of the connection on the host that sent the reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Connection {
    /// It was there, and the program closed it over data that it had not read.
    Unread,
    /// It was there, and the program or an administrator ended it otherwise.
    Ended,
    /// It was there, and keepalive probes went unanswered.
    Silent,
    /// It was not there, or not any more: the reset answers a packet.
    Absent,
    /// Nothing certain.
    Open,
}

fn connection(reason: &str) -> Connection {
    match reason {
        "TCP_ABORT_ON_CLOSE" => Connection::Unread,
        "TCP_ABORT_ON_LINGER"
        | "TCP_ABORT_ON_MEMORY"
        | "TCP_STATE"
        | "TCP_DISCONNECT_WITH_DATA" => Connection::Ended,
        "TCP_KEEPALIVE_TIMEOUT" => Connection::Silent,
        "NO_SOCKET"
        | "TCP_FLAGS"
        | "TCP_TIMEWAIT_SOCKET"
        | "INVALID_SYN"
        | "TCP_INVALID_ACK_SEQUENCE"
        | "TCP_RFC7323_PAWS"
        | "TCP_TOO_OLD_ACK"
        | "TCP_OLD_ACK"
        | "TCP_ACK_UNSENT_DATA" => Connection::Absent,
        // Data for a socket that the program has closed is both: there, and given up. The reasons
        // of MPTCP, and those to come, are not told apart here.
        _ => Connection::Open,
    }
}

/// Whether a reset that the named sender's own kernel explains so cannot be what the verdict says.
///
/// `reason` is the kernel's name for it. A reason that is not known here rules out what any does:
/// that somebody else made the packet.
///
/// ```
/// use resetscope_core::judge::{cause::Subcause, kernel::contradicts};
///
/// assert!(contradicts("NO_SOCKET", Subcause::UnreadData));
/// assert!(!contradicts("NO_SOCKET", Subcause::NoListener));
/// ```
#[must_use]
pub fn contradicts(reason: &str, verdict: Subcause) -> bool {
    let foreign = verdict.cause() == Cause::Firewall
        || matches!(verdict, Subcause::Tcpkill | Subcause::Killcx);
    let absent = matches!(verdict.cause(), Cause::ClosedPort | Cause::NoConnection)
        || verdict == Subcause::SilentGiveUp;
    let keepalive = verdict == Subcause::KeepaliveExpired;
    let ended = matches!(
        verdict,
        Subcause::UnreadData | Subcause::Abort | Subcause::AbortDuringLoss | Subcause::SocketKill
    );
    foreign
        || match connection(reason) {
            Connection::Unread => absent || keepalive || verdict == Subcause::SocketKill,
            Connection::Ended => absent || keepalive || verdict == Subcause::UnreadData,
            Connection::Silent => absent || ended,
            Connection::Absent => ended || keepalive,
            Connection::Open => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_rules_out_what_cannot_have_been() {
        for (reason, verdict, want, why) in [
            ("NO_SOCKET", Subcause::NoListener, false, "nobody listens: no socket"),
            ("NO_SOCKET", Subcause::AfterClose, false, "the socket is gone after both FINs"),
            ("NO_SOCKET", Subcause::ProcessExit, false, "late data meets no socket any more"),
            ("NO_SOCKET", Subcause::Abort, true, "who aborts has a socket"),
            ("NO_SOCKET", Subcause::KeepaliveExpired, true, "who probes has a socket"),
            ("NO_SOCKET", Subcause::Injection, true, "the host itself sent it"),
            ("TCP_ABORT_ON_DATA", Subcause::UnreadData, false, "closed, and data came after that"),
            ("TCP_ABORT_ON_CLOSE", Subcause::UnreadData, false, "closed over unread data"),
            ("TCP_ABORT_ON_CLOSE", Subcause::HalfOpen, true, "the socket was there"),
            ("TCP_ABORT_ON_CLOSE", Subcause::SocketKill, true, "its program closed it"),
            ("TCP_STATE", Subcause::SocketKill, false, "ss -K leaves this reason"),
            ("TCP_STATE", Subcause::UnreadData, true, "unread data has a reason of its own"),
            ("TCP_STATE", Subcause::SilentGiveUp, true, "who gave up in silence sends no reset"),
            ("TCP_KEEPALIVE_TIMEOUT", Subcause::KeepaliveExpired, false, "the same in words"),
            ("TCP_KEEPALIVE_TIMEOUT", Subcause::SocketKill, true, "a timer, and nobody's hand"),
            ("MPTCP_RST_EPROHIBIT", Subcause::Abort, false, "nothing certain"),
            ("A_REASON_TO_COME", Subcause::SynRejected, true, "no device, but the host"),
            ("TCP_STATE", Subcause::Tie, false, "an open verdict claims nothing"),
        ] {
            assert_eq!(contradicts(reason, verdict), want, "{reason}, {verdict:?}: {why}");
        }
    }
}
