//! `resetscope bench`: how fast this machine explains recorded traffic.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use resetscope_core::engine::Config;
use resetscope_core::limits::{FLOWS_DEFAULT, SHARDS};

use crate::bench::figures::Figures;
use crate::bench::{Backend, Bench as Runner, Request, text};
use crate::sink::Format;
use crate::source::rotate::Rotation;

use super::exit::Outcome;
use super::output;

pub(super) const BENCH: &str = "Measures how fast this machine explains recorded traffic.\n\n\
        Plays a capture again and again through all that `analyze` does, on 1, 2, 4 ... workers, \
        and prints packets and bits a second, nanoseconds a packet, and how long bursts take. \
        Time goes on from loop to loop. Loops are completed, so that packets are a multiple of the \
        capture's; SIGINT ends early with the figures so far.\n\n\
        With --backend dpdk frames go the way that a network adapter's go in `monitor`: DPDK's driver \
        for recordings deals copies of them out without end, and one worker polls for up to 128 at \
        once, so that a burst is a poll, reception included, and the last loop is not completed. \
        More workers get their packets from that one, which waits for them: software steering, as \
        for devices without symmetric receive side scaling. It takes huge pages, about 2.4 KB for \
        each frame of the capture (scripts/setup-dpdk).";

pub(super) const BENCH_EXAMPLES: &str = "Examples:\n  \
        resetscope bench trace.pcap\n  \
        resetscope bench --rotate addresses --seconds 10 trace.pcap\n  \
        resetscope bench --backend file --workers 1,2 --format json day/*.pcap\n  \
        sudo resetscope bench --backend dpdk --workers 1,2 trace.pcap\n\n\
        Exit codes: 0 measured; 1 could not do it; 2 usage; 3 measured, but an input was damaged.";

/// The longest run: a day.
const SECONDS_MAX: f64 = 86_400.0;

/// Arguments of `bench`.
#[derive(Args, Debug)]
pub struct Bench {
    /// Captures to play, as one tap; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Measure this long for each number of workers; 0 is one loop.
    #[arg(long, value_name = "S", default_value_t = 5.0, value_parser = seconds)]
    pub seconds: f64,

    /// Threads that analyse, such as `2` or `1,2` [default: 1, 2, 4 ... up to the cores].
    #[arg(long, value_name = "N", value_delimiter = ',',
          value_parser = clap::value_parser!(u16).range(1..=SHARDS as i64))]
    pub workers: Vec<u16>,

    /// Other ports or addresses for each loop, so that connections are new ones and do not lie in
    /// the cache; with `none`, loops go on with the connections of the first.
    #[arg(long, value_enum, default_value_t = Rotation::None)]
    pub rotate: Rotation,

    /// Connections to remember at once, as in `analyze`.
    #[arg(long, value_name = "N", default_value_t = FLOWS_DEFAULT as u64,
          value_parser = clap::value_parser!(u64).range(1..=1 << 32))]
    pub flows: u64,

    /// Where the frames come from: memory; the files, opened and read anew for each loop; or DPDK,
    /// in a build that has it, which plays one plain pcap file from its packet buffers.
    #[arg(long, value_enum, default_value_t = Backend::Memory)]
    pub backend: Backend,

    /// How figures are printed: a table, or one JSON object a line for each number of workers.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// Runs `bench`.
pub(super) fn bench(args: &Bench) -> Result<Outcome> {
    let bench = Runner::open(Request {
        files: args.files.clone(),
        backend: args.backend,
        rotation: args.rotate,
        time: Duration::from_secs_f64(args.seconds),
        engine: Config {
            flows: usize::try_from(args.flows).unwrap_or(usize::MAX),
            ..Config::default()
        },
    })?;
    let counts = bench.counts(&args.workers)?;
    // Until here there is nothing to tell, and a signal may end the program.
    let stop = Arc::new(AtomicBool::new(false));
    output::stop_on_signals(&stop)?;
    let mut out = io::stdout();
    if args.format == Format::Table {
        text::head(&mut out).context("cannot write the figures")?;
    }
    let mut found = Vec::new();
    let mut last = None;
    for workers in counts {
        let (figures, damage) = bench.run(workers, &stop)?;
        write(&mut out, &figures, args.format).context("cannot write the figures")?;
        last = Some(figures);
        found = damage;
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    if let (Format::Table, Some(last)) = (args.format, &last) {
        text::foot(&mut out, last).context("cannot write the figures")?;
    }
    Ok(Outcome::of_damage(&found))
}

fn write(out: &mut dyn Write, figures: &Figures, format: Format) -> io::Result<()> {
    match format {
        Format::Table => text::write(out, figures)?,
        Format::Json => {
            serde_json::to_writer(&mut *out, figures)?;
            writeln!(out)?;
        }
    }
    out.flush()
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "write seconds as 5 or 0.5".to_owned())?;
    if !(0.0..=SECONDS_MAX).contains(&seconds) {
        return Err(format!("seconds are 0 to {SECONDS_MAX}"));
    }
    Ok(seconds)
}
