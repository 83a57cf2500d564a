//! What can be typed. Help, man page and completions come from these definitions.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use resetscope_core::limits::{FLOWS_DEFAULT, SHARDS};

use crate::explain::flow_spec::FlowSpec;
use crate::sink::Format;

use super::bench::{BENCH, BENCH_EXAMPLES, Bench};
use super::colour::Colour;
use super::files::Files;
use super::kernel_reasons::Keep;
use super::log::LogArgs;
use super::manual::{COMPLETIONS, COMPLETIONS_EXAMPLES, Completions, MAN, MAN_EXAMPLES, ManArgs};
use super::monitor::{MONITOR, MONITOR_EXAMPLES, Monitor};
use super::privacy::Privacy;
use super::report::ReportArgs;

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
    after_long_help = BEHIND,
    arg_required_else_help = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Remarks on stderr.
    #[command(flatten)]
    pub log: LogArgs,
}

const BEHIND: &str = "Environment:\n  \
        RESETSCOPE_LOG     least weight of remarks, unless --log-level or --quiet says it\n  \
        NO_COLOR           not empty: no colours, unless --color says it\n  \
        CLICOLOR_FORCE     not empty and not 0: colours also where there is no terminal\n  \
        NOTIFY_SOCKET      where monitor tells systemd that it is ready, and how it goes\n\n\
        Exit codes: 0 done; 1 could not do it; 2 usage; 3 done, but an input was damaged.";

const ANALYZE: &str = "Explains the resets in recorded captures.\n\n\
        Reads pcap and pcapng, plain or compressed with gzip, zstd or lz4 (recognised by content). \
        Several files are read as one tap, in the order of their timestamps.\n\n\
        Warnings say what weakens the verdicts although everything was read: packets that were \
        lost while the capture was made, by its own account (they count as received and dropped), \
        packets without times, and time that runs backwards. Warnings tell of a capture of which \
        nothing can be read for its link type, too, and of what follows compressed data and is \
        ignored. Packets of which a pcapng capture does not describe the \
        interface are skipped, and make it a damaged one.\n\n\
        SIGINT and SIGTERM end the reading early: results of what was read until then are completed, \
        a warning says so, and the exit code is that of a whole run. A second one ends the program \
        at once, with exit code 1 and without them.";

const ANALYZE_EXAMPLES: &str = "Examples:\n  \
        resetscope analyze trace.pcap\n  \
        resetscope analyze --events resets.jsonl --interval 1m day/*.pcap.zst\n  \
        resetscope analyze --report resets.html trace.pcap\n  \
        resetscope analyze --events resets.csv --privacy key.hex trace.pcap\n  \
        tcpdump -w - -i eth0 tcp | resetscope analyze --events - -\n\n\
        Exit codes: 0 done; 1 could not do it; 2 usage; 3 done, but an input was damaged \
        (results up to the damage are printed).";

const EXPLAIN: &str = "Tells the story of one reset, for whoever wants to check the verdict: who, why, \
        the packets around it, what each piece of evidence means, what else it may have been, \
        what could not be known, and how to look at it in Wireshark.\n\n\
        Without --frame and --flow it lists all resets, one line each.";

const EXPLAIN_EXAMPLES: &str = "Examples:\n  \
        resetscope explain trace.pcap\n  \
        resetscope explain trace.pcap --frame 1312\n  \
        resetscope explain trace.pcap --flow 10.0.0.1:40000-10.0.0.2:443 --format json\n\n\
        Exit codes: 0 done; 1 could not do it, or there is no such reset; 2 usage; 3 done, but an \
        input was damaged.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Explain the resets in recorded captures.
    #[command(long_about = ANALYZE, after_long_help = ANALYZE_EXAMPLES)]
    Analyze(Analyze),
    /// Tell the story of one reset, for whoever wants to check the verdict.
    #[command(long_about = EXPLAIN, after_long_help = EXPLAIN_EXAMPLES)]
    Explain(Explain),
    /// Explain the resets that pass a network interface, while they pass.
    #[command(long_about = MONITOR, after_long_help = MONITOR_EXAMPLES)]
    Monitor(Box<Monitor>),
    /// Measure how fast this machine explains recorded traffic.
    #[command(long_about = BENCH, after_long_help = BENCH_EXAMPLES)]
    Bench(Bench),
    /// Wait for `monitor --kernel-reasons`, which calls this, to end, and tidy up after it.
    #[command(hide = true, name = crate::live::tracepoint::keeper::SUBCOMMAND)]
    KeepTraceInstance(Keep),
    /// Write the manual pages.
    #[command(long_about = MAN, after_long_help = MAN_EXAMPLES)]
    Man(ManArgs),
    /// Print what makes a shell complete commands and options.
    #[command(long_about = COMPLETIONS, after_long_help = COMPLETIONS_EXAMPLES)]
    Completions(Completions),
}

/// Arguments of `analyze`.
#[derive(Args, Debug)]
pub struct Analyze {
    /// Captures to read; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// How summaries are printed.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,

    /// Write each reset to this file: as CSV if it ends in .csv, as Parquet if it ends in .parquet
    /// (in builds with the feature `parquet`), otherwise as JSON, one object a line. `-` gives them
    /// stdout, and the summary goes to stderr.
    #[arg(long, value_name = "PATH")]
    pub events: Option<PathBuf>,

    /// The report.
    #[command(flatten)]
    pub report: ReportArgs,

    /// Print a summary for each interval of packet time, such as `10s`, `1m` or `1h`, counted from
    /// the first frame [default: one for the whole capture].
    #[arg(long, value_name = "DURATION", value_parser = interval)]
    pub interval: Option<Duration>,

    /// Threads that analyse [default: one for each core]. The results do not depend on it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=SHARDS as i64))]
    pub workers: Option<u16>,

    /// Connections to remember at once, at least 2,048; about 180 bytes of memory each. Beyond it, half-open
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

    /// Colours.
    #[command(flatten)]
    pub colour: Colour,

    /// Masked addresses.
    #[command(flatten)]
    pub privacy: Privacy,

    /// No progress and no remarks; results, warnings and errors only.
    #[arg(long, short)]
    pub quiet: bool,

    /// Files of results; last, for what follows a heading stands below it.
    #[command(flatten)]
    pub output_files: Files,
}

/// How a story is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Telling {
    /// Text for a person, 80 columns wide.
    Text,
    /// One JSON object.
    Json,
}

/// Arguments of `explain`.
#[derive(Args, Debug)]
pub struct Explain {
    /// Captures to read, as one tap. They are read more than once, so standard input will not do.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// The reset in this frame, or nearest to it on its flow.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub frame: Option<u64>,

    /// The first reset of this flow, such as `10.0.0.1:40000-10.0.0.2:443`; IPv6 in brackets. With
    /// --privacy either its masked addresses, as they are printed, or the real ones.
    #[arg(long, value_name = "A:PORT-B:PORT", conflicts_with = "frame")]
    pub flow: Option<FlowSpec>,

    /// Packets of the flow to show.
    #[arg(long, value_name = "N", default_value_t = 20,
          value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub packets: u16,

    /// How the story is told. The list is then one event object a line, as `analyze` writes them.
    #[arg(long, value_enum, default_value_t = Telling::Text)]
    pub format: Telling,

    /// Connections to remember at once, as in `analyze`.
    #[arg(long, value_name = "N", default_value_t = FLOWS_DEFAULT as u64,
          value_parser = clap::value_parser!(u64).range(1..=1 << 32))]
    pub flows: u64,

    /// Read files instead of mapping them into memory, as in `analyze`.
    #[arg(long)]
    pub no_mmap: bool,

    /// Masked addresses.
    #[command(flatten)]
    pub privacy: Privacy,

    /// No progress.
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
