//! `resetscope bench --backend dpdk`, and the measurement below it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use resetscope::config::Dpdk;
use resetscope::live::dpdk::measure::{Each, Until, measure};
use resetscope::live::dpdk::settings::Settings;
use resetscope_core::engine::Config;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::capture_writer::{Flavour, Order, Seen, pcap};
use crate::captures::captures;
use crate::live::program::{number, wait_for};
use crate::live::recording::analyzed;
use crate::setup::is_missing;

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
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
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
