//! What can be asked of `resetscope monitor`, and the configuration that comes of it.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::cli::colour::Colour;
use crate::cli::dashboard::NoTui;
use crate::cli::files::Files;
use crate::cli::kernel_reasons::KernelReasons;
use crate::cli::privacy::Privacy;
use crate::cli::serve::Serve;
use crate::config::{self, BusyPoll, Config, Cores, Flows, Length, Snaplen, Workers};
use crate::sink::Format;

pub(in crate::cli) const MONITOR: &str = "Explains the resets that pass a network interface, while they pass.\n\n\
        Listens through AF_PACKET, prints a summary at the end of each interval of wall-clock \
        time, and gives up all privileges once the interface is open. SIGHUP begins a new interval \
        now; SIGINT and SIGTERM end with the last summary.\n\n\
        A configuration with a table [dpdk] listens through DPDK instead, in a build that has it; see \
        configs/dpdk-nic.toml.";

pub(in crate::cli) const MONITOR_EXAMPLES: &str = "Examples:\n  \
        sudo resetscope monitor -i eth0\n  \
        sudo resetscope monitor -i eth0 --events - --filter 'tcp and not port 22'\n  \
        sudo resetscope monitor --config configs/af-packet.toml --format json\n  \
        sudo resetscope monitor -i eth0 --metrics 9184 --http 8484\n  \
        sudo resetscope monitor --config configs/dpdk-nic.toml\n\n\
        To run without sudo: sudo setcap cap_net_raw+ep $(command -v resetscope)\n\n\
        Exit codes: 0 done; 1 could not do it; 2 usage.";

/// Arguments of `monitor`. Those that are given win over the configuration file.
#[derive(Args, Debug)]
pub struct Monitor {
    /// The interface to listen on.
    #[arg(long, short, value_name = "IFACE")]
    pub interface: Option<String>,

    /// Read the configuration from this TOML file; see configs/af-packet.toml for all keys.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Print the configuration in force, and exit.
    #[arg(long)]
    pub print_config: bool,

    /// Print a summary this often [default: 10s].
    #[arg(long, value_name = "DURATION")]
    pub interval: Option<Length>,

    /// End after this time [default: never].
    #[arg(long, value_name = "DURATION")]
    pub duration: Option<Length>,

    /// How summaries are printed [default: table].
    #[arg(long, value_enum)]
    pub format: Option<Format>,

    /// Write each reset to this file: as CSV if it ends in .csv, as Parquet if it ends in .parquet
    /// (in builds with the feature `parquet`), otherwise as JSON, one object a line. `-` gives them
    /// stdout, and the summaries go to stderr.
    #[arg(long, value_name = "PATH")]
    pub events: Option<PathBuf>,

    /// Frames to see, as a filter expression that the kernel applies, such as `tcp and net
    /// 10.0.0.0/8` [default: all].
    #[arg(long, value_name = "EXPR")]
    pub filter: Option<String>,

    /// Threads that analyse, each with a ring of its own, 1 to 64 [default: one for each of
    /// --cores, or 1].
    #[arg(long, value_name = "N")]
    pub workers: Option<Workers>,

    /// Cores to tie the workers to, such as 0,2-5 [default: the system decides].
    #[arg(long, value_name = "LIST")]
    pub cores: Option<Cores>,

    /// Connections to remember at once; about 180 bytes of memory each [default: 1048576].
    #[arg(long, value_name = "N")]
    pub flows: Option<Flows>,

    /// Services and hosts to list in each summary [default: 5].
    #[arg(long, value_name = "N")]
    pub top: Option<usize>,

    /// Bytes of each frame to keep [default: 256].
    #[arg(long, value_name = "N")]
    pub snaplen: Option<Snaplen>,

    /// Don't ask for frames that are addressed to others.
    #[arg(long)]
    pub no_promiscuous: bool,

    /// Microseconds that a worker looks at its empty ring before it sleeps: less delay for a
    /// busy core [default: 0].
    #[arg(long, value_name = "US")]
    pub busy_poll: Option<BusyPoll>,

    /// What the kernel knows of it.
    #[command(flatten)]
    pub kernel: KernelReasons,

    /// Colours.
    #[command(flatten)]
    pub colour: Colour,

    /// The dashboard.
    #[command(flatten)]
    pub tui: NoTui,

    /// No remarks; results, warnings and errors only.
    #[arg(long, short)]
    pub quiet: bool,

    /// Network faces.
    #[command(flatten)]
    pub serve: Serve,

    /// Masked addresses.
    #[command(flatten)]
    pub privacy: Privacy,

    /// Files of results; last, for what follows a heading stands below it.
    #[command(flatten)]
    pub files: Files,
}

impl Monitor {
    /// The configuration in force: defaults, the file over them, the command line over both.
    pub(super) fn config(self) -> Result<Config> {
        let mut config = match &self.config {
            Some(path) => config::read(path)?,
            None => Config::default(),
        };
        replace(&mut config.interval, self.interval);
        replace(&mut config.format, self.format);
        replace(&mut config.top, self.top);
        replace(&mut config.flows, self.flows);
        replace(&mut config.af_packet.snaplen, self.snaplen);
        replace(&mut config.af_packet.busy_poll_us, self.busy_poll);
        config.interface = self.interface.or(config.interface);
        config.duration = self.duration.or(config.duration);
        config.events = self.events.or(config.events);
        config.workers = self.workers.or(config.workers);
        config.cores = self.cores.or(config.cores);
        config.af_packet.filter = self.filter.or(config.af_packet.filter);
        match &mut config.dpdk {
            Some(dpdk) => dpdk.promiscuous &= !self.no_promiscuous,
            None => config.af_packet.promiscuous &= !self.no_promiscuous,
        }
        config.kernel_reasons |= self.kernel.kernel_reasons;
        config.quiet |= self.quiet;
        self.serve.over(&mut config.serve);
        self.files.over(&mut config.files);
        config.privacy = self.privacy.privacy.or(config.privacy);
        Ok(config)
    }
}

fn replace<T>(place: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *place = given;
    }
}
