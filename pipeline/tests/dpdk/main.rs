//! `resetscope monitor` through DPDK: recordings, and interfaces through AF_PACKET and AF_XDP.
//!
//! These tests take root, huge pages and DPDK's drivers; without them they say so and pass.
//! `scripts/setup-dpdk` provides what is missing.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

#[path = "../capture_writer/mod.rs"]
mod capture_writer;
#[path = "../monitor/net.rs"]
mod net;
#[path = "../monitor/program.rs"]
#[allow(dead_code, reason = "the tests of AF_PACKET use all of it")]
mod program;
#[path = "../monitor/raw.rs"]
#[allow(dead_code, reason = "the tests of AF_PACKET use all of it")]
mod raw;
#[path = "../monitor/recording.rs"]
mod recording;
#[path = "../monitor/traffic.rs"]
mod traffic;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use capture_writer::{Flavour, Order, Seen, pcap};
use flate2::read::GzDecoder;
use net::Net;
use program::{Program, assert_balanced, number, wait_for};
use recording::{MARK, Recording, analyzed, assert_same, replay};
use resetscope::config::Dpdk;
use resetscope::live::dpdk::measure::{Each, Until, measure};
use resetscope::live::dpdk::settings::Settings;
use resetscope_core::engine::Config;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// Small enough that tests fit beside each other; queues that hold all traffic of a test, as on a busy
/// machine a worker may not get its core before that is over.
const MEMORY: &str = "memory_mib = 64\nbuffers = 8191\nrx_descriptors = 2048\n";

/// What takes frames from the interface `tap`, or from a copy of it.
const ON_TAP: &str = "net_af_packet0,iface=tap,blocksz=65536,framesz=2048,framecnt=4096";
const TWO_SOCKETS: &str = "net_af_packet0,iface=tap,qpairs=2";
const ON_COPY: &str = "net_af_xdp0,iface=copy,start_queue=0,queue_count=1";

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

/// Says why DPDK cannot be tried here, if so.
fn is_missing() -> bool {
    let free = fs::read_to_string("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
    let free = free.unwrap_or_default().trim().parse().unwrap_or(0);
    let reason = if !rustix::process::geteuid().is_root() {
        "DPDK's devices take root"
    } else if free < 128 {
        "there are too few huge pages: run scripts/setup-dpdk"
    } else {
        return false;
    };
    println!("skipped: {reason}");
    true
}

/// A configuration in a folder of its own.
struct Written(TempDir);

impl Written {
    fn new(device: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let memory = if more.contains("memory_mib") { "" } else { MEMORY };
        let text = format!("flows = 8192\n[dpdk]\ndevices = [\"{device}\"]\n{memory}{more}\n");
        fs::write(folder.path().join("dpdk.toml"), text).unwrap();
        Self(folder)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_resetscope"));
        command.args(["monitor", "--format", "json", "--config"]);
        command.arg(self.0.path().join("dpdk.toml")).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn listening(&self, net: &Net, arguments: &[&str]) -> Program {
        let mut program = Program::start(net, &mut self.command(arguments));
        program.says("listening on net_");
        program
    }
}

fn summary_of(line: &str) -> Value {
    let summary = serde_json::from_str(line).unwrap();
    assert_balanced(&summary);
    summary
}

/// Frames too long for one buffer: their headers and the beginning of their payload are in the first.
fn jumbo() -> Vec<Seen> {
    let frame = |number: u64| {
        let mut bytes = vec![0; 9014];
        bytes[12..24].copy_from_slice(&[8, 0, 0x45, 0, 0x23, 0x28, 0, 1, 0, 0, 64, 6]);
        bytes[26..38].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2, 0x9c, 0x40, 1, 0xbb]);
        bytes[38..42].copy_from_slice(&(number as u32 * 8960).to_be_bytes());
        bytes[46..48].copy_from_slice(&[0x50, 0x10]);
        Seen { time_ns: 1_700_000_000_000_000_000 + number * 1000, link: 1, wire_len: 9014, bytes }
    };
    (1..100).map(frame).collect()
}

/// Captures that net_pcap reads: Ethernet, whole frames, not compressed.
fn captures(folder: &Path) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut unpacked = Vec::new();
    let packed = fs::File::open(root.join("../bench/corpus/six-causes.pcap.gz")).unwrap();
    GzDecoder::new(packed).read_to_end(&mut unpacked).unwrap();
    let files =
        [("six.pcap", unpacked), ("jumbo.pcap", pcap(Order::Little, Flavour::Micro, &jumbo()))];
    let mut captures: Vec<PathBuf> = files
        .into_iter()
        .map(|(name, bytes)| {
            let file = folder.join(name);
            fs::write(&file, bytes).unwrap();
            file
        })
        .collect();
    for name in
        ["zeek__zeek__mixed-vlan-mpls.pcap", "seladb__PcapPlusPlus__one_http_stream_rst.pcap"]
    {
        let file = root.join("../../shared/captures/files").join(name);
        if file.exists() {
            captures.push(file);
        } else {
            println!("skipped: there is no {}", file.display());
        }
    }
    captures
}

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

/// Copies all that passes `tap` to `mirror`, whose other end is `copy`; false where the kernel cannot.
fn mirror(net: &Net) -> bool {
    net.ip_server(&["link", "add", "mirror", "type", "veth", "peer", "name", "copy"]);
    net.ip_server(&["link", "set", "dev", "mirror", "up"]);
    net.ip_server(&["link", "set", "dev", "copy", "up"]);
    let tc = |arguments: &str| {
        net.on_server(|| Command::new("tc").args(arguments.split(' ')).output())
            .is_ok_and(|output| output.status.success())
    };
    let way = |way: &str| {
        format!(
            "filter add dev tap {way} protocol all u32 match u32 0 0 action mirred egress mirror \
             dev mirror"
        )
    };
    let done = tc("qdisc add dev tap clsact") && tc(&way("ingress")) && tc(&way("egress"));
    if !done {
        println!("skipped: the kernel cannot mirror an interface");
    }
    done
}

#[test]
fn live_traffic_is_explained_as_from_a_recording() {
    let tagged = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/captures/files/zeek__zeek__mixed-vlan-mpls.pcap");
    let ways = STEERED.map(|(more, cores, _)| (more, cores, 2)).into_iter();
    let ways = ways.chain([("", &[][..], 1)]);
    let devices = ways.flat_map(|way| [(ON_TAP, "tap", way), (ON_COPY, "mirror", way)]);
    for (device, interface, (more, cores, remarks)) in devices {
        if is_missing() {
            return;
        }
        let Some(net) = Net::new() else { return };
        if interface == "mirror" && !mirror(&net) {
            return;
        }
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
        assert!(ended.status.success(), "{}", ended.said);
        assert_eq!(ended.said.lines().count(), remarks, "{}", ended.said);
        let live = ended.summary();
        assert_balanced(&live);
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
fn signals_are_obeyed_and_no_thread_that_sees_frames_has_privileges() {
    if is_missing() {
        return;
    }
    for cores in [&[][..], &["--cores", "0,1"]] {
        obeys_without_privileges(cores);
    }
}

fn obeys_without_privileges(cores: &[&str]) {
    let Some(net) = Net::new() else { return };
    let written = Written::new(ON_TAP, "");
    let tap = written.listening(&net, &[cores, &["--interval", "1h"]].concat());
    for task in fs::read_dir(format!("/proc/{}/task", tap.id())).unwrap() {
        let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().to_owned()
        };
        assert_eq!(field("NoNewPrivs:"), "1");
        // CAP_NET_ADMIN is number 12.
        let kept = if field("Name:") == "dpdk" { 1 << 12 } else { 0 };
        for set in ["CapPrm:", "CapEff:"] {
            assert_eq!(u64::from_str_radix(&field(set), 16), Ok(kept), "{set} {}", field("Name:"));
        }
    }
    let resets = traffic::connections(&net, 1);
    tap.signal(Signal::HUP);
    let first = tap.summary();
    tap.signal(Signal::TERM);
    let ended = tap.ended();
    assert!(ended.status.success(), "{}", ended.said);
    let last = ended.summary();
    assert_eq!((number(&first, "/interval/seq"), number(&last, "/interval/seq")), (0, 1));
    assert_balanced(&first);
    assert_balanced(&last);
    let events = |of: &Value| number(of, "/resets/events");
    assert_eq!(events(&first) + events(&last), resets);
}

#[test]
fn what_is_dropped_on_the_way_is_in_the_ledger() {
    const SENT: usize = 30_000;
    for (device, reason) in [(ON_TAP, "kernel_drop"), (ON_COPY, "nic_drop")] {
        if is_missing() {
            return;
        }
        let Some(net) = Net::new() else { return };
        if device == ON_COPY && !mirror(&net) {
            return;
        }
        let written = Written::new(device, "");
        let tap = written.listening(&net, &["--interval", "1h"]);
        tap.signal(Signal::STOP);
        let state = format!("/proc/{}/stat", tap.id());
        wait_for("the halt", || fs::read_to_string(&state).unwrap().contains(") T ").then_some(()));
        traffic::datagrams(&net, MARK, SENT);
        tap.signal(Signal::CONT);
        let ended = tap.stop();
        assert!(ended.status.success(), "{}", ended.said);
        let summary = ended.summary();
        assert_balanced(&summary);
        assert_eq!(number(&summary, "/frames/received"), SENT as u64, "{summary}");
        let dropped = number(&summary, &format!("/frames/shed/{reason}"));
        let seen = number(&summary, "/frames/skipped/not_tcp");
        assert!(dropped > 0 && seen > 0, "{device}: {summary}");
    }
}

#[test]
fn a_killed_program_leaves_nothing_that_keeps_the_next_from_running() {
    if is_missing() {
        return;
    }
    let Some(net) = Net::new() else { return };
    if !mirror(&net) {
        return;
    }
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
    let summary = last.stop().summary();
    assert_eq!(number(&summary, "/resets/by_cause/closed_port"), 1, "{summary}");
}

#[test]
fn what_cannot_be_opened_is_told_in_one_sentence() {
    if is_missing() {
        return;
    }
    let Some(net) = Net::new() else { return };
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

#[test]
fn two_programs_cannot_have_one_queue() {
    if is_missing() {
        return;
    }
    let Some(net) = Net::new() else { return };
    if !mirror(&net) {
        return;
    }
    let written = Written::new(ON_COPY, "");
    let first = written.listening(&net, &["--interval", "1h"]);
    let second = Program::start(&net, &mut written.command(&[])).ended();
    assert_eq!(second.status.code(), Some(1));
    assert!(second.said.contains("net_af_xdp0 is in use by another program"), "{}", second.said);
    assert_eq!(second.said.lines().count(), 1, "{}", second.said);
    traffic::connections(&net, 1);
    let summary = first.stop().summary();
    assert_eq!(number(&summary, "/resets/by_cause/closed_port"), 1, "the first goes on");
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

/// `bench` through DPDK, with a small flow table.
fn bench(arguments: &[&str], files: &[&Path]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_resetscope"));
    command.args(["bench", "--backend", "dpdk", "--format", "json", "--flows", "65536"]);
    command.args(arguments).args(files);
    command
}

/// Those of each number of workers.
fn figures(output: &Output) -> Vec<Value> {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
    serde_json::Deserializer::from_slice(&output.stdout).into_iter().map(Result::unwrap).collect()
}

#[test]
fn bench_counts_what_analyze_counts_in_every_loop() {
    if is_missing() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let six = captures(folder.path()).remove(0);
    let odd = folder.path().join("odd, name=1.pcap");
    fs::copy(&six, &odd).unwrap();
    let once = analyzed(&six);
    let all = figures(&bench(&["--seconds", "0.2", "--workers", "1,2"], &[&odd]).output().unwrap());
    assert_eq!(all.len(), 2);
    for (workers, of) in (1..).zip(&all) {
        assert_eq!((&of["backend"], number(of, "/workers")), (&"dpdk".into(), workers));
        assert_eq!((&of["stopped"], number(of, "/drops")), (&false.into(), 0));
        assert!(number(of, "/packets") > number(&once, "/frames/received"), "{of}");
        let loops = number(of, "/packets") / number(&once, "/frames/received");
        for (field, path) in [
            ("/flows", "/flows/opened"),
            ("/resets", "/resets/events"),
            ("/rst_packets", "/resets/packets"),
        ] {
            assert!(number(of, field) >= number(&once, path), "{field}: {of}");
        }
        let rst = number(&once, "/resets/packets");
        let packets = number(of, "/rst_packets");
        // What was under way when one measurement ended is not in the next.
        assert!((loops * rst..=(loops + 2) * rst).contains(&packets), "all are analysed: {of}");
        let each = of["per_worker"].as_array().unwrap().iter();
        let each: Vec<u64> = each.map(|worker| number(worker, "/packets")).collect();
        assert!(each.iter().all(|packets| *packets > 0), "{of}");
        assert_eq!(each.iter().sum::<u64>(), number(of, "/packets"));
        for field in ["/burst_ns/p50", "/packets_per_second", "/bits_per_second"] {
            assert!(number(of, field) > 0, "{field}: {of}");
        }
    }
}

#[test]
fn bench_ends_at_a_signal_with_the_figures_so_far() {
    if is_missing() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let six = captures(folder.path()).remove(0);
    let child = bench(&["--seconds", "3600"], &[&six])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let tasks = format!("/proc/{}/task", child.id());
    // The worker's thread has its name only once DPDK runs.
    wait_for("the worker", || {
        let mut tasks = fs::read_dir(&tasks).ok()?.flatten();
        tasks.find(|task| {
            let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
            name.starts_with("resetscope-core")
        })
    });
    let pid = Pid::from_raw(child.id() as i32).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let of = figures(&child.wait_with_output().unwrap());
    assert_eq!(of.last().unwrap()["stopped"], true);
}

#[test]
fn bench_refuses_what_dpdk_cannot_play_in_one_sentence() {
    if is_missing() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let file = folder.path().join(name);
        fs::write(&file, bytes).unwrap();
        file
    };
    let six = captures(folder.path()).remove(0);
    let frame = |link, bytes| {
        let seen = Seen { time_ns: 1_000_000, link, wire_len: bytes as u32, bytes: vec![0; bytes] };
        pcap(Order::Little, Flavour::Micro, &[seen])
    };
    let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/corpus/six-causes.pcap.gz");
    let raw = put("raw.pcap", &frame(101, 60));
    let long = put("long.pcap", &frame(1, 3000));
    let empty = put("empty.pcap", &pcap(Order::Little, Flavour::Micro, &[]));
    let pcapng = put("a.pcapng", &[0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 0]);
    for (arguments, files, want) in [
        (&["--workers", "1,64"][..], &[&*six][..], "64 workers need as many cores"),
        (&["--rotate", "addresses"], &[&six], "--rotate needs --backend memory"),
        (&[], &[&six, &six], "`mergecap -F pcap"),
        (&[], &[Path::new("-")], "not standard input"),
        (&[], &[&packed], "`editcap -F pcap"),
        (&[], &[&pcapng], "`editcap -F pcap"),
        (&[], &[&raw], "of link type 101"),
        (&[], &[&long], "a frame of 3000 bytes is too long"),
        (&[], &[&empty], "there are no frames in it"),
        (&[], &[Path::new("/nowhere")], "cannot read /nowhere: No such file"),
    ] {
        let output = bench(arguments, files).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?} {files:?}: {said}");
        assert!(said.contains(want) && said.lines().count() == 1, "{said} does not say {want}");
    }
}

#[test]
fn a_looped_recording_can_be_measured() {
    if is_missing() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = captures(folder.path()).remove(0);
    let device = format!("net_pcap0,rx_pcap={},infinite_rx=1", file.display());
    let dpdk = Dpdk { devices: vec![device], ..Dpdk::default() };
    let settings = Settings::new(&dpdk, 1, &[], &[0, 1]);
    let engine = Config { flows: 8192, ..Config::default() };
    let told = Arc::new(AtomicU64::new(0));
    let each: Each = {
        let told = Arc::clone(&told);
        Arc::new(move |_, frames, begun, ended| {
            assert!(begun <= ended);
            told.fetch_add(frames, Ordering::Relaxed);
        })
    };
    let until = Until { time: Duration::from_millis(100), ..Until::default() };
    let done = measure(&settings, &until, Some(&engine), &each).unwrap();
    let [done] = &done[..] else { panic!("one worker, {} results", done.len()) };
    let ledger = &done.interval.frames;
    assert!(ledger.analysed > 0 && ledger.received == done.packets, "{done:?}");
    assert_eq!(done.packets, told.load(Ordering::Relaxed));
    assert!(done.elapsed >= Duration::from_millis(100));
}
