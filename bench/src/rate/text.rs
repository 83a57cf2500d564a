//! The result as tables for a person, which are Markdown too.

use std::io::{self, Write};

use super::{ByFlows, Rate};

/// Writes everything.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(out: &mut dyn Write, rate: &Rate) -> io::Result<()> {
    writeln!(
        out,
        "Nanoseconds a packet, 60-byte frames of connections in random order, one core. The least of\n\
         all turns; ratios are the median of turns in which floor and engine followed each other.\n"
    )?;
    writeln!(
        out,
        "| connections |  walk | 5-tuple | bare floor | dissect | floor | engine | Mpackets/s | by floor | by bare floor |\n\
         |------------:|------:|--------:|-----------:|--------:|------:|-------:|-----------:|---------:|--------------:|"
    )?;
    rate.by_flows.iter().try_for_each(|row| by_flows(out, row))?;
    writeln!(
        out,
        "\nwalk: touch each frame. 5-tuple: read and hash nothing else. Bare floor: that, and change a\n\
         random record of 128 bytes, asked for in batches of 128, on huge pages. dissect: the engine's\n\
         dissector and hash. Floor: that, and change a random record.\n"
    )?;
    summary(out, rate)?;
    let machine = &rate.machine;
    writeln!(
        out,
        "\n{}, {} cores, Linux {}, resetscope {}.",
        machine.cpu, machine.cores, machine.kernel, rate.version
    )
}

fn by_flows(out: &mut dyn Write, row: &ByFlows) -> io::Result<()> {
    writeln!(
        out,
        "| {:>11} | {:>5.1} | {:>7.1} | {:>10.1} | {:>7.1} | {:>5.1} | {:>6.1} | {:>10.1} | {:>8.2} | {:>13.2} |",
        row.flows,
        row.walk_ns,
        row.bare_dissect_ns,
        row.bare_floor_ns,
        row.dissect_ns,
        row.floor_ns,
        row.engine_ns,
        1e3 / row.engine_ns.max(0.001),
        row.engine_by_floor,
        row.engine_by_bare_floor
    )
}

fn summary(out: &mut dyn Write, rate: &Rate) -> io::Result<()> {
    let (flood, storm, memory) = (&rate.flood, &rate.storm, &rate.memory);
    writeln!(
        out,
        "| case | result |\n|------|--------|\n\
         | {} SYNs of ever new connections into a full table of {} | {:.1} ns a SYN ({:.2} times the floor of that run) |\n\
         | established connections kept through that flood | {:.3} % of {}, and {} SYNs shed |\n\
         | {} resets, each of a connection of its own | {:.1} ns a reset ({:.2} times the floor), {:.3} verdicts each |\n\
         | memory of a table for {} connections, measured | {:.1} MB, {:.0} bytes each |",
        flood.syns,
        flood.capacity,
        flood.syn_ns,
        flood.syn_ns / flood.floor_ns.max(0.001),
        flood.kept * 100.0,
        flood.established,
        flood.shed,
        storm.resets,
        storm.reset_ns,
        storm.by_floor,
        storm.judged,
        memory.capacity,
        memory.resident_bytes as f64 / 1e6,
        memory.bytes_per_flow
    )
}
