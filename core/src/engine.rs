//! The engine of one core: frames in, judged resets and mergeable intervals out.
//!
//! ```
//! use resetscope_core::engine::{Config, Engine};
//! use resetscope_core::frame::{Frame, LinkType};
//!
//! let mut engine = Engine::new(&Config { flows: 4096, ..Config::default() }, 0, 1)?;
//! let frame = Frame { bytes: &[0; 60], wire_len: 60, time_ns: 0, link: LinkType::ETHERNET };
//! engine.push([frame], 1);
//! engine.finish();
//! let interval = engine.take_interval();
//! assert_eq!(interval.frames.received, 1);
//! assert!(interval.frames.balances());
//! # Ok::<(), resetscope_core::flow::table::NoMemory>(())
//! ```

use crate::docket::Docket;
use crate::flow::prefetch;
use crate::flow::table::{FlowTable, NoMemory, Region, Slot};
use crate::frame::Frame;
use crate::interval::{Interval, Ledger};
use crate::judge::event::Judged;
use crate::limits::{
    BURST, DOCKET, EVENTS_PER_SHARD_MIN, FLOWS_DEFAULT, FLOWS_MIN, FLOWS_PER_EVENT, RACE_WINDOW_NS,
    SHARDS, TEXTS,
};
use crate::memory::Sighting;
use crate::segment::{RstTexts, Segment};
use crate::shard::{Report, Shard};
use crate::wire::{self, Sink};

/// What an engine is built for.
#[derive(Clone, Debug)]
pub struct Config {
    /// Flows held, over all workers together.
    pub flows: usize,
    /// How long a verdict stays open for what follows the reset, in nanoseconds of packet time.
    pub race_window_ns: u64,
    /// Events kept between two calls of [`Engine::drain_events`], beyond those that a full ring of
    /// open events can yield at once.
    pub events: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { flows: FLOWS_DEFAULT, race_window_ns: RACE_WINDOW_NS, events: 8192 }
    }
}

/// The shard of a flow hash.
#[inline]
#[must_use]
pub const fn shard_of(hash: u64) -> usize {
    (hash >> (u64::BITS - SHARDS.trailing_zeros())) as usize
}

/// The worker that owns a shard.
#[inline]
#[must_use]
pub const fn owner_of(shard: usize, workers: usize) -> usize {
    shard % workers
}

/// Where an engine has each of all shards; what it does not own lies beyond its shards. A table, as
/// the division by the number of workers would cost more.
type Places = [u8; SHARDS];

/// How many segments ahead those that another core wrote are asked for.
const SEGMENTS_AHEAD: usize = 16;

/// The engine of one core. It owns every `workers`-th shard.
pub struct Engine {
    shards: Vec<Shard>,
    workers: usize,
    places: Places,
    report: Report,
    burst: Box<[Segment; BURST]>,
    /// Those of the burst that is taken, and of the one behind it.
    hints: Box<[[Hint; BURST]; 2]>,
    texts: RstTexts,
}

impl Engine {
    /// The engine of worker `worker` of `workers`, with all its memory reserved.
    ///
    /// # Errors
    /// [`NoMemory`] when the system refuses the memory.
    pub fn new(config: &Config, worker: usize, workers: usize) -> Result<Self, NoMemory> {
        let workers = workers.clamp(1, SHARDS);
        let owned = (0..SHARDS).filter(|&shard| owner_of(shard, workers) == worker).count();
        let flows = config.flows.max(FLOWS_MIN) / SHARDS;
        let ring = (flows / FLOWS_PER_EVENT).max(EVENTS_PER_SHARD_MIN);
        let shards = FlowTable::family(owned, flows)?
            .into_iter()
            .map(|table| Shard::new(table, ring, config.race_window_ns))
            .collect();
        let mut places = [u8::MAX; SHARDS];
        let own =
            places.iter_mut().enumerate().filter(|(shard, _)| owner_of(*shard, workers) == worker);
        for (place, (_, slot)) in (0..).zip(own) {
            *slot = place;
        }
        Ok(Self {
            shards,
            workers,
            places,
            report: Report::new(config.events + ring * owned, config.events),
            burst: Box::new([Segment::default(); BURST]),
            hints: Box::new([[Hint::default(); BURST]; 2]),
            texts: RstTexts::new(TEXTS),
        })
    }

    /// Analyses frames in order; the first is number `first_frame` of the capture. The engine must
    /// own all shards.
    pub fn push<'a>(&mut self, frames: impl IntoIterator<Item = Frame<'a>>, first_frame: u64) {
        debug_assert_eq!(self.workers, 1, "other workers' flows would be lost");
        let (mut used, mut received, mut bytes) = (0, 0_u64, 0_u64);
        for frame in frames {
            let number = first_frame.wrapping_add(received);
            received += 1;
            bytes += u64::from(frame.wire_len);
            let Some(segment) = self.burst.get_mut(used) else { break };
            match wire::dissect(&frame, segment, &mut self.texts) {
                Ok(()) => {
                    segment.frame = number;
                    // This engine has all shards: each is in its own place.
                    if let Some(hint) = self.hints[0].get_mut(used) {
                        *hint = ask_for(&self.shards, shard_of(segment.hash), segment.hash);
                    }
                    used += 1;
                }
                Err(reason) => self.report.interval.frames.skip(reason),
            }
            if used == BURST {
                self.process_burst(used);
                used = 0;
            }
        }
        self.process_burst(used);
        self.report.interval.frames.receive(received, bytes);
    }

    fn process_burst(&mut self, used: usize) {
        let burst = self.burst.get(..used).unwrap_or_default();
        let hints = &mut self.hints[0];
        take_burst(&mut self.shards, burst, hints, &self.texts, &mut self.report, |_, _| ());
        self.texts.clear();
    }

    /// Analyses segments that belong to shards of this engine.
    pub fn process(&mut self, segments: &[Segment], texts: &RstTexts) {
        let (shards, places) = (&mut self.shards, &self.places);
        let find = |shards: &[Shard], hash: u64| {
            let place = places.get(shard_of(hash)).map_or(u8::MAX, |at| *at);
            ask_for(shards, place.into(), hash)
        };
        let [mut hints, mut next_hints] = self.hints.each_mut();
        let mut bursts = segments.chunks(BURST);
        let mut burst = bursts.next().unwrap_or_default();
        for (segment, hint) in burst.iter().zip(hints.iter_mut()) {
            *hint = find(shards, segment.hash);
        }
        while !burst.is_empty() {
            let next = bursts.next().unwrap_or_default();
            take_burst(shards, burst, hints, texts, &mut self.report, |shards, nth| {
                if let (Some(segment), Some(hint)) = (next.get(nth), next_hints.get_mut(nth)) {
                    prefetch::value_behind(segment, SEGMENTS_AHEAD);
                    *hint = find(shards, segment.hash);
                }
            });
            burst = next;
            std::mem::swap(&mut hints, &mut next_hints);
        }
    }

    /// Adds the ledger of frames that were dissected elsewhere.
    pub fn count_frames(&mut self, ledger: &Ledger) {
        self.report.interval.frames.merge(ledger);
    }

    /// Moves every shard's clock to `now_ns` and judges what falls due until then.
    pub fn advance(&mut self, now_ns: u64) {
        self.each_shard(|shard, report| shard.advance(now_ns, report));
    }

    /// As [`Engine::advance`], as far as what is judged surely fits into a docket of which half at least
    /// is used; true when more may fall due: then events must be taken out before the next call. So the
    /// memory for events beyond a docket stays untouched when thousands fall due at once, if a shard has
    /// no more of them open than half a docket holds.
    #[must_use]
    pub fn advance_some(&mut self, now_ns: u64) -> bool {
        let report = &mut self.report;
        for shard in &mut self.shards {
            let judged = report.events.len();
            if judged >= DOCKET / 2 && judged + shard.open_events() > DOCKET {
                return true;
            }
            shard.advance(now_ns, report);
        }
        false
    }

    /// The clock was wrong until now, when it is `now_ns`, in nanoseconds since 1970-01-01 UTC: shards
    /// that followed it judge what they have open, and start anew. (The others would at their next
    /// packet; but there may be none.)
    pub fn set_back(&mut self, now_ns: u64) {
        self.each_shard(|shard, report| shard.follow_back(now_ns, report));
    }

    /// Judges every open event: no more packets will come.
    pub fn finish(&mut self) {
        self.each_shard(Shard::finish);
    }

    fn each_shard(&mut self, act: impl Fn(&mut Shard, &mut Report)) {
        for shard in &mut self.shards {
            act(shard, &mut self.report);
        }
    }

    /// Events and sightings that wait to be drained. Some thousands may: see [`Config::events`].
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.report.events.len() + self.report.sightings.len()
    }

    /// Exchanges the events judged since the last call for `empty`, which must be.
    pub fn exchange_events(&mut self, empty: &mut Docket) {
        self.report.events.exchange(empty);
    }

    /// Whether any event waits to be taken.
    #[must_use]
    pub const fn has_events(&self) -> bool {
        self.report.events.len() > 0
    }

    /// The events judged since the last call, in no particular order, without their texts.
    pub fn drain_events(&mut self) -> impl Iterator<Item = Judged> + '_ {
        self.report.events.drain()
    }

    /// The sightings since the last call, in no particular order.
    pub fn drain_sightings(&mut self) -> impl Iterator<Item = Sighting> + '_ {
        self.report.sightings.drain(..)
    }

    /// Every event of a frame before this one has been judged; `None` when none is open.
    #[must_use]
    pub fn oldest_open_frame(&self) -> Option<u64> {
        self.shards.iter().filter_map(Shard::oldest_open_frame).min()
    }

    /// The time of the oldest event that is still open, in nanoseconds since 1970-01-01 UTC: every
    /// event of an earlier RST has been judged. `None` when none is open.
    #[must_use]
    pub fn oldest_open_time(&self) -> Option<u64> {
        self.shards.iter().filter_map(Shard::oldest_open_time).min()
    }

    /// Hands over the interval so far and begins another.
    #[must_use]
    pub fn take_interval(&mut self) -> Interval {
        let mut interval = std::mem::take(&mut self.report.interval);
        self.report.recorder.hand_over(&mut interval.histograms);
        interval.flows.active = self.shards.iter().map(|shard| shard.table().len() as u64).sum();
        interval
    }

    /// The one block of memory in which all flow tables lie, for a caller that wants it on huge
    /// pages; `None` without shards.
    #[must_use]
    pub fn memory(&self) -> Option<Region> {
        self.shards.first().map(|shard| shard.table().memory())
    }
}

/// Where a segment's flow is to be looked for.
#[derive(Clone, Copy, Debug, Default)]
struct Hint {
    place: u32,
    slot: Slot,
}

/// Asks for the bucket of a hash in the shard at `place`.
#[inline(always)]
fn ask_for(shards: &[Shard], place: usize, hash: u64) -> Hint {
    let slot = shards.get(place).map(|shard| shard.table().prefetch_bucket(hash));
    Hint { place: place as u32, slot: slot.unwrap_or_default() }
}

/// Takes one burst through the tables, after the lines of all its buckets have been asked for (which
/// gave `hints`), in two passes, so that the memory of all its flows is on its way before the first of
/// them is touched. `meanwhile` is called before each segment is taken, with the number of it.
#[inline]
fn take_burst(
    shards: &mut [Shard],
    burst: &[Segment],
    hints: &mut [Hint; BURST],
    texts: &RstTexts,
    report: &mut Report,
    mut meanwhile: impl FnMut(&[Shard], usize),
) {
    for (segment, hint) in burst.iter().zip(hints.iter_mut()) {
        if let Some(shard) = shards.get(hint.place as usize) {
            hint.slot = shard.table().probe(segment.hash, hint.slot);
            shard.table().prefetch_record(hint.slot);
        }
    }
    let mut steady = 0;
    for (nth, (segment, hint)) in burst.iter().zip(hints.iter()).enumerate() {
        meanwhile(shards, nth);
        if let Some(shard) = shards.get_mut(hint.place as usize) {
            if shard.take_steady(segment, hint.slot) {
                steady += 1;
            } else {
                shard.take(segment, hint.slot, texts, report);
            }
        }
    }
    report.interval.frames.analysed += steady;
}

/// Dissects one frame to where `sink` wants the segment, and counts it; true when it holds a TCP
/// segment. Who places that also gives it its number.
#[inline]
pub fn dissect_to(frame: &Frame<'_>, sink: &mut impl Sink, ledger: &mut Ledger) -> bool {
    ledger.receive(1, frame.wire_len.into());
    match wire::dissect_to(frame, sink) {
        Ok(()) => true,
        Err(reason) => {
            ledger.skip(reason);
            false
        }
    }
}
