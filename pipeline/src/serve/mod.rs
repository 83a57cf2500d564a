//! The network faces of a running tap: metrics for Prometheus, and a live page.
//!
//! [`Bound`] opens the ports while there are privileges; [`Bound::start`] then serves them from one
//! thread of its own. The collector gives each summary and event to [`publisher::Publisher`], a sink
//! like any other, which adds up ([`totals`]) and leaves an unchangeable snapshot in the `hub`;
//! whoever asks gets that one. So a request never touches an analysing thread, and no client,
//! however slow, makes the collector wait: what a client does not take off is not kept for it.
//!
//! [`openmetrics`] is the text that Prometheus reads, `classic` its older dialect. `stream` feeds the
//! page (`page`) with server-sent events. `request` says who gets what, `connection` bounds what a
//! client can cost: time, memory, and how many there are.
//!
//! There is no authentication and no encryption: whoever can reach the port can read the results.
//! Nothing can be changed through it.

mod body;
mod bound;
pub mod buckets;
mod classic;
mod connection;
mod hub;
pub mod openmetrics;
mod page;
mod patience;
pub mod publisher;
mod request;
mod server;
mod stream;
pub mod totals;

use std::time::Duration;

pub use bound::{Bound, Face, ServeError};
pub use server::Server;

/// What a server says about the run besides its results.
#[derive(Clone, Debug)]
pub struct About {
    /// The interface.
    pub interface: String,
    /// Length of an interval.
    pub interval: Duration,
    /// Connections that can be remembered at once.
    pub flows: u64,
    /// Services and hosts in each summary.
    pub top: usize,
    /// Services that the metrics name.
    pub services: usize,
}
