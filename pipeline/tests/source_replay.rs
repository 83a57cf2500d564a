//! Captures that are played again and again: time and frame numbers go on, and rotation makes every
//! connection a new one without changing anything else.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test, both are its failure")]

mod analysis;
mod capture_writer;
mod traffic;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use analysis::source_of;
use capture_writer::{Flavour, Order, Seen, gzip, pcap};
use resetscope::source::recording::{Recording, RecordingError};
use resetscope::source::rotate::Rotation;
use resetscope::source::{About, Batch, Fill, Oddity, Options, Played, Reopened, Replay, Source};
use resetscope_core::flow::key::FlowKey;
use resetscope_core::frame::{Frame, LinkType};
use resetscope_core::segment::{RstTexts, Segment};
use resetscope_core::wire::dissect;
use traffic::{ACK, BEGIN_NS, Mix, SYN, Tcp, mix};

/// Longer than any test.
const LONG: Duration = Duration::from_secs(86_400);

/// A frame as it came out: number, time, bytes.
type Out = (u64, u64, Vec<u8>);

/// The next `frames` frames, in batches of `capacity` that stop at every multiple of `step_ns`.
fn take(source: &mut dyn Source, frames: usize, capacity: usize, step_ns: u64) -> Vec<Out> {
    let mut batch = Batch::new(capacity);
    let mut out = Vec::new();
    let mut until_ns = source.peek_time().unwrap() + step_ns;
    while out.len() < frames {
        let next_ns = source.peek_time();
        let filled = source.fill(&mut batch, until_ns).unwrap();
        let first = batch.frames().next().map(|frame| frame.time_ns);
        assert!(batch.is_empty() || first == next_ns, "peeked {next_ns:?}, came {first:?}");
        assert_eq!(batch.latest_ns(), batch.frames().map(|frame| frame.time_ns).max());
        for (number, frame) in (batch.first_number()..).zip(batch.frames()) {
            assert!(frame.time_ns < until_ns);
            out.push((number, frame.time_ns, frame.bytes.to_vec()));
        }
        match filled {
            Fill::Frames => assert!(!batch.is_empty()),
            Fill::Boundary => {
                let next_ns = source.peek_time().unwrap();
                assert!(next_ns >= until_ns, "stopped at {next_ns}, before {until_ns}");
                until_ns = next_ns + step_ns;
            }
            Fill::End => break,
        }
    }
    out.truncate(frames);
    out
}

fn recording(frames: &[Seen], rotation: Rotation) -> Recording {
    let bytes = pcap(Order::Little, Flavour::Nano, frames);
    Recording::load(source_of(&bytes).unwrap().as_mut(), rotation, usize::MAX).unwrap()
}

fn replay(frames: &[Seen], rotation: Rotation, time: Duration) -> (Replay, Arc<Played>) {
    let played = Arc::new(Played::default());
    (Replay::new(recording(frames, rotation), time, Arc::clone(&played)), played)
}

#[test]
fn time_and_numbers_go_on_from_loop_to_loop() {
    let folder = tempfile::tempdir().unwrap();
    // One frame, a part of a batch, more than one batch; and step lengths that cut within.
    for (count, capacity, step_ns) in
        [(1, 7, 1_000), (70, 1024, 30_000_000), (1_500, 1024, u64::MAX / 2)]
    {
        let seen: Vec<Seen> = (0..count)
            .map(|i| {
                let from = (1, 1_000 + i as u16);
                Tcp { from, flags: SYN, ..Tcp::default() }.frame(BEGIN_NS + i * 1_000_000)
            })
            .collect();
        let period_ns = (count - 1) * 1_000_000 + ((count - 1) * 1_000_000 / count).max(1_000);
        let path = folder.path().join("capture");
        std::fs::write(&path, pcap(Order::Little, Flavour::Nano, &seen)).unwrap();
        let played = Arc::new(Played::default());
        let reopened =
            Reopened::open(vec![path], Options::default(), LONG, Arc::clone(&played)).unwrap();
        let sources: [(Box<dyn Source>, _); 2] = [(Box::new(reopened), played), {
            let (replay, played) = replay(&seen, Rotation::None, LONG);
            (Box::new(replay), played)
        }];
        for (mut source, played) in sources {
            let all = take(source.as_mut(), seen.len() * 4 + 1, capacity, step_ns);
            for (index, (number, time_ns, bytes)) in all.iter().enumerate() {
                let (turn, of) = (index as u64 / count, &seen[index % seen.len()]);
                assert_eq!(*number, index as u64 + 1);
                assert_eq!(*time_ns, of.time_ns + turn * period_ns, "frame {number}");
                assert_eq!(*bytes, of.bytes);
            }
            // At least those that were taken; each of 54 bytes is padded to 60 and given 24 more.
            let line_bytes = played.line_bytes.load(Ordering::Relaxed);
            assert!(line_bytes >= all.len() as u64 * 84 && line_bytes.is_multiple_of(84));
        }
    }
}

#[test]
fn as_late_as_times_go_nothing_stands_still() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("capture");
    // So many years in a loop, or in a copy of so short a capture, that a few are all there is; and
    // no boundary to stop at.
    let seen = [0, 3_000_000_000, 2_500_000_000]
        .map(|seconds| Tcp { flags: SYN, ..Tcp::default() }.frame(seconds * 1_000_000_000));
    std::fs::write(&path, pcap(Order::Little, Flavour::Nano, &seen)).unwrap();
    let (memory, _) = replay(&seen, Rotation::None, LONG);
    let files = Reopened::open(vec![path], Options::default(), LONG, Arc::default()).unwrap();
    let period_ns = 3_000_000_000 * 1_000_000_000 / 3 * 4;
    let sources: [Box<dyn Source>; 2] = [Box::new(memory), Box::new(files)];
    for mut source in sources {
        let (mut batch, mut index) = (Batch::new(1_024), 0_u64);
        while index < 200_000 {
            assert_eq!(source.fill(&mut batch, u64::MAX).unwrap(), Fill::Frames);
            for frame in batch.frames() {
                let shift_ns = (index / 3).saturating_mul(period_ns);
                let recorded_ns = seen[index as usize % 3].time_ns;
                let wanted_ns = recorded_ns.saturating_add(shift_ns).min(u64::MAX - 1);
                assert_eq!(frame.time_ns, wanted_ns, "frame {index}");
                index += 1;
            }
        }
    }
}

#[test]
fn what_is_odd_of_files_is_told_however_often_they_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("capture");
    let seen = [Tcp { flags: SYN, ..Tcp::default() }.frame(BEGIN_NS)];
    let packed = gzip(&pcap(Order::Little, Flavour::Nano, &seen));
    std::fs::write(&path, [&packed[..], b"tail"].concat()).unwrap();
    let files = vec![path.clone()];
    let mut source = Reopened::open(files, Options::default(), LONG, Arc::default()).unwrap();
    take(&mut source, 5, 3, u64::MAX / 2);
    assert_eq!(source.oddities(), [Oddity { path, others: 0, about: About::Garbage }]);
}

#[test]
fn a_time_of_zero_is_one_loop() {
    let seen = mix(Mix { seed: 1, frames: 3_000, flows: 50, backwards_once_in: 40 });
    let (mut replay, _) = replay(&seen, Rotation::Addresses, Duration::ZERO);
    let all = take(&mut replay, usize::MAX, 1_000, u64::MAX / 2);
    let bytes: Vec<_> = all.into_iter().map(|(_, _, bytes)| bytes).collect();
    assert!(bytes.iter().eq(seen.iter().map(|seen| &seen.bytes)), "the first loop is as recorded");
    assert_eq!(replay.peek_time(), None);
    assert_eq!(replay.fill(&mut Batch::new(9), u64::MAX).unwrap(), Fill::End);
}

#[test]
fn memory_and_files_stop_at_the_same_frames_however_times_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("capture");
    for (backwards_once_in, frames) in [(u64::MAX, 2_500), (200, 5_000), (2, 3_000)] {
        let seen = mix(Mix { seed: 2, frames, flows: 20, backwards_once_in });
        std::fs::write(&path, pcap(Order::Little, Flavour::Nano, &seen)).unwrap();
        let wanted: u64 = seen.iter().map(|seen| u64::from(seen.wire_len.max(60)) + 24).sum();
        for (capacity, step_ns) in [(1_024, 100_000), (7, 3_000_000), (5_000, u64::MAX / 2)] {
            let (mut memory, played) = replay(&seen, Rotation::None, Duration::ZERO);
            let files = vec![path.clone()];
            let mut files =
                Reopened::open(files, Options::default(), Duration::ZERO, Arc::default()).unwrap();
            let played_frames = take(&mut memory, usize::MAX, capacity, step_ns);
            let read = take(&mut files, usize::MAX, capacity, step_ns);
            assert!(
                played_frames == read && read.len() == seen.len(),
                "{capacity} frames, {step_ns} ns"
            );
            assert_eq!(played.line_bytes.load(Ordering::Relaxed), wanted);
        }
    }
}

/// The frame in a VLAN.
fn tagged(mut seen: Seen) -> Seen {
    seen.bytes.splice(12..12, [0x81, 0, 0, 7]);
    seen.wire_len += 4;
    seen
}

/// The IPv4 packet of the frame within another, whose addresses must stay.
fn tunnelled(mut seen: Seen) -> Seen {
    let length = (seen.bytes.len() - 14 + 20) as u16;
    let mut outer = vec![0x45, 0];
    outer.extend(length.to_be_bytes());
    outer.extend([0, 0, 0, 0, 64, 4, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
    seen.bytes.splice(14..14, outer);
    seen.wire_len += 20;
    seen
}

/// Connections of all kinds, each with a packet from either side, and frames that are no TCP.
fn connections() -> Vec<Seen> {
    let mut all = Vec::new();
    for number in 0..60u16 {
        let kind = number % 6;
        // Equal ports, in kind 5, leave none that is the higher one.
        let client = (100 + number, if kind == 5 { 179 } else { 40_000 + number });
        let server = (1, if kind == 5 { 179 } else { 443 });
        for (from, to) in [(client, server), (server, client)] {
            let segment =
                Tcp { v6: kind == 1, from, to, flags: ACK, payload: b"x", ..Tcp::default() };
            let seen = segment.frame(BEGIN_NS + u64::from(number) * 1_000);
            all.push(match kind {
                2 => tagged(seen),
                3 => tunnelled(seen),
                4 => tagged(tunnelled(seen)),
                _ => seen,
            });
        }
        let bytes = vec![number as u8; 60];
        all.push(Seen {
            time_ns: BEGIN_NS + u64::from(number) * 1_000,
            link: 1,
            wire_len: 60,
            bytes,
        });
    }
    all
}

fn segment(bytes: &[u8]) -> Option<Segment> {
    let wire_len = bytes.len() as u32;
    let frame = Frame { bytes, wire_len, time_ns: 0, link: LinkType::ETHERNET };
    let mut segment = Segment::default();
    dissect(&frame, &mut segment, &mut RstTexts::new(1)).ok().map(|()| segment)
}

#[test]
fn each_loop_has_the_same_connections_under_other_names() {
    let seen = connections();
    for (rotation, loops) in [(Rotation::Addresses, 900), (Rotation::Ports, 900)] {
        let (mut replay, played) = replay(&seen, rotation, LONG);
        let all = take(&mut replay, seen.len() * loops, 1_024, u64::MAX / 2);
        let mut known: BTreeSet<_> = BTreeSet::new();
        for (turn, frames) in all.chunks(seen.len()).enumerate() {
            let mut names: BTreeMap<_, FlowKey> = BTreeMap::new();
            for ((_, _, bytes), original) in frames.iter().zip(&seen) {
                let (Some(before), Some(now)) = (segment(&original.bytes), segment(bytes)) else {
                    assert_eq!(*bytes, original.bytes, "what is no TCP stays as it is");
                    continue;
                };
                // Both directions change alike, and nothing but the name changes.
                let name = names.entry(order(&before.key)).or_insert(now.key);
                assert_eq!(*name, now.key);
                assert_eq!(now.payload_len, 1);
                let differ = bytes.iter().zip(&original.bytes).filter(|(a, b)| a != b).count();
                assert!(differ <= 8, "{differ} bytes");
                let untouched = match rotation {
                    Rotation::Ports => now.key.addr == before.key.addr,
                    _ => sorted(now.key.port) == sorted(before.key.port),
                };
                assert!(untouched, "{rotation:?}, loop {turn}: {:?} {:?}", before.key, now.key);
            }
            assert_eq!(names.len(), 60);
            for key in names.values() {
                assert!(known.insert(order(key)), "loop {turn} had {key:?} before");
            }
        }
        assert!(played.rotate_ns.load(Ordering::Relaxed) > 0);
    }
}

fn order(key: &FlowKey) -> ([[u8; 16]; 2], [u16; 2]) {
    (key.addr, key.port)
}

fn sorted(mut ports: [u16; 2]) -> [u16; 2] {
    ports.sort_unstable();
    ports
}

#[test]
fn frames_of_a_batch_stay_while_somebody_holds_it() {
    let seen = connections();
    let (mut replay, _) = replay(&seen, Rotation::Addresses, LONG);
    let mut held = Batch::new(100);
    replay.fill(&mut held, u64::MAX).unwrap();
    // Far enough to come back to the same memory several times.
    take(&mut replay, 300_000, 1_024, u64::MAX / 2);
    let bytes: Vec<&[u8]> = held.frames().map(|frame| frame.bytes).collect();
    assert!(bytes.iter().zip(&seen).all(|(bytes, seen)| **bytes == seen.bytes));
}

#[test]
fn what_does_not_fit_into_memory_or_has_no_frames_is_refused() {
    let bytes = pcap(Order::Little, Flavour::Nano, &connections());
    let load = |bytes: &[u8], most| {
        Recording::load(source_of(bytes).unwrap().as_mut(), Rotation::None, most).map(|_| ())
    };
    assert!(matches!(load(&bytes, 5_000), Err(RecordingError::TooLarge { bytes_max: 5_000 })));
    assert!(load(&bytes, 1 << 20).is_ok());
    let none = pcap(Order::Little, Flavour::Nano, &[]);
    assert!(matches!(load(&none, 1 << 20), Err(RecordingError::Empty)));
}
