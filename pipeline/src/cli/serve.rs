//! Network faces on the command line: what can be asked for, and how a build without them says so.

use std::net::SocketAddr;

use anyhow::Result;
use clap::Args;
use tracing::{info, warn};

use crate::config::{self, Listen, ServicesNamed};

#[cfg(not(feature = "serve"))]
mod absent;
#[cfg(feature = "serve")]
pub(super) use crate::serve::Server;
#[cfg(feature = "serve")]
use crate::serve::{About, Bound, Face};
#[cfg(not(feature = "serve"))]
pub(super) use absent::Server;
#[cfg(not(feature = "serve"))]
use absent::{About, Bound, Face};

/// Arguments about network faces.
#[derive(Args, Debug)]
#[command(next_help_heading = "Network faces (in builds with the feature `serve`)")]
pub struct Serve {
    /// Serve metrics for Prometheus at /metrics, and /health and /ready. A port alone listens on
    /// 127.0.0.1; 0.0.0.0:9184 and the like on more. There is no authentication.
    #[arg(long, value_name = "[ADDR:]PORT")]
    pub metrics: Option<Listen>,

    /// Serve a live page for a browser. May have the address of --metrics.
    #[arg(long, value_name = "[ADDR:]PORT")]
    pub http: Option<Listen>,

    /// Services that the metrics name, those with the most resets; up to 8 series each
    /// [default: 10].
    #[arg(long, value_name = "N")]
    pub metrics_services: Option<ServicesNamed>,
}

impl Serve {
    /// Puts what was given over the configuration.
    pub(super) fn over(self, config: &mut config::Serve) {
        config.metrics = self.metrics.or(config.metrics);
        config.http = self.http.or(config.http);
        config.services = self.metrics_services.unwrap_or(config.services);
    }
}

/// Refuses what a build without a server cannot do, before anything is opened.
pub(super) fn check(config: &config::Serve) -> Result<()> {
    if cfg!(not(feature = "serve")) {
        // Its stand-in opens no port, but says what is missing.
        open(config)?;
    }
    Ok(())
}

/// Opens the ports that the configuration asks for, if it does.
pub(super) fn open(config: &config::Serve) -> Result<Option<Bound>> {
    let [metrics, http] = [config.metrics, config.http].map(|listen| listen.map(Listen::get));
    if metrics.is_none() && http.is_none() {
        return Ok(None);
    }
    Ok(Some(Bound::open(metrics, http)?))
}

/// Serves what was opened, and says where.
pub(super) fn start(bound: Option<Bound>, config: &config::Config) -> Result<Option<Server>> {
    let Some(bound) = bound else { return Ok(None) };
    for (address, face) in bound.faces() {
        announce(address, face);
    }
    let about = About {
        interface: config.interface.clone().unwrap_or_default(),
        interval: config.interval.get(),
        flows: config.flows.get(),
        top: config.top,
        services: config.serve.services.as_usize(),
    };
    Ok(Some(bound.start(about)?))
}

fn announce(address: SocketAddr, face: Face) {
    if face.metrics {
        info!("metrics at http://{address}/metrics");
    }
    if face.page {
        info!("live page at http://{address}/");
    }
    if !face.local {
        warn!("whoever can reach {address} can read the results: there is no authentication");
    }
}
