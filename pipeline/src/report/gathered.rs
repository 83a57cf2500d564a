//! What is kept of a run: everything summed, and the first events whole.

use std::collections::BTreeMap;

use resetscope_core::interval::Interval;
use resetscope_core::judge::cause::Subcause;
use resetscope_core::judge::event::Event;
use resetscope_core::judge::evidence::Fact;
use resetscope_core::judge::facts::Stage;

use super::time_bins::TimeBins;
use crate::collect::Summary;
use crate::collect::top::Top;

/// Events that a report tells whole. Those beyond it are counted in everything else.
pub const EVENTS_MAX: usize = 2_000;

/// Lower ends of the bands of confidence, in percent, highest first.
pub(super) const BANDS: [u8; 4] = [85, 70, 50, 0];

/// The bounded memory of a run.
#[derive(Default)]
pub(super) struct Gathered {
    /// All intervals together.
    pub(super) sums: Interval,
    /// First and last moment of the traffic, in nanoseconds since 1970-01-01 UTC.
    pub(super) span: Option<(u64, u64)>,
    /// Services and hosts.
    pub(super) top: Top,
    /// Resets over time.
    pub(super) bins: TimeBins,
    /// The first events.
    pub(super) events: Vec<Event>,
    /// Events that came, told or not.
    pub(super) came: u64,
    /// Index in `events` of the surest event of each sub-cause.
    pub(super) examples: BTreeMap<Subcause, usize>,
    /// Events by the band of [`BANDS`] that their confidence falls into.
    pub(super) bands: [u64; BANDS.len()],
    /// Events that left a question open, by its name.
    pub(super) questions: BTreeMap<&'static str, u64>,
    /// Events whose evidence says that the capture shows too little, by fact.
    pub(super) gaps: BTreeMap<&'static str, u64>,
}

/// Facts that tell of the capture and not of the connection.
pub(super) const GAPS: [Fact; 4] = [Fact::Midstream, Fact::OneWay, Fact::Gap, Fact::WindowCut];

impl Gathered {
    pub(super) fn event(&mut self, event: &Event) {
        let claim = event.verdict.claim;
        self.came += 1;
        self.top.add(&event.into());
        self.bins.add(event.time_ns, claim.subcause.cause());
        if let Some(band) = BANDS.iter().position(|&least| claim.percent >= least)
            && let Some(count) = self.bands.get_mut(band)
        {
            *count += 1;
        }
        for question in event.unknowns.names() {
            *self.questions.entry(question).or_default() += 1;
        }
        for fact in GAPS {
            // Who answers a SYN with a reset has said nothing else: that is no gap.
            let silent = fact == Fact::OneWay && event.stage == Stage::PostSyn;
            if !silent && event.evidence.get(fact).is_some_and(|value| value != 0) {
                *self.gaps.entry(fact.name()).or_default() += 1;
            }
        }
        self.keep(event);
    }

    fn keep(&mut self, event: &Event) {
        if self.events.len() >= EVENTS_MAX {
            return;
        }
        let claim = event.verdict.claim;
        let surer = |&kept: &usize| {
            self.events.get(kept).is_none_or(|kept| kept.verdict.claim.percent < claim.percent)
        };
        if self.examples.get(&claim.subcause).is_none_or(surer) {
            self.examples.insert(claim.subcause, self.events.len());
        }
        self.events.push(*event);
    }

    pub(super) fn summary(&mut self, summary: &Summary) {
        let span = summary.span;
        self.sums.merge(&summary.interval);
        // A sum would count a connection once in each interval that it lives through.
        self.sums.flows.active = summary.interval.flows.active;
        if summary.interval.frames.received > 0 {
            let (start, end) = self.span.unwrap_or((span.start_ns, span.end_ns));
            self.span = Some((start.min(span.start_ns), end.max(span.end_ns)));
        }
    }

    /// When the traffic began; 0 without any.
    pub(super) fn start_ns(&self) -> u64 {
        self.span.map_or(0, |(start, _)| start)
    }
}
