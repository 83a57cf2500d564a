//! A run from outside: signals, privileges, and what it leaves behind.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use crate::live::program::{Program, assert_balanced, number};
use crate::live::thread::threads;
use crate::live::traffic;
use crate::setup::{ON_COPY, ON_TAP, Written, net_with};

#[test]
fn signals_are_obeyed_and_no_thread_that_sees_frames_has_privileges() {
    for cores in [&[][..], &["--cores", "0,1"]] {
        obeys_without_privileges(cores);
    }
}

fn obeys_without_privileges(cores: &[&str]) {
    let Some(net) = net_with(ON_TAP) else { return };
    let written = Written::new(ON_TAP, "");
    let tap = written.listening(&net, &[cores, &["--interval", "1h"]].concat());
    for thread in threads(&tap) {
        // CAP_NET_ADMIN is number 12.
        thread.assert_only(if thread.field("Name") == "dpdk" { 1 << 12 } else { 0 });
    }
    let resets = traffic::connections(&net, 1);
    tap.signal(Signal::HUP);
    let first = tap.summary();
    tap.signal(Signal::TERM);
    let last = tap.ended().accounted();
    assert_eq!((number(&first, "/interval/seq"), number(&last, "/interval/seq")), (0, 1));
    assert_balanced(&first);
    let events = |of: &Value| number(of, "/resets/events");
    assert_eq!(events(&first) + events(&last), resets);
}

#[test]
fn a_killed_program_leaves_nothing_that_keeps_the_next_from_running() {
    let Some(net) = net_with(ON_COPY) else { return };
    let written = Written::new(ON_COPY, "");
    for _ in 0..3 {
        let tap = written.listening(&net, &["--interval", "1h"]);
        tap.signal(Signal::KILL);
        assert!(!tap.ended().status.success());
        let files = fs::read_dir("/dev/hugepages").into_iter().flatten();
        assert_eq!(files.count(), 0, "no file keeps huge pages");
    }
    let last = written.listening(&net, &["--interval", "1h"]);
    traffic::connections(&net, 1);
    let summary = last.stop().accounted();
    assert_eq!(number(&summary, "/resets/by_cause/closed_port"), 1, "{summary}");
}

#[test]
fn two_programs_cannot_have_one_queue() {
    let Some(net) = net_with(ON_COPY) else { return };
    let written = Written::new(ON_COPY, "");
    let first = written.listening(&net, &["--interval", "1h"]);
    let second = Program::start(&net, &mut written.command(&[])).ended();
    assert_eq!(second.status.code(), Some(1));
    assert!(second.said.contains("net_af_xdp0 is in use by another program"), "{}", second.said);
    assert_eq!(second.said.lines().count(), 1, "{}", second.said);
    traffic::connections(&net, 1);
    let summary = first.stop().accounted();
    assert_eq!(number(&summary, "/resets/by_cause/closed_port"), 1, "the first goes on");
}
