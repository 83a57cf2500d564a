//! More traffic than a tap has room for.

use std::fs;

use rustix::process::Signal;

use super::net::Net;
use super::program::{Program, number, wait_for};
use super::recording::MARK;
use super::traffic;

const SENT: usize = 30_000;

/// Halts the tap while more is sent than it has room for. What was dropped must be in its ledger, for
/// this reason, and the rest must have been seen.
pub(crate) fn overrun(net: &Net, tap: Program, reason: &str) {
    tap.signal(Signal::STOP);
    let state = format!("/proc/{}/stat", tap.id());
    wait_for("the halt", || fs::read_to_string(&state).unwrap().contains(") T ").then_some(()));
    traffic::datagrams(net, MARK, SENT);
    tap.signal(Signal::CONT);
    let summary = tap.stop().accounted();
    assert_eq!(number(&summary, "/frames/received"), SENT as u64, "{summary}");
    let dropped = number(&summary, &format!("/frames/shed/{reason}"));
    let seen = number(&summary, "/frames/skipped/not_tcp");
    assert!(dropped > 0 && seen > 0, "{reason}: {summary}");
}
