//! What is seen through DPDK, by one worker and by several: what a recording of the same traffic shows,
//! with every frame accounted for.

use std::path::Path;

use serde_json::Value;

use crate::captures::captures;
use crate::live::overrun::overrun;
use crate::live::program::{assert_balanced, number};
use crate::live::recording::{MARK, Recording, analyzed, assert_same, replay};
use crate::live::traffic;
use crate::setup::{ON_COPY, ON_TAP, Written, is_missing, net_with};

/// What several workers take on a device with one queue, and what is said then. The third has to
/// share a core, as machines with two are common.
const STEERED: [(&str, &[&str], &str); 2] = [
    (
        "",
        &["--cores", "0,1"],
        "1 receive queue: one queue receives, and software steers connections to 2",
    ),
    ("steering = \"software\"", &["--cores", "0,1,1"], "software steers connections to 3 workers"),
];

#[test]
fn a_recording_gives_the_summary_that_analyze_gives() {
    if is_missing() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for file in captures(folder.path()) {
        let want = analyzed(&file);
        for (more, cores, says) in STEERED.into_iter().chain([("", &[][..], "1 worker, ")]) {
            let written = Written::new(&format!("net_pcap0,rx_pcap={}", file.display()), more);
            let output = written.run(&[cores, &["--interval", "1h", "--duration", "2s"]].concat());
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && said.contains("times as recorded"), "{said}");
            assert!(said.contains(says), "{said}");
            let through_dpdk = summary_of(&String::from_utf8_lossy(&output.stdout));
            assert!(number(&through_dpdk, "/frames/analysed") > 0);
            assert_same(&through_dpdk, &want, &format!("{} {cores:?}", file.display()));
        }
    }
}

#[test]
fn live_traffic_is_explained_as_from_a_recording() {
    let tagged = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/captures/files/zeek__zeek__mixed-vlan-mpls.pcap");
    let ways = STEERED.map(|(more, cores, _)| (more, cores, 2)).into_iter();
    let ways = ways.chain([("", &[][..], 1)]);
    let devices = ways.flat_map(|way| [(ON_TAP, "tap", way), (ON_COPY, "mirror", way)]);
    for (device, interface, (more, cores, remarks)) in devices {
        let Some(net) = net_with(device) else { return };
        let written = Written::new(device, more);
        let live = written.listening(&net, &[cores, &["--interval", "1h"]].concat());
        let recording = Recording::start(&net, interface);
        let resets = traffic::connections(&net, 20);
        // What the kernel keeps beside a frame, such as its VLAN tag, AF_XDP does not show.
        if interface == "tap" && tagged.exists() {
            replay(&net, &tagged);
        }
        traffic::datagrams(&net, MARK, 1);
        let recorded = recording.map(Recording::analyzed);
        let ended = live.stop();
        assert_eq!(ended.said.lines().count(), remarks, "{}", ended.said);
        let live = ended.accounted();
        assert!(number(&live, "/resets/packets") >= resets);
        assert_eq!(number(&live, "/resets/by_cause/closed_port"), resets / 3);
        if let Some(recorded) = recorded {
            assert_same(&live, &recorded, &format!("{interface} {cores:?}"));
        }
        let shown = net.ip_server(&["-d", "link", "show"]);
        assert!(!shown.contains("prog/xdp"), "the program is unloaded: {shown}");
        for line in shown.lines().filter(|line| line.contains("promiscuity")) {
            assert!(line.contains("promiscuity 0 "), "promiscuous mode is given back: {line}");
        }
    }
}

#[test]
fn what_is_dropped_on_the_way_is_in_the_ledger() {
    for (device, reason) in [(ON_TAP, "kernel_drop"), (ON_COPY, "nic_drop")] {
        let Some(net) = net_with(device) else { return };
        let tap = Written::new(device, "").listening(&net, &["--interval", "1h"]);
        overrun(&net, tap, reason);
    }
}

#[test]
fn several_workers_share_a_device_that_spreads_connections() {
    if is_missing() {
        return;
    }
    for (more, steered) in [("", false), ("steering = \"software\"", true)] {
        let written = Written::new("net_null0", more);
        let output = written.run(&["--cores", "0,1", "--duration", "300ms"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("2 workers"), "{said}");
        assert_eq!(said.contains("software steers"), steered, "{said}");
        let summary = summary_of(String::from_utf8_lossy(&output.stdout).lines().last().unwrap());
        assert!(number(&summary, "/frames/received") > 0);
    }
}

fn summary_of(line: &str) -> Value {
    let summary = serde_json::from_str(line).unwrap();
    assert_balanced(&summary);
    summary
}
