//! What stands in for the server in builds without it: it cannot be opened, so it never runs.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, bail};

/// See `crate::serve::About`.
#[expect(dead_code, reason = "filled in as for a server that is there")]
pub(super) struct About {
    pub(super) interface: String,
    pub(super) interval: Duration,
    pub(super) flows: u64,
    pub(super) top: usize,
    pub(super) services: usize,
}

/// See `crate::serve::Face`.
#[derive(Clone, Copy)]
pub(super) struct Face {
    pub(super) metrics: bool,
    pub(super) page: bool,
    pub(super) local: bool,
}

/// Never there.
pub(crate) struct Bound(Infallible);

/// Never there.
pub(crate) struct Server(Infallible);

impl Bound {
    pub(super) fn open(_: Option<SocketAddr>, _: Option<SocketAddr>) -> Result<Self> {
        bail!(
            "this build has no server for --metrics and --http; build one with `cargo build \
             --release --features serve`"
        )
    }

    pub(super) fn faces(&self) -> std::iter::Empty<(SocketAddr, Face)> {
        match self.0 {}
    }

    pub(super) fn start(self, _: About) -> Result<Server> {
        match self.0 {}
    }
}

impl Server {
    pub(crate) fn publisher(&self) -> Box<dyn crate::collect::Sink> {
        match self.0 {}
    }

    pub(crate) fn tap(&self, _: bool, _: String) {
        match self.0 {}
    }
}
