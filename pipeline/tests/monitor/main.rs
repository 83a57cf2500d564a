//! `resetscope monitor` on real interfaces: what it sees of real connections, how it obeys signals,
//! and what it does when an interface fails it.
//!
//! These tests make network namespaces, which takes root and `ip`; without them they say so and
//! pass.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

#[cfg(feature = "tui")]
mod dashboard;
mod files;
#[cfg(feature = "serve")]
#[path = "../http_client/mod.rs"]
mod http_client;
#[path = "../live/mod.rs"]
mod live;
mod reasons;
#[cfg(feature = "tui")]
#[path = "../terminal/mod.rs"]
mod screen;
#[cfg(feature = "serve")]
mod serve;
mod service;
mod soak;
mod tracing;

use std::fs;
use std::path::Path;
use std::process::Command;

use live::net::Net;
use live::overrun::overrun;
use live::program::{Ended, Program, assert_balanced, number, wait_for};
use live::recording::{MARK, Recording, assert_same, replay};
use live::thread::threads;
use live::{raw, traffic};
use rustix::process::Signal;
use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};
use serde_json::Value;

/// Everything in one interval: the last summary is the only one.
const ONE: [&str; 2] = ["--interval", "1h"];

fn summary_of(ended: &Ended) -> Value {
    let summary = ended.accounted();
    assert_eq!(number(&summary, "/frames/shed/kernel_drop"), 0);
    summary
}

/// One worker, two workers, and a recording, all of the same traffic.
fn three_views(net: &Net, play: impl FnOnce()) -> Value {
    let one = Program::listening(net, &ONE);
    let two = Program::listening(net, &[ONE[0], ONE[1], "--workers", "2", "--cores", "0,1"]);
    let recording = Recording::start(net, "tap");
    play();
    traffic::datagrams(net, MARK, 1);
    let recorded = recording.map(Recording::analyzed);
    let (one, two) = (summary_of(&one.stop()), summary_of(&two.stop()));
    assert_same(&one, &two, "one worker against two");
    if let Some(recorded) = recorded {
        assert_same(&one, &recorded, "live against recorded");
    }
    one
}

#[test]
fn real_connections_are_explained_as_from_a_recording_by_one_worker_and_by_two() {
    let Some(net) = Net::new() else { return };
    let mut resets = 0;
    let summary = three_views(&net, || resets = traffic::connections(&net, 20));
    assert_eq!(number(&summary, "/resets/packets"), resets);
    assert_eq!(number(&summary, "/resets/events"), resets);
    assert_eq!(number(&summary, "/resets/by_cause/closed_port"), resets / 3);
    assert_eq!(number(&summary, "/resets/by_cause/application"), resets / 3 * 2);
    assert_eq!(number(&summary, "/resets/unlisted"), 0);
}

#[test]
fn a_replayed_capture_looks_the_same_to_one_worker_to_two_and_in_a_recording() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = folder.join("../bench/corpus/six-causes.pcap.gz");
    // With tags on most frames, which the kernel takes out on the way.
    let tagged = folder.join("../../shared/captures/files/zeek__zeek__mixed-vlan-mpls.pcap");
    for file in [own, tagged] {
        if !file.exists() {
            println!("skipped: there is no {}", file.display());
            continue;
        }
        let Some(net) = Net::new() else { return };
        let summary = three_views(&net, || replay(&net, &file));
        assert!(number(&summary, "/frames/analysed") > 0, "{}", file.display());
    }
}

#[test]
fn summaries_come_by_the_wall_clock_also_in_silence_and_signals_are_obeyed() {
    let Some(net) = Net::new() else { return };
    let silent = Program::listening(&net, &["--interval", "100ms"]);
    let mut last_end = 0;
    for seq in 0..4 {
        let summary = silent.summary();
        assert_eq!(number(&summary, "/interval/seq"), seq);
        let start = number(&summary, "/interval/start_ns");
        assert!(last_end == 0 || start == last_end, "intervals follow each other");
        last_end = number(&summary, "/interval/end_ns");
        assert!(last_end > start, "{summary}");
    }
    assert!(silent.stop().status.success());

    let renewed = Program::listening(&net, &ONE);
    traffic::connections(&net, 1);
    renewed.signal(Signal::HUP);
    let first = renewed.summary();
    assert_eq!(number(&first, "/interval/seq"), 0);
    renewed.signal(Signal::TERM);
    let ended = renewed.ended();
    assert!(ended.status.success());
    let last = ended.summary();
    assert_eq!(number(&last, "/interval/seq"), 1);
    let both = number(&first, "/resets/events") + number(&last, "/resets/events");
    assert_eq!(both, 3, "every open verdict was closed");

    let timed = Program::listening(&net, &[ONE[0], ONE[1], "--duration", "200ms"]).ended();
    assert!(timed.status.success());
    assert_eq!(timed.lines.len(), 1, "the summary of what there was");
}

#[test]
fn events_are_written_while_the_tap_goes_on() {
    let Some(net) = Net::new() else { return };
    let mut tap = Program::listening(&net, &[ONE[0], ONE[1], "--events", "-", "--workers", "2"]);
    let resets = traffic::connections(&net, 2);
    // Nothing follows, so only the clock can make their time come; the file is written out with
    // each summary.
    let mut seen = 0;
    while seen < resets {
        tap.signal(Signal::HUP);
        tap.says("resetscope.summary/1");
        let summary: Value = serde_json::from_str(tap.said.last().unwrap()).unwrap();
        seen += number(&summary, "/resets/events");
    }
    let mut times = Vec::new();
    for _ in 0..resets {
        let event = tap.summary();
        assert_eq!(event["schema"], "resetscope.event/1");
        times.push(number(&event, "/time_ns"));
    }
    assert!(times.is_sorted(), "in the order of time: {times:?}");
    let ended = tap.stop();
    assert!(ended.status.success());
    assert!(ended.lines.is_empty(), "{:?}", ended.lines);
}

#[test]
fn an_output_that_stands_still_makes_intervals_longer_and_loses_nothing() {
    let Some(net) = Net::new() else { return };
    let mut command = Command::new(env!("CARGO_BIN_EXE_resetscope"));
    command.args(["monitor", "-i", "tap", "--format", "json", "--events", "-"]).args(ONE);
    let mut tap = Program::start_unread(&net, &mut command);
    tap.says("listening on tap");
    // More events than a pipe holds.
    let mut resets = traffic::connections(&net, 40);
    wait_for("the warning", || {
        tap.signal(Signal::HUP);
        tap.has_said("summaries wait to be taken off").then_some(())
    });
    resets += traffic::connections(&net, 5);
    tap.read_on();
    let ended = tap.stop();
    assert!(ended.status.success(), "{}", ended.said);
    let summaries = ended.said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let (mut events, mut unlisted) = (0, 0);
    for summary in summaries {
        assert_balanced(&summary);
        events += number(&summary, "/resets/events");
        unlisted += number(&summary, "/resets/unlisted");
    }
    assert_eq!(events, resets);
    assert_eq!(ended.lines.len() as u64 + unlisted, resets);
}

#[test]
fn a_filter_is_applied_before_frames_are_counted() {
    let Some(net) = Net::new() else { return };
    let arguments = ["--filter", "tcp port 81 or 7", "--workers", "2"];
    let tap = Program::listening(&net, &[&ONE[..], &arguments].concat());
    traffic::connections(&net, 4);
    let summary = summary_of(&tap.stop());
    assert_eq!(number(&summary, "/frames/received"), 8, "four SYNs, four RSTs: {summary}");
    assert_eq!(number(&summary, "/resets/by_cause/closed_port"), 4);
}

#[test]
fn loopback_shows_each_frame_once() {
    let Some(net) = Net::new() else { return };
    net.ip_server(&["link", "set", "lo", "up"]);
    for workers in ["1", "2"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_resetscope"));
        command.args(["monitor", "-i", "lo", "--format", "json", "--workers", workers]).args(ONE);
        let mut tap = Program::start(&net, &mut command);
        tap.says("listening on lo");
        let refused = net.on_server(|| std::net::TcpStream::connect("127.0.0.1:81"));
        assert!(refused.is_err(), "nobody listens");
        let summary = summary_of(&tap.stop());
        assert_eq!(number(&summary, "/frames/received"), 2, "{summary}");
        assert_eq!(number(&summary, "/resets/events"), 1, "{summary}");
    }
}

#[test]
fn what_the_kernel_drops_is_in_the_ledger() {
    let Some(net) = Net::new() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("small.toml");
    fs::write(&file, "[af_packet]\nring_mib = 1\nblock_kib = 64\n").unwrap();
    for workers in ["1", "2"] {
        let arguments = ["--config", file.to_str().unwrap(), "--workers", workers];
        let tap = Program::listening(&net, &[&ONE[..], &arguments].concat());
        overrun(&net, tap, "kernel_drop");
    }
}

#[test]
fn an_interface_that_goes_away_is_waited_for_without_privileges() {
    let Some(net) = Net::new() else { return };
    for workers in ["1", "2"] {
        let mut tap = Program::listening(&net, &[ONE[0], ONE[1], "--workers", workers]);
        let mut resets = traffic::connections(&net, 1);
        net.ip_server(&["link", "del", "tap"]);
        tap.says("tap went away");
        net.plug();
        tap.says("tap is back");
        resets += traffic::connections(&net, 1);
        net.ip_server(&["link", "del", "tap"]);
        tap.says("tap went away, 2 times so far");
        let ended = tap.stop();
        let summary = summary_of(&ended);
        assert_eq!(number(&summary, "/resets/packets"), resets, "{workers} workers");
        net.plug();
    }
}

#[test]
fn an_interface_that_is_down_is_waited_for() {
    let Some(net) = Net::new() else { return };
    net.ip_server(&["link", "set", "tap", "down"]);
    let mut tap = Program::monitor(&net, &ONE);
    tap.says("tap is down");
    up(&net);
    tap.says("listening on tap");
    let mut resets = traffic::connections(&net, 1);
    net.ip_server(&["link", "set", "tap", "down"]);
    tap.says("tap is down");
    up(&net);
    tap.says("tap is up");
    resets += traffic::connections(&net, 1);
    let summary = summary_of(&tap.stop());
    assert_eq!(number(&summary, "/resets/packets"), resets);
}

/// Going down makes the kernel forget the neighbours.
fn up(net: &Net) {
    net.ip_server(&["link", "set", "tap", "up"]);
    let mac = "02:00:00:00:00:01";
    net.ip_server(&["neigh", "replace", "10.9.0.1", "lladdr", mac, "dev", "tap"]);
}

#[test]
fn privileges_and_promiscuous_mode_are_given_back() {
    let Some(net) = Net::new() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("user.toml");
    fs::write(&file, "user = \"65534\"\n").unwrap();
    let promiscuous = |sockets: u32| {
        let shown = net.ip_server(&["-d", "link", "show", "tap"]);
        shown.contains(&format!("promiscuity {sockets} "))
    };
    for (arguments, user, sockets) in
        [(["--workers", "2"], "0", 2), (["--config", file.to_str().unwrap()], "65534", 1)]
    {
        let tap = Program::listening(&net, &[&ONE[..], &arguments].concat());
        assert!(promiscuous(sockets), "asked for");
        for thread in threads(&tap) {
            // The real one, and all that it could act as.
            assert!(thread.field("Uid").split_whitespace().all(|id| id == user));
            thread.assert_only(0);
        }
        assert!(tap.stop().status.success());
        assert!(promiscuous(0), "given back");
    }
    let modest = Program::listening(&net, &["--no-promiscuous"]);
    assert!(promiscuous(0), "not asked for");
    assert!(modest.stop().status.success());
}

#[test]
fn what_cannot_be_tapped_is_told_in_one_sentence() {
    let Some(net) = Net::new() else { return };
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.toml");
    fs::write(&bad, "top = 3\ninterwal = \"1s\"\n").unwrap();
    let bad = bad.to_str().unwrap();
    for (arguments, want) in [
        (vec!["-i", "nothere"], "there is no interface nothere; there are: lo, tap"),
        (vec!["--cores", "1000"], "core 1000 is not among those that can be used: 0"),
        (vec!["--workers", "2", "--cores", "0"], "2 workers need as many cores; 1 are listed"),
        (
            vec!["--config", bad],
            "bad.toml:2:1: there is no key `interwal`; the nearest is `interval`",
        ),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_resetscope"));
        command.args(["monitor", "--interface=tap"]);
        if arguments[0] == "-i" {
            command = Command::new(env!("CARGO_BIN_EXE_resetscope"));
            command.arg("monitor");
        }
        let ended = Program::start(&net, command.args(&arguments)).ended();
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}");
        assert!(ended.said.contains(want), "{arguments:?}: {}", ended.said);
        assert_eq!(ended.said.lines().count(), 1, "{}", ended.said);
    }
}

#[test]
fn a_missing_capability_is_named_with_the_command_that_grants_it() {
    let Some(net) = Net::new() else { return };
    let output = net.on_server(|| {
        remove_capability_from_bounding_set(CapabilitySet::NET_RAW).unwrap();
        let program = env!("CARGO_BIN_EXE_resetscope");
        Command::new(program).args(["monitor", "-i", "tap"]).output().unwrap()
    });
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    let want = format!("sudo setcap cap_net_raw+ep {}", env!("CARGO_BIN_EXE_resetscope"));
    assert!(said.contains("CAP_NET_RAW") && said.contains(&want), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn plain_ip_is_read_from_a_tun_device() {
    let Some(net) = Net::new() else { return };
    let device = match net.on_server(|| raw::tun("tun0")) {
        Ok(device) => device,
        Err(error) => return println!("skipped: no TUN device here: {error}"),
    };
    net.ip_server(&["addr", "add", "10.8.0.1/24", "dev", "tun0"]);
    net.ip_server(&["link", "set", "tun0", "up"]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_resetscope"));
    command.args(["monitor", "--format", "json", "-i", "tun0"]).args(ONE);
    let mut tap = Program::start(&net, &mut command);
    tap.says("listening on tun0");
    let refused = net.on_server(|| {
        std::net::TcpStream::connect_timeout(
            &"10.8.0.2:80".parse().unwrap(),
            std::time::Duration::from_millis(50),
        )
    });
    assert!(refused.is_err(), "nobody answers");
    drop(device);
    let summary = tap.stop().summary();
    assert!(number(&summary, "/frames/analysed") >= 1, "{summary}");
}
