//! `resetscope monitor`: an interface in, summaries and events out.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use indicatif::ProgressBar;
use resetscope_core::engine::Config as EngineConfig;
use signal_hook::consts::SIGHUP;
use tracing::{debug, info, trace, warn};

use super::colour::Colour;
use super::dashboard::{self, NoTui, Shown};
use super::exit::Outcome;
use super::files::Files;
use super::kernel_reasons::KernelReasons;
use super::log::Log;
use super::output::{Others, Outputs};
use super::privacy::{self, Privacy};
use super::serve::{self, Serve, Server};
use super::{dpdk, output, privilege};
use crate::config::{self, BusyPoll, Config, Cores, Dpdk, Flows, Length, Snaplen, Workers};
use crate::live::backend::Backend;
use crate::live::filter::Expression;
use crate::live::notice::Notice;
use crate::live::tap::{Ringwork, Tap};
use crate::live::tracepoint::Tracepoint;
use crate::live::{self, Plan, Signals, run};
use crate::service::Service;
use crate::sink::Format;
use crate::sink::kernel::Kernel;
use crate::sink::mask::Mask;

pub(super) const MONITOR: &str = "Explains the resets that pass a network interface, while they pass.\n\n\
        Listens through AF_PACKET, prints a summary at the end of each interval of wall-clock \
        time, and gives up all privileges once the interface is open. SIGHUP begins a new interval \
        now; SIGINT and SIGTERM end with the last summary.\n\n\
        A configuration with a table [dpdk] listens through DPDK instead, in a build that has it; see \
        configs/dpdk-nic.toml.";

pub(super) const MONITOR_EXAMPLES: &str = "Examples:\n  \
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

/// How a running tap shows itself to a person.
#[derive(Clone, Copy)]
struct Face<'a> {
    log: &'a Log,
    colour: Colour,
    tui: NoTui,
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
    let face = Face { log, colour, tui };
    let plan = plan(&config)?;
    // What cannot be, cannot be with more privileges either.
    request(&config).check()?;
    serve::check(&config.serve)?;
    let mask = privacy::mask(config.privacy.as_deref())?;
    match &config.dpdk {
        None => {
            let signals = listen()?;
            let tap = open(&config, plan.workers)?;
            watch(&config, &plan, tap, mask, &signals, face)
        }
        Some(table) => {
            dpdk::check(&config, table)?;
            through_dpdk(&config, table, &plan, mask, face)
        }
    }
}

#[cfg(feature = "dpdk")]
fn through_dpdk(
    config: &Config,
    table: &Dpdk,
    plan: &Plan,
    mask: Option<Mask>,
    face: Face<'_>,
) -> Result<Outcome> {
    let signals = listen()?;
    let devices = dpdk::open(config, table, plan, &usable_cores()?)?;
    watch(config, plan, devices, mask, &signals, face)
}

#[cfg(not(feature = "dpdk"))]
fn through_dpdk(_: &Config, _: &Dpdk, _: &Plan, _: Option<Mask>, _: Face<'_>) -> Result<Outcome> {
    bail!(
        "this build of resetscope is without DPDK: run scripts/setup-dpdk once, then `cargo build \
         --release --features dpdk`"
    )
}

fn request(config: &Config) -> output::Request<'_> {
    output::Request {
        events: config.events.as_deref(),
        format: config.format,
        top: config.top,
        files: &config.files,
    }
}

/// Opens the outputs, and gives up all privileges.
fn open_outputs(
    config: &Config,
    tracepoint: Option<&Tracepoint>,
    colour: Colour,
) -> Result<Outputs> {
    let request = request(config);
    let mut outputs = Outputs::new(&request, colour, &ProgressBar::hidden())?;
    if let Some(tracepoint) = tracepoint {
        outputs.ask(Kernel::new(tracepoint.accounts()));
    }
    // A file that is renamed at the end is for whoever the program is then.
    let early = !request.renames();
    if early {
        outputs.open_files(&request)?;
    }
    privilege::drop_all(config.user.as_deref())?;
    if !early {
        outputs.open_files(&request)?;
    }
    outputs.files.on_trouble(|trouble| {
        warn!("{trouble}: {}; trying again at each interval", trouble.cause);
    });
    Ok(outputs)
}

/// Runs what has been opened, without privileges.
fn watch<B: Backend>(
    config: &Config,
    plan: &Plan,
    backend: B,
    mask: Option<Mask>,
    signals: &Signals,
    face: Face<'_>,
) -> Result<Outcome> {
    let bound = serve::open(&config.serve)?;
    let tracepoint = config.kernel_reasons.then(Tracepoint::open).transpose()?;
    let mut outputs = open_outputs(config, tracepoint.as_ref(), face.colour)?;
    let server = serve::start(bound, config)?;
    describe(config, plan);
    let shown = dashboard::start(config, face.tui, signals, face.log.lines(), &mut outputs.stdout)?;
    let service = Service::from_environment();
    let notify = |notice: &Notice| {
        tell(notice);
        service.notice(notice);
        if let (Some(server), Some(listening)) = (&server, notice.listening()) {
            server.tap(listening, notice.to_string());
        }
    };
    let mut others = Others::default();
    others.sinks = others.sinks.with(&service);
    if let Some(shown) = &shown {
        others.sinks = others.sinks.with(shown.sink());
    }
    if let Some(publisher) = server.as_ref().map(Server::publisher) {
        others.sinks = others.sinks.with(publisher);
    }
    let mut sink = outputs.sink(mask, others);
    let ran = run(plan, backend, tracepoint, &mut sink, signals, &notify);
    drop(sink);
    let missing = outputs.end();
    let printed = shown.map_or(Ok(()), Shown::end);
    ran?;
    let missing = missing.and_then(|missing| printed.map(|()| missing));
    for unwritten in missing.context("cannot write the results")? {
        warn!("{unwritten}: {}", unwritten.cause);
    }
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
fn describe(config: &Config, plan: &Plan) {
    let Plan { workers, cores, engine, .. } = plan;
    debug!(workers, ?cores, flows = engine.flows, "flow tables");
    if config.dpdk.is_none() {
        let rings = &config.af_packet;
        debug!(
            rings = workers,
            ring_mib = rings.ring_mib.get(),
            block_kib = rings.block_kib.get(),
            block_timeout_ms = rings.block_timeout_ms.get(),
            snaplen = rings.snaplen.get(),
            promiscuous = rings.promiscuous,
            "AF_PACKET"
        );
    }
}

fn plan(config: &Config) -> Result<Plan> {
    let workers = config.workers();
    let cores = config.cores.as_ref().map_or(&[][..], Cores::list);
    if !cores.is_empty() {
        check_cores(cores, workers)?;
    }
    Ok(Plan {
        workers,
        cores: cores.to_vec(),
        interval: config.interval.get(),
        duration: config.duration.map(Length::get),
        engine: EngineConfig { flows: config.flows.as_usize(), ..EngineConfig::default() },
    })
}

/// Opens the interface through AF_PACKET.
fn open(config: &Config, workers: usize) -> Result<Tap> {
    let interface = config
        .interface
        .as_deref()
        .ok_or_else(|| anyhow!("which interface? Name it with -i, or in the configuration"))?;
    let tap = &config.af_packet;
    let block_bytes = tap.block_kib.as_u32() << 10;
    if !block_bytes.is_power_of_two() {
        bail!("af_packet.block_kib must be a power of two, and {} is not", tap.block_kib.get());
    }
    let filter = tap.filter.as_deref().map(str::parse::<Expression>).transpose()?;
    let ring_bytes = (tap.ring_mib.as_u32() << 20).max(2 * block_bytes);
    let ringwork = Ringwork {
        ring_bytes,
        block_bytes,
        block_timeout_ms: tap.block_timeout_ms.as_u32(),
        promiscuous: tap.promiscuous,
        snaplen: tap.snaplen.as_u32(),
        filter,
        busy_poll: Duration::from_micros(tap.busy_poll_us.get()),
    };
    Ok(Tap::open(interface, workers, ringwork)?)
}

/// Every worker needs a core that the process may use.
fn check_cores(cores: &[usize], workers: usize) -> Result<()> {
    if cores.len() < workers {
        bail!("{workers} workers need as many cores; {} are listed", cores.len());
    }
    let usable = usable_cores()?;
    match cores.iter().find(|core| !usable.contains(core)) {
        None => Ok(()),
        Some(core) => {
            let usable: Vec<String> = usable.iter().map(ToString::to_string).collect();
            bail!("core {core} is not among those that can be used: {}", usable.join(", "))
        }
    }
}

fn usable_cores() -> Result<Vec<usize>> {
    live::usable_cores().context("cannot ask for the cores")
}

/// SIGINT and SIGTERM stop, and end the program at once when they come again; SIGHUP renews.
fn listen() -> Result<Signals> {
    let signals = Signals::default();
    dashboard::give_back_on_signals(&signals.stop).context("cannot listen for signals")?;
    output::stop_on_signals(&signals.stop)?;
    signal_hook::flag::register(SIGHUP, Arc::clone(&signals.renew))
        .context("cannot listen for signals")?;
    Ok(signals)
}
