//! Names, numbers and times as a person reads them.

use std::time::{Duration, UNIX_EPOCH};

use resetscope_core::judge::cause::Cause;
use resetscope_core::judge::facts::Stage;

/// A cause's name in words.
pub(super) fn cause(cause: Cause) -> String {
    cause.name().replace('_', " ")
}

/// What a cause means, as the rest of "why: …".
pub(super) const fn meaning(cause: Cause) -> &'static str {
    match cause {
        Cause::ClosedPort => "nobody listens there",
        Cause::NoConnection => "a packet for a connection that is not, or no longer, there",
        Cause::Firewall => "a device refused by policy, or injected the reset",
        Cause::Application => "a program aborted",
        Cause::Network => "loss: retransmissions or probes in vain",
        Cause::ExplicitKill => "somebody ended the connection on purpose",
        Cause::Benign => "no failure: the exchange was complete",
        Cause::Unknown => "the packets do not tell",
    }
}

/// Where resets of a cause come from, as the rest of "due to …".
pub(super) const fn origin(cause: Cause) -> &'static str {
    match cause {
        Cause::ClosedPort => "closed ports",
        Cause::NoConnection => "packets without a connection",
        Cause::Firewall => "firewalls and the like",
        Cause::Application => "programs that aborted",
        Cause::Network => "loss in the network",
        Cause::ExplicitKill => "kills on purpose",
        Cause::Benign => "harmless endings",
        Cause::Unknown => "what the packets do not tell",
    }
}

/// A stage in words.
pub(super) const fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::PostSyn => "in the handshake",
        Stage::PostAck => "connected, nothing asked yet",
        Stage::PostPsh => "first request sent",
        Stage::Later => "later, or begun before the capture",
    }
}

/// A number with its thousands set apart.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 reset`, `2 resets`.
pub(super) fn many(number: u64, one: &str, several: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { several })
}

/// Names joined as in a sentence.
pub(super) fn list(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [only] => only.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

/// Date and time to the microsecond, by RFC 3339.
pub(super) fn exact(time_ns: u64) -> String {
    let time = UNIX_EPOCH + Duration::from_nanos(time_ns);
    humantime::format_rfc3339_micros(time).to_string()
}

/// Seconds from one moment to another, signed, to the microsecond.
pub(super) fn offset(time_ns: u64, from_ns: u64) -> String {
    let us = time_ns.abs_diff(from_ns) / 1_000;
    let sign = if time_ns < from_ns && us > 0 { "\u{2212}" } else { "" };
    format!("{sign}{}.{:06} s", count(us / 1_000_000), us % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_read_well() {
        for (number, want) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")]
        {
            assert_eq!(count(number), want);
        }
        let names = |n: usize| list(&["a", "b", "c"].map(str::to_owned)[..n]);
        assert_eq!([0, 1, 2, 3].map(names), ["", "a", "a and b", "a, b and c"]);
        assert_eq!(offset(2_500_000_000, 1_000_000_000), "1.500000 s");
        assert_eq!(offset(1, 1_000_001), "\u{2212}0.001000 s");
        assert_eq!(exact(1_700_000_000_250_000_000), "2023-11-14T22:13:20.250000Z");
    }
}
