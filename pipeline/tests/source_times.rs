//! Packets without times, and times that run backwards: all frames are analysed, the results do not
//! depend on who does it, and a warning says what they are worth.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test, both are its failure")]

mod analysis;
mod capture_writer;
mod traffic;

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use analysis::{Chopped, Outcome, analyse, plan, source_of};
use capture_writer::{Flavour, Ng, Order, Seen, pcap, read_bytes};
use resetscope::collect::{Sink, Summary};
use resetscope::run::run;
use resetscope_core::judge::event::Event;
use serde_json::Value;
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

/// Number, begin, end and frames of an interval.
type Cut = [u64; 4];

/// The intervals that frames of these times make: each begins where the one before it ended, or a
/// multiple of its length later, but for one whose first frame is more than a minute behind others: 16,
/// 32, 64 frames and so on must lie between two of those.
fn intervals(times: &[u64], length_ns: Option<u64>) -> Vec<Cut> {
    let mut cuts: Vec<Cut> = Vec::new();
    let (mut latest_ns, mut end_ns) = (0, 0);
    // Frames since that last happened, and as many as it takes now.
    let (mut since, mut needed) = (0, 0);
    for &time_ns in times {
        match (cuts.last_mut(), length_ns) {
            (None, _) => {
                cuts.push([0, time_ns, 0, 0]);
                end_ns = length_ns.map_or(u64::MAX, |length_ns| time_ns + length_ns);
            }
            (Some([seq, _, end, _]), Some(length_ns))
                if time_ns > 0 && time_ns + 60 * SECOND_NS < latest_ns && since >= needed =>
            {
                (since, needed) = (0, 16.max(2 * needed));
                *end = latest_ns;
                let next = [*seq + 1, time_ns, 0, 0];
                cuts.push(next);
                (latest_ns, end_ns) = (time_ns, time_ns + length_ns);
            }
            (Some([seq, start, end, _]), Some(length_ns)) if time_ns >= end_ns => {
                *end = end_ns;
                let ahead = (time_ns - *start) / length_ns;
                let next = [*seq + ahead, *start + ahead * length_ns, 0, 0];
                cuts.push(next);
                end_ns = next[1] + length_ns;
            }
            _ => {}
        }
        latest_ns = latest_ns.max(time_ns);
        since += 1;
        let [.., end, frames] = cuts.last_mut().unwrap();
        (*end, *frames) = (latest_ns, *frames + 1);
    }
    cuts
}

/// The intervals that were told of.
fn told(outcome: &Outcome) -> Vec<Cut> {
    let cut = |summary: &Value| {
        ["/interval/seq", "/interval/start_ns", "/interval/end_ns", "/frames/received"]
            .map(|name| summary.pointer(name).unwrap().as_u64().unwrap())
    };
    outcome.summaries().iter().map(cut).collect()
}

/// Counts the events that come between the summaries.
#[derive(Default)]
struct Between {
    events: u64,
    told: Vec<u64>,
}

impl Sink for Between {
    fn event(&mut self, _: &Event) -> io::Result<()> {
        self.events += 1;
        Ok(())
    }

    fn summary(&mut self, _: &Summary) -> io::Result<()> {
        self.told.push(std::mem::take(&mut self.events));
        Ok(())
    }
}

#[test]
fn one_frame_from_the_future_makes_an_interval_of_its_own_and_holds_up_nothing() {
    let (minute_ns, years_ns) = (60 * SECOND_NS, 3_652 * 86_400 * SECOND_NS);
    // One connection a second for five minutes; the future is in the middle.
    let times = |number: usize, _| {
        let time_ns = BEGIN_NS + number as u64 / 2 * SECOND_NS + number as u64 % 2;
        if number == 301 { time_ns + years_ns } else { time_ns }
    };
    let frames = refusals(300).into_iter().enumerate();
    let frames: Vec<Seen> = frames
        .map(|(number, frame)| Seen { time_ns: times(number, frame.time_ns), ..frame })
        .collect();
    let bytes = pcap(Order::Little, Flavour::Nano, &frames);
    let outcome = analyse(source_of(&bytes).unwrap(), &plan(1, Some(minute_ns)));
    let at = |seconds: u64| BEGIN_NS + seconds * SECOND_NS;
    let ahead = (150 * SECOND_NS + 1 + years_ns) / minute_ns;
    let want = [
        [0, at(0), at(60), 120],
        [1, at(60), at(120), 120],
        [2, at(120), at(180), 61],
        [ahead, at(ahead * 60), at(150) + 1 + years_ns, 1],
        [ahead + 1, at(151), at(211), 120],
        [ahead + 2, at(211), at(271), 120],
        [ahead + 3, at(271), at(299) + 1, 58],
    ];
    assert_eq!(told(&outcome), want);
    let mut between = Between::default();
    let stop = Arc::new(AtomicBool::new(false));
    run(&plan(1, Some(minute_ns)), source_of(&bytes).unwrap(), &mut between, &stop, &|_| {})
        .unwrap();
    let before_the_last: u64 = between.told.iter().rev().skip(1).sum();
    assert!(before_the_last < 300, "all were held back to the end: {:?}", between.told);
}

#[test]
fn two_clocks_in_one_capture_make_few_intervals() {
    let hour_ns = 3600 * SECOND_NS;
    let bytes = with_times(|number, time| time + number as u64 % 2 * hour_ns);
    let outcome = analyse(source_of(&bytes).unwrap(), &plan(2, Some(10 * SECOND_NS)));
    let told = told(&outcome);
    let frames: u64 = told.iter().map(|[.., frames]| frames).sum();
    assert_eq!(frames, 2 * u64::from(COUNT));
    assert!(told.len() < 40, "{} intervals", told.len());
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
            let odd: Vec<String> = alone.oddities.iter().map(ToString::to_string).collect();
            assert_eq!(odd.len(), want.len(), "{why}: {odd:?}");
            for (odd, want) in odd.iter().zip(want) {
                assert!(odd.starts_with(&format!("memory: {want}")), "{why}: {odd}");
            }
            let sum = |pointer: &str| -> u64 {
                let number = |summary: &serde_json::Value| summary.pointer(pointer)?.as_u64();
                alone.summaries().iter().map(|summary| number(summary).unwrap()).sum()
            };
            assert_eq!(sum("/frames/analysed"), frames, "{why}");
            assert_eq!(sum("/resets/packets"), u64::from(COUNT), "{why}");
            let seen = read_bytes(&bytes).unwrap().frames;
            let times: Vec<u64> = seen.iter().map(|frame| frame.time_ns).collect();
            assert_eq!(told(&alone), intervals(&times, interval_ns), "{why}");
            for workers in [2, 7] {
                let source = Chopped::boxed(source_of(&bytes).unwrap(), workers as u64);
                let other = analyse(source, &plan(workers, interval_ns));
                assert!(other == alone, "{why}: {workers} workers differ");
            }
        }
    }
}
