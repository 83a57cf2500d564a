//! Segments without frames, for tests that need many of them: random, plausible, or hostile.

use resetscope_core::engine::{Config, Engine, owner_of, shard_of};
use resetscope_core::flow::hash::hash;
use resetscope_core::flow::key::FlowKey;
use resetscope_core::flow::usual::Usual;
use resetscope_core::interval::{Interval, Ledger};
use resetscope_core::judge::event::Judged;
use resetscope_core::memory::Sighting;
use resetscope_core::segment::{Payload, RstTexts, Segment, TcpFlags};

/// A generator of random numbers (`SplitMix64`), so that every failure can be repeated.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(crate) fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }
}

/// A segment between two of 10.0.x.y, from the first.
pub(crate) fn between(from: (u16, u16), to: (u16, u16)) -> Segment {
    let address = |host: u16| [10, 0, host.to_be_bytes()[0], host.to_be_bytes()[1]];
    let (key, direction) = FlowKey::new_v4((address(from.0), from.1), (address(to.0), to.1), 0);
    Segment { key, hash: hash(&key), direction, ttl: 64, window: 500, ..Segment::default() }
}

/// Mostly what connections under way carry, and all that begins and ends them.
const FLAGS: [u8; 17] = [
    0x10, 0x18, 0x10, 0x18, 0x10, 0x18, 0x10, 0x18, 0x10, 0x18, 0x10, 0x18, 0x11, 0x02, 0x12, 0x04,
    0x14,
];

/// Connections of a few hosts that are opened, used, closed and reset, in any order.
pub(crate) fn plausible(seed: u64, count: usize) -> Vec<Segment> {
    let mut random = Random(seed);
    let mut numbers = std::collections::HashMap::new();
    let mut time_ns = 1_770_000_000_000_000_000;
    let mut segments = Vec::with_capacity(count);
    for frame in 1..=count as u64 {
        time_ns += random.of(&[1_000, 40_000, 900_000, 30_000_000]);
        let client = (random.below(12) as u16, 1_000 + random.below(24) as u16);
        let server = (500 + random.below(3) as u16, 80 + random.below(3) as u16);
        let forth = random.below(2) == 0;
        let (from, to) = if forth { (client, server) } else { (server, client) };
        let mut segment = between(from, to);
        let seq: u32 = numbers.get(&(from, to)).copied().unwrap_or(1_000);
        let ack: u32 = numbers.get(&(to, from)).copied().unwrap_or(1_000);
        let flags = random.of(&FLAGS);
        (segment.frame, segment.time_ns, segment.flags) = (frame, time_ns, TcpFlags(flags));
        (segment.seq, segment.ack) = (seq, if flags & 0x10 == 0 { 0 } else { ack });
        segment.payload_len = if flags & 0x08 == 0 { 0 } else { 100 };
        segment.ip_id = frame as u16;
        if flags & 0x04 == 0 {
            numbers.insert((from, to), segment.end());
        }
        segment.usual = Usual::of(&segment);
        segments.push(segment);
    }
    segments
}

/// Anything at all, on few enough connections that they meet.
pub(crate) fn hostile(random: &mut Random, frame: u64) -> Segment {
    let host = |random: &mut Random| (random.below(6) as u16, random.below(3) as u16);
    let (from, to) = (host(random), host(random));
    let mut segment = between(from, to);
    let any = random.next();
    let odd = [0, 1, 2, 0x7fff_ffff, 0x8000_0000, u32::MAX, u32::MAX - 1, 1 << 20];
    let number = |random: &mut Random| match random.below(3) {
        0 => random.of(&odd),
        1 => 5_000 + random.below(3_000) as u32,
        _ => random.next() as u32,
    };
    segment.frame = frame;
    segment.time_ns = match random.below(200) {
        0 => random.of(&[0, 1, u64::MAX, u64::MAX - 1, u64::MAX / 2, (1 << 40) * 1_000]),
        1..20 => random.next() >> random.below(64),
        _ => 1_770_000_000_000_000_000 + frame * random.below(2_000_000),
    };
    (segment.seq, segment.ack) = (number(random), number(random));
    segment.payload_len = random.of(&[0, 0, 0, 1, 24, 1460, 65_535, u32::MAX, any as u32]);
    segment.flags =
        TcpFlags(random.of(&[0x02, 0x12, 0x10, 0x18, 0x11, 0x04, 0x14, (any >> 32) as u8]));
    segment.options = random.next() as u8;
    segment.quirks = random.next() as u8;
    segment.window = random.of(&[0, 1, 500, 65_535, (any >> 16) as u16]);
    segment.window_scale = random.next() as u8;
    segment.ip_id = random.of(&[0, 1, frame as u16, (any >> 40) as u16]);
    segment.ttl = random.of(&[0, 1, 64, 63, 128, 255]);
    segment.tos = random.next() as u8;
    segment.text = random.next() as u16;
    segment.payload = random.of(&[
        Payload::None,
        Payload::Other,
        Payload::TlsAlert,
        Payload::TlsClientHello,
        Payload::TlsData,
        Payload::HttpRequest,
        Payload::HttpResponse,
    ]);
    segment.usual = Usual::of(&segment);
    segment
}

/// What all workers together made of some segments.
pub(crate) struct Outcome {
    pub(crate) interval: Interval,
    pub(crate) judged: Vec<Judged>,
    pub(crate) sightings: Vec<Sighting>,
}

/// Gives each segment to the worker that owns its shard; every worker takes `batch` at a time.
pub(crate) fn share(segments: &[Segment], workers: usize, batch: usize, flows: usize) -> Outcome {
    let mut merged = Outcome { interval: Interval::default(), judged: vec![], sightings: vec![] };
    for worker in 0..workers {
        let config = Config { flows, ..Config::default() };
        let mut engine = Engine::new(&config, worker, workers).unwrap();
        let own: Vec<Segment> = segments
            .iter()
            .filter(|segment| owner_of(shard_of(segment.hash), workers) == worker)
            .copied()
            .collect();
        engine.count_frames(&Ledger { received: own.len() as u64, ..Ledger::default() });
        for part in own.chunks(batch) {
            engine.process(part, &RstTexts::new(0));
            merged.judged.extend(engine.drain_events());
            merged.sightings.extend(engine.drain_sightings());
        }
        engine.finish();
        merged.judged.extend(engine.drain_events());
        merged.interval.merge(&engine.take_interval());
    }
    merged.judged.sort_by_key(|judged| judged.open.rst.frame);
    merged.sightings.sort_by_key(|sighting| sighting.frame);
    merged
}

/// RST packets of all events.
pub(crate) fn packets(judged: &[Judged]) -> u64 {
    judged.iter().map(|judged| u64::from(judged.open.packets())).sum()
}
