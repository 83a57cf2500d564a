//! A line of `trace_pipe`, read.
//!
//! ```text
//!             nc-13798   [000] ..... 1795377310.265239: tcp_send_reset: skbaddr=0000000000000000
//!   skaddr=0000000014fae41c src=127.0.0.1:54049 dest=127.0.0.1:59554 state=TCP_CLOSE reason=TCP_STATE
//! ```
//!
//! (one line; two here.) In front stands the thread's name, which is up to 15 bytes of that
//! program's choosing: spaces, brackets and line ends among them. So lines are read from the
//! event's name outwards, which is longer than any thread's name, and all before it from the right.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Between the context and the fields of the event that is looked for.
const EVENT: &str = ": tcp_send_reset: ";

/// What a thread is called whose name the kernel has forgotten.
const FORGOTTEN: &str = "<...>";

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A reset was sent.
    Reset(Sent),
    /// So many records were overwritten before they were read.
    Lost(u64),
    /// Something else.
    Other,
}

/// What the kernel notes of a reset that it sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    /// By the instance's clock, in nanoseconds.
    pub(super) clock_ns: u64,
    /// The sender, with IPv4 addresses as such also if the socket is one of IPv6.
    pub(super) from: SocketAddr,
    /// The receiver; no address and port 0 if the kernel looked at the listening socket.
    pub(super) to: SocketAddr,
    /// The socket's state without `TCP_`; empty if there was no socket.
    pub(super) state: Box<str>,
    /// The reason.
    pub(super) reason: Box<str>,
    /// The thread whose doing it was, if it was any's.
    pub(super) thread: Option<Thread>,
}

/// A thread as the kernel knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Thread {
    /// Its name; `None` if forgotten.
    pub(super) name: Option<Box<str>>,
    /// Its number in the host's first PID namespace.
    pub(super) number: u32,
}

/// Reads a line.
pub(super) fn read(line: &[u8]) -> Line {
    let text = String::from_utf8_lossy(line);
    match sent(&text) {
        Some(sent) => Line::Reset(sent),
        None => lost(text.trim_ascii()).map_or(Line::Other, Line::Lost),
    }
}

/// `CPU:3 [LOST 17 EVENTS]`.
fn lost(line: &str) -> Option<u64> {
    let (_, count) = line.strip_prefix("CPU:")?.split_once(" [LOST ")?;
    count.strip_suffix(" EVENTS]")?.parse().ok()
}

fn sent(line: &str) -> Option<Sent> {
    let (context, fields) = line.split_once(EVENT)?;
    let (context, clock) = last_word(context)?;
    let (context, flags) = last_word(context)?;
    let (context, _core) = last_word(context)?;
    let field = |name: &str| {
        fields.split_ascii_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    };
    let state = field("state")?;
    let answers = field("skbaddr")?.bytes().any(|byte| matches!(byte, b'1'..=b'9' | b'a'..=b'f'));
    // The third is where interrupts are noted: `s`, `h`, `H`, `z`, `Z`, or none.
    let own = !answers && flags.as_bytes().get(2) == Some(&b'.');
    Some(Sent {
        clock_ns: clock_ns(clock)?,
        from: endpoint(field("src")?)?,
        to: endpoint(field("dest")?)?,
        state: if state == "UNKNOWN" { "" } else { state.trim_start_matches("TCP_") }.into(),
        reason: field("reason")?.into(),
        thread: if own { thread(context) } else { None },
    })
}

fn last_word(text: &str) -> Option<(&str, &str)> {
    text.trim_end().rsplit_once(' ')
}

/// `NAME-NUMBER`, with blanks around.
fn thread(text: &str) -> Option<Thread> {
    let (name, number) = text.trim().rsplit_once('-')?;
    let name = (name != FORGOTTEN).then(|| name.into());
    Some(Thread { name, number: number.parse().ok()? })
}

/// Seconds with up to nine decimals.
fn clock_ns(text: &str) -> Option<u64> {
    let (seconds, decimals) = text.split_once('.')?;
    let scale = 10_u64.checked_pow(9_u32.checked_sub(decimals.len().try_into().ok()?)?)?;
    let fraction = decimals.parse::<u32>().ok()?;
    let whole = seconds.parse::<u64>().ok()?.checked_mul(1_000_000_000)?;
    whole.checked_add(u64::from(fraction).checked_mul(scale)?)
}

fn endpoint(text: &str) -> Option<SocketAddr> {
    let read: SocketAddr = text.parse().ok()?;
    let address = read.ip().to_canonical();
    let address =
        if address.is_unspecified() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { address };
    Some(SocketAddr::new(address, read.port()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ANSWER: &str = "skbaddr=00000000e55c45c5 skaddr=0000000000000000 src=127.0.0.1:81 \
                          dest=127.0.0.1:36080 state=UNKNOWN reason=NO_SOCKET";
    const ABORT: &str = "skbaddr=0000000000000000 skaddr=0000000014fae41c src=127.0.0.1:54049 \
                         dest=127.0.0.1:59554 state=TCP_CLOSE reason=TCP_ABORT_ON_CLOSE";

    fn line(thread: &str, flags: &str, fields: &str) -> Line {
        let context = format!("{thread:>22}   [001] {flags} 1795377310.211189");
        read(format!("{context}: tcp_send_reset: {fields}").as_bytes())
    }

    #[track_caller]
    fn reset(line: Line) -> Sent {
        match line {
            Line::Reset(sent) => sent,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_kernels_words_are_taken_over() {
        assert_eq!(
            reset(line("<idle>-0", "..s1.", ANSWER)),
            Sent {
                clock_ns: 1_795_377_310_211_189_000,
                from: "127.0.0.1:81".parse().unwrap(),
                to: "127.0.0.1:36080".parse().unwrap(),
                state: "".into(),
                reason: "NO_SOCKET".into(),
                thread: None,
            }
        );
        let abort = reset(line("nc-13798", ".....", ABORT));
        assert_eq!((&*abort.state, &*abort.reason), ("CLOSE", "TCP_ABORT_ON_CLOSE"));
    }

    #[test]
    fn a_thread_is_named_only_for_what_it_did_itself() {
        let named = |name: &str| Some(Thread { name: Some(name.into()), number: 42 });
        for (thread, flags, fields, want, why) in [
            ("nc-42", ".....", ABORT, named("nc"), "it closed the socket"),
            ("nc-42", "db.2.", ABORT, named("nc"), "the same, with interrupts held off"),
            ("nc-42", "..s1.", ABORT, None, "a timer that happened to interrupt it"),
            ("nc-42", "d.h1.", ABORT, None, "an interrupt"),
            ("nc-42", "d.H1.", ABORT, None, "one in the other"),
            ("nc-42", ".....", ANSWER, None, "an answer to a packet, whoever carried that in"),
            ("nc-42", "..", ABORT, None, "the kernel does not say in which context"),
            ("<...>-42", ".....", ABORT, Some(Thread { name: None, number: 42 }), "forgotten"),
            ("my -3 [0] d-42", ".....", ABORT, named("my -3 [0] d"), "a name made to mislead"),
            ("a 1.0: tcp_se-42", ".....", ABORT, named("a 1.0: tcp_se"), "another"),
            ("-42", ".....", ABORT, named(""), "an empty name"),
        ] {
            assert_eq!(reset(line(thread, flags, fields)).thread, want, "{thread}: {why}");
        }
    }

    #[test]
    fn addresses_are_those_of_the_packet_whatever_the_socket() {
        for (text, want) in [
            ("[::1]:81", Some("[::1]:81")),
            ("[::ffff:10.9.0.2]:81", Some("10.9.0.2:81")),
            ("[::]:443", Some("0.0.0.0:443")),
            ("0.0.0.0:0", Some("0.0.0.0:0")),
            ("10.9.0.2", None),
            ("10.9.0.2:65536", None),
        ] {
            assert_eq!(endpoint(text), want.map(|want| want.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_reset_is_told_apart() {
        for (text, want) in [
            ("CPU:3 [LOST 17 EVENTS]", Line::Lost(17)),
            ("CPU:3 [LOST -1 EVENTS]", Line::Other),
            ("", Line::Other),
            (": tcp_send_reset: ", Line::Other),
            ("nc-1 [000] ..... 1.5: tcp_receive_reset: src=1.1.1.1:1", Line::Other),
            ("nc-1 [000] ..... 99999999999999.5: tcp_send_reset: skbaddr=0", Line::Other),
        ] {
            assert_eq!(read(text.as_bytes()), want, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_thread_name_changes_what_is_read(
            name in prop::collection::vec(1_u8.., 0..16), own: bool, number in 0_u32..1 << 22,
        ) {
            let fields = if own { ABORT } else { ANSWER };
            let mut bytes = name;
            bytes.extend(format!("-{number} [001] ..... 7.000001: tcp_send_reset: ").bytes());
            bytes.extend(fields.bytes());
            // The pipe is read line by line: what stands before a line end in a name is lost.
            let line = bytes.rsplit(|byte| *byte == b'\n').next().unwrap();
            let sent = reset(read(line));
            prop_assert_eq!(sent.clock_ns, 7_000_001_000);
            prop_assert_eq!(sent.thread.map(|thread| thread.number), own.then_some(number));
        }

        #[test]
        fn no_line_does_harm(
            line in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..200),
                "[a-z<. -]{0,9}\\[[0-9]\\] [.sdh]{0,6} [0-9.]{0,30}: tcp_send_reset: .{0,80}"
                    .prop_map(String::into_bytes),
                "CPU:[0-9]* \\[LOST [0-9]{0,30} EVENTS\\]".prop_map(String::into_bytes),
            ],
        ) {
            read(&line);
        }
    }
}
