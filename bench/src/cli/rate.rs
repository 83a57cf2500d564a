//! `resetscope-bench rate`: the engine's speed against what the machine allows.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use resetscope_bench::rate::{Request, measure, plot, text};

/// How the result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables for a person, in Markdown.
    Table,
    /// One JSON object, schema `resetscope.rate/1`.
    Json,
}

/// Arguments of `rate`.
#[derive(Args, Debug)]
#[command(
    about = "Measure the engine's speed against what the machine allows",
    long_about = "Measures the engine's speed against what the machine allows, on one core.\n\n\
        For each number of connections, probes of the physical floor and the engine take turns over \
        the same frames: 60 bytes each, of connections in random order. Then ever new SYNs flood a \
        full table, every packet is a reset, and the memory is measured that all this took.\n\n\
        Compare figures of one run only; on a busy machine the ratios are what can be trusted.",
    after_long_help = "Examples:\n  \
        resetscope-bench rate\n  \
        resetscope-bench rate --flows 1000,1000000 --repeats 21\n  \
        resetscope-bench rate --svg bench/results/cost.svg > bench/results/rate.md\n\n\
        Exit codes: 0 measured; 1 could not measure; 2 usage."
)]
pub(super) struct Rate {
    /// Numbers of connections. 8 million take 4 GB.
    #[arg(long, value_name = "N,N", value_delimiter = ',',
          default_values_t = [1_000, 100_000, 1_000_000, 4_000_000, 8_000_000],
          value_parser = clap::value_parser!(u32).range(1..=32_000_000))]
    flows: Vec<u32>,

    /// Turns of each probe and of the engine.
    #[arg(long, value_name = "N", default_value_t = 9,
          value_parser = clap::value_parser!(u16).range(1..))]
    repeats: u16,

    /// Connections that the table of flood, storm and memory is made for.
    #[arg(long, value_name = "N", default_value_t = 1_000_000,
          value_parser = clap::value_parser!(u32).range(4096..=32_000_000))]
    capacity: u32,

    /// Also draw cost against number of connections into this file.
    #[arg(long, value_name = "PATH")]
    svg: Option<PathBuf>,

    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Runs `rate`.
pub(super) fn run(args: &Rate) -> Result<()> {
    let request = Request {
        flows: args.flows.clone(),
        repeats: usize::from(args.repeats),
        capacity: args.capacity,
    };
    let rate = measure(&request, &|step| eprintln!("resetscope-bench: {step}"))?;
    if let Some(path) = &args.svg {
        let write = || {
            let mut out = BufWriter::new(File::create(path)?);
            plot::write(&mut out, &rate)?;
            out.flush()
        };
        write().with_context(|| format!("cannot write {}", path.display()))?;
    }
    let mut out = BufWriter::new(io::stdout().lock());
    match args.format {
        Format::Table => text::write(&mut out, &rate)?,
        Format::Json => {
            serde_json::to_writer(&mut out, &rate)?;
            writeln!(out)?;
        }
    }
    out.flush()?;
    Ok(())
}
