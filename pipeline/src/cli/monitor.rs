//! `resetscope monitor`: an interface in, summaries and events out.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use indicatif::ProgressBar;
use resetscope_core::engine::Config as EngineConfig;
use signal_hook::consts::SIGHUP;
use tracing::{debug, info, trace, warn};

use super::colour::Colour;
use super::dashboard::{self, NoTui, Shown};
use super::exit::{Outcome, Usage};
use super::log::Log;
use super::output::{Ended, Others, Outputs};
use super::serve::{self, Server};
use super::{dpdk, output, privacy, privilege};
use crate::config::{self, Config, Cores, Dpdk, Length};
use crate::live::backend::Backend;
use crate::live::filter::Expression;
use crate::live::notice::Notice;
use crate::live::tap::{Ringwork, Tap};
use crate::live::tracepoint::Tracepoint;
use crate::live::{self, Plan, Signals, run};
use crate::service::Service;
use crate::sink::kernel::Kernel;
use crate::sink::mask::Mask;

mod arguments;

pub use arguments::Monitor;
pub(super) use arguments::{MONITOR, MONITOR_EXAMPLES};

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
        report: None,
    }
}

/// Opens the outputs, and gives up all privileges.
fn open_outputs(
    config: &Config,
    tracepoint: Option<&Tracepoint>,
    colour: Colour,
) -> Result<Outputs> {
    let request = request(config);
    let mut outputs = Outputs::new(&request, colour, &ProgressBar::hidden());
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
    let mut sink = outputs.sink(mask, others, &signals.stop);
    let ran = run(plan, backend, tracepoint, &mut sink, signals, &notify);
    drop(sink);
    let Ended { missing, printed, .. } = outputs.end();
    let shown = shown.map_or(Ok(()), Shown::end);
    for unwritten in missing {
        warn!("{unwritten}: {}", unwritten.cause);
    }
    ran?;
    printed.and(shown).context("cannot write the results")?;
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
        .ok_or_else(|| Usage::from("which interface? Name it with -i, or in the configuration"))?;
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
