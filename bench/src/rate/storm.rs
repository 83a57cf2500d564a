//! The worst that traffic can do: floods of half-open connections, storms of resets, and the memory
//! that a full table takes.

use std::fs;
use std::io;

use resetscope_core::interval::Interval;
use serde::Serialize;

use super::{RateError, Subject, least, median, per_packet, round};
use crate::floor::{self, Records};
use crate::traffic::{BEGIN_NS, Mix, Traffic, flags};

/// SYNs for each connection that the table holds.
const FLOOD_BY_CAPACITY: u32 = 8;

/// Packets of a storm that are taken together, as a worker does, before events are let go.
const BATCH: usize = 1024;

/// SYNs of ever new connections into a table that is full: half of it with established connections.
#[derive(Clone, Debug, Serialize)]
pub struct Flood {
    /// Connections that the table was made for.
    pub capacity: u32,
    /// Established connections before the flood.
    pub established: u32,
    /// SYNs, each of a connection of its own.
    pub syns: u32,
    /// Nanoseconds a SYN, the table full.
    pub syn_ns: f64,
    /// Nanoseconds a packet of the floor in the same run.
    pub floor_ns: f64,
    /// Share of the established connections that are still known afterwards, from 0 to 1.
    pub kept: f64,
    /// SYNs that found no place.
    pub shed: u64,
}

/// Every packet is a reset of a connection of its own.
#[derive(Clone, Debug, Serialize)]
pub struct Storm {
    /// Connections, and so resets.
    pub resets: u32,
    /// Nanoseconds a reset, from frame to verdict: the least of all turns.
    pub reset_ns: f64,
    /// By the floor of the same turn, in the median turn.
    pub by_floor: f64,
    /// Verdicts for each of them: 1 when none was lost.
    pub judged: f64,
}

/// What a flow table takes.
#[derive(Clone, Debug, Serialize)]
pub struct Memory {
    /// Connections that the table was made for.
    pub capacity: u32,
    /// Resident bytes that the engine added to the process, after flood and storm.
    pub resident_bytes: u64,
    /// By `capacity`.
    pub bytes_per_flow: f64,
}

/// Measures all three on one engine.
pub(super) fn measure(capacity: u32, repeats: usize) -> Result<(Flood, Storm, Memory), RateError> {
    let mut records = Records::new(capacity as usize)?;
    let before = resident_bytes()?;
    let mut subject = Subject::new(capacity as usize)?;
    let flood = flood(&mut subject, &mut records, capacity);
    let storm = storm(&mut subject, &mut records, capacity, repeats);
    let resident_bytes = resident_bytes()?.saturating_sub(before);
    let bytes_per_flow = round(resident_bytes as f64 / f64::from(capacity.max(1)));
    Ok((flood, storm, Memory { capacity, resident_bytes, bytes_per_flow }))
}

fn flood(subject: &mut Subject, records: &mut Records, capacity: u32) -> Flood {
    let established = capacity / 2;
    let known = [true, false].map(|from_client| each(0..established, from_client, flags::ACK));
    known.iter().for_each(|traffic| subject.push(traffic));
    let mut next = established;
    let mut wave = |subject: &mut Subject| {
        let traffic = each(next..next + capacity, true, flags::SYN);
        next += capacity;
        per_packet(traffic.len(), || subject.push(&traffic))
    };
    // The first waves fill the table up.
    for _ in 0..2 {
        wave(subject);
    }
    drop(subject.engine.take_interval());
    let times: Vec<f64> = (0..FLOOD_BY_CAPACITY).map(|_| wave(subject)).collect();
    let flooded = subject.engine.take_interval();
    let [known, _] = &known;
    subject.push(known);
    let after = subject.engine.take_interval();
    let lost = after.flows.opened + shed(&after);
    let floor_ns = per_packet(known.len(), || floor::floor(known.all(BEGIN_NS), records));
    Flood {
        capacity,
        established,
        syns: capacity * FLOOD_BY_CAPACITY,
        syn_ns: least(&times),
        floor_ns: round(floor_ns),
        kept: 1.0 - lost as f64 / f64::from(established.max(1)),
        shed: shed(&flooded),
    }
}

/// Frames that found no place.
fn shed(interval: &Interval) -> u64 {
    interval.frames.shed.iter().sum()
}

/// Lets connections live and die, and times the dying.
fn storm(subject: &mut Subject, records: &mut Records, capacity: u32, repeats: usize) -> Storm {
    let resets = capacity / 2;
    let life = [(true, flags::SYN), (false, flags::SYN_ACK), (true, flags::ACK)]
        .map(|(from_client, flags)| each(0..resets, from_client, flags));
    let death = each(0..resets, false, flags::RST_ACK);
    let (mut times, mut ratios) = (Vec::new(), Vec::new());
    let (mut events, mut packets) = (0, 0);
    for _ in 0..repeats.max(1) {
        life.iter().for_each(|traffic| subject.push(traffic));
        subject.let_verdicts_fall_due();
        drop(subject.engine.take_interval());
        let floor_ns = per_packet(death.len(), || floor::floor(death.all(BEGIN_NS), records));
        let reset_ns = per_packet(death.len(), || {
            for first in (0..death.len()).step_by(BATCH) {
                let count = BATCH.min(death.len() - first);
                subject.push_part(&death, first, count);
                drop(subject.engine.drain_events());
            }
            subject.let_verdicts_fall_due();
        });
        let seen = subject.engine.take_interval().resets;
        events += seen.events;
        packets += seen.packets;
        times.push(reset_ns);
        ratios.push(reset_ns / floor_ns.max(0.001));
    }
    Storm {
        resets,
        reset_ns: least(&times),
        by_floor: median(ratios),
        judged: events as f64 / packets.max(1) as f64,
    }
}

fn each(flows: std::ops::Range<u32>, from_client: bool, flags: u8) -> Traffic {
    Traffic::each(flows, from_client, Mix::V4, flags)
}

/// Bytes of this process that are in memory.
fn resident_bytes() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let kib = status.lines().find_map(|line| {
        line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    });
    kib.map(|kib| kib * 1024).ok_or_else(|| io::Error::other("/proc/self/status has no VmRSS"))
}
