//! What one worker saw in one interval: counters and histograms that add up.
//!
//! Merging is addition, so the sum over workers, shards, intervals or machines does not depend on
//! the order in which they are merged.

pub mod histogram;
pub(crate) mod recorder;

use crate::flow::table::Class;
use crate::judge::cause::{Cause, Subcause};
use crate::judge::facts::Stage;
use crate::skip::Skip;

use histogram::Histograms;

/// Why overload kept a frame from being analysed; the value is the counter's index.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shed {
    /// The flow table was full of flows that may not give way to this packet's.
    TableFull,
    /// The kernel had no room left for it in the ring of a live tap, or a recording says that it was
    /// lost while it was made: it never got here, and its length is not known. Counted as received,
    /// too, so that the ledger is that of the tap.
    KernelDrop,
    /// A DPDK device had no room left for it in its receive queues, or, where software deals out
    /// what one queue receives, there was none on the way to its worker. Counted as received, too,
    /// as are those below.
    NicDrop,
    /// A DPDK device received it damaged (bad checksum of the link, too long, …).
    NicError,
    /// A virtual DPDK device found no free buffer for it.
    NoBuffer,
}

impl Shed {
    /// Every reason, in the order of the counters.
    pub const ALL: [Self; 5] =
        [Self::TableFull, Self::KernelDrop, Self::NicDrop, Self::NicError, Self::NoBuffer];

    /// The reason's name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TableFull => "table_full",
            Self::KernelDrop => "kernel_drop",
            Self::NicDrop => "nic_drop",
            Self::NicError => "nic_error",
            Self::NoBuffer => "no_buffer",
        }
    }
}

/// The packet ledger: every frame is in exactly one bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Frames received from the source, and those that a tap lost on the way to here.
    pub received: u64,
    /// Their bytes on the wire, as far as the source told their lengths.
    pub bytes: u64,
    /// Frames that became part of a flow.
    pub analysed: u64,
    /// Frames not used, by [`Skip`].
    pub skipped: [u64; Skip::ALL.len()],
    /// Frames that overload shed, by [`Shed`].
    pub shed: [u64; Shed::ALL.len()],
}

impl Ledger {
    /// Whether every frame received is in exactly one bucket.
    #[must_use]
    pub fn balances(&self) -> bool {
        let accounted =
            self.analysed + self.skipped.iter().sum::<u64>() + self.shed.iter().sum::<u64>();
        self.received == accounted
    }

    /// Counts frames that came from the source, of so many bytes on the wire together.
    #[inline]
    pub const fn receive(&mut self, frames: u64, bytes: u64) {
        self.received += frames;
        self.bytes += bytes;
    }

    /// Counts a frame that was not used.
    #[inline]
    pub fn skip(&mut self, reason: Skip) {
        if let Some(count) = self.skipped.get_mut(reason as usize) {
            *count += 1;
        }
    }

    /// Counts a frame that overload shed.
    #[inline]
    pub fn shed(&mut self, reason: Shed) {
        if let Some(count) = self.shed.get_mut(reason as usize) {
            *count += 1;
        }
    }

    /// Counts `frames` that were lost before they got here.
    pub fn lost(&mut self, reason: Shed, frames: u64) {
        self.received += frames;
        if let Some(count) = self.shed.get_mut(reason as usize) {
            *count += frames;
        }
    }

    /// Adds another ledger to this one.
    pub fn merge(&mut self, other: &Self) {
        self.received += other.received;
        self.bytes += other.bytes;
        self.analysed += other.analysed;
        add(&mut self.skipped, &other.skipped);
        add(&mut self.shed, &other.shed);
    }
}

/// Flows opened, held and evicted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flows {
    /// Connections first seen in the interval.
    pub opened: u64,
    /// Connections in the table at its end.
    pub active: u64,
    /// Connections that had to give way to others, by [`Class`].
    pub evicted: [u64; 3],
}

impl Flows {
    /// The classes of `evicted`, with their names in reports.
    pub const EVICTED: [(Class, &'static str); 3] = [
        (Class::Embryonic, "embryonic"),
        (Class::Closing, "closing"),
        (Class::Established, "established"),
    ];

    /// Adds another worker's flows of the same interval to these.
    pub fn merge(&mut self, other: &Self) {
        self.opened += other.opened;
        self.active += other.active;
        add(&mut self.evicted, &other.evicted);
    }

    /// Counts an eviction.
    pub fn evict(&mut self, class: Class) {
        if let Some(count) = self.evicted.get_mut(class.index()) {
            *count += 1;
        }
    }
}

/// Resets by cause, sub-cause and stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resets {
    /// RST packets analysed; each is in exactly one event.
    pub packets: u64,
    /// Events judged.
    pub events: u64,
    /// Events whose details were shed: counted here and above, not listed.
    pub unlisted: u64,
    /// Events by [`Cause`].
    pub by_cause: [u64; Cause::ALL.len()],
    /// Events by [`Subcause`].
    pub by_subcause: [u64; Subcause::ALL.len()],
    /// Events by [`Stage`].
    pub by_stage: [u64; Stage::ALL.len()],
}

impl Default for Resets {
    fn default() -> Self {
        Self {
            packets: 0,
            events: 0,
            unlisted: 0,
            by_cause: [0; Cause::ALL.len()],
            by_subcause: [0; Subcause::ALL.len()],
            by_stage: [0; Stage::ALL.len()],
        }
    }
}

impl Resets {
    /// Counts an event that was judged so, at this stage of its connection.
    #[inline]
    pub fn count(&mut self, subcause: Subcause, stage: Stage) {
        self.events += 1;
        bump(&mut self.by_cause, subcause.cause() as usize);
        bump(&mut self.by_subcause, subcause as usize);
        bump(&mut self.by_stage, stage as usize);
    }

    /// Adds other resets to these.
    pub fn merge(&mut self, other: &Self) {
        self.packets += other.packets;
        self.events += other.events;
        self.unlisted += other.unlisted;
        add(&mut self.by_cause, &other.by_cause);
        add(&mut self.by_subcause, &other.by_subcause);
        add(&mut self.by_stage, &other.by_stage);
    }

    /// Counts an event that was counted under `from` under `to` instead.
    pub fn recount(&mut self, from: Subcause, to: Subcause) {
        drop_one(&mut self.by_cause, from.cause() as usize);
        drop_one(&mut self.by_subcause, from as usize);
        bump(&mut self.by_cause, to.cause() as usize);
        bump(&mut self.by_subcause, to as usize);
    }
}

fn bump(counts: &mut [u64], index: usize) {
    if let Some(count) = counts.get_mut(index) {
        *count += 1;
    }
}

fn drop_one(counts: &mut [u64], index: usize) {
    if let Some(count) = counts.get_mut(index) {
        *count = count.saturating_sub(1);
    }
}

fn add(to: &mut [u64], from: &[u64]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += from;
    }
}

/// Everything of one interval.
#[derive(Clone, Debug, Default)]
pub struct Interval {
    /// The packet ledger.
    pub frames: Ledger,
    /// Flows opened, held and evicted.
    pub flows: Flows,
    /// Resets by cause, sub-cause and stage.
    pub resets: Resets,
    /// Distributions.
    pub histograms: Histograms,
}

impl Interval {
    /// Adds another worker's part of the same interval, or another interval: counts add up, and
    /// so does `flows.active`, which for workers of one interval is what is wanted.
    pub fn merge(&mut self, other: &Self) {
        self.frames.merge(&other.frames);
        self.flows.merge(&other.flows);
        self.resets.merge(&other.resets);
        self.histograms.merge(&other.histograms);
    }
}
