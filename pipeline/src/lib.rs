//! Sources, workers, collectors and sinks around the engine of `resetscope-core`.
//!
//! In the order in which frames pass: [`source`] (captures as one tap) → [`feed`] (batches, and
//! the passing of packet time) → [`worker`] (engines, and the exchange between them) →
//! [`collect`] (one summary an interval, events in order) → [`sink`] (JSON, text). [`run`] puts
//! them together, [`cli`] is the program around that. [`live`] taps an interface instead: workers
//! of its own, the same collector and sinks.
//!
//! [`report`] is a sink, too: one HTML page of everything, to be attached to a ticket.
//! With the feature `serve` a tap has network faces beside its outputs: metrics for Prometheus and a
//! live page.
//!
//! With the feature `tui` it has a dashboard on a terminal.
//!
//! [`service`] tells systemd how a tap goes. [`explain`] tells the story of one reset to whoever
//! wants to check the judge; [`mod@bench`] measures the way of `analyze` with recorded traffic.
//!
//! Nothing here knows the rules of TCP: it moves frames in and summaries out. (A story shows
//! packets, so [`explain::timeline`] counts sequence numbers; it judges nothing.)

pub mod bench;
pub mod cli;
pub mod collect;
pub mod config;
pub mod explain;
pub mod feed;
pub mod huge_pages;
pub mod live;
pub mod report;
pub mod run;
#[cfg(feature = "serve")]
pub mod serve;
pub mod service;
pub mod sink;
pub mod source;
#[cfg(feature = "tui")]
pub mod tui;
pub mod worker;
