//! Makes traffic: captures of any length, with the truth about each of their resets.
//!
//! A capture is a function of its [`Config`]: the same seed gives the same bytes on any machine.
//! Memory is bounded by the flows that live at the same time, not by the capture.
//!
//! From the bottom: `dice` (choices) → `host` (who talks, over which path) → `packet`,
//! `payload`, `wire` (packets and their bytes) → `schedule` (what happens next) → `flow`,
//! `talk`, `transfer`, `reset`, `step` (two stacks in conversation) → `cast`,
//! `behaviour` (how connections live and die) → `mix`, `profile` (which traffic) →
//! `recorder`, `truth`, `summary` (what is written).

mod behaviour;
mod cast;
mod dice;
mod flow;
mod host;
mod mix;
mod packet;
mod payload;
mod profile;
mod recorder;
mod reset;
mod schedule;
mod step;
pub mod summary;
mod talk;
mod transfer;
mod truth;
mod wire;

use std::io::{self, Write};

use dice::Dice;
use payload::Pool;
use recorder::Recorder;
use summary::Summary;

/// Kinds of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Realistic connections of many kinds, some of which end in resets of every cause.
    Mix,
    /// Established connections in random order, every frame of 60 bytes.
    SmallFrames,
    /// SYNs from forged addresses, among established connections.
    SynFlood,
    /// Nothing but resets, each of a connection of its own.
    ResetStorm,
    /// Sources that try the ports of a network one by one.
    Scan,
}

/// When a capture is complete; the first limit reached counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limit {
    /// Packets, exactly.
    pub packets: Option<u64>,
    /// Bytes of the file: no more, and no frame fewer than fits.
    pub bytes: Option<u64>,
    /// Nanoseconds from the first packet to the last.
    pub duration_ns: Option<u64>,
}

/// What is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// The kind of traffic.
    pub profile: Profile,
    /// When it is enough.
    pub limit: Limit,
    /// Flows at the same time. In the mix without a rate they are kept at this number.
    pub flows: u64,
    /// Packets per second of the capture's own time. In the mix, connections then begin as often as
    /// that takes; `None` lets `flows` decide.
    pub rate: Option<u64>,
    /// Share of connections that are reset, 0 to 1 (mix).
    pub resets: f64,
    /// Share of clients that use IPv6, 0 to 1.
    pub ipv6: f64,
    /// Share of clients whose frames bear a tag, 0 to 1.
    pub vlan: f64,
    /// Bytes kept of a frame.
    pub snaplen: u32,
    /// Port scans among the mix.
    pub with_scans: bool,
    /// A SYN flood among the mix: a fifth of its packets.
    pub with_flood: bool,
    /// Flows of `SmallFrames` and `SynFlood` are established before the capture begins.
    pub midstream: bool,
}

/// Why there is no capture.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The capture cannot be written.
    #[error("cannot write the capture")]
    Capture(#[source] io::Error),
    /// The truth cannot be written.
    #[error("cannot write the truth")]
    Truth(#[source] io::Error),
}

/// Writes a capture, and one line for each of its RSTs into `truth`.
///
/// # Errors
/// When either cannot be written.
pub fn generate<'a>(
    config: &Config,
    capture: &'a mut dyn Write,
    truth: Option<&'a mut dyn Write>,
) -> Result<Summary, GenerateError> {
    let mut dice = Dice::new(config.seed);
    let pool = Pool::new(&mut dice);
    let mut recorder = Recorder::new(config, pool, capture, truth);
    match config.profile {
        Profile::Mix => mix::run(config, dice, &mut recorder)?,
        Profile::SmallFrames => profile::small_frames(config, dice, &mut recorder)?,
        Profile::SynFlood => profile::syn_flood(config, dice, &mut recorder)?,
        Profile::ResetStorm => profile::reset_storm(config, dice, &mut recorder)?,
        Profile::Scan => profile::scan(config, dice, &mut recorder)?,
    }
    recorder.finish()
}
