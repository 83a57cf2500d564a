//! The engine's speed against what the machine allows, in one run.
//!
//! Figures of one machine at one time can be compared, others cannot: so floor and engine take turns
//! over the same frames, and what counts is the median of their ratios. [`text`] prints the result,
//! [`plot`] draws it.

pub mod plot;
mod storm;
pub mod text;

use std::hint::black_box;
use std::io;
use std::time::Instant;

use resetscope::bench::figures::Machine;
use resetscope::huge_pages;
use resetscope_core::engine::{Config, Engine};
use resetscope_core::flow::table::NoMemory;
use resetscope_core::limits::RACE_WINDOW_NS;
use serde::Serialize;

use crate::floor::{self, Records};
use crate::traffic::{BEGIN_NS, GAP_NS, Mix, Traffic, flags};

pub use storm::{Flood, Memory, Storm};

/// Packets between two turns: enough that each brings its own working set back into the caches.
const TURN_PACKETS: usize = 1 << 20;

/// What is to be measured.
#[derive(Clone, Debug)]
pub struct Request {
    /// Numbers of connections, at least 1 each.
    pub flows: Vec<u32>,
    /// Turns of each probe and of the engine.
    pub repeats: usize,
    /// Connections that the table of flood, storm and memory holds.
    pub capacity: u32,
}

/// Why nothing can be measured.
#[derive(Debug, thiserror::Error)]
pub enum RateError {
    /// The flow tables do not fit.
    #[error("cannot reserve the memory of the flow tables; measure fewer flows")]
    Table(NoMemory),
    /// The records of the floor do not fit, or the system does not tell how much memory is used.
    #[error("cannot get memory, or cannot measure it")]
    Memory(#[from] io::Error),
}

impl From<NoMemory> for RateError {
    fn from(error: NoMemory) -> Self {
        Self::Table(error)
    }
}

/// Everything that was measured: schema `resetscope.rate/1`.
#[derive(Clone, Debug, Serialize)]
pub struct Rate {
    /// `resetscope.rate/1`.
    pub schema: &'static str,
    /// Cost against number of connections.
    pub by_flows: Vec<ByFlows>,
    /// SYNs into a full table.
    pub flood: Flood,
    /// Resets and nothing else.
    pub storm: Storm,
    /// Memory.
    pub memory: Memory,
    /// The machine.
    pub machine: Machine,
    /// Version of this program.
    pub version: &'static str,
}

/// Nanoseconds a packet, 60-byte IPv4 frames of so many connections in random order: the least of
/// all turns.
#[derive(Clone, Debug, Serialize)]
pub struct ByFlows {
    /// Connections.
    pub flows: u32,
    /// Frames in memory, of which each turn takes 2^20.
    pub packets: usize,
    /// Touching each frame.
    pub walk_ns: f64,
    /// Reading and hashing nothing but the 5-tuple.
    pub bare_dissect_ns: f64,
    /// That, and changing a random record of 128 bytes.
    pub bare_floor_ns: f64,
    /// The engine's dissector and hash.
    pub dissect_ns: f64,
    /// That, and changing a random record of 128 bytes.
    pub floor_ns: f64,
    /// The engine.
    pub engine_ns: f64,
    /// Engine by floor, in the median turn.
    pub engine_by_floor: f64,
    /// Engine by bare floor, in the median turn.
    pub engine_by_bare_floor: f64,
}

/// Measures everything, and tells of each step before it begins.
///
/// # Errors
/// When there is not enough memory.
pub fn measure(request: &Request, tell: &dyn Fn(&str)) -> Result<Rate, RateError> {
    let mut by_flows = Vec::new();
    for &flows in &request.flows {
        tell(&format!("{flows} connections"));
        by_flows.push(ByFlows::measure(flows, request.repeats)?);
    }
    tell(&format!("flood and storm, {} connections", request.capacity));
    let (flood, storm, memory) = storm::measure(request.capacity, request.repeats)?;
    Ok(Rate {
        schema: "resetscope.rate/1",
        by_flows,
        flood,
        storm,
        memory,
        machine: Machine::this(),
        version: env!("CARGO_PKG_VERSION"),
    })
}

impl ByFlows {
    fn measure(flows: u32, repeats: usize) -> Result<Self, RateError> {
        // Twice as many packets as connections, or most connections would never come.
        let packets = (flows as usize * 2).max(TURN_PACKETS);
        let traffic = Traffic::random(flows, packets, Mix::V4, flags::ACK);
        let mut records = Records::new(flows as usize)?;
        let mut subject = Subject::new(flows.max(4096) as usize * 5 / 4)?;
        // Every connection is known, from both sides, before the first turn.
        for from_client in [true, false] {
            subject.push(&Traffic::each(0..flows, from_client, Mix::V4, flags::ACK));
        }
        let mut turns = Turns::new();
        let mut at = 0;
        for _ in 0..repeats.max(1) {
            turns.take(&traffic, at, &mut records, &mut subject);
            at = if at + 2 * TURN_PACKETS <= packets { at + TURN_PACKETS } else { 0 };
        }
        Ok(turns.figures(flows, packets))
    }
}

/// The engine, and the packet time that it has reached.
struct Subject {
    engine: Engine,
    now_ns: u64,
}

impl Subject {
    /// An engine for `capacity` connections, on huge pages and in memory.
    fn new(capacity: usize) -> Result<Self, NoMemory> {
        let engine = Engine::new(&Config { flows: capacity, ..Config::default() }, 0, 1)?;
        huge_pages::advise(&engine);
        huge_pages::populate(&engine);
        Ok(Self { engine, now_ns: BEGIN_NS })
    }

    fn push(&mut self, traffic: &Traffic) {
        self.push_part(traffic, 0, traffic.len());
    }

    /// Lets packet time pass until no verdict is open any more.
    fn let_verdicts_fall_due(&mut self) {
        self.now_ns += 2 * RACE_WINDOW_NS;
        while self.engine.advance_some(self.now_ns) {
            drop(self.engine.drain_events());
        }
        drop(self.engine.drain_events());
    }

    fn push_part(&mut self, traffic: &Traffic, first: usize, count: usize) {
        self.engine.push(traffic.frames(first, count, self.now_ns), 1);
        self.now_ns += count as u64 * GAP_NS;
    }
}

/// Nanoseconds a packet of each probe, one entry a turn.
struct Turns([Vec<f64>; 6]);

impl Turns {
    const fn new() -> Self {
        Self([const { Vec::new() }; 6])
    }

    /// One turn of each, over the same frames.
    fn take(&mut self, traffic: &Traffic, at: usize, records: &mut Records, subject: &mut Subject) {
        let frames = || traffic.frames(at, TURN_PACKETS, BEGIN_NS);
        let [walk, bare_dissect, bare_floor, dissect, floor, engine] = &mut self.0;
        walk.push(per_packet(TURN_PACKETS, || floor::walk(frames())));
        bare_dissect.push(per_packet(TURN_PACKETS, || floor::bare_dissect(frames())));
        bare_floor.push(per_packet(TURN_PACKETS, || floor::bare_floor(frames(), records)));
        dissect.push(per_packet(TURN_PACKETS, || floor::dissect(frames())));
        floor.push(per_packet(TURN_PACKETS, || floor::floor(frames(), records)));
        engine.push(per_packet(TURN_PACKETS, || subject.push_part(traffic, at, TURN_PACKETS)));
    }

    fn figures(&self, flows: u32, packets: usize) -> ByFlows {
        let [walk, bare_dissect, bare_floor, dissect, floor, engine] = &self.0;
        let ratio = |to: &[f64]| {
            median(engine.iter().zip(to).map(|(engine, to)| engine / to.max(0.001)).collect())
        };
        ByFlows {
            flows,
            packets,
            walk_ns: least(walk),
            bare_dissect_ns: least(bare_dissect),
            bare_floor_ns: least(bare_floor),
            dissect_ns: least(dissect),
            floor_ns: least(floor),
            engine_ns: least(engine),
            engine_by_floor: ratio(floor),
            engine_by_bare_floor: ratio(bare_floor),
        }
    }
}

/// Nanoseconds that `work` takes for each of `packets`.
fn per_packet<T>(packets: usize, work: impl FnOnce() -> T) -> f64 {
    let begun = Instant::now();
    black_box(work());
    begun.elapsed().as_nanos() as f64 / packets.max(1) as f64
}

fn least(times: &[f64]) -> f64 {
    round(times.iter().copied().fold(f64::INFINITY, f64::min))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    round(values.get(values.len() / 2).copied().unwrap_or(0.0))
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
