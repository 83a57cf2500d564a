//! The whole engine from frames in memory, against the floor of the same run.
//!
//! All times are per packet: 60-byte frames of established connections in random order, dissected,
//! hashed, found, tracked. The floor dissects and hashes the same frames and does one
//! read-modify-write of a random 128-byte record each, asked for a batch ahead. `storm` is the worst
//! case for the judge: every packet is a reset of a connection of its own.

#![expect(clippy::expect_used, reason = "a bench without memory has nothing to measure")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use resetscope::huge_pages;
use resetscope_core::engine::{Config, Engine};
use resetscope_core::flow::prefetch::{self, LINE};
use resetscope_core::frame::{Frame, LinkType};
use resetscope_core::segment::{RstTexts, Segment};
use resetscope_core::wire;
use std::hint::black_box;
use std::time::Duration;

const FRAME: usize = 60;
const PACKETS: usize = 1 << 20;
const BATCH: usize = 128;

const ACK: u8 = 0x10;
const RST_ACK: u8 = 0x14;

/// An Ethernet frame of flow number `flow`, in one of its two directions.
fn frame(flow: u32, direction: bool, flags: u8) -> [u8; FRAME] {
    let mut bytes = [0u8; FRAME];
    bytes[12] = 8;
    bytes[14] = 0x45;
    bytes[17] = 40;
    bytes[20] = 0x40;
    bytes[22] = 64;
    bytes[23] = 6;
    let client = (0x0a00_0000 + (flow & 0x000f_ffff)).to_be_bytes();
    let server = (0x0b00_0000 + (flow >> 20)).to_be_bytes();
    let (from, to) = if direction { (client, server) } else { (server, client) };
    bytes[26..30].copy_from_slice(&from);
    bytes[30..34].copy_from_slice(&to);
    let ports = if direction { [40_000u16, 443] } else { [443, 40_000] };
    bytes[34..36].copy_from_slice(&ports[0].to_be_bytes());
    bytes[36..38].copy_from_slice(&ports[1].to_be_bytes());
    bytes[41] = 1;
    bytes[45] = 1;
    bytes[46] = 0x50;
    bytes[47] = flags;
    bytes[48] = 0x10;
    bytes
}

/// Frames of `flows` flows in random order.
fn traffic(flows: usize, flags: u8) -> Vec<u8> {
    let mut state = 1u64;
    let mut bytes = Vec::with_capacity(PACKETS * FRAME);
    for _ in 0..PACKETS {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        let flow = ((state >> 33) as usize * flows) >> 31;
        bytes.extend_from_slice(&frame(flow as u32, state & 0x10_0000 != 0, flags));
    }
    bytes
}

fn frames(bytes: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    bytes.chunks_exact(FRAME).zip(0u64..).map(|(bytes, number)| Frame {
        bytes,
        wire_len: FRAME as u32,
        time_ns: 1_000_000_000 + number,
        link: LinkType::ETHERNET,
    })
}

/// Dissect, hash, and one read-modify-write of a random record.
fn floor(bytes: &[u8], records: &mut [[u64; 16]]) {
    let mut texts = RstTexts::new(1);
    let mut segments = [Segment::default(); BATCH];
    for batch in bytes.chunks(FRAME * BATCH) {
        let mut used = 0;
        for (segment, frame) in segments.iter_mut().zip(frames(batch)) {
            if wire::dissect(&frame, segment, &mut texts).is_ok() {
                let slot = ((segment.hash >> 32) as usize * records.len()) >> 32;
                let record = records.as_ptr().wrapping_add(slot).cast::<u8>();
                prefetch::line(record);
                prefetch::line(record.wrapping_add(LINE));
                used += 1;
            }
        }
        for segment in segments.iter().take(used) {
            let slot = ((segment.hash >> 32) as usize * records.len()) >> 32;
            let record = &mut records[slot];
            record[0] += 1;
            record[15] += record[0];
        }
    }
}

fn engine(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("engine");
    group.throughput(Throughput::Elements(PACKETS as u64));
    group.sample_size(10).measurement_time(Duration::from_secs(4));
    for flows in [1_000usize, 1_000_000] {
        let bytes = traffic(flows, ACK);
        let mut records = vec![[0u64; 16]; flows.next_multiple_of(16)];
        group.bench_function(BenchmarkId::new("floor", flows), |bencher| {
            bencher.iter(|| floor(black_box(&bytes), &mut records));
        });
        let config = Config { flows: flows.max(4096) * 5 / 4, ..Config::default() };
        let mut engine = Engine::new(&config, 0, 1).expect("memory for the table");
        huge_pages::advise(&engine);
        group.bench_function(BenchmarkId::new("ack", flows), |bencher| {
            bencher.iter(|| engine.push(frames(black_box(&bytes)), 1));
        });
    }
    let bytes = traffic(1_000_000, RST_ACK);
    let mut engine = Engine::new(&Config::default(), 0, 1).expect("memory for the table");
    huge_pages::advise(&engine);
    group.bench_function("storm", |bencher| {
        bencher.iter(|| {
            engine.push(frames(black_box(&bytes)), 1);
            engine.drain_events().count()
        });
    });
    group.finish();
}

criterion_group!(benches, engine);
criterion_main!(benches);
