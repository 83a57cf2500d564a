//! The whole engine from frames in memory, against the floor of the same run.
//!
//! All times are per packet: frames of established connections in random order, dissected, hashed,
//! found, tracked; `storm` is the worst case for the judge: every packet is a reset. For ratios
//! that can be trusted on a busy machine use `resetscope-bench rate`, which lets floor and engine
//! take turns.

#![expect(clippy::expect_used, reason = "a bench without memory has nothing to measure")]

use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use resetscope::huge_pages;
use resetscope_bench::floor::{self, Records};
use resetscope_bench::traffic::{BEGIN_NS, GAP_NS, Mix, Traffic, flags};
use resetscope_core::engine::{Config, Engine};
use std::hint::black_box;
use std::time::Duration;

const PACKETS: usize = 1 << 20;

fn engine_for(flows: u32) -> Engine {
    let config = Config { flows: flows.max(4096) as usize * 5 / 4, ..Config::default() };
    let engine = Engine::new(&config, 0, 1).expect("memory for the table");
    huge_pages::advise(&engine);
    huge_pages::populate(&engine);
    engine
}

/// Packets of `flows` connections, twice as many at least, so that most of the connections come.
fn one(group: &mut BenchmarkGroup<'_, WallTime>, flows: u32, mix: Mix, name: &str) {
    let traffic = Traffic::random(flows, PACKETS.max(flows as usize * 2), mix, flags::ACK);
    group.throughput(Throughput::Elements(traffic.len() as u64));
    if mix == Mix::V4 {
        let mut records = Records::new(flows as usize).expect("memory for the records");
        group.bench_function(BenchmarkId::new("floor", flows), |bencher| {
            bencher.iter(|| floor::floor(black_box(&traffic).all(BEGIN_NS), &mut records));
        });
    }
    let (mut engine, mut now_ns) = (engine_for(flows), BEGIN_NS);
    group.bench_function(BenchmarkId::new(name, flows), |bencher| {
        bencher.iter(|| {
            engine.push(black_box(&traffic).all(now_ns), 1);
            now_ns += traffic.len() as u64 * GAP_NS;
        });
    });
}

fn engine(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("engine");
    group.sample_size(10).measurement_time(Duration::from_secs(4));
    for flows in [1_000, 100_000, 1_000_000, 4_000_000] {
        one(&mut group, flows, Mix::V4, "ipv4");
    }
    for (mix, name) in Mix::ALL.into_iter().filter(|(mix, _)| *mix != Mix::V4) {
        one(&mut group, 1_000_000, mix, name);
    }
    let traffic = Traffic::random(1_000_000, PACKETS, Mix::V4, flags::RST_ACK);
    group.throughput(Throughput::Elements(PACKETS as u64));
    let (mut engine, mut now_ns) = (engine_for(1_000_000), BEGIN_NS);
    group.bench_function("storm", |bencher| {
        bencher.iter(|| {
            engine.push(black_box(&traffic).all(now_ns), 1);
            now_ns += PACKETS as u64 * GAP_NS;
            engine.drain_events().count()
        });
    });
    group.finish();
}

criterion_group!(benches, engine);
criterion_main!(benches);
