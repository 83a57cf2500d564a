//! `resetscope monitor`: an interface in, summaries and events out.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use indicatif::ProgressBar;
use resetscope_core::engine::Config as EngineConfig;
use signal_hook::consts::SIGHUP;
use tracing::{debug, info, trace, warn};

use super::colour::Colour;
use super::dashboard::{self, NoTui, Shown};
use super::exit::Outcome;
use super::kernel_reasons::KernelReasons;
use super::log::Log;
use super::serve::{self, Serve, Server};
use super::{output, privilege};
use crate::config::{self, BusyPoll, Config, Cores, Flows, Length, Snaplen, Workers};
use crate::live::filter::Expression;
use crate::live::notice::Notice;
use crate::live::tap::Tap;
use crate::live::tracepoint::Tracepoint;
use crate::live::{Plan, Ringwork, Signals, run};
use crate::service::Service;
use crate::sink::Format;
use crate::sink::kernel::Kernel;
use crate::sink::tee::Tee;

pub(super) const MONITOR: &str = "Explains the resets that pass a network interface, while they pass.\n\n\
        Listens through AF_PACKET, prints a summary at the end of each interval of wall-clock \
        time, and gives up all privileges once the interface is open. SIGHUP begins a new interval \
        now; SIGINT and SIGTERM end with the last summary.";

pub(super) const MONITOR_EXAMPLES: &str = "Examples:\n  \
        sudo resetscope monitor -i eth0\n  \
        sudo resetscope monitor -i eth0 --events - --filter 'tcp and not port 22'\n  \
        sudo resetscope monitor --config configs/af-packet.toml --format json\n  \
        sudo resetscope monitor -i eth0 --metrics 9184 --http 8484\n\n\
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

    /// Write one JSON object a reset to this file. `-` gives them stdout, and the summaries go to
    /// stderr.
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
}

impl Monitor {
    /// The configuration in force: defaults, the file over them, the command line over both.
    fn config(self) -> Result<Config> {
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
        config.af_packet.promiscuous &= !self.no_promiscuous;
        config.kernel_reasons |= self.kernel.kernel_reasons;
        config.quiet |= self.quiet;
        self.serve.over(&mut config.serve);
        Ok(config)
    }
}

fn replace<T>(place: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *place = given;
    }
}

/// Runs `monitor`.
pub(super) fn monitor(args: Monitor, log: &Log) -> Result<Outcome> {
    let (print, colour, tui) = (args.print_config, args.colour, args.tui);
    let config = args.config()?;
    if print {
        io::stdout()
            .write_all(config::text(&config).as_bytes())
            .context("cannot write the configuration")?;
        return Ok(Outcome::Done);
    }
    log.quiet(config.quiet);
    let plan = plan(&config)?;
    let signals = listen()?;
    let bound = serve::open(&config.serve)?;
    let tap = Tap::open(&plan)?;
    let tracepoint = config.kernel_reasons.then(Tracepoint::open).transpose()?;
    let mut output = output::open(
        config.events.as_deref(),
        config.format,
        config.top,
        colour,
        &ProgressBar::hidden(),
    )?;
    output.kernel = tracepoint.as_ref().map(|tracepoint| Kernel::new(tracepoint.accounts()));
    privilege::drop_all(config.user.as_deref())?;
    let server = serve::start(bound, &config)?;
    describe(&plan);
    let shown = dashboard::start(&config, tui, &signals, log.lines(), &mut output)?;
    let service = Service::from_environment();
    let notify = |notice: &Notice| {
        tell(notice);
        service.notice(notice);
        if let (Some(server), Some(listening)) = (&server, notice.listening()) {
            server.tap(listening, notice.to_string());
        }
    };
    let mut sinks = Tee::default().with(&mut output).with(&service);
    if let Some(shown) = &shown {
        sinks = sinks.with(shown.sink());
    }
    if let Some(publisher) = server.as_ref().map(Server::publisher) {
        sinks = sinks.with(publisher);
    }
    let ran = run(&plan, tap, tracepoint, &mut sinks, &signals, &notify);
    drop(sinks);
    let flushed = output.flush();
    let printed = shown.map_or(Ok(()), Shown::end);
    ran?;
    flushed.and(printed).context("cannot write the results")?;
    Ok(Outcome::Done)
}

/// Says what there is to say of a running tap.
fn tell(notice: &Notice) {
    match notice {
        Notice::GoesOn => trace!("{notice}"),
        Notice::Ending => debug!("{notice}"),
        _ if notice.is_warning() => warn!("{notice}"),
        _ => info!("{notice}"),
    }
}

/// What the tap works with, for whoever wants to know.
fn describe(plan: &Plan) {
    let Plan { workers, cores, rings, engine, .. } = plan;
    debug!(workers, ?cores, flows = engine.flows, "flow tables");
    debug!(
        rings = workers,
        ring_bytes = rings.ring_bytes,
        block_bytes = rings.block_bytes,
        block_timeout_ms = rings.block_timeout_ms,
        snaplen = rings.snaplen,
        promiscuous = rings.promiscuous,
        "AF_PACKET"
    );
}

fn plan(config: &Config) -> Result<Plan> {
    let interface = config
        .interface
        .clone()
        .ok_or_else(|| anyhow!("which interface? Name it with -i, or in the configuration"))?;
    let workers = config.workers();
    let cores = config.cores.as_ref().map_or(&[][..], Cores::list);
    if !cores.is_empty() {
        check_cores(cores, workers)?;
    }
    let tap = &config.af_packet;
    let block_bytes = tap.block_kib.as_u32() << 10;
    if !block_bytes.is_power_of_two() {
        bail!("af_packet.block_kib must be a power of two, and {} is not", tap.block_kib.get());
    }
    let filter = tap.filter.as_deref().map(str::parse::<Expression>).transpose()?;
    let ring_bytes = (tap.ring_mib.as_u32() << 20).max(2 * block_bytes);
    Ok(Plan {
        interface,
        workers,
        cores: cores.to_vec(),
        interval: config.interval.get(),
        duration: config.duration.map(Length::get),
        busy_poll: std::time::Duration::from_micros(tap.busy_poll_us.get()),
        rings: Ringwork {
            ring_bytes,
            block_bytes,
            block_timeout_ms: tap.block_timeout_ms.as_u32(),
            promiscuous: tap.promiscuous,
            snaplen: tap.snaplen.as_u32(),
            filter,
        },
        engine: EngineConfig { flows: config.flows.as_usize(), ..EngineConfig::default() },
    })
}

/// Every worker needs a core that the process may use.
fn check_cores(cores: &[usize], workers: usize) -> Result<()> {
    if cores.len() < workers {
        bail!("{workers} workers need as many cores; {} are listed", cores.len());
    }
    let allowed = rustix::thread::sched_getaffinity(None).context("cannot ask for the cores")?;
    let usable: Vec<usize> =
        (0..rustix::thread::CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core)).collect();
    match cores.iter().find(|core| !usable.contains(core)) {
        None => Ok(()),
        Some(core) => {
            let usable: Vec<String> = usable.iter().map(ToString::to_string).collect();
            bail!("core {core} is not among those that can be used: {}", usable.join(", "))
        }
    }
}

/// SIGINT and SIGTERM stop, and end the program at once when they come again; SIGHUP renews.
fn listen() -> Result<Signals> {
    let signals = Signals::default();
    output::stop_on_signals(&signals.stop)?;
    signal_hook::flag::register(SIGHUP, Arc::clone(&signals.renew))
        .context("cannot listen for signals")?;
    Ok(signals)
}
