//! Recorded traffic: capture files and streams, read as one tap.
//!
//! [`open`] takes any number of inputs (files by path, `-` for standard input), recognises format
//! and compression by content, and hands out one [`Source`] whose frames come in the order of
//! their timestamps. Read are pcap and pcapng in all their variants, plain or compressed with
//! gzip, zstd or lz4.
//!
//! How a byte becomes a frame: `input` opens, `probe` recognises, `decompress` and `readahead` (or
//! `mapping`) bring the bytes in, `window` shows them contiguously, `pcap` and `pcapng` find the
//! records, `prefetch` hurries memory along, `capture` is one input from end to end, `merge` is all of them in order.
//!
//! What is refused at the door is a [`SourceError`]; what turns out broken on the way is a
//! [`Damage`]: the frames before it are delivered and the other inputs are read on. Neither is
//! ever a panic, and no length read from a capture decides how much memory is allocated.

mod batch;
mod capture;
mod decompress;
mod error;
mod input;
mod mapping;
mod memory;
mod merge;
mod pcap;
mod pcapng;
mod prefetch;
mod probe;
mod readahead;
mod walk;
mod window;

pub use batch::{Batch, Frames};
pub use error::{Damage, SourceError};
pub use input::{Input, Options};
pub use merge::open;

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
}

/// Times later than this are read as this, so that `u64::MAX` can mean "no boundary".
pub(crate) const TIME_MAX_NS: u64 = u64::MAX - 1;
