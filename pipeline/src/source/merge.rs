//! All inputs as one tap: their frames in the order of timestamps.
//!
//! A frame never overtakes another of its own input, even when that input's times run backwards;
//! between inputs the earlier frame goes first, and of equal times the one of the input named
//! first. As long as one input stays before all others (rotated files that do not overlap, or an
//! only input), it is read in one run, without looking at the others again.

use super::batch::Batch;
use super::capture::{Capture, Ran, Use};
use super::error::{Damage, SourceError};
use super::input::{Input, Options, open_path};
use super::oddity::{Counts, Oddity, oddities};
use super::{Fill, Progress, Source};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::{Path, PathBuf};

/// Captures with a reading thread at the same time; the threads of more would only compete.
const THREADS_MAX: usize = 16;

/// Lost packets that inputs are believed altogether: the ledger must have room for those that came.
const LOST_MAX: u64 = 1 << 48;

/// Opens inputs as one source.
///
/// The order of `inputs` decides between frames of the same time, and nothing else.
///
/// # Errors
/// When there is no input, or one of them cannot be opened or is not a capture; the first such is
/// named.
///
/// ```no_run
/// use resetscope::source::{Batch, Fill, Options, open};
///
/// let mut source = open([std::path::PathBuf::from("trace.pcapng.zst").into()], &Options::default())?;
/// let mut batch = Batch::new(1024);
/// let mut bytes = 0;
/// while source.fill(&mut batch, u64::MAX)? != Fill::End {
///     bytes += batch.frames().map(|frame| u64::from(frame.wire_len)).sum::<u64>();
/// }
/// for damage in source.damage() {
///     eprintln!("{damage}");
/// }
/// # Ok::<(), resetscope::source::SourceError>(())
/// ```
pub fn open(
    inputs: impl IntoIterator<Item = Input>,
    options: &Options,
) -> Result<Box<dyn Source>, SourceError> {
    Ok(Box::new(Merged::open(inputs.into_iter().collect(), options)?))
}

/// One input in whatever state it is.
enum Entry {
    Open(Box<Capture>),
    /// Looked into and closed; opened again when its first frame is next.
    Waiting(PathBuf),
    Done,
}

/// The inputs of a tap, merged.
struct Merged {
    options: Options,
    entries: Vec<Entry>,
    /// Entries that are open.
    open: usize,
    /// Time of the next frame of every entry that has one, but the current one's.
    heads: BinaryHeap<Reverse<(u64, usize)>>,
    /// The entry whose frame is next.
    current: Option<usize>,
    /// Fillings so far.
    turn: u64,
    next_number: u64,
    /// Bytes of the inputs that are done with.
    done_bytes: u64,
    total_bytes: Option<u64>,
    damage: Vec<Damage>,
    /// The inputs that are done with and odd.
    odd: Vec<(PathBuf, Counts)>,
    /// Packets that were lost and not taken yet, and how many more would be believed.
    lost: u64,
    lost_left: u64,
}

impl Merged {
    fn open(inputs: Vec<Input>, options: &Options) -> Result<Self, SourceError> {
        if inputs.is_empty() {
            return Err(SourceError::NoInput);
        }
        if inputs.iter().filter(|input| matches!(input, Input::Stdin)).count() > 1 {
            return Err(SourceError::StdinTwice);
        }
        let mut merged = Self {
            options: options.clone(),
            entries: Vec::with_capacity(inputs.len()),
            open: 0,
            heads: BinaryHeap::new(),
            current: None,
            turn: 0,
            next_number: 1,
            done_bytes: 0,
            total_bytes: Some(0),
            damage: Vec::new(),
            odd: Vec::new(),
            lost: 0,
            lost_left: LOST_MAX,
        };
        let only = inputs.len() == 1;
        let keep_open = only || inputs.len() <= options.open_inputs_max;
        for input in inputs {
            merged.add(input, keep_open)?;
        }
        if only {
            // An only input needs no comparing, and a slow pipe should not be waited for here.
            merged.current = Some(0);
        } else {
            merged.look_at_heads();
        }
        Ok(merged)
    }

    /// Opens one more input; beyond the limit of open ones it is closed again if it can be.
    fn add(&mut self, input: Input, keep_open: bool) -> Result<(), SourceError> {
        let opened = input.open()?;
        self.total_bytes = self.total_bytes.zip(opened.size).map(|(sum, size)| sum + size);
        let path = opened.path.clone();
        let reopens = opened.can_reopen() && !keep_open;
        let how = if reopens { Use::Look } else { self.how_to_read() };
        let mut capture = Box::new(Capture::new(opened, &self.options, how)?);
        let index = self.entries.len();
        if reopens && let Some(time_ns) = capture.peek() {
            self.heads.push(Reverse((time_ns, index)));
            self.entries.push(Entry::Waiting(path));
            return Ok(());
        }
        self.entries.push(Entry::Open(capture));
        self.open += 1;
        if reopens {
            // Nothing in it: no reason to come back.
            self.finish(index);
        }
        Ok(())
    }

    fn how_to_read(&self) -> Use {
        if self.open < THREADS_MAX { Use::Read } else { Use::ReadInline }
    }

    /// Learns the first time of every open entry.
    fn look_at_heads(&mut self) {
        for index in 0..self.entries.len() {
            let Some(Entry::Open(capture)) = self.entries.get_mut(index) else { continue };
            match capture.peek() {
                Some(time_ns) => self.heads.push(Reverse((time_ns, index))),
                None => self.finish(index),
            }
        }
    }

    /// Lets go of an entry that has no more frames.
    fn finish(&mut self, index: usize) {
        let Some(entry) = self.entries.get_mut(index) else { return };
        if let Entry::Open(mut capture) = std::mem::replace(entry, Entry::Done) {
            self.open -= 1;
            self.lost = self.lost.saturating_add(capture.take_lost());
            self.damage.extend(capture.take_damage());
            let (path, odd) = capture.odd();
            if odd != Counts::default() {
                self.odd.push((path.to_path_buf(), odd));
            }
            // What a damaged input still holds is not read any more, so it is done with.
            self.done_bytes += capture.size().unwrap_or_else(|| capture.consumed());
        }
    }

    /// The current entry, opened if it waits, and the time up to which its frames are next.
    fn current(&mut self) -> Option<(usize, u64)> {
        loop {
            let index = match self.current {
                Some(index) => index,
                None => self.heads.pop().map(|Reverse((_, index))| index)?,
            };
            self.current = Some(index);
            if let Some(Entry::Waiting(path)) = self.entries.get(index) {
                let path = path.clone();
                self.reopen(index, &path);
            }
            if matches!(self.entries.get(index), Some(Entry::Open(_))) {
                // Times are below u64::MAX, so adding one is safe.
                let limit = self.heads.peek().map_or(u64::MAX, |Reverse((time_ns, other))| {
                    if index < *other { time_ns + 1 } else { *time_ns }
                });
                return Some((index, limit));
            }
            self.current = None;
        }
    }

    /// Opens a waiting entry again. That it cannot be opened now though it could before is damage:
    /// the other inputs are worth reading all the same.
    fn reopen(&mut self, index: usize, path: &Path) {
        let how = self.how_to_read();
        let opened = open_path(path.to_path_buf());
        let entry = match opened.and_then(|opened| Capture::new(opened, &self.options, how)) {
            Ok(capture) => {
                self.open += 1;
                Entry::Open(Box::new(capture))
            }
            Err(error) => {
                let what = format!("it could be opened before and cannot now: {error}");
                self.damage.push(Damage {
                    path: path.to_path_buf(),
                    offset: 0,
                    decompressed: false,
                    what,
                    read_on: false,
                });
                Entry::Done
            }
        };
        if let Some(place) = self.entries.get_mut(index) {
            *place = entry;
        }
    }

    /// Puts the current entry back among the others and returns the time of the earliest.
    fn compare(&mut self, index: usize, time_ns: u64) -> u64 {
        self.heads.push(Reverse((time_ns, index)));
        self.current = None;
        match self.heads.pop() {
            Some(Reverse((earliest_ns, earliest))) => {
                self.current = Some(earliest);
                earliest_ns
            }
            None => time_ns,
        }
    }

    /// Adds frames to a batch; says why it stopped.
    fn fill_from(&mut self, batch: &mut Batch, until_ns: u64) -> Fill {
        while let Some((index, limit_ns)) = self.current() {
            let Some(Entry::Open(capture)) = self.entries.get_mut(index) else { continue };
            let ran = capture.run(batch, self.turn, limit_ns.min(until_ns));
            self.lost = self.lost.saturating_add(capture.take_lost());
            match ran {
                Ran::Full | Ran::Later => return Fill::Frames,
                Ran::Limit(time_ns) => {
                    if self.compare(index, time_ns) >= until_ns {
                        return Fill::Boundary;
                    }
                }
                Ran::End => {
                    self.finish(index);
                    self.current = None;
                }
            }
        }
        if batch.is_empty() { Fill::End } else { Fill::Frames }
    }
}

impl Source for Merged {
    fn fill(&mut self, batch: &mut Batch, until_ns: u64) -> Result<Fill, SourceError> {
        self.turn += 1;
        batch.restart(self.next_number);
        let fill = self.fill_from(batch, until_ns);
        self.next_number += batch.len() as u64;
        Ok(fill)
    }

    fn peek_time(&mut self) -> Option<u64> {
        loop {
            let (index, _) = self.current()?;
            let Some(Entry::Open(capture)) = self.entries.get_mut(index) else { continue };
            match capture.peek() {
                Some(time_ns) => return Some(self.compare(index, time_ns)),
                None => {
                    self.finish(index);
                    self.current = None;
                }
            }
        }
    }

    fn progress(&self) -> Progress {
        let open = self.entries.iter().map(|entry| match entry {
            Entry::Open(capture) => capture.consumed(),
            Entry::Waiting(_) | Entry::Done => 0,
        });
        Progress { consumed: self.done_bytes + open.sum::<u64>(), total: self.total_bytes }
    }

    fn damage(&self) -> &[Damage] {
        &self.damage
    }

    fn take_lost(&mut self) -> u64 {
        let lost = std::mem::take(&mut self.lost).min(self.lost_left);
        self.lost_left -= lost;
        lost
    }

    fn oddities(&self) -> Vec<Oddity> {
        let mut odd = self.odd.clone();
        odd.extend(self.entries.iter().filter_map(|entry| match entry {
            Entry::Open(capture) => {
                let (path, odd) = capture.odd();
                Some((path.to_path_buf(), odd))
            }
            Entry::Waiting(_) | Entry::Done => None,
        }));
        oddities(&odd)
    }
}
