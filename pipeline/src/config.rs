//! The configuration of a live tap: defaults, a TOML file over them, the command line over both.
//!
//! Every value is checked where it is parsed, so that a file's mistakes are told with their place
//! and the same bounds hold on the command line.

mod dpdk;
mod file;
mod listen;
mod size;
mod value;

use std::path::PathBuf;

use resetscope_core::limits::FLOWS_DEFAULT;
use serde::{Deserialize, Serialize};

pub use dpdk::{Dpdk, Steering};
pub use file::{ConfigError, read, text};
pub use listen::Listen;
pub use size::Size;
pub use value::{Cores, Length, Within};

use crate::sink::Format;
use crate::sink::file::Rotation;

/// Threads that analyse live traffic: more than the engine has shards make no sense.
pub type Workers = Within<1, 64>;

/// Connections to remember at once.
pub type Flows = Within<1, { 1 << 32 }>;

/// Bytes of a frame to keep: below 64 not even the headers fit, and the kernel cuts at 256 KiB.
pub type Snaplen = Within<64, 262_144>;

/// Microseconds of looking at an empty ring, up to a second.
pub type BusyPoll = Within<0, 1_000_000>;

/// Services that metrics name: each is up to eight time series.
pub type ServicesNamed = Within<0, 1000>;
/// Complete files to keep.
pub type Keep = Within<1, 1_000_000>;

/// Everything that can be configured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The interface to listen on.
    pub interface: Option<String>,
    /// Length of an interval.
    pub interval: Length,
    /// When to end; never by itself if not given.
    pub duration: Option<Length>,
    /// How summaries are printed.
    pub format: Format,
    /// Where events go, if anywhere; `-` is stdout.
    pub events: Option<PathBuf>,
    /// Services and hosts to list in each summary.
    pub top: usize,
    /// No remarks.
    pub quiet: bool,
    /// Threads that analyse; as many as `cores` names, or one, if not given.
    pub workers: Option<Workers>,
    /// The cores for them, in their order.
    pub cores: Option<Cores>,
    /// Connections to remember at once, all workers together.
    pub flows: Flows,
    /// The user to become once the tap is open.
    pub user: Option<String>,
    /// Whether to ask the kernel why it sent its own resets.
    pub kernel_reasons: bool,
    /// The key with which addresses are masked, or the file that holds it.
    pub privacy: Option<String>,
    /// Files of results.
    pub files: Files,
    /// What only AF_PACKET has.
    pub af_packet: AfPacket,
    /// Network faces.
    pub serve: Serve,
    /// What only DPDK has; if given, frames come through DPDK and not through AF_PACKET.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dpdk: Option<Dpdk>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            interface: None,
            interval: Length::seconds(10),
            duration: None,
            format: Format::Table,
            events: None,
            top: 5,
            quiet: false,
            workers: None,
            cores: None,
            flows: Within::constant::<{ FLOWS_DEFAULT as u64 }>(),
            user: None,
            kernel_reasons: false,
            privacy: None,
            files: Files::default(),
            af_packet: AfPacket::default(),
            serve: Serve::default(),
            dpdk: None,
        }
    }
}

impl Config {
    /// The number of workers.
    #[must_use]
    pub fn workers(&self) -> usize {
        match (&self.workers, &self.cores) {
            (Some(workers), _) => workers.as_usize(),
            (None, Some(cores)) => cores.list().len().max(1),
            (None, None) => 1,
        }
    }
}

/// The part of the configuration that only AF_PACKET has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AfPacket {
    /// Which frames to see; all if not given.
    pub filter: Option<String>,
    /// Bytes of a frame to keep.
    pub snaplen: Snaplen,
    /// Whether to ask for frames that are addressed to others.
    pub promiscuous: bool,
    /// Memory of each worker's ring, in MiB.
    pub ring_mib: Within<1, 2048>,
    /// Memory of a block of the ring, in KiB: a power of two, and whole pages of any processor
    /// (aarch64 has pages of up to 64 KiB).
    pub block_kib: Within<64, 16_384>,
    /// Milliseconds until a block is handed over that is not full.
    pub block_timeout_ms: Within<1, 1000>,
    /// Microseconds to look at an empty ring before sleeping.
    pub busy_poll_us: BusyPoll,
}

impl Default for AfPacket {
    fn default() -> Self {
        Self {
            filter: None,
            snaplen: Within::constant::<256>(),
            promiscuous: true,
            ring_mib: Within::constant::<64>(),
            block_kib: Within::constant::<256>(),
            block_timeout_ms: Within::constant::<10>(),
            busy_poll_us: Within::constant::<0>(),
        }
    }
}

/// The part of the configuration that is about network faces. It can be read by every build, so that
/// one without the feature can say what it lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Serve {
    /// Where to serve metrics; nowhere if not given.
    pub metrics: Option<Listen>,
    /// Where to serve the live page; nowhere if not given.
    pub http: Option<Listen>,
    /// Services that the metrics name.
    pub services: ServicesNamed,
}

impl Default for Serve {
    fn default() -> Self {
        Self { metrics: None, http: None, services: Within::constant::<10>() }
    }
}

/// The part of the configuration that is about files of results.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Files {
    /// Where summaries go besides stdout.
    pub summaries: Option<PathBuf>,
    /// Where the log of HdrHistograms goes.
    pub histograms: Option<PathBuf>,
    /// Size at which a new file begins.
    pub rotate_size: Option<Size>,
    /// Time after which a new file begins.
    pub rotate_every: Option<Length>,
    /// Complete files to keep; all if not given.
    pub rotate_keep: Option<Keep>,
}

impl Files {
    /// When files are complete.
    #[must_use]
    pub fn rotation(&self) -> Rotation {
        Rotation {
            size: self.rotate_size.map(Size::get),
            every_ns: self
                .rotate_every
                .map(|length| u64::try_from(length.get().as_nanos()).unwrap_or(u64::MAX)),
            keep: self.rotate_keep.map(Within::as_usize),
        }
    }
}
