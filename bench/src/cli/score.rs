//! `resetscope-bench score`: verdicts against truth.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use resetscope_bench::score::{Report, find, text};

/// How the result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Text for a person.
    Table,
    /// One JSON object, schema `resetscope.score/1`.
    Json,
}

/// Arguments of `score`.
#[derive(Args, Debug)]
#[command(
    about = "Compare verdicts with what is known about the resets",
    long_about = "Compares verdicts with what is known about the resets.\n\n\
        Each capture NAME.client.pcap, NAME.server.pcap or NAME.pcap (pcap or pcapng, plain or \
        compressed) is analysed with the library, and each event is compared with the line of \
        NAME.truth.jsonl that has the same frame number at the same tap. Such truth comes from the \
        kernel lab: see bench/lab/README.md.\n\n\
        A verdict is right when it names the true cause, or one that the truth lists as equally \
        good because a passive tap cannot know better. A RST within an event is scored with the \
        event's first.",
    after_long_help = "Examples:\n  \
        resetscope-bench score bench/corpus/lab\n  \
        sudo scripts/lab run --out /tmp/lab && resetscope-bench score /tmp/lab\n  \
        resetscope-bench score --format json /tmp/lab | jq .lab.cause\n  \
        resetscope-bench score --labels ../shared/captures\n\n\
        Exit codes: 0 measured, however well; 1 could not measure; 2 usage."
)]
pub(super) struct Score {
    /// Captures, or directories of them; in a directory, captures without truth are passed over.
    #[arg(value_name = "CAPTURE|DIR", required_unless_present = "labels")]
    captures: Vec<PathBuf>,

    /// Look for NAME.truth.jsonl in this directory too, after the capture's own.
    #[arg(long, value_name = "DIR")]
    truth_dir: Vec<PathBuf>,

    /// Also compare with a person's judgement of real captures: a directory with `labels.tsv`
    /// (columns file, stream, frame, sender, cause, alternatives, evidence) and the captures
    /// under `files/`.
    #[arg(long, value_name = "DIR")]
    labels: Option<PathBuf>,

    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Runs `score`.
pub(super) fn run(args: &Score) -> Result<()> {
    let cases = find::cases(&args.captures, &args.truth_dir)?;
    if cases.is_empty() && !args.captures.is_empty() {
        bail!("no capture with a NAME.truth.jsonl beside it; --truth-dir tells where else to look");
    }
    let report = Report::measure(&cases, args.labels.as_deref())?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    match args.format {
        Format::Table => text::write(&mut out, &report)?,
        Format::Json => {
            serde_json::to_writer(&mut out, &report)?;
            writeln!(out)?;
        }
    }
    out.flush()?;
    Ok(())
}
