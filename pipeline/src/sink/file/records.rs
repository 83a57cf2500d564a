//! Records of one kind, on their way into one file or a series of them.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use resetscope_core::limits::clock_was_wrong;
use resetscope_core::set_backs::SetBacks;
use tracing::warn;

use super::Losses;
use super::encode::Encode;
use super::place::{Place, Rotation};
use super::spool::Spool;

/// A file that lacks something, or could not even be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {what} to {}{}", path.display(), missing(*lost))]
pub struct Unwritten {
    /// What was to be written: events, summaries or histograms.
    pub what: &'static str,
    /// Where.
    pub path: PathBuf,
    /// Records that are missing.
    pub lost: u64,
    /// What the system said first.
    #[source]
    pub cause: io::Error,
}

fn missing(lost: u64) -> String {
    match lost {
        0 => String::new(),
        1 => " (1 is missing)".to_owned(),
        _ => format!(" ({lost} are missing)"),
    }
}

/// Told of a failure.
type Tell = Box<dyn Fn(&Unwritten)>;

/// Where a file is.
enum State {
    /// There is none until the next record.
    Closed,
    /// Takes records.
    Open(Spool),
    /// Takes no records any more, but is not complete on the disk yet.
    Closing(Spool),
}

/// Writes records of one kind.
pub struct Records<R> {
    what: &'static str,
    place: Place,
    /// Complete files get their name at the end, for they are many or unreadable before.
    renames: bool,
    encoder: Box<dyn Encode<R>>,
    state: State,
    /// The latest time since the clock was last set back.
    now_ns: u64,
    /// The time of the first record in this file.
    first_ns: Option<u64>,
    /// Records in this file.
    count: u64,
    /// The last attempt to write failed; the next one comes with the next interval.
    failing: bool,
    /// The first failure.
    trouble: Option<io::Error>,
    set_backs: SetBacks,
    /// Old files could not be removed, which was told.
    unpruned: bool,
    /// Records that are missing so far.
    lost: u64,
    tell: Option<Tell>,
    losses: Losses,
}

impl<R> Records<R> {
    /// Begins with the first file.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(super) fn open(
        what: &'static str,
        path: &Path,
        rotation: Rotation,
        encoder: Box<dyn Encode<R>>,
        losses: Losses,
    ) -> Result<Self, Unwritten> {
        let mut records = Self {
            what,
            place: Place { path: path.to_owned(), rotation },
            renames: rotation.is_on() || encoder.needs_end(),
            encoder,
            state: State::Closed,
            now_ns: 0,
            first_ns: None,
            count: 0,
            failing: false,
            trouble: None,
            set_backs: SetBacks::default(),
            unpruned: false,
            lost: 0,
            tell: None,
            losses,
        };
        match records.begin() {
            Ok(spool) => {
                records.state = State::Open(spool);
                Ok(records)
            }
            Err(cause) => Err(Unwritten { what, path: path.to_owned(), lost: 0, cause }),
        }
    }

    /// Calls `tell` at the first failure.
    pub(super) fn on_trouble(&mut self, tell: impl Fn(&Unwritten) + 'static) {
        self.tell = Some(Box::new(tell));
    }

    fn begin(&mut self) -> io::Result<Spool> {
        let file = if self.renames {
            open_part(&self.place, !self.encoder.needs_end())?
        } else {
            File::create(&self.place.path)?
        };
        let mut spool = Spool::new(file);
        self.encoder.begin(&mut spool.waiting)?;
        self.first_ns = None;
        self.count = 0;
        Ok(spool)
    }

    /// Adds a record of this time. A record that cannot be written is counted.
    ///
    /// # Errors
    /// When the reader of a pipe has gone.
    pub(super) fn write(&mut self, record: &R, time_ns: u64) -> io::Result<()> {
        self.observe(time_ns);
        if self.is_due() {
            self.close()?;
        }
        match self.add(record) {
            Ok(true) => Ok(()),
            Ok(false) => {
                self.lose(1);
                Ok(())
            }
            Err(error) => {
                self.lose(1);
                self.fails(error)
            }
        }
    }

    /// Whether the record was taken.
    fn add(&mut self, record: &R) -> io::Result<bool> {
        if matches!(self.state, State::Closed) && !self.failing {
            self.state = State::Open(self.begin()?);
        }
        let State::Open(spool) = &mut self.state else { return Ok(false) };
        if self.failing && spool.is_full(self.encoder.held()) {
            return Ok(false);
        }
        let before = spool.waiting.len();
        if let Err(error) = self.encoder.record(record, &mut spool.waiting) {
            spool.waiting.truncate(before);
            return Err(error);
        }
        spool.record_ends();
        self.count += 1;
        self.first_ns.get_or_insert(self.now_ns);
        if spool.is_worth_writing() && !self.failing {
            let written = spool.write();
            // The record itself is taken: it waits.
            written.or_else(|error| self.fails(error))?;
        }
        Ok(true)
    }

    /// An interval has ended: whoever reads along sees its records, and what could not be written is
    /// tried again.
    ///
    /// # Errors
    /// When the reader of a pipe has gone.
    pub(super) fn interval(&mut self, now_ns: u64) -> io::Result<()> {
        self.observe(now_ns);
        self.failing = false;
        if self.is_due() || matches!(self.state, State::Closing(_)) {
            return self.close();
        }
        let State::Open(spool) = &mut self.state else { return Ok(()) };
        let written = spool.write();
        written.or_else(|error| self.fails(error))
    }

    /// Goes by the time of what comes next, unless that is mere disorder.
    fn observe(&mut self, time_ns: u64) {
        self.set_backs.came(1);
        if time_ns > self.now_ns
            || clock_was_wrong(self.now_ns, time_ns) && self.set_backs.believe()
        {
            self.now_ns = time_ns;
        }
    }

    /// Whether the file is long or old enough, or of another time than the clock that was set back.
    fn is_due(&self) -> bool {
        let (State::Open(spool), Some(first_ns)) = (&self.state, self.first_ns) else {
            return false;
        };
        let rotation = &self.place.rotation;
        let length = spool.length() + self.encoder.held() as u64;
        rotation.size.is_some_and(|size| length >= size)
            || rotation.period(self.now_ns) != rotation.period(first_ns)
    }

    fn close(&mut self) -> io::Result<()> {
        match self.try_close() {
            Ok(()) => Ok(()),
            Err(error) => self.fails(error),
        }
    }

    fn try_close(&mut self) -> io::Result<()> {
        if self.failing {
            return Ok(());
        }
        let mut spool = match std::mem::replace(&mut self.state, State::Closed) {
            State::Closed => return Ok(()),
            State::Closing(spool) => spool,
            State::Open(mut spool) => {
                // A file that the disk does not take stays open: records can wait for it.
                if let Err(error) = spool.write() {
                    self.state = State::Open(spool);
                    return Err(error);
                }
                if let Err(error) = self.encoder.end(&mut spool.waiting) {
                    self.state = State::Open(spool);
                    self.give_up();
                    return Err(error);
                }
                spool
            }
        };
        if let Err(error) = self.complete(&mut spool) {
            self.state = State::Closing(spool);
            return Err(error);
        }
        self.prune();
        Ok(())
    }

    /// Removes files that are not to be kept. Those that stay cost room, not records: a remark, once.
    fn prune(&mut self) {
        if let Err(error) = self.place.prune()
            && !std::mem::replace(&mut self.unpruned, true)
        {
            let path = self.place.path.display();
            warn!("cannot remove old files of the series {path}: {error}; they stay");
        }
    }

    fn complete(&self, spool: &mut Spool) -> io::Result<()> {
        if !self.renames {
            return spool.write();
        }
        let part = self.place.part();
        match self.first_ns {
            None if self.place.rotation.is_on() => fs::remove_file(part),
            first_ns => {
                spool.sync()?;
                fs::rename(part, self.place.complete(first_ns.unwrap_or_default()))
            }
        }
    }

    /// Notes a failure. That of a pipe whose reader has gone is none: it ends the run.
    fn fails(&mut self, cause: io::Error) -> io::Result<()> {
        if cause.kind() == io::ErrorKind::BrokenPipe {
            return Err(cause);
        }
        self.failing = true;
        if self.trouble.is_none() {
            let unwritten = self.unwritten(cause);
            if let Some(tell) = &self.tell {
                tell(&unwritten);
            }
            self.trouble = Some(unwritten.cause);
        }
        Ok(())
    }

    fn unwritten(&self, cause: io::Error) -> Unwritten {
        Unwritten { what: self.what, path: self.place.path.clone(), lost: self.lost, cause }
    }

    fn lose(&mut self, records: u64) {
        self.losses.add(records);
        self.lost += records;
    }

    /// Completes the last file; returns what is missing, if anything is.
    pub(super) fn end(mut self) -> Option<Unwritten> {
        self.failing = false;
        let last = self.try_close().err();
        if last.is_some() {
            self.give_up();
        }
        match (self.trouble.take(), last) {
            (Some(first), last) if self.lost > 0 || last.is_some() => Some(self.unwritten(first)),
            (None, Some(last)) => Some(self.unwritten(last)),
            _ => None,
        }
    }

    /// Leaves of the last file what can be read.
    fn give_up(&mut self) {
        let (State::Open(mut spool) | State::Closing(mut spool)) =
            std::mem::replace(&mut self.state, State::Closed)
        else {
            return;
        };
        if self.encoder.needs_end() {
            self.lose(self.count);
            // What is there cannot be read, and takes room on a disk that is full.
            let _ = fs::remove_file(self.place.part());
            return;
        }
        self.lose(spool.give_up());
        if let (true, Some(first_ns)) = (self.renames, self.first_ns) {
            // If that fails too, the records are in the part.
            let _ = fs::rename(self.place.part(), self.place.complete(first_ns));
        }
    }
}

/// Opens the file for what is not complete yet. What a run left there that was killed is kept under
/// another name, if it can be read.
fn open_part(place: &Place, readable: bool) -> io::Result<File> {
    let part = place.part();
    let open = || File::options().write(true).create(true).truncate(false).open(&part);
    let mut file = open()?;
    lock(&file)?;
    let left = file.metadata()?;
    if left.len() > 0 && readable {
        let changed = left.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        fs::rename(&part, place.cut(u64::try_from(changed.as_nanos()).unwrap_or_default()))?;
        file = open()?;
        lock(&file)?;
    }
    file.set_len(0)?;
    Ok(file)
}

/// Two runs must not write the same file. Where there are no locks, that is up to the user.
fn lock(file: &File) -> io::Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            let message = "another program is writing it";
            Err(io::Error::new(io::ErrorKind::ResourceBusy, message))
        }
        _ => Ok(()),
    }
}
