//! One capture from end to end: opened, recognised, walked, and its damage noted.

use super::batch::{Batch, Slot};
use super::decompress::{Garbage, decompress};
use super::error::{Damage, SourceError, shown};
use super::input::{Bytes, Opened, Options};
use super::link::Links;
use super::oddity::{Counts, Times};
use super::pcap::{self, Header};
use super::pcapng::{Packets, Sections};
use super::probe::{Kind, Prefix};
use super::readahead::{Counted, Feed};
use super::scout::Scouts;
use super::walk::{Room, Stop, Walked};
use super::window::{More, Window};
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Layers of compression that are taken off.
const LAYERS_MAX: usize = 3;

/// Bytes of buffers that one batch may keep from being used again before it is handed over though
/// not full: a slow pipe gives buffers with little in them.
const HELD_BYTES_MAX: usize = 16 << 20;

/// How a capture is going to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Read in full; a thread of its own decompresses or maps ahead.
    Read,
    /// Read in full, without a thread unless it is a stream.
    ReadInline,
    /// Looked into for the time of its first frame, then closed.
    Look,
}

/// Bytes mapped, read or decompressed at a time when only looking.
const LOOK_BYTES: usize = 16 << 10;

impl Use {
    /// How much to bring in at a time, where `bytes` is what the options say.
    fn bytes(self, bytes: usize) -> usize {
        if self == Self::Look { bytes.min(LOOK_BYTES) } else { bytes }
    }
}

/// An open capture.
pub(super) struct Capture {
    path: PathBuf,
    size: Option<u64>,
    /// Whether what is walked was decompressed.
    compressed: bool,
    window: Window,
    format: Format,
    scouts: Scouts,
    /// Bytes read of the input as it lies, when a reader counts them.
    read_bytes: Option<Arc<AtomicU64>>,
    /// The batch's index for the window's memory, and the filling it was given in.
    held: Option<(u64, u16)>,
    ended: bool,
    damage: Vec<Damage>,
    /// Packets that it says were lost, as far as they were taken.
    lost: u64,
    times: Times,
    links: Links,
    garbage: Garbage,
}

/// What walks the records.
enum Format {
    Pcap(Header),
    Pcapng(Sections),
}

/// Where a run through a capture ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ran {
    /// The batch is full.
    Full,
    /// The next frame has this time, which is not before the limit.
    Limit(u64),
    /// More is not there yet; the batch may be empty.
    Later,
    /// There are no more frames.
    End,
}

impl Format {
    fn walk(&mut self, bytes: &[u8], at: usize, room: Room<'_>) -> Walked {
        match self {
            Self::Pcap(header) => header.walk(bytes, at, room),
            Self::Pcapng(sections) => sections.walk(bytes, at, room),
        }
    }

    /// Sends scouts ahead of a walk over `records` records from `at` on, where that is worth it.
    fn scout(&self, scouts: &mut Scouts, bytes: &[u8], at: usize, offset: u64, records: usize) {
        match self {
            Self::Pcap(header) => {
                scouts.ahead(&header.records(bytes, at), bytes, at, offset, records);
            }
            Self::Pcapng(sections) if sections.are_big() => {
                scouts.ahead(&Packets::<true>, bytes, at, offset, records);
            }
            Self::Pcapng(_) => scouts.ahead(&Packets::<false>, bytes, at, offset, records),
        }
    }

    fn describe_cut(&self, rest: &[u8]) -> Option<String> {
        match self {
            Self::Pcap(_) if rest.is_empty() => None,
            Self::Pcap(header) => Some(header.describe_cut(rest)),
            Self::Pcapng(sections) => sections.describe_cut(rest),
        }
    }
}

impl Capture {
    /// Recognises what was opened and gets ready to read its first record.
    ///
    /// # Errors
    /// When it is not a capture that can be read, by name.
    pub(super) fn new(opened: Opened, options: &Options, how: Use) -> Result<Self, SourceError> {
        let Opened { path, bytes, size } = opened;
        let (mappable, reader): (_, Box<dyn Read + Send>) = match bytes {
            Bytes::File(file, true) if options.mmap => {
                let again = file.try_clone().map_err(|cause| read_error(&path, cause))?;
                (Some(again), Box::new(file))
            }
            Bytes::File(file, _) => (None, Box::new(file)),
            Bytes::Reader(reader) => (None, reader),
        };
        let read_bytes = Arc::new(AtomicU64::new(0));
        let counted = Counted { inner: reader, bytes: Arc::clone(&read_bytes) };
        let Recognised { format, prefix, reader, layers, garbage } =
            recognise(&path, Box::new(counted))?;
        let begin = if matches!(format, Format::Pcap(_)) { pcap::FILE_HEADER_BYTES } else { 0 };
        let mut mapped = None;
        if layers == 0
            && let Some(file) = mappable
        {
            // What cannot be mapped (some file systems) is read instead.
            let bytes = how.bytes(options.window_bytes);
            mapped = Window::mapped(file, begin as u64, bytes, how == Use::Read).ok();
        }
        let (window, read_bytes) = match mapped {
            Some(window) => (window, None),
            None => {
                let start = prefix.get(begin..).unwrap_or_default().to_vec();
                let whole = Box::new(Cursor::new(start).chain(reader));
                let feed = feed(whole, options, how, layers > 0, size.is_none())
                    .map_err(|cause| SourceError::Thread { path: path.clone(), cause })?;
                (Window::fed(feed, begin as u64), Some(read_bytes))
            }
        };
        let scouts = Scouts::default();
        Ok(Self {
            path,
            size,
            compressed: layers > 0,
            window,
            format,
            scouts,
            read_bytes,
            held: None,
            ended: false,
            damage: Vec::new(),
            lost: 0,
            times: Times::default(),
            links: Links::default(),
            garbage,
        })
    }

    /// Adds the next frames to the batch, up to its capacity and to the first one that is not
    /// before `limit_ns`. `turn` tells one filling of batches from another. Waits only while the
    /// batch is empty, and then some milliseconds at most.
    pub(super) fn run(&mut self, batch: &mut Batch, turn: u64, limit_ns: u64) -> Ran {
        loop {
            if self.ended {
                return Ran::End;
            }
            let held = self.held.filter(|(when, _)| *when == turn).map(|(_, index)| index);
            let Some(memory) = held.or_else(|| batch.next_memory()) else { return Ran::Later };
            let (bytes, at) = (self.window.bytes(), self.window.at());
            let records = batch.free().len();
            self.format.scout(&mut self.scouts, bytes, at, self.window.offset(), records);
            let room = Room { slots: batch.free(), memory, limit_ns, scouted: self.scouts.run() };
            let walked = self.format.walk(bytes, at, room);
            self.scouts.note(walked.at - at, walked.frames);
            if let Format::Pcapng(sections) = &mut self.format {
                sections.undescribed().place(self.window.offset());
            }
            self.window.advance_to(walked.at);
            if walked.frames > 0 {
                let slots = batch.free().get(..walked.frames).unwrap_or_default();
                let times_ns = self.times.watch(slots);
                self.links.watch(slots);
                batch.commit(walked.frames, times_ns);
                if held.is_none() {
                    batch.hold(self.window.memory());
                    self.held = Some((turn, memory));
                }
            }
            match walked.stop {
                Stop::Full => return Ran::Full,
                Stop::Limit(time_ns) => return Ran::Limit(time_ns),
                Stop::Broken(what) => self.end_broken(what),
                Stop::Hungry if batch.held_bytes() >= HELD_BYTES_MAX => return Ran::Later,
                Stop::Hungry => {
                    if !self.feed(batch.is_empty()) {
                        return Ran::Later;
                    }
                }
            }
        }
    }

    /// The time of the next frame; blocks until there is one.
    pub(super) fn peek(&mut self) -> Option<u64> {
        loop {
            if self.ended {
                return None;
            }
            // No frame is before 0, so that the walk stops at the first one.
            let mut slots = [Slot::default()];
            let room = Room { slots: &mut slots, memory: 0, limit_ns: 0, scouted: true };
            let walked = self.format.walk(self.window.bytes(), self.window.at(), room);
            self.window.advance_to(walked.at);
            match walked.stop {
                Stop::Limit(time_ns) => return Some(time_ns),
                Stop::Broken(what) => self.end_broken(what),
                Stop::Full | Stop::Hungry => {
                    self.feed(true);
                }
            }
        }
    }

    /// Brings in more bytes, or ends; `false` when neither is possible at the moment.
    fn feed(&mut self, wait: bool) -> bool {
        match self.window.more(wait) {
            More::Yes => self.held = None,
            More::Later => return false,
            // Where it stands may well be within a record: that is not the input's fault.
            More::Stopped => self.end(),
            More::End(result) => {
                let cut = self.format.describe_cut(self.window.rest());
                match (result, cut) {
                    (Ok(()), None) => self.end(),
                    (Ok(()), Some(what)) => self.end_broken(what),
                    (Err(cause), None) => self.end_broken(cause.to_string()),
                    (Err(cause), Some(what)) => self.end_broken(format!("{cause}, and {what}")),
                }
            }
        }
        true
    }

    fn end(&mut self) {
        self.ended = true;
        if let Format::Pcapng(sections) = &mut self.format {
            sections.settle();
            if let Some((offset, what)) = sections.undescribed().take() {
                self.note(offset, what, true);
            }
        }
    }

    fn end_broken(&mut self, what: String) {
        self.end();
        self.note(self.window.offset(), what, false);
    }

    fn note(&mut self, offset: u64, what: String, read_on: bool) {
        let (path, decompressed) = (self.path.clone(), self.compressed);
        self.damage.push(Damage { path, offset, decompressed, what, read_on });
    }

    /// What was found damaged, once.
    pub(super) fn take_damage(&mut self) -> Vec<Damage> {
        std::mem::take(&mut self.damage)
    }

    /// Packets that it says were lost while it was recorded, since the last call.
    pub(super) fn take_lost(&mut self) -> u64 {
        let Format::Pcapng(sections) = &mut self.format else { return 0 };
        let lost = sections.take_lost();
        self.lost = self.lost.saturating_add(lost);
        lost
    }

    /// Its name, and what was odd about it so far.
    pub(super) fn odd(&self) -> (&Path, Counts) {
        let borrowed = match &self.format {
            Format::Pcap(_) => 0,
            Format::Pcapng(sections) => sections.borrowed(),
        };
        let counts = self.times.counts(borrowed);
        let (lost, garbage) = (self.lost, self.garbage.follows());
        (&self.path, Counts { lost, garbage, foreign: self.links.foreign(), ..counts })
    }

    /// Size of the input as it lies, when it has one.
    pub(super) fn size(&self) -> Option<u64> {
        self.size
    }

    /// Bytes consumed of the input as it lies.
    pub(super) fn consumed(&self) -> u64 {
        match &self.read_bytes {
            Some(bytes) => bytes.load(Ordering::Relaxed),
            None => self.window.offset(),
        }
    }
}

/// What [`recognise`] found.
struct Recognised {
    format: Format,
    /// What was read of the (decompressed) bytes to find out.
    prefix: Vec<u8>,
    /// The bytes after that.
    reader: Box<dyn Read + Send>,
    /// Layers of compression taken off.
    layers: usize,
    /// Whether something else follows one of them.
    garbage: Garbage,
}

/// Takes off compression until a capture format shows.
fn recognise(path: &Path, mut reader: Box<dyn Read + Send>) -> Result<Recognised, SourceError> {
    let garbage = Garbage::default();
    for layers in 0..=LAYERS_MAX {
        let mut prefix = Prefix::new();
        let kind = prefix.judge(&mut reader).map_err(|cause| read_error(path, cause))?;
        let prefix = prefix.into_bytes();
        let format = match kind {
            Kind::Pcap(header) => Format::Pcap(header),
            Kind::Pcapng => Format::Pcapng(Sections::default()),
            Kind::Compressed(compression) => {
                let whole = Box::new(Cursor::new(prefix).chain(reader));
                reader = decompress(compression, whole, &garbage)
                    .map_err(|cause| read_error(path, cause))?;
                continue;
            }
            refused => return Err(refusal(path.to_path_buf(), &refused, &prefix)),
        };
        return Ok(Recognised { format, prefix, reader, layers, garbage });
    }
    Err(SourceError::Nested { path: path.to_path_buf(), layers: LAYERS_MAX })
}

fn feed(
    reader: Box<dyn Read + Send>,
    options: &Options,
    how: Use,
    compressed: bool,
    endless: bool,
) -> io::Result<Feed> {
    // What has no size may make its reader wait, so it always has a thread of its own.
    if endless || (compressed && how == Use::Read) {
        let stop = Arc::clone(&options.stop);
        return Feed::ahead(reader, options.buffer_bytes, endless, stop);
    }
    Ok(Feed::inline(reader, how.bytes(options.buffer_bytes)))
}

fn read_error(path: &Path, cause: io::Error) -> SourceError {
    SourceError::Read { path: path.to_path_buf(), cause }
}

/// Why something that is not a capture is refused.
fn refusal(path: PathBuf, kind: &Kind, first: &[u8]) -> SourceError {
    match *kind {
        Kind::Foreign(foreign) | Kind::LooksLike(foreign) => {
            let advice = foreign.advice(&shown(&path).to_string());
            SourceError::Foreign { path, what: foreign.what, advice }
        }
        Kind::HeaderCut { format, need } => {
            SourceError::HeaderCut { path, format, have: first.len(), need }
        }
        Kind::Version { major, minor } => SourceError::Version { path, major, minor },
        Kind::Empty => SourceError::Empty { path },
        Kind::Pcap(_) | Kind::Pcapng | Kind::Compressed(_) | Kind::Unknown => {
            SourceError::Unrecognised { path, first: first.get(..16).unwrap_or(first).to_vec() }
        }
    }
}
