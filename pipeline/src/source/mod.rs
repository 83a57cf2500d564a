//! Recorded traffic: capture files and streams, read as one tap.
//!
//! [`open`] takes any number of inputs (files by path, `-` for standard input), recognises format
//! and compression by content, and hands out one [`Source`] whose frames come in the order of
//! their timestamps. Read are pcap and pcapng in all their variants, plain or compressed with
//! gzip, zstd or lz4.
//!
//! How a byte becomes a frame: `input` opens, `probe` recognises, `decompress` and `readahead` (or
//! `mapping` and `map_ahead`) bring the bytes in, `window` shows them contiguously, `pcap` and `pcapng` find the
//! records, `prefetch` and `scout` hurry memory along, `capture` is one input from end to end,
//! `merge` is all of them in order.
//!
//! For measurements the same frames come again and again: from memory ([`Replay`] of a
//! [`recording`], with other addresses or ports each time if [`rotate`] is asked for it), or from
//! files that are opened anew ([`Reopened`]).
//!
//! What is refused at the door is a [`SourceError`]; what turns out broken on the way is a
//! [`Damage`]: the frames before it are delivered and the other inputs are read on. Neither is
//! ever a panic, and no length read from a capture decides how much memory is allocated. What is
//! merely odd is a [`Oddity`].

mod batch;
mod capture;
mod decompress;
mod error;
mod input;
mod link;
mod map_ahead;
mod mapping;
mod memory;
mod merge;
mod oddity;
mod pcap;
mod pcapng;
mod prefetch;
mod probe;
mod readahead;
pub mod recording;
mod reopen;
mod replay;
pub mod rotate;
mod scout;
mod walk;
mod window;

pub use batch::{Batch, Frames};
pub use error::{Damage, SourceError};
pub use input::{Input, Options};
pub use link::LinkTypes;
pub use merge::open;
pub use oddity::{About, Oddity};
#[cfg(feature = "dpdk")]
pub(crate) use pcap::is_magic as is_pcap;
pub use reopen::Reopened;
pub use replay::Replay;

use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

/// What [`Source::fill`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// The batch holds what came, and more may follow. It is empty if a pipe gave nothing for a
    /// while.
    Frames,
    /// The next frame is not before the time asked for; the batch holds those before it, or none.
    Boundary,
    /// There are no more frames; the batch is empty.
    End,
}

/// How far a source has come, in bytes of its inputs as they lie (compressed bytes when
/// compressed), read-ahead included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read so far.
    pub consumed: u64,
    /// Bytes of all inputs; `None` when one of them is a pipe or another thing without a size.
    pub total: Option<u64>,
}

/// Frames in order, a batch at a time.
///
/// One source stands behind one lock and serves any number of workers; the lock is taken once a
/// batch, never once a frame, and a batch stays valid for as long as its worker keeps it.
pub trait Source: Send {
    /// Replaces the batch's contents with the next frames, at most its capacity, stopping before
    /// the first frame whose time is `until_ns` or later. Time that runs backwards never stops it.
    ///
    /// Fewer frames than the capacity do not mean that the end is near: a pipe that has nothing
    /// more at the moment gives what came. While it has nothing at all to give it waits, but only
    /// some milliseconds: the caller may have work from elsewhere.
    ///
    /// # Errors
    /// When the source as a whole cannot go on. Damage within one input is not an error, see
    /// [`Source::damage`].
    fn fill(&mut self, batch: &mut Batch, until_ns: u64) -> Result<Fill, SourceError>;

    /// The time of the next frame, in nanoseconds since 1970-01-01 UTC; `None` at the end. May
    /// block until there is one.
    fn peek_time(&mut self) -> Option<u64>;

    /// How far it has come.
    fn progress(&self) -> Progress;

    /// The inputs found damaged so far, in the order of discovery.
    fn damage(&self) -> &[Damage];

    /// Packets that the inputs say were lost while they were recorded, and that no earlier call has
    /// given: those told of in front of the frames of the last fillings.
    fn take_lost(&mut self) -> u64 {
        0
    }

    /// What is odd about the inputs, as far as they have been read.
    fn oddities(&self) -> Vec<Oddity> {
        Vec::new()
    }
}

/// What a source that plays again and again has done so far. It may be read while the source is at
/// work elsewhere.
#[derive(Debug, Default)]
pub struct Played {
    /// Bytes of all frames handed out, as they would take them on an Ethernet line: the frame
    /// without checksum, at least 60, and 24 more for checksum, preamble and gap.
    pub line_bytes: AtomicU64,
    /// Nanoseconds spent on changing addresses or ports.
    pub rotate_ns: AtomicU64,
}

/// Bytes that a frame of `wire_len` takes on an Ethernet line, as in [`Played::line_bytes`].
#[inline]
pub(crate) fn line_bytes(wire_len: u32) -> u64 {
    u64::from(wire_len.max(60)) + 24
}

/// When a source that plays again and again is to end: with the first loop that ends after this
/// time, counted from its first frame.
#[derive(Clone, Copy, Debug)]
struct Deadline {
    after: Duration,
    begun: Option<Instant>,
}

impl Deadline {
    const fn new(after: Duration) -> Self {
        Self { after, begun: None }
    }

    /// Starts the clock, unless it runs.
    fn begin(&mut self) {
        self.begun.get_or_insert_with(Instant::now);
    }

    /// Whether it has passed.
    fn passed(&self) -> bool {
        self.begun.is_some_and(|begun| begun.elapsed() >= self.after)
    }
}

/// Time from the first frame of a loop to the first of the next, in nanoseconds, when `frames` lie
/// between `first_ns` and `last_ns`: as long as they last, and the mean distance between two.
fn period(first_ns: u64, last_ns: u64, frames: u64) -> u64 {
    let lasted = last_ns.saturating_sub(first_ns);
    lasted.saturating_add((lasted / frames.max(1)).max(1_000))
}

/// Times later than this are read as this, so that `u64::MAX` can mean "no boundary".
pub(crate) const TIME_MAX_NS: u64 = u64::MAX - 1;

/// `shift_ns` after `time_ns`, as far as times go.
#[inline(always)]
fn later(time_ns: u64, shift_ns: u64) -> u64 {
    time_ns.saturating_add(shift_ns).min(TIME_MAX_NS)
}

/// The boundary that frames have as recorded if it is `until_ns` for those that come `shift_ns` later.
fn boundary_as_recorded(until_ns: u64, shift_ns: u64) -> u64 {
    if until_ns == u64::MAX { u64::MAX } else { until_ns.saturating_sub(shift_ns) }
}
