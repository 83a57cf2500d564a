//! What was measured: schema `resetscope.bench/1`.

use std::time::Duration;

use hdrhistogram::Histogram;
use resetscope_core::interval::Interval;
use serde::Serialize;

use crate::source::rotate::Rotation;

pub use super::machine::Machine;
use super::stopwatch::Stopwatch;
use super::{Backend, Request};

/// What a run leaves behind.
pub(super) struct Measured<'a> {
    pub(super) request: &'a Request,
    pub(super) watches: &'a [Stopwatch],
    pub(super) interval: &'a Interval,
    pub(super) line_bytes: u64,
    pub(super) rotate_ns: u64,
    pub(super) stopped: bool,
}

/// The figures of one run. The order of the fields is that of the JSON object.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// `resetscope.bench/1`.
    pub schema: &'static str,
    /// Where the frames came from.
    pub backend: Backend,
    /// What changed from loop to loop.
    pub rotate: Rotation,
    /// Workers.
    pub workers: usize,
    /// Frames, over all loops.
    pub packets: u64,
    /// Wall-clock seconds from the begin of the first burst to the end of the last.
    pub seconds: f64,
    /// `packets / seconds`.
    pub packets_per_second: u64,
    /// Bits that the frames take on an Ethernet line, a second: with checksum, preamble and gap.
    pub bits_per_second: u64,
    /// Wall-clock nanoseconds a packet, whatever the number of workers.
    pub ns_per_packet: f64,
    /// Nanoseconds that a burst took, of all workers.
    pub burst_ns: Burst,
    /// Packets in a burst, on average.
    pub burst_packets: f64,
    /// Connections first seen, over all loops.
    pub flows: u64,
    /// Resets judged, over all loops.
    pub resets: u64,
    /// RST packets, over all loops.
    pub rst_packets: u64,
    /// Frames shed because the flow table was full.
    pub drops: u64,
    /// Nanoseconds a packet that changing addresses or ports took: within `ns_per_packet` and not
    /// within `burst_ns`.
    pub rotate_ns_per_packet: f64,
    /// Connections that could be remembered at once.
    pub flow_capacity: usize,
    /// Ended by a signal before its time.
    pub stopped: bool,
    /// Each worker alone.
    pub per_worker: Vec<Worker>,
    /// The machine.
    pub machine: Machine,
    /// Version of this program.
    pub version: &'static str,
}

/// What one worker did.
#[derive(Clone, Debug, Serialize)]
pub struct Worker {
    /// Its number, from 0.
    pub worker: usize,
    /// Packets that its engine took: frames when it was alone, else segments of its shards.
    pub packets: u64,
    /// Bursts.
    pub bursts: u64,
    /// Seconds that its bursts took together.
    pub busy_seconds: f64,
    /// Nanoseconds that a burst took.
    pub burst_ns: Burst,
}

/// A distribution of nanoseconds, to three significant digits.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Burst {
    /// Median.
    pub p50: u64,
    /// 99 of 100 are not above.
    pub p99: u64,
    /// 999 of 1000 are not above.
    pub p999: u64,
    /// The longest.
    pub max: u64,
}

impl Burst {
    fn of(bursts: &Histogram<u64>) -> Self {
        Self {
            p50: bursts.value_at_quantile(0.5),
            p99: bursts.value_at_quantile(0.99),
            p999: bursts.value_at_quantile(0.999),
            max: bursts.max(),
        }
    }
}

impl Figures {
    /// Works the figures out.
    pub(super) fn new(measured: &Measured<'_>) -> Self {
        let Measured { request, watches, interval, .. } = *measured;
        let packets = interval.frames.received;
        let seconds = lasted(watches).as_secs_f64();
        let rate = |count: u64| if seconds > 0.0 { (count as f64 / seconds) as u64 } else { 0 };
        let each = |count: f64| if packets > 0 { count / packets as f64 } else { 0.0 };
        let bursts = merged(watches);
        let handed_over: u64 = watches.iter().map(Stopwatch::packets).sum();
        let count = bursts.as_ref().map_or(0, Histogram::len).max(1);
        Self {
            schema: "resetscope.bench/1",
            backend: request.backend,
            rotate: request.rotation,
            workers: watches.len(),
            packets,
            seconds: rounded(seconds, 6),
            packets_per_second: rate(packets),
            bits_per_second: rate(measured.line_bytes.saturating_mul(8)),
            ns_per_packet: rounded(each(seconds * 1e9), 3),
            burst_ns: bursts.as_ref().map(Burst::of).unwrap_or_default(),
            burst_packets: rounded(handed_over as f64 / count as f64, 1),
            flows: interval.flows.opened,
            resets: interval.resets.events,
            rst_packets: interval.resets.packets,
            drops: interval.frames.shed.iter().sum(),
            rotate_ns_per_packet: rounded(each(measured.rotate_ns as f64), 3),
            flow_capacity: request.engine.flows,
            stopped: measured.stopped,
            per_worker: watches.iter().enumerate().map(worker).collect(),
            machine: Machine::this(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

fn worker((worker, watch): (usize, &Stopwatch)) -> Worker {
    let bursts = watch.bursts();
    let count = bursts.map_or(0, Histogram::len);
    let busy_ns = bursts.map_or(0.0, |bursts| bursts.mean() * count as f64);
    Worker {
        worker,
        packets: watch.packets(),
        bursts: count,
        busy_seconds: rounded(busy_ns / 1e9, 6),
        burst_ns: bursts.map(Burst::of).unwrap_or_default(),
    }
}

/// From the first burst of any worker to the last of any.
fn lasted(watches: &[Stopwatch]) -> Duration {
    let spans = || watches.iter().filter_map(Stopwatch::span);
    let begun = spans().map(|(begun, _)| begun).min();
    let ended = spans().map(|(_, ended)| ended).max();
    begun.zip(ended).map_or(Duration::ZERO, |(begun, ended)| ended - begun)
}

fn merged(watches: &[Stopwatch]) -> Option<Histogram<u64>> {
    let mut all = watches.iter().filter_map(Stopwatch::bursts);
    let mut merged = all.next()?.clone();
    for bursts in all {
        // The same bounds, so the only error there is cannot occur.
        let _ = merged.add(bursts);
    }
    Some(merged)
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}
