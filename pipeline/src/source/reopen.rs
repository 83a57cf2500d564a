//! Captures that are opened and read anew for each loop, time going on from loop to loop.

use super::batch::Batch;
use super::{
    Damage, Deadline, Fill, Input, Oddity, Options, Played, Progress, Source, SourceError,
};
use super::{boundary_as_recorded, later, merge, period};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Reads the same files in whole loops.
pub struct Reopened {
    paths: Vec<PathBuf>,
    options: Options,
    inner: Box<dyn Source>,
    played: Arc<Played>,
    deadline: Deadline,
    /// Frames of this loop so far.
    frames: u64,
    /// Frames of all loops before it.
    frames_before: u64,
    /// Time of the first frame, as recorded.
    first_ns: u64,
    /// The latest time of the first loop, as recorded.
    last_ns: u64,
    shift_ns: u64,
    period_ns: Option<u64>,
    damage: Vec<Damage>,
    /// What was odd in the first loop, once that is over.
    odd: Option<Vec<Oddity>>,
}

impl Reopened {
    /// Reads until the end of the loop in which `time` is over, and at least one loop.
    ///
    /// # Errors
    /// When the files cannot be opened, or one of them is standard input, which cannot be read
    /// twice.
    pub fn open(
        paths: Vec<PathBuf>,
        options: Options,
        time: Duration,
        played: Arc<Played>,
    ) -> Result<Self, SourceError> {
        let mut inner = merge::open(paths.iter().cloned().map(Input::from), &options)?;
        let first_ns = inner.peek_time().unwrap_or(0);
        Ok(Self {
            paths,
            options,
            inner,
            played,
            deadline: Deadline::new(time),
            frames: 0,
            frames_before: 0,
            first_ns,
            last_ns: first_ns,
            shift_ns: 0,
            period_ns: None,
            damage: Vec::new(),
            odd: None,
        })
    }

    /// Begins the next loop; `false` when that one was the last.
    fn again(&mut self) -> Result<bool, SourceError> {
        if self.deadline.passed() || self.frames == 0 {
            return Ok(false);
        }
        let period_ns =
            *self.period_ns.get_or_insert(period(self.first_ns, self.last_ns, self.frames));
        if self.damage.is_empty() {
            self.damage = self.inner.damage().to_vec();
        }
        self.odd.get_or_insert_with(|| self.inner.oddities());
        self.inner = merge::open(self.paths.iter().cloned().map(Input::from), &self.options)?;
        self.shift_ns = self.shift_ns.saturating_add(period_ns);
        self.frames_before += self.frames;
        self.frames = 0;
        Ok(true)
    }
}

impl Source for Reopened {
    fn fill(&mut self, batch: &mut Batch, until_ns: u64) -> Result<Fill, SourceError> {
        self.deadline.begin();
        let filled = loop {
            let limit_ns = boundary_as_recorded(until_ns, self.shift_ns);
            let filled = self.inner.fill(batch, limit_ns)?;
            if filled != Fill::End || !self.again()? {
                break filled;
            }
        };
        if self.period_ns.is_none() {
            let latest = batch.latest_ns();
            self.last_ns = self.last_ns.max(latest.unwrap_or(0));
        }
        self.frames += batch.len() as u64;
        batch.postpone(self.shift_ns, self.frames_before);
        self.played.line_bytes.fetch_add(batch.bytes_on_line(), Ordering::Relaxed);
        Ok(filled)
    }

    fn peek_time(&mut self) -> Option<u64> {
        let next_ns = match self.inner.peek_time() {
            Some(next_ns) => next_ns,
            // What keeps it from going on is told by the next filling.
            None if self.again().unwrap_or(false) => self.inner.peek_time()?,
            None => return None,
        };
        Some(later(next_ns, self.shift_ns))
    }

    fn progress(&self) -> Progress {
        Progress { total: None, ..self.inner.progress() }
    }

    fn damage(&self) -> &[Damage] {
        if self.damage.is_empty() { self.inner.damage() } else { &self.damage }
    }

    /// None, whatever the captures say: what is measured is what was played.
    fn take_lost(&mut self) -> u64 {
        0
    }

    fn oddities(&self) -> Vec<Oddity> {
        self.odd.clone().unwrap_or_else(|| self.inner.oddities())
    }
}
