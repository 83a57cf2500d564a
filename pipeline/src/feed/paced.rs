//! A source that also stops where its clock turns out to have been wrong.

use resetscope_core::limits::clock_was_wrong;
use resetscope_core::set_backs::SetBacks;

use crate::source::{Batch, Fill, Progress, Source, SourceError};

/// Why a filling ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The batch holds what came, and more may follow.
    Frames,
    /// The next frame is not before the time asked for.
    Boundary,
    /// The next frame is of this time, and says that the clock of those before it was wrong.
    Back(u64),
    /// There are no more frames.
    End,
}

/// A source, and where its clock stands.
pub(super) struct Paced {
    source: Box<dyn Source>,
    /// The latest time since the clock was last found to be wrong.
    latest_ns: u64,
    set_backs: SetBacks,
    /// What the source gave at once and is handed out in parts: the batch, and the index of the next
    /// frame.
    rest: Option<(Box<Batch>, usize)>,
}

impl Paced {
    pub(super) fn new(source: Box<dyn Source>) -> Self {
        Self { source, latest_ns: 0, set_backs: SetBacks::default(), rest: None }
    }

    /// As [`Source::fill`], and stops before each frame that says that the clock was wrong, if it is
    /// believed.
    ///
    /// # Errors
    /// Those of the source.
    pub(super) fn fill(&mut self, batch: &mut Batch, until_ns: u64) -> Result<Stop, SourceError> {
        if let Some((whole, next)) = self.rest.take() {
            return Ok(self.part(batch, until_ns, whole, next));
        }
        let stop = match self.source.fill(batch, until_ns)? {
            Fill::Frames => Stop::Frames,
            Fill::Boundary => Stop::Boundary,
            Fill::End => Stop::End,
        };
        if let Some((earliest_ns, latest_ns)) = batch.times() {
            let latest_ns = self.latest_ns.max(latest_ns);
            // Behind a frame without a time there may be any.
            if earliest_ns == 0 || clock_was_wrong(latest_ns, earliest_ns) {
                let mut whole = Box::new(Batch::new(batch.len()));
                whole.become_part(batch, 0..batch.len());
                return Ok(self.part(batch, until_ns, whole, 0));
            }
            self.latest_ns = latest_ns;
            self.set_backs.came(batch.len() as u64);
        }
        Ok(stop)
    }

    /// Hands out frames of `whole` from `first` on, one by one looked at. Where they end, the source
    /// says again what it said.
    #[cold]
    fn part(&mut self, batch: &mut Batch, until_ns: u64, whole: Box<Batch>, first: usize) -> Stop {
        let mut next = first;
        let mut stop = Stop::Frames;
        while let Some(frame) = whole.frame(next) {
            if clock_was_wrong(self.latest_ns, frame.time_ns) && self.set_backs.believe() {
                self.latest_ns = frame.time_ns;
                stop = Stop::Back(frame.time_ns);
                break;
            }
            if frame.time_ns >= until_ns {
                stop = Stop::Boundary;
                break;
            }
            self.latest_ns = self.latest_ns.max(frame.time_ns);
            self.set_backs.came(1);
            next += 1;
        }
        batch.become_part(&whole, first..next);
        self.rest = (next < whole.len()).then_some((whole, next));
        stop
    }

    /// The time of the next frame; `None` at the end. May block until there is one.
    pub(super) fn peek_time(&mut self) -> Option<u64> {
        match &self.rest {
            Some((whole, next)) => whole.frame(*next).map(|frame| frame.time_ns),
            None => self.source.peek_time(),
        }
    }

    /// Packets that the source says were lost, since the last call.
    pub(super) fn take_lost(&mut self) -> u64 {
        self.source.take_lost()
    }

    pub(super) fn progress(&self) -> Progress {
        self.source.progress()
    }

    pub(super) fn into_source(self) -> Box<dyn Source> {
        self.source
    }
}
