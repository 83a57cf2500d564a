//! What a capture says it lost is in the ledger, once, as a live tap's losses are.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test, both are its failure")]

mod analysis;
mod capture_writer;
mod traffic;

use std::process::{Command, Output};

use analysis::{Chopped, Outcome, analyse, plan, source_of};
use capture_writer::{Ng, Order, gzip};
use traffic::refusals;

/// `isb_ifdrop`, `isb_osdrop` and, of packets, `epb_dropcount`.
const INTERFACE: u16 = 5;
const SYSTEM: u16 = 7;
const BEFORE: u16 = 4;

/// Refused connections in a capture, and what its interfaces lost.
struct Capture {
    ng: Ng,
    next: usize,
}

impl Capture {
    fn new(order: Order) -> Self {
        let mut ng = Ng::new(order);
        ng.interface(1, 0, &[(9, &[9])]).interface(1, 0, &[(9, &[9])]);
        Self { ng, next: 0 }
    }

    /// Another packet of an interface, before which this many were lost.
    fn packet(&mut self, interface: u32, lost: &[u64]) -> &mut Self {
        let frame = &refusals(8)[self.next];
        let values: Vec<_> = lost.iter().map(|lost| self.ng.order.u64(*lost)).collect();
        let options: Vec<(u16, &[u8])> = values.iter().map(|v| (BEFORE, &v[..])).collect();
        self.ng.packet_with(interface, frame.time_ns, frame.wire_len, &frame.bytes, &options);
        self.next += 1;
        self
    }

    fn old_packet(&mut self, lost: u16) -> &mut Self {
        let frame = &refusals(8)[self.next];
        self.ng.old_packet(0, frame.time_ns, lost, frame.wire_len, &frame.bytes);
        self.next += 1;
        self
    }

    fn statistics(&mut self, interface: u32, counters: &[(u16, u64)]) -> &mut Self {
        self.ng.statistics(interface, counters);
        self
    }

    fn section(&mut self) -> &mut Self {
        let order = self.ng.order;
        self.ng.section(order, u64::MAX).interface(1, 0, &[(9, &[9])]);
        self
    }
}

type Write = fn(&mut Capture);

const CASES: [(&str, Write, u64); 15] = [
    ("nothing is told", |c| _ = c.packet(0, &[]), 0),
    ("nothing was lost", |c| _ = c.packet(0, &[0]).statistics(0, &[(INTERFACE, 0)]), 0),
    (
        "both counters of the statistics count",
        |c| _ = c.packet(0, &[]).statistics(0, &[(4, 900), (INTERFACE, 5), (SYSTEM, 2), (8, 9)]),
        7,
    ),
    (
        "statistics count from the beginning: the last ones count",
        |c| {
            c.statistics(0, &[(INTERFACE, 3)]).packet(0, &[]).statistics(0, &[(INTERFACE, 9)]);
            c.packet(0, &[]).statistics(0, &[(4, 2)]);
        },
        9,
    ),
    ("packets count what came before each", |c| _ = c.packet(0, &[4]).packet(0, &[1]), 5),
    (
        "packets know more than the statistics",
        |c| _ = c.packet(0, &[4]).packet(0, &[1]).statistics(0, &[(INTERFACE, 3)]),
        5,
    ),
    (
        "the statistics know more than packets",
        |c| _ = c.packet(0, &[4]).packet(0, &[1]).statistics(0, &[(SYSTEM, 11)]),
        11,
    ),
    (
        "each interface for itself",
        |c| {
            c.packet(0, &[4]).packet(1, &[3]);
            c.statistics(0, &[(INTERFACE, 6)]).statistics(1, &[(INTERFACE, 1)]);
        },
        9,
    ),
    (
        "each section for itself",
        |c| {
            c.packet(0, &[]).statistics(0, &[(INTERFACE, 4)]).section();
            c.packet(0, &[]).statistics(0, &[(INTERFACE, 4)]);
        },
        8,
    ),
    ("old packets have a counter", |c| _ = c.old_packet(5).old_packet(u16::MAX), 5),
    (
        "a counter that was not available",
        |c| _ = c.packet(0, &[u64::MAX]).statistics(0, &[(INTERFACE, u64::MAX)]),
        0,
    ),
    ("an interface nobody described", |c| _ = c.packet(0, &[]).statistics(2, &[(SYSTEM, 9)]), 0),
    (
        "statistics cut within their options",
        |c| {
            let option = [&[0; 12][..], &c.ng.order.u16(INTERFACE), &c.ng.order.u16(800)].concat();
            c.packet(0, &[]).ng.block(5, &option);
            c.ng.block(5, &[]);
        },
        0,
    ),
    (
        "no more is believed than there is room for",
        |c| _ = c.packet(0, &[u64::MAX - 1]).packet(1, &[u64::MAX - 1]),
        1 << 48,
    ),
    (
        "and not by several counters either",
        |c| _ = c.packet(0, &[]).statistics(0, &[(INTERFACE, u64::MAX - 1), (SYSTEM, 1 << 63)]),
        1 << 48,
    ),
];

#[test]
fn what_a_capture_says_it_lost_is_received_and_dropped_once_for_any_number_of_workers() {
    for (why, write, want) in CASES {
        for order in [Order::Little, Order::Big] {
            let mut capture = Capture::new(order);
            write(&mut capture);
            let bytes = &capture.ng.bytes;
            for interval_ns in [None, Some(10_000_000)] {
                let run = |workers, seed: Option<u64>| {
                    let mut source = source_of(bytes).unwrap();
                    if let Some(seed) = seed {
                        source = Chopped::boxed(source, seed);
                    }
                    analyse(source, &plan(workers, interval_ns))
                };
                let alone = run(1, None);
                assert_eq!(lost(&alone), (capture.next as u64 + want, want), "{why}, {order:?}");
                assert_eq!(alone.damage, [], "{why}");
                let told: Vec<String> = alone.oddities.iter().map(ToString::to_string).collect();
                match want {
                    0 => assert!(told.is_empty(), "{why}: {told:?}"),
                    _ => assert!(told[0].contains("verdicts may rest on gaps"), "{why}: {told:?}"),
                }
                for (workers, seed) in [(1, Some(1)), (1, Some(2)), (3, None), (2, Some(3))] {
                    assert_eq!(run(workers, seed), alone, "{why}: {workers} workers, {seed:?}");
                }
            }
        }
    }
}

/// Frames received, and those of them that were dropped, over all intervals.
fn lost(outcome: &Outcome) -> (u64, u64) {
    let sum = |pointer: &str| -> u64 {
        let number = |summary: &serde_json::Value| summary.pointer(pointer).unwrap().as_u64();
        outcome.summaries().iter().map(|summary| number(summary).unwrap()).sum()
    };
    (sum("/frames/received"), sum("/frames/shed/kernel_drop"))
}

fn resetscope(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_resetscope"))
        .current_dir("/")
        .args(args)
        .args(["--flows", "4096"])
        .output()
        .unwrap()
}

#[test]
fn losses_of_several_inputs_are_one_warning_and_add_up_in_whatever_way_they_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut capture = Capture::new(Order::Little);
    capture.packet(0, &[]).packet(0, &[2]).statistics(0, &[(INTERFACE, 12)]);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (first, second) = (path("first.pcapng"), path("second.pcapng.gz"));
    std::fs::write(&first, &capture.ng.bytes).unwrap();
    std::fs::write(&second, gzip(&capture.ng.bytes)).unwrap();
    let one = format!("resetscope: {first}: 12 packets were lost while this was recorded, as the");
    let two = format!("resetscope: {first} and 1 other input: 24 packets were lost while");
    let page = path("report.html");
    let both = [first.as_str(), &second];
    for (args, files, want) in [
        (&["analyze", "--format", "json"][..], &both[..1], &one),
        (&["analyze", "--format", "json", "--workers", "3", "--report", &page], &both, &two),
        (&["analyze", "--format", "json", "--no-mmap", "--quiet"], &both, &two),
        (&["explain"], &both, &two),
        (&["explain", "--frame", "2", "--format", "json"], &both[..1], &one),
    ] {
        let output = resetscope(&[args, files].concat());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {stderr}");
        assert!(stderr.starts_with(want.as_str()), "{args:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{args:?}: {stderr}");
        if args[0] == "analyze" {
            let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            let frames = &summary["frames"];
            let count = files.len() as u64;
            assert_eq!(frames["received"], 14 * count);
            assert_eq!(frames["shed"]["kernel_drop"], 12 * count);
        }
    }
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("Lost while recording") && page.contains("lost before it could be"));
}
