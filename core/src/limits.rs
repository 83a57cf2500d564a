//! Every bound of the engine in one place, with its reason.

/// Segments that the engine prefetches together. Bursts of 32 to 128 hide a memory access of 100 ns
/// behind the work on the others; from 128 on they push each other out of a first-level cache of
/// 48 KB, and with 32 of them a capture of 1 M connections took 1 to 3 % less time than with 64.
/// Moving segments on one by one instead, each prefetch amid the work on another segment, was slower
/// (67 against 55 ns at 1 M connections): a prefetch waits for its page to be found, and only in a
/// row do these waits overlap.
pub const BURST: usize = 32;

/// Logical shards. A power of two, more than any machine has cores, and few enough that a shard's
/// hot fields stay in cache.
pub const SHARDS: usize = 64;

/// Flows held when nothing else is asked for: about 180 MB.
pub const FLOWS_DEFAULT: usize = 1 << 20;

/// The fewest flows that a capacity may name: one bucket pair a shard.
pub const FLOWS_MIN: usize = SHARDS * 16;

/// Open reset events for each flow of capacity: a 64th. Beyond that the oldest is judged early.
pub const FLOWS_PER_EVENT: usize = 64;

/// Open reset events that a shard always has room for.
pub const EVENTS_PER_SHARD_MIN: usize = 64;

/// Judged events that leave an engine where they are; beyond that they are copied. Workers ask for
/// them after each thousand frames or so.
pub const DOCKET: usize = 2048;

/// How long a verdict waits for what follows a reset, in nanoseconds of packet time: longer than
/// two retransmission timeouts of one second (RFC 6298) would be, shorter than patience.
pub const RACE_WINDOW_NS: u64 = 2_000_000_000;

/// A packet this far behind a shard's clock, in nanoseconds, says that the clock is wrong: an earlier
/// packet had a time stamp from the future, or the capture's clock was set back.
pub const CLOCK_BACK_NS: u64 = 60_000_000_000;

/// Whether a packet of `time_ns` says so, after others of up to `latest_ns`, both in nanoseconds since
/// 1970-01-01 UTC. One without a time, which is 0, says nothing.
#[must_use]
#[inline]
pub const fn clock_was_wrong(latest_ns: u64, time_ns: u64) -> bool {
    time_ns.saturating_add(CLOCK_BACK_NS) < latest_ns && time_ns > 0
}

/// One tick of the table's clock, in nanoseconds.
pub const TICK_NS: u64 = 4_000_000_000;

/// Ticks after which a handshake that never completed is forgotten: 120 s, as SYN retries take at
/// most 63 s to give up on Linux and 127 s to be answered.
pub const EMBRYONIC_TICKS: u8 = 30;

/// Ticks after which a closed or reset connection is forgotten: 240 s, twice the longest customary
/// TIME-WAIT (RFC 9293 section 3.4.2: MSL of 2 minutes).
pub const CLOSING_TICKS: u8 = 60;

/// Ticks within which use shields an established flow from newcomers that are only a SYN: 60 s.
pub const SHIELD_TICKS: u8 = 15;

/// Sweeps of the table at each tick are this part of it, so that a pass takes 32 s.
pub const SWEEP_PARTS: usize = 8;

/// Services remembered across flows that accepted, and as many that refused; about 15 MB with hosts
/// and sources.
pub const MEMORY_SERVICES: usize = 65_536;

/// Hosts remembered across flows.
pub const MEMORY_HOSTS: usize = 65_536;

/// Sources of refused connections remembered.
pub const MEMORY_SOURCES: usize = 16_384;

/// Different targets that make a source a scanner.
pub const SCAN_TARGETS: usize = 10;

/// Packet time that an event waits for what happens to other flows, in nanoseconds: a client whose
/// connection was reset tries again within this, and finds the port open or closed.
pub const SETTLE_NS: u64 = 2_000_000_000;

/// Events that wait for that at once: about 17 MB when they are to be shown, and 8 bytes each of those
/// that only time waits for when they are not. Beyond it the first is settled early, so that no
/// time stamp from the far future can hold up all that follow.
pub const SETTLING_MAX: usize = 65_536;

/// Endings of connections that are compared with each other: those of about 50 ms.
pub const ENDINGS_MAX: usize = 1_024;

/// Connections that end within this of each other ended together, in nanoseconds.
pub const COHORT_NS: u64 = 50_000_000;

/// Connections that end together are a cohort from this number on: two may be chance.
pub const COHORT_MIN: u16 = 3;

/// Silence after which an active reset was not the answer to a packet, in microseconds.
pub const ENDING_IDLE_US: u64 = 100_000;

/// Sightings of one service that a shard reports: one in this time, in nanoseconds.
pub const SIGHTING_NS: u64 = 500_000_000;

/// Services that a shard keeps apart when it decides whether to report again.
pub const SIGHTING_SLOTS: usize = 128;

/// Texts of resets kept for each burst: every segment may carry one.
pub const TEXTS: usize = BURST;

/// A reset is quicker than its host only by more than this, in microseconds: jitter explains less.
pub const QUICKER_US_MIN: u64 = 300;
