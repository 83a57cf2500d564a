//! Packets without times, and times that run backwards: all frames are analysed, the results do not
//! depend on who does it, and a warning says what they are worth.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test, both are its failure")]

mod analysis;
mod capture_writer;
mod traffic;

use analysis::{Chopped, analyse, plan, source_of};
use capture_writer::{Flavour, Ng, Order, Seen, pcap};
use traffic::{BEGIN_NS, refusals};

const SECOND_NS: u64 = 1_000_000_000;
/// 2,000 refused connections last this long.
const COUNT: u16 = 2_000;

/// The capture with each frame's time as `at` makes it of number and time.
fn with_times(at: impl Fn(usize, u64) -> u64) -> Vec<u8> {
    let frames: Vec<Seen> = refusals(COUNT)
        .into_iter()
        .enumerate()
        .map(|(number, frame)| Seen { time_ns: at(number, frame.time_ns), ..frame })
        .collect();
    pcap(Order::Little, Flavour::Nano, &frames)
}

/// The capture as pcapng in which every `each`th packet has no time.
fn with_simple_packets(each: usize) -> Vec<u8> {
    let mut ng = Ng::new(Order::Little);
    ng.interface(1, 0, &[(9, &[9])]);
    for (number, frame) in (1..).zip(refusals(COUNT)) {
        if number % each == 0 {
            ng.simple_packet(frame.wire_len, &frame.bytes);
        } else {
            ng.packet(0, frame.time_ns, frame.wire_len, &frame.bytes);
        }
    }
    ng.bytes
}

#[test]
fn absurd_times_are_warned_of_once_and_make_no_result_depend_on_the_workers() {
    let frames = 2 * u64::from(COUNT);
    let half = frames as usize / 2;
    let hour_ns = 3600 * SECOND_NS;
    let cases: [(&str, Vec<u8>, &[&str]); 9] = [
        ("times as they should be", with_times(|_, time| time), &[]),
        (
            "a little disorder",
            with_times(|number, time| time - number as u64 % 2 * SECOND_NS * 9 / 10),
            &[],
        ),
        ("no time anywhere", with_times(|_, _| 0), &["4000 packets carry no time; "]),
        (
            "one packet without",
            with_times(|n, time| time * u64::from(n != half)),
            &["1 packet car"],
        ),
        ("only packets of a kind without", with_simple_packets(1), &["4000 packets carry no time"]),
        ("some of a kind without", with_simple_packets(2), &["2000 packets carry no time; "]),
        (
            "a clock set back",
            with_times(|number, time| time - if number > half { 2 * hour_ns } else { 0 }),
            &["time runs backwards once, by up to 1h 59m 59s; "],
        ),
        (
            "one packet from the future",
            with_times(|number, time| if number == half { 0xffff_ffff * SECOND_NS } else { time }),
            &["time runs backwards once, by up to "],
        ),
        (
            "a clock that jumps about, and no time at all",
            with_times(|n, time| if n == 0 { 0 } else { time - n as u64 % 5 * 90 * SECOND_NS }),
            &["1 packet carries no time; ", "time runs backwards 3199 times, by up to "],
        ),
    ];
    for (why, bytes, want) in cases {
        for interval_ns in [None, Some(SECOND_NS)] {
            let alone = analyse(source_of(&bytes).unwrap(), &plan(1, interval_ns));
            let told: Vec<String> = alone.oddities.iter().map(ToString::to_string).collect();
            assert_eq!(told.len(), want.len(), "{why}: {told:?}");
            for (told, want) in told.iter().zip(want) {
                assert!(told.starts_with(&format!("memory: {want}")), "{why}: {told}");
            }
            let sum = |pointer: &str| -> u64 {
                let number = |summary: &serde_json::Value| summary.pointer(pointer)?.as_u64();
                alone.summaries().iter().map(|summary| number(summary).unwrap()).sum()
            };
            assert_eq!(sum("/frames/analysed"), frames, "{why}");
            assert_eq!(sum("/resets/packets"), u64::from(COUNT), "{why}");
            for summary in alone.summaries() {
                let time = |name: &str| summary["interval"][name].as_u64().unwrap();
                assert!(time("start_ns") <= time("end_ns"), "{why}: {summary}");
                assert!(time("start_ns") == 0 || time("start_ns") > BEGIN_NS - hour_ns, "{why}");
            }
            for workers in [2, 7] {
                let source = Chopped::boxed(source_of(&bytes).unwrap(), workers as u64);
                let other = analyse(source, &plan(workers, interval_ns));
                assert!(other == alone, "{why}: {workers} workers differ");
            }
        }
    }
}
