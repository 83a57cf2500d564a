//! Each stage of the engine alone, in the order in which a packet meets them, from memory that lies
//! in the cache where the stage does not choose otherwise. (The table has a bench of its own.)
//!
//! All times are per item: frames for `dissect`, keys for `hash`, segments for `track`, events for
//! `judge`, intervals for `merge`. `walk` only touches the frames.

#![expect(clippy::expect_used, reason = "a bench without memory has nothing to measure")]

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use resetscope_bench::floor;
use resetscope_bench::traffic::{BEGIN_NS, Mix, Traffic, flags};
use resetscope_core::engine::{Config, Engine};
use resetscope_core::flow::hash::hash;
use resetscope_core::flow::record::micros;
use resetscope_core::flow::usual::Usual;
use resetscope_core::interval::Interval;
use resetscope_core::judge::event::Judged;
use resetscope_core::judge::surroundings::Surroundings;
use resetscope_core::judge::{event_of, judge};
use resetscope_core::memory::brief::Brief;
use resetscope_core::memory::settle::Settler;
use resetscope_core::segment::{RstTexts, Segment};
use resetscope_core::track::{self, steady};
use resetscope_core::wire;
use std::hint::black_box;
use std::time::Duration;

/// Enough that branches are not learnt by heart, and few enough for the second-level cache.
const PACKETS: usize = 8_192;
const FLOWS: u32 = 1_024;

/// Packets of each connection that make its next one nothing new.
const KNOWN: usize = 4;

fn group<'a>(c: &'a mut Criterion, name: &str, items: usize) -> BenchmarkGroup<'a, WallTime> {
    let mut group = c.benchmark_group(name);
    group
        .throughput(Throughput::Elements(items as u64))
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    group
}

/// The segments of traffic.
fn segments(traffic: &Traffic) -> Vec<Segment> {
    let mut texts = RstTexts::new(0);
    traffic
        .all(BEGIN_NS)
        .filter_map(|frame| {
            let mut segment = Segment::default();
            wire::dissect(&frame, &mut segment, &mut texts).ok().map(|()| segment)
        })
        .collect()
}

fn dissect(c: &mut Criterion) {
    for (mix, name) in Mix::ALL {
        let traffic = Traffic::random(FLOWS, PACKETS, mix, flags::ACK);
        let mut group = group(c, &format!("dissect/{name}"), PACKETS);
        group.bench_function("walk", |b| {
            b.iter(|| floor::walk(black_box(&traffic).all(BEGIN_NS)));
        });
        group.bench_function("dissect_and_hash", |b| {
            b.iter(|| floor::dissect(black_box(&traffic).all(BEGIN_NS)));
        });
        group.finish();
    }
}

fn hashes(c: &mut Criterion) {
    for (mix, name) in [(Mix::V4, "ipv4"), (Mix::V6, "ipv6")] {
        let keys: Vec<_> = segments(&Traffic::random(FLOWS, PACKETS, mix, flags::ACK))
            .into_iter()
            .map(|segment| segment.key)
            .collect();
        let mut group = group(c, "hash", PACKETS);
        group.bench_function(name, |b| {
            b.iter(|| black_box(&keys).iter().fold(0, |sum, key| sum ^ hash(key)));
        });
        group.finish();
    }
}

fn tracking(c: &mut Criterion) {
    let opening = segments(&Traffic::each(0..FLOWS, true, Mix::V4, flags::SYN));
    let opened: Vec<_> =
        opening.iter().map(|segment| track::begin(segment, micros(segment.time_ns))).collect();
    let mut group = group(c, "track", PACKETS);
    // What follows a packet of the other side in a connection under way: nearly all traffic, and then
    // what is unusual.
    for (name, payload_len, step) in
        [("acknowledgements", 0, 0), ("data_in_order", 6, 6), ("retransmissions", 6, 0)]
    {
        // One connection after the other, so that the record's number is that of the segment.
        let sides = [true, false]
            .map(|client| segments(&Traffic::each(0..FLOWS, client, Mix::V4, flags::ACK)));
        let rounds = PACKETS / FLOWS as usize;
        let mut all: Vec<Segment> =
            (0..KNOWN + rounds).flat_map(|round| sides[round % 2].iter().copied()).collect();
        for (number, segment) in all.iter_mut().enumerate() {
            segment.payload_len = payload_len;
            segment.seq += step * (number / FLOWS as usize / 2) as u32;
            segment.time_ns += number as u64 * 1_000;
            segment.usual = Usual::of(segment);
        }
        let (known, all) = all.split_at(KNOWN * FLOWS as usize);
        let mut begun = opened.clone();
        for (segment, number) in known.iter().zip((0..begun.len()).cycle()) {
            track::observe(&mut begun[number], segment, micros(segment.time_ns));
        }
        let mut flows = begun.clone();
        group.bench_function(name, |b| {
            b.iter(|| {
                flows.copy_from_slice(&begun);
                for (segment, number) in all.iter().zip((0..flows.len()).cycle()) {
                    let (flow, now) = (&mut flows[number], micros(segment.time_ns));
                    if !steady::observe(flow, segment, now) {
                        track::observe(flow, segment, now);
                    }
                }
                black_box(&flows);
            });
        });
    }
    group.finish();
}

/// Verdicts of connections that were opened, used, and reset, or refused.
fn judged() -> (Vec<Judged>, Interval) {
    let mut engine = Engine::new(&Config::default(), 0, 1).expect("memory for the table");
    let each = |client, flags| Traffic::each(0..PACKETS as u32, client, Mix::Mixed, flags);
    let half = PACKETS as u32 / 2;
    let answers = Traffic::each(0..half, false, Mix::Mixed, flags::SYN_ACK);
    let mut now_ns = BEGIN_NS;
    for traffic in [each(true, flags::SYN), answers, each(false, flags::RST_ACK)] {
        engine.push(traffic.all(now_ns), 1);
        now_ns += 50_000_000;
    }
    engine.finish();
    (engine.drain_events().collect(), engine.take_interval())
}

fn judging(c: &mut Criterion) {
    let (events, interval) = judged();
    let around = Surroundings::default();
    let mut judging = group(c, "judge", events.len());
    judging.bench_function("verdict", |b| {
        b.iter(|| {
            black_box(&events).iter().for_each(|event| {
                black_box(judge(&event.open));
            });
        });
    });
    judging.bench_function("verdict_with_evidence", |b| {
        b.iter(|| {
            black_box(&events).iter().for_each(|event| {
                black_box(event_of(&event.open, &around));
            });
        });
    });
    judging.bench_function("settle", |b| {
        b.iter(|| {
            let mut settler = Settler::default();
            for event in black_box(&events) {
                settler.event(&Brief::of(event), Some(((), event)));
                while let Some(settled) = settler.settled(false) {
                    black_box(settled.event());
                }
            }
        });
    });
    judging.finish();
    let mut merging = group(c, "interval", 1);
    merging.bench_function("merge", |b| {
        let mut all = Interval::default();
        b.iter(|| all.merge(black_box(&interval)));
    });
    merging.finish();
}

criterion_group!(benches, dissect, hashes, tracking, judging);
criterion_main!(benches);
