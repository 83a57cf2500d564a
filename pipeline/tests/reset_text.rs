//! Text that a reset carries (RFC 9293 section 3.5.2, RFC 1122 section 4.2.2.12) is shown whoever
//! wrote it: bounded, harmless on a terminal, and not at all where addresses are masked.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test, both are its failure")]

mod capture_writer;
mod traffic;

use std::path::Path;
use std::process::Command;

use capture_writer::{Flavour, Order, pcap};
use serde_json::Value;
use traffic::{ACK, BEGIN_NS, RST, SYN, Tcp};

const KEY: &str = "1522178d33a4cf80130a5b1649907d10d8988f837979652762574c2d2a842202";

/// A handshake, then a reset that carries these bytes.
fn capture(payload: &[u8]) -> Vec<u8> {
    let (client, server) = ((1, 40_000), (2, 443));
    let syn = Tcp { from: client, to: server, seq: 99, flags: SYN, ..Tcp::default() };
    let syn_ack =
        Tcp { from: server, to: client, seq: 9, ack: 100, flags: SYN | ACK, ..Tcp::default() };
    let ack = Tcp { seq: 100, ack: 10, flags: ACK, ..syn };
    let rst = Tcp { seq: 10, ack: 100, flags: RST | ACK, payload, ..syn_ack };
    let frames: Vec<_> = (0..)
        .zip([syn, syn_ack, ack, rst])
        .map(|(n, tcp)| tcp.frame(BEGIN_NS + n * 1_000_000))
        .collect();
    pcap(Order::Little, Flavour::Nano, &frames)
}

/// What the program prints.
fn printed(folder: &Path, args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_resetscope"))
        .current_dir(folder)
        .args(args)
        .args(["--flows", "4096", "text.pcap"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn text_that_nobody_knows_is_evidence_and_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let long = "session table full; ".repeat(5);
    for (payload, want, shown, why) in [
        (&b"Go away"[..], "Go away", "Go away", "plain text"),
        (b"Go away\0\0\0\0", "Go away", "Go away", "padding is no text"),
        (long.as_bytes(), &long[..64], &long[..40], "no more than 64 bytes"),
        (
            b"\x1b[2Jgone \"<b>\"\r\n",
            "\u{1b}[2Jgone \"<b>\"\r\n",
            r#"\u{1b}[2Jgone \"<b>\"\r\n"#,
            "no terminal obeys it",
        ),
        ("überlastet".as_bytes(), "überlastet", "überlastet", "other than English"),
        (&[0x17, 3, 3, 0xff], "\u{17}\u{3}\u{3}\u{fffd}", r"\u{17}\u{3}\u{3}", "no text at all"),
    ] {
        std::fs::write(folder.join("text.pcap"), capture(payload)).unwrap();
        let analyze = ["analyze", "--events", "-", "--report", "report.html"];
        let events = printed(folder, &analyze);
        let event: Value = serde_json::from_str(&events).unwrap();
        assert_eq!(event["evidence"]["text"], want, "{why}");
        let told = printed(folder, &["explain", "--frame", "4"]);
        assert!(told.contains(&format!("text \"{shown}")), "{why}: {told}");
        let page = std::fs::read_to_string(folder.join("report.html")).unwrap();
        let html =
            |text: &str| text.replace('"', "&#34;").replace('<', "&#60;").replace('>', "&#62;");
        assert!(page.contains(&html(shown)), "{why}");
        for output in [&events, &told, &page] {
            assert!(!output.contains('\u{1b}'), "{why}");
        }
        let masked = [&analyze[..], &["--privacy", KEY]].concat();
        for output in [
            printed(folder, &masked),
            printed(folder, &["explain", "--frame", "4", "--privacy", KEY]),
        ] {
            assert!(output.contains("(masked)") && !output.contains(shown), "{why}: {output}");
        }
        let page = std::fs::read_to_string(folder.join("report.html")).unwrap();
        assert!(page.contains("(masked)") && !page.contains(&html(shown)), "{why}");
    }
}
