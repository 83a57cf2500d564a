//! Ports, opened while there are privileges.

use std::env;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use super::About;
use super::server::Server;

/// What is served at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Face {
    /// Metrics.
    pub metrics: bool,
    /// The live page.
    pub page: bool,
    /// Only this machine can reach it.
    pub local: bool,
}

impl Face {
    /// What there is, for those who ask for something else.
    pub(super) const fn directory(self) -> &'static str {
        match (self.metrics, self.page) {
            (true, true) => "there is: / /events /metrics /health /ready\n",
            (false, true) => "there is: / /events /health /ready\n",
            _ => "there is: /metrics /health /ready\n",
        }
    }
}

/// Why nothing can be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another program has the port.
    #[error(
        "cannot listen on {address}: another program does; take another port, or look for it with \
         `ss -ltnp sport = :{}`",
        address.port()
    )]
    InUse {
        /// The address.
        address: SocketAddr,
    },
    /// The port takes a privilege.
    #[error(
        "cannot listen on {address}: ports below 1024 take CAP_NET_BIND_SERVICE; take a higher one, \
         or run `sudo setcap cap_net_raw,cap_net_bind_service+ep {}` once",
        program.display()
    )]
    Permission {
        /// The address.
        address: SocketAddr,
        /// The program's file.
        program: PathBuf,
    },
    /// The address is that of another machine.
    #[error(
        "cannot listen on {address}: this machine has no such address; `ip addr` lists its own"
    )]
    NotOurs {
        /// The address.
        address: SocketAddr,
    },
    /// The system answered with another error.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The system refused the thread or what it needs to wait for clients.
    #[error("cannot start the server")]
    Start(#[source] io::Error),
}

/// Open ports that are not served yet: clients wait.
pub struct Bound {
    pub(super) listeners: Vec<(TcpListener, SocketAddr, Face)>,
}

impl Bound {
    /// Opens the ports for metrics and for the page; one, if both have the same address.
    ///
    /// # Errors
    /// See [`ServeError`].
    pub fn open(metrics: Option<SocketAddr>, page: Option<SocketAddr>) -> Result<Self, ServeError> {
        let mut wanted: Vec<(SocketAddr, Face)> = Vec::new();
        for (address, is_metrics) in [(metrics, true), (page, false)] {
            let Some(address) = address else { continue };
            let local = address.ip().is_loopback();
            match wanted.iter_mut().find(|(other, _)| *other == address) {
                Some((_, face)) => face.page = true,
                None => {
                    wanted.push((address, Face { metrics: is_metrics, page: !is_metrics, local }));
                }
            }
        }
        let listeners = wanted.into_iter().map(|(address, face)| {
            let listener = listen(address)?;
            let address = listener.local_addr().unwrap_or(address);
            Ok((listener, address, face))
        });
        Ok(Self { listeners: listeners.collect::<Result<_, _>>()? })
    }

    /// Where what is served.
    pub fn faces(&self) -> impl Iterator<Item = (SocketAddr, Face)> {
        self.listeners.iter().map(|(_, address, face)| (*address, *face))
    }

    /// Serves from a thread of its own.
    ///
    /// # Errors
    /// [`ServeError::Start`].
    pub fn start(self, about: About) -> Result<Server, ServeError> {
        Server::start(self, about).map_err(ServeError::Start)
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    let refused = |cause: io::Error| match cause.kind() {
        io::ErrorKind::AddrInUse => ServeError::InUse { address },
        io::ErrorKind::AddrNotAvailable => ServeError::NotOurs { address },
        io::ErrorKind::PermissionDenied => {
            let program = env::current_exe().unwrap_or_else(|_| PathBuf::from("resetscope"));
            ServeError::Permission { address, program }
        }
        _ => ServeError::Listen { address, cause },
    };
    let listener = TcpListener::bind(address).map_err(refused)?;
    listener.set_nonblocking(true).map_err(refused)?;
    Ok(listener)
}
