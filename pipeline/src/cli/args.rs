//! What can be typed. Help, man page and completions come from these definitions.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use resetscope_core::limits::{FLOWS_DEFAULT, SHARDS};

use crate::sink::Format;

/// Finds out who sent each TCP reset, and why.
#[derive(Debug, Parser)]
#[command(
    name = "resetscope",
    version,
    about,
    long_about = "Finds out who sent each TCP reset, and why, from what the wire shows.\n\n\
        Every RST is given one of eight causes (closed_port, no_connection, firewall, \
        application, network, explicit_kill, benign, unknown) with a confidence, the evidence \
        that speaks for it, and what else it may have been.",
    arg_required_else_help = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Explain the resets in recorded captures.
    Analyze(Analyze),
    /// Explain the resets that pass a network interface, while they pass.
    Monitor(Box<super::monitor::Monitor>),
}

/// Arguments of `analyze`.
#[derive(Args, Debug)]
#[command(
    long_about = "Explains the resets in recorded captures.\n\n\
        Reads pcap and pcapng, plain or compressed with gzip, zstd or lz4 (recognised by content). \
        Several files are read as one tap, in the order of their timestamps.",
    after_long_help = "Examples:\n  \
        resetscope analyze trace.pcap\n  \
        resetscope analyze --events resets.jsonl --interval 1m day/*.pcap.zst\n  \
        tcpdump -w - -i eth0 tcp | resetscope analyze --events - -\n\n\
        Exit codes: 0 done; 1 could not do it; 2 usage; 3 done, but an input was damaged \
        (results up to the damage are printed)."
)]
pub struct Analyze {
    /// Captures to read; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// How summaries are printed.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,

    /// Write one JSON object a reset to this file. `-` gives them stdout, and the summary goes to
    /// stderr.
    #[arg(long, value_name = "PATH")]
    pub events: Option<PathBuf>,

    /// Print a summary for each interval of packet time, such as `10s`, `1m` or `1h`, counted from
    /// the first frame [default: one for the whole capture].
    #[arg(long, value_name = "DURATION", value_parser = interval)]
    pub interval: Option<Duration>,

    /// Threads that analyse [default: one for each core]. The results do not depend on it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=SHARDS as i64))]
    pub workers: Option<u16>,

    /// Connections to remember at once; about 180 bytes of memory each. Beyond it, half-open
    /// connections give way first, then closed ones, then the longest idle.
    #[arg(long, value_name = "N", default_value_t = FLOWS_DEFAULT as u64,
          value_parser = clap::value_parser!(u64).range(1..=1 << 32))]
    pub flows: u64,

    /// Services and hosts to list in each summary.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub top: usize,

    /// Read files instead of mapping them into memory: for captures that another program may cut
    /// short meanwhile.
    #[arg(long)]
    pub no_mmap: bool,

    /// No progress and no remarks; results and errors only.
    #[arg(long, short)]
    pub quiet: bool,
}

fn interval(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|error| format!("{error}; write it as 500ms, 10s, 5m or 1h"))?;
    if duration < Duration::from_millis(1) {
        return Err("the shortest interval is 1ms".to_owned());
    }
    Ok(duration)
}
