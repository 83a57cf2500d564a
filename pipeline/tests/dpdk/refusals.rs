//! What cannot be opened, and what is said then.

use crate::live::program::Program;
use crate::setup::{ON_TAP, TWO_SOCKETS, Written, net_with};

#[test]
fn what_cannot_be_opened_is_told_in_one_sentence() {
    let Some(net) = net_with(ON_TAP) else { return };
    net.ip_server(&["link", "set", "lo", "down"]);
    let recording = "net_pcap0,rx_pcap=/dev/null";
    for (device, more, arguments, want) in [
        ("net_nonsense0", "", &[][..], "DPDK cannot open net_nonsense0: "),
        ("0000:ff:1f.7", "", &[], "there is no PCI device 0000:ff:1f.7; "),
        ("net_pcap0,rx_pcap=/nowhere", "", &[], "net_pcap0: cannot read /nowhere: "),
        (recording, "", &[], "DPDK cannot open net_pcap0: "),
        (recording, "memory_mib = 1048576", &[], "run `sudo scripts/setup-dpdk --pages 524288`"),
        (recording, "main_core = 1000", &[], "core 1000 is not among those that can be used"),
        (recording, "", &["--cores", "1000"], "core 1000 is not among those that can be used: 0"),
        (recording, "", &["--filter", "tcp"], "a filter is applied by the kernel"),
        (recording, "", &["-i", "tap"], "leave the interface tap out"),
        (recording, "eal_args = [\"--nonsense\"]", &[], "unrecognized option '--nonsense'"),
        ("net_null0", "", &["--cores", "0,0"], "core 0 is listed twice"),
        ("net_af_packet0,iface=gone", "", &[], "there is no interface gone; there are: lo, tap"),
        ("net_af_packet0,iface=lo", "link_wait_s = 0", &[], "has had no link for 0 s"),
        (
            ON_TAP,
            "steering = \"hardware\"",
            &["--cores", "0,1"],
            "net_af_packet0 (driver net_af_packet) has 1 receive queue, and 2 are asked for",
        ),
        (
            TWO_SOCKETS,
            "steering = \"hardware\"",
            &["--cores", "0,1"],
            "cannot deal out connections to 2 queues",
        ),
        (
            TWO_SOCKETS,
            "",
            &["--cores", "0,1"],
            "spreads frames over 2 queues, and 1 will be read: leave qpairs= out",
        ),
        (TWO_SOCKETS, "", &[], "spreads frames over 2 queues, and 1 will be read"),
    ] {
        let written = Written::new(device, more);
        let ended = Program::start(&net, &mut written.command(arguments)).ended();
        assert_eq!(ended.status.code(), Some(1), "{device} {more} {arguments:?}");
        assert!(ended.said.contains(want), "{device} {more} {arguments:?}: {}", ended.said);
        assert_eq!(ended.said.lines().count(), 1, "{}", ended.said);
    }
}
