//! What can keep a live tap from running.

use std::io;
use std::path::PathBuf;

use resetscope_core::flow::table::NoMemory;

/// Why a live tap cannot be opened or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum TapError {
    /// The process may not open packet sockets.
    #[error(
        "opening a packet socket needs CAP_NET_RAW: run `sudo setcap cap_net_raw+ep {}` once, or \
         start the program with sudo",
        program.display()
    )]
    Permission {
        /// The program's file.
        program: PathBuf,
    },
    /// The interface is not there.
    #[error("there is no interface {name}; there are: {}", present.join(", "))]
    Missing {
        /// Its name.
        name: String,
        /// Those there are.
        present: Vec<String>,
    },
    /// The interface's frames begin with something that is not read here.
    #[error(
        "cannot read frames of {name}: its link type (ARPHRD {kind}) is neither Ethernet nor plain \
         IP"
    )]
    LinkType {
        /// Its name.
        name: String,
        /// Its hardware type, as in `linux/if_arp.h`.
        kind: u16,
    },
    /// The system answered a step with an error.
    #[error("cannot {doing} on {name}")]
    Step {
        /// What was tried.
        doing: &'static str,
        /// The interface.
        name: String,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// No plain socket, so nothing can be asked.
    #[error("cannot ask the kernel about interfaces")]
    Inquire {
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The interface went away more often than there are sockets.
    #[error(
        "{name} was taken away {times} times; opening it again takes CAP_NET_RAW, which was given \
         up at the start"
    )]
    Spent {
        /// The interface.
        name: String,
        /// Times it was taken away.
        times: u64,
    },
    /// A DPDK device refused.
    #[cfg(feature = "dpdk")]
    #[error(transparent)]
    Device(#[from] super::dpdk::error::DeviceError),
    /// The flow tables do not fit.
    #[error("cannot reserve the flow table; lower --flows")]
    Memory(#[from] NoMemory),
    /// The system refused a thread.
    #[error("cannot start a worker thread")]
    Thread(#[source] io::Error),
    /// The thread that says when intervals end has died, so the workers could not hand over the last.
    #[error(
        "the thread that looks after the tap has died; what came after the last summary is lost"
    )]
    Abandoned,
    /// The results could not be written.
    #[error("cannot write the results")]
    Write(#[source] io::Error),
}
