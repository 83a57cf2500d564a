//! Figures as a person reads them in a terminal, 80 columns wide: some lines for each number of
//! workers, printed as soon as they are known.

use std::io::{self, Write};

use super::figures::{Burst, Figures};
use crate::source::rotate::Rotation;

/// Writes what the columns are.
///
/// # Errors
/// When `out` cannot be written.
pub fn head(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "                                      microseconds a burst")?;
    writeln!(
        out,
        "{:>7} {:>11} {:>8} {:>10} {:>8} {:>8} {:>8} {:>9}",
        "workers", "Mpackets/s", "Gbit/s", "ns/packet", "p50", "p99", "p99.9", "max"
    )
}

/// Writes the lines of one run.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(out: &mut dyn Write, figures: &Figures) -> io::Result<()> {
    writeln!(
        out,
        "{:>7} {:>11.2} {:>8.2} {:>10.2} {}",
        figures.workers,
        figures.packets_per_second as f64 / 1e6,
        figures.bits_per_second as f64 / 1e9,
        figures.ns_per_packet,
        columns(figures.burst_ns)
    )?;
    if figures.workers > 1 {
        let all = figures.per_worker.iter().map(|worker| worker.packets).sum::<u64>().max(1);
        for worker in &figures.per_worker {
            let share = worker.packets as f64 * 100.0 / all as f64;
            let name = format!("worker {}, {share:.0} % of the packets", worker.worker);
            writeln!(out, "{name:>39} {}", columns(worker.burst_ns))?;
        }
    }
    writeln!(
        out,
        "        {} packets in {:.2} s, {} connections, {} resets",
        figures.packets, figures.seconds, figures.flows, figures.resets
    )
}

/// Writes what the figures mean.
///
/// # Errors
/// When `out` cannot be written.
pub fn foot(out: &mut dyn Write, last: &Figures) -> io::Result<()> {
    let machine = &last.machine;
    writeln!(
        out,
        "\nns/packet is wall-clock time by packets, however many workers share them. Gbit/s is\n\
         what an Ethernet line would carry, with checksum, preamble and gap (24 bytes a\n\
         frame). A burst is what an engine is handed at once: {:.0} packets on average.",
        last.burst_packets
    )?;
    if last.rotate_ns_per_packet > 0.0 {
        writeln!(
            out,
            "Changing {} took {:.1} ns of the last ns/packet, and no time of a burst.",
            if last.rotate == Rotation::Ports { "ports" } else { "addresses" },
            last.rotate_ns_per_packet
        )?;
    }
    if last.drops > 0 {
        writeln!(out, "{} packets found the flow table full; see --flows.", last.drops)?;
    }
    writeln!(
        out,
        "{}, {} cores, Linux {}, resetscope {}.",
        machine.cpu, machine.cores, machine.kernel, last.version
    )
}

fn columns(burst: Burst) -> String {
    let us = |ns: u64| format!("{:.1}", ns as f64 / 1e3);
    let Burst { p50, p99, p999, max } = burst;
    format!("{:>8} {:>8} {:>8} {:>9}", us(p50), us(p99), us(p999), us(max))
}
