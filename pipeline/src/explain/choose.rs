//! Finds the reset that was asked for.
//!
//! The inputs are analysed as `analyze` does it, settling included, and of all events only the best
//! one so far is kept. A frame is looked up first, so that the analysis knows its flow.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use resetscope_core::engine::{Config, Engine};
use resetscope_core::flow::key::FlowKey;
use resetscope_core::judge::cause::Subcause;
use resetscope_core::judge::event::Event;
use resetscope_core::segment::{RstTexts, Segment, TcpFlags};
use resetscope_core::wire::dissect;

use crate::collect::{Sink, Summary};
use crate::run::{Findings, RunError, run};
use crate::sink::mask::Mask;
use crate::source::{Batch, Fill, Progress, Source};

use super::flow_spec::FlowSpec;
use super::roles::End;
use super::{ExplainError, Request};

/// Other resets of the flow that are named; more are counted.
const OTHERS_MAX: usize = 16;

/// Frames read at a time.
pub(super) const BATCH: usize = 1024;

/// Which reset is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The reset in this frame, or nearest to it on its flow. Frames count from 1.
    Frame(u64),
    /// The first reset of a flow, named by its addresses or, where there is a mask, by what is
    /// printed for them; what is printed goes first, should two flows fit.
    Flow(FlowSpec),
}

/// Resets of the same flow beside the chosen one.
#[derive(Clone, Debug, Default)]
pub struct Others {
    /// The first of them, by frame and sub-cause.
    pub named: Vec<(u64, Subcause)>,
    /// How many more there are.
    pub more: u64,
}

/// The reset that was found.
pub(super) struct Chosen {
    pub(super) event: Event,
    pub(super) asked: Option<u64>,
    pub(super) others: Others,
    pub(super) findings: Findings,
}

/// Finds the reset that `target` names.
pub(super) fn choose(
    request: &Request<'_>,
    target: &Target,
    watch: &(dyn Fn(Progress) + Sync),
) -> Result<Chosen, ExplainError> {
    let (wanted, flow) = match *target {
        Target::Frame(frame) => {
            let segment = segment_of(request.source()?.as_mut(), frame)?;
            let key = segment.key;
            let counted_in = match segment.flags.any(TcpFlags::RST) {
                true => event_of_rst(request, &key, frame)?,
                false => None,
            };
            (Wanted::Frame { key, frame, counted_in }, named(&key))
        }
        Target::Flow(spec) => (Wanted::Flow(spec), spec.to_string()),
    };
    let printed = match (target, request.mask) {
        (Target::Flow(spec), Some(mask)) => Some(Search::new(Wanted::Printed(*spec, mask))),
        _ => None,
    };
    let mut searches = Searches { printed, real: Search::new(wanted) };
    let stop = Arc::new(AtomicBool::new(false));
    let findings = run(&request.plan, request.source()?, &mut searches, &stop, watch)?;
    let search = searches.printed.filter(|search| search.best.is_some()).unwrap_or(searches.real);
    let Some(event) = search.best else { return Err(ExplainError::NoReset { flow }) };
    let asked = match *target {
        Target::Frame(frame) if frame != event.frame => Some(frame),
        _ => None,
    };
    let mut others = search.others;
    others.named.retain(|(frame, _)| *frame != event.frame);
    Ok(Chosen { event: *event, asked, others, findings })
}

fn named(key: &FlowKey) -> String {
    format!("{}-{}", End { key, side: 0 }, End { key, side: 1 })
}

/// The segment that a frame holds.
fn segment_of(source: &mut dyn Source, wanted: u64) -> Result<Segment, ExplainError> {
    let mut batch = Batch::new(BATCH);
    let mut last = 0;
    while source.fill(&mut batch, u64::MAX)? != Fill::End {
        let offset = wanted.wrapping_sub(batch.first_number());
        if let Some(frame) = usize::try_from(offset).ok().and_then(|index| batch.frame(index)) {
            let mut segment = Segment::default();
            return match dissect(&frame, &mut segment, &mut RstTexts::new(1)) {
                Ok(()) => Ok(segment),
                Err(skip) => Err(ExplainError::NotTcp { frame: wanted, why: skip.name() }),
            };
        }
        last = batch.first_number() + batch.len() as u64 - 1;
    }
    Err(ExplainError::NoFrame { frame: wanted, last })
}

/// The first frame of the event that counts the RST in a frame of the flow `key`: of all events of this
/// flow it is the one that has a RST more with that frame than without.
fn event_of_rst(
    request: &Request<'_>,
    key: &FlowKey,
    frame: u64,
) -> Result<Option<u64>, ExplainError> {
    let config = Config { flows: 0, ..request.plan.engine.clone() };
    let engine = || Engine::new(&config, 0, 1).map_err(RunError::from);
    let (mut without, mut with) = (engine()?, engine()?);
    let mut source = request.source()?;
    let (mut batch, mut end) = (Batch::new(BATCH), false);
    while !end {
        end = source.fill(&mut batch, u64::MAX)? == Fill::End;
        for (number, packet) in (batch.first_number()..).zip(batch.frames()) {
            let mut segment = Segment::default();
            let of_flow = dissect(&packet, &mut segment, &mut RstTexts::new(0)).is_ok()
                && segment.key == *key;
            if of_flow && number < frame {
                without.push([packet], number);
            }
            if of_flow && number <= frame {
                with.push([packet], number);
            }
            end |= number >= frame;
        }
        if !end {
            // Judged before that frame: it cannot be in one of these.
            without.drain_events().for_each(drop);
            with.drain_events().for_each(drop);
        }
    }
    without.finish();
    with.finish();
    let counts = |engine: &mut Engine| -> BTreeMap<u64, u32> {
        engine.drain_events().map(|event| (event.open.rst.frame, event.open.packets())).collect()
    };
    let before = counts(&mut without);
    Ok(counts(&mut with)
        .into_iter()
        .find(|(first, packets)| before.get(first) != Some(packets))
        .map(|(first, _)| first))
}

/// What the search looks for.
enum Wanted<'a> {
    Frame {
        key: FlowKey,
        frame: u64,
        /// First frame of the event that counts it, if it is a RST.
        counted_in: Option<u64>,
    },
    Flow(FlowSpec),
    /// A flow of which the addresses are printed so.
    Printed(FlowSpec, &'a Mask),
}

impl Wanted<'_> {
    fn is_of_flow(&self, key: &FlowKey) -> bool {
        match self {
            Self::Frame { key: wanted, .. } => wanted == key,
            Self::Flow(spec) => spec.matches(key),
            Self::Printed(spec, mask) => spec.matches(&mask.key(key)),
        }
    }

    /// How far an event is from what is looked for; the least is the best.
    fn distance(&self, event: &Event) -> (bool, u64) {
        match *self {
            Self::Frame { frame, counted_in, .. } => {
                let other =
                    event.frame != frame && counted_in.is_some_and(|first| first != event.frame);
                (other, event.frame.abs_diff(frame))
            }
            Self::Flow(_) | Self::Printed(..) => (false, event.frame),
        }
    }
}

/// Keeps the best event.
struct Search<'a> {
    wanted: Wanted<'a>,
    best: Option<Box<Event>>,
    others: Others,
}

impl<'a> Search<'a> {
    fn new(wanted: Wanted<'a>) -> Self {
        Self { wanted, best: None, others: Others::default() }
    }

    fn event(&mut self, event: &Event) {
        if !self.wanted.is_of_flow(&event.key) {
            return;
        }
        // One more than are told, for the chosen one is among them.
        if self.others.named.len() <= OTHERS_MAX {
            self.others.named.push((event.frame, event.verdict.claim.subcause));
        } else {
            self.others.more += 1;
        }
        let distance = self.wanted.distance(event);
        if self.best.as_ref().is_none_or(|best| distance < self.wanted.distance(best)) {
            self.best = Some(Box::new(*event));
        }
    }
}

/// The searches for all that may be meant.
struct Searches<'a> {
    printed: Option<Search<'a>>,
    real: Search<'a>,
}

impl Sink for Searches<'_> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        if let Some(printed) = &mut self.printed {
            printed.event(event);
        }
        self.real.event(event);
        Ok(())
    }

    fn summary(&mut self, _: &Summary) -> io::Result<()> {
        Ok(())
    }
}
