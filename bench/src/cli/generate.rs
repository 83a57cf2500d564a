//! `resetscope-bench generate`: captures of any size, with truth.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::error::ErrorKind as Usage;
use clap::{Args, Command, ValueEnum};
use resetscope_bench::generate::{Config, GenerateError, Limit, Profile, generate};

/// The most bytes that may be asked for: what is more is a slip of the finger.
const BYTES_MAX: u64 = 16 << 40;

/// Bytes of the shortest record.
const RECORD_MIN: u64 = 16 + 60;

/// Packets when no limit is given.
const PACKETS: u64 = 200_000;

/// Flows when nothing else is said.
const FLOWS: u64 = 500;

/// Kinds of traffic, as the command line names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Traffic {
    /// Realistic connections, some of which end in resets of every cause.
    Mix,
    /// Frames of 60 bytes of `--flows` connections in random order.
    SmallFrames,
    /// SYNs from forged addresses; one packet in five belongs to `--flows` connections.
    SynFlood,
    /// Every packet a RST of a connection of its own.
    ResetStorm,
    /// Sixteen sources that try port after port of 256 hosts.
    Scan,
}

/// What goes on beside the mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Background {
    /// A port scan of 30 ports every two seconds or so.
    Scan,
    /// A SYN flood: one packet in five.
    SynFlood,
}

/// Arguments of `generate`.
#[derive(Args, Debug)]
#[command(
    about = "Write a capture of generated traffic, with the truth about its resets",
    long_about = "Writes a capture of generated traffic (pcap, nanoseconds, Ethernet), and on demand \
        the truth about each of its RSTs.\n\n\
        One seed and one set of options give the same bytes on every machine. Memory grows with \
        --flows, never with the capture. The truth has the format of the kernel lab \
        (bench/lab/README.md), so `resetscope-bench score` can score the capture.\n\n\
        The mix has web, bulk, interactive and idle connections, DNS, QUIC and ICMP, two TCP stacks, \
        losses, reordering and frames captured twice. Three of a hundred connections end in a reset, \
        of every cause, written as kernels and tools write it. Causes that need time, such as idle \
        timers, need a capture of some tens of seconds; 500 flows make some \
        2000 packets a second. The other profiles are for benches, and send at a fixed --rate.",
    after_long_help = "Examples:\n  \
        resetscope-bench generate --out mix.pcap --truth\n  \
        resetscope-bench generate --out mix.pcap --truth --resets 0.5 && resetscope-bench score \
        mix.pcap\n  \
        resetscope-bench generate --profile small-frames --flows 1M --size 600MB --out small.pcap\n  \
        resetscope-bench generate --seconds 10 --rate 50k --ipv6 0.5 --vlan 0.2 --out mix.pcap\n  \
        resetscope-bench generate --profile syn-flood --packets 5M --out - | resetscope analyze -\n\n\
        Exit codes: 0 written, 1 could not, 2 usage."
)]
pub(super) struct Generate {
    /// The capture to write; `-` for standard output.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// Also write the truth about each RST: to FILE, or beside the capture as NAME.truth.jsonl.
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "absent, present, present with a value")]
    truth: Option<Option<PathBuf>>,

    /// Replace files that exist.
    #[arg(long)]
    force: bool,

    /// What decides everything that is left to chance.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// The kind of traffic.
    #[arg(long, value_enum, default_value_t = Traffic::Mix)]
    profile: Traffic,

    /// End after so many packets, such as 200k or 8M [default: 200k when no limit is given].
    #[arg(long, value_name = "N", value_parser = count)]
    packets: Option<u64>,

    /// End before the file exceeds this size, such as 600MB or 2GiB.
    #[arg(long, value_name = "SIZE", value_parser = count)]
    size: Option<u64>,

    /// End after so many seconds of the capture's own time.
    #[arg(long, value_name = "S", value_parser = seconds)]
    seconds: Option<u64>,

    /// Flows at the same time [default: 500].
    #[arg(long, value_name = "N", value_parser = count)]
    flows: Option<u64>,

    /// Packets per second of the capture's own time [default: what the flows make of it in the mix,
    /// 1M in the other profiles]. In the mix, instead of --flows.
    #[arg(long, value_name = "N", value_parser = count)]
    rate: Option<u64>,

    /// Share of the mix's connections that end in a reset.
    #[arg(long, value_name = "SHARE", default_value_t = 0.03, value_parser = share)]
    resets: f64,

    /// Share of clients that use IPv6.
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, value_parser = share)]
    ipv6: f64,

    /// Share of clients whose frames bear a VLAN tag.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, value_parser = share)]
    vlan: f64,

    /// Keep only so many bytes of each frame.
    #[arg(long, value_name = "BYTES", default_value_t = 262_144,
          value_parser = clap::value_parser!(u32).range(14..=262_144))]
    snaplen: u32,

    /// What goes on beside the mix; may be given twice.
    #[arg(long, value_enum, value_name = "WHAT")]
    background: Vec<Background>,

    /// Connections of small-frames and syn-flood began before the capture: no handshakes.
    #[arg(long)]
    midstream: bool,

    /// Do not say what the capture holds.
    #[arg(long, short)]
    quiet: bool,
}

impl Generate {
    fn config(&self) -> Result<Config> {
        let mix = self.profile == Traffic::Mix;
        if mix && self.flows.is_some() && self.rate.is_some() {
            return wrong(
                "in the mix, flows and rate determine each other: give --flows or --rate",
            );
        }
        if !mix && !self.background.is_empty() {
            return wrong("--background goes with --profile mix");
        }
        let flows = self.flows.unwrap_or(FLOWS);
        if !(1..=100_000_000).contains(&flows) {
            return wrong(&format!("--flows {flows} is not between 1 and 100M"));
        }
        if self.rate == Some(0) {
            return wrong("--rate 0 would take for ever: give packets per second, such as 50k");
        }
        let unlimited = self.packets.is_none() && self.size.is_none() && self.seconds.is_none();
        let packets = if unlimited { Some(PACKETS) } else { self.packets };
        let bytes = packets.map_or(0, |count| count.saturating_mul(RECORD_MIN));
        if bytes.max(self.size.unwrap_or(0)) > BYTES_MAX {
            return wrong("more than 16 TiB were asked for: give a smaller --packets or --size");
        }
        if self.size.is_some_and(|size| size < 24 + RECORD_MIN) {
            return wrong("--size is too small for one packet: give at least 1kB");
        }
        let has = |what| self.background.contains(&what);
        Ok(Config {
            seed: self.seed,
            profile: match self.profile {
                Traffic::Mix => Profile::Mix,
                Traffic::SmallFrames => Profile::SmallFrames,
                Traffic::SynFlood => Profile::SynFlood,
                Traffic::ResetStorm => Profile::ResetStorm,
                Traffic::Scan => Profile::Scan,
            },
            limit: Limit { packets, bytes: self.size, duration_ns: self.seconds },
            flows,
            rate: self.rate,
            resets: self.resets,
            ipv6: self.ipv6,
            vlan: self.vlan,
            snaplen: self.snaplen,
            with_scans: has(Background::Scan),
            with_flood: has(Background::SynFlood),
            midstream: self.midstream,
        })
    }

    fn truth_path(&self) -> Result<Option<PathBuf>> {
        let Some(given) = &self.truth else { return Ok(None) };
        let path = match given {
            Some(path) => path.clone(),
            None if is_stdout(&self.out) => {
                return wrong("--truth needs a FILE when the capture goes to standard output");
            }
            None => self.out.with_extension("truth.jsonl"),
        };
        if path == self.out {
            return wrong(&format!("{} cannot be the capture and its truth", path.display()));
        }
        Ok(Some(path))
    }
}

/// Options that do not go together: an error of usage.
fn wrong<T>(what: &str) -> Result<T> {
    Err(Command::new("resetscope-bench generate").error(Usage::ArgumentConflict, what).into())
}

/// Runs `generate`.
pub(super) fn run(args: &Generate) -> Result<()> {
    let config = args.config()?;
    let truth_path = args.truth_path()?;
    let stdout = is_stdout(&args.out);
    if stdout && io::stdout().is_terminal() {
        bail!(
            "a capture is no text for a terminal: send it into a file or a pipe, or give --out FILE"
        );
    }
    let mut capture: Box<dyn Write> = if stdout {
        Box::new(io::stdout().lock())
    } else {
        Box::new(create(&args.out, args.force)?)
    };
    let mut truth = match &truth_path {
        Some(path) => Some(BufWriter::new(create(path, args.force)?)),
        None => None,
    };
    let began = Instant::now();
    let truth_out = truth.as_mut().map(|out| out as &mut dyn Write);
    let summary = match generate(&config, &mut capture, truth_out) {
        Ok(summary) => summary,
        Err(GenerateError::Capture(cause)) => {
            return Err(cause).with_context(|| unwritten(&args.out));
        }
        Err(GenerateError::Truth(cause)) => {
            return Err(cause)
                .with_context(|| unwritten(truth_path.as_deref().unwrap_or(&args.out)));
        }
    };
    if !args.quiet {
        let took = began.elapsed().as_secs_f64();
        eprintln!("{}: {summary}", args.out.display());
        let rate = summary.packets as f64 / took / 1e6;
        eprintln!("written in {took:.2} s, {rate:.2} M packets/s");
        if let Some(path) = &truth_path {
            eprintln!("truth: {}", path.display());
        }
    }
    Ok(())
}

fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Opens a file for writing; one that holds something only on demand.
fn create(path: &Path, force: bool) -> Result<File> {
    let holds_something = path.metadata().is_ok_and(|it| it.is_file() && it.len() > 0);
    if holds_something && !force {
        bail!("{} exists: give another name, or --force to replace it", path.display());
    }
    let opened = OpenOptions::new().write(true).create(true).truncate(true).open(path);
    opened.map_err(|cause| {
        let remedy = match cause.kind() {
            ErrorKind::NotFound => ": make its directory first",
            ErrorKind::PermissionDenied => ": write into a directory of your own",
            _ => "",
        };
        let what = format!("cannot write {}{remedy}", path.display());
        anyhow::Error::new(cause).context(what)
    })
}

fn unwritten(path: &Path) -> String {
    format!(
        "cannot write {} to its end: what is there now is incomplete; if the disk is full, give a \
         smaller --size or another --out",
        path.display()
    )
}

/// A number with an optional decimal or binary prefix, and an optional B for bytes.
fn count(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|it: char| it.is_ascii_alphabetic());
    let unit = text.get(digits.len()..).unwrap_or_default();
    let factor: u64 = match unit.trim_end_matches('B').to_ascii_lowercase().as_str() {
        "" => 1,
        "k" => 1_000,
        "m" => 1_000_000,
        "g" => 1_000_000_000,
        "t" => 1_000_000_000_000,
        "ki" => 1 << 10,
        "mi" => 1 << 20,
        "gi" => 1 << 30,
        "ti" => 1 << 40,
        _ => {
            return Err(format!(
                "{unit:?} is none of k, M, G, T, Ki, Mi, Gi, Ti, with or without B"
            ));
        }
    };
    let number: f64 = digits.parse().map_err(|_| format!("{digits:?} is no number"))?;
    let value = number * factor as f64;
    if !(0.0..9e18).contains(&value) {
        return Err(format!("{text} is out of all proportion"));
    }
    Ok(value as u64)
}

/// Seconds, as nanoseconds.
fn seconds(text: &str) -> Result<u64, String> {
    let value: f64 = text.parse().map_err(|_| format!("{text:?} is no number of seconds"))?;
    if value > 0.0 && value <= 1e8 {
        Ok((value * 1e9) as u64)
    } else {
        Err("seconds must be more than 0 and at most 1e8".to_owned())
    }
}

/// A share.
fn share(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    if (0.0..=1.0).contains(&value) {
        Ok(value)
    } else {
        Err("a share is a number from 0 to 1".to_owned())
    }
}
