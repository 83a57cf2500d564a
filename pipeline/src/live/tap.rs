//! The tap as a whole: an interface by name, the sockets for it, and what becomes of them when the
//! interface goes down, away, or comes back.

use std::env;
use std::io;
use std::path::PathBuf;
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_setaffinity};

use super::af_packet::{Ring, Setup, Socket, open_rings};
use super::backend::{Backend, Change, Seat};
use super::error::TapError;
use super::filter::{self, Expression};
use super::interface::{Inquiry, Interface};
use super::notice::Notice;
use super::ring::RingIntake;
use super::worker::{Intake, Worker};

/// Times that an interface may come back: sockets for that are opened at the start, as later there
/// is no privilege left to do so. An unused socket costs the kernel about 2 kB.
const SPARES: usize = 16;

/// Time to let pass after a ring could not be made.
const PAUSE: Duration = Duration::from_secs(2);

/// How rings are made, whatever interface it turns out to be.
#[derive(Clone, Debug)]
pub struct Ringwork {
    /// Memory of a ring in bytes.
    pub ring_bytes: u32,
    /// Memory of a block in bytes, a power of two.
    pub block_bytes: u32,
    /// After this time the kernel hands over a block that is not full, in milliseconds.
    pub block_timeout_ms: u32,
    /// Whether to ask for frames that are addressed to others.
    pub promiscuous: bool,
    /// Bytes of a frame that are kept.
    pub snaplen: u32,
    /// Which frames are seen; all if `None`.
    pub filter: Option<Expression>,
    /// How long a worker looks at an empty ring before it sleeps.
    pub busy_poll: Duration,
}

impl Ringwork {
    fn setup(&self, interface: &Interface) -> Setup {
        let mut filter = match &self.filter {
            Some(expression) => expression.compile(interface.link, self.snaplen),
            None => filter::take_all(self.snaplen),
        };
        if interface.loopback {
            filter = filter::program::incoming_only(&filter);
        }
        Setup {
            ring_bytes: self.ring_bytes,
            block_bytes: self.block_bytes,
            block_timeout_ms: self.block_timeout_ms,
            promiscuous: self.promiscuous,
            filter,
        }
    }
}

/// An interface, listened on or waited for.
pub struct Tap {
    name: String,
    workers: usize,
    ringwork: Ringwork,
    inquiry: Inquiry,
    spares: Vec<Socket>,
    /// The interface as it was last seen; `None` while it is not listened on.
    interface: Option<Interface>,
    /// Rings that the workers do not have yet.
    rings: Vec<Ring>,
    /// What was said last while waiting, so that it is said once.
    told: Option<Notice>,
    pause_until: Option<Instant>,
    gone: u64,
}

impl Tap {
    /// Opens all sockets on the interface `name`, and the rings if the interface is up. From then on no privilege is
    /// needed.
    ///
    /// # Errors
    /// When the interface is not there or of another kind, or the process may not open packet
    /// sockets.
    pub fn open(name: &str, workers: usize, ringwork: Ringwork) -> Result<Self, TapError> {
        let inquiry = Inquiry::new()?;
        let interface = inquiry.find(name)?;
        let workers = workers.max(1);
        let spares = (0..workers * (1 + SPARES))
            .map(|_| Socket::open().map_err(|cause| refused(cause, &interface)))
            .collect::<Result<Vec<_>, _>>()?;
        let mut tap = Self {
            name: name.to_owned(),
            workers,
            ringwork,
            inquiry,
            spares,
            interface: None,
            rings: Vec::new(),
            told: None,
            pause_until: None,
            gone: 0,
        };
        if interface.up {
            tap.rings = tap.make_rings(&interface)?;
            tap.interface = Some(interface);
        }
        Ok(tap)
    }

    fn make_rings(&mut self, interface: &Interface) -> Result<Vec<Ring>, TapError> {
        let mut sockets = self.spares.split_off(self.spares.len().saturating_sub(self.workers));
        while sockets.len() < self.workers {
            // Only who kept the privilege gets any more.
            sockets.push(
                Socket::open()
                    .map_err(|_| TapError::Spent { name: self.name.clone(), times: self.gone })?,
            );
        }
        open_rings(sockets, interface, &self.ringwork.setup(interface))
    }

    /// Looks after an interface that is listened on.
    fn watch(&mut self, known: &Interface) -> Change<Box<Ring>> {
        let name = || known.name.clone();
        let now = self.inquiry.find(&known.name).ok();
        let Some(now) = now.filter(|now| now.index == known.index) else {
            self.gone += 1;
            let notice = Notice::Gone { name: name(), times: self.gone };
            self.told = None;
            return Change::Told(notice);
        };
        // The kernel goes on by itself when an interface that was down comes up again.
        let change = match (known.up, now.up) {
            (true, false) => Change::Told(Notice::Down { name: name() }),
            (false, true) => Change::Told(Notice::Up { name: name() }),
            _ => Change::None,
        };
        self.interface = Some(now);
        change
    }

    /// Looks whether the interface that is waited for can be listened on.
    fn await_interface(&mut self) -> Result<Change<Box<Ring>>, TapError> {
        if self.pause_until.is_some_and(|until| Instant::now() < until) {
            return Ok(Change::None);
        }
        let found = match self.inquiry.find(&self.name) {
            Ok(found) => found,
            Err(TapError::Missing { .. }) => return Ok(Change::None),
            Err(error) => return Ok(self.tell_once(Notice::Unusable { reason: error.to_string() })),
        };
        if !found.up {
            return Ok(self.tell_once(Notice::Down { name: found.name }));
        }
        match self.make_rings(&found) {
            Ok(rings) => {
                let name = found.name.clone();
                self.interface = Some(found);
                self.told = None;
                let notice = if self.gone > 0 {
                    Notice::Back { name }
                } else {
                    Notice::Listening { name, workers: self.workers }
                };
                Ok(Change::New(rings.into_iter().map(Box::new).collect(), notice))
            }
            Err(error @ TapError::Spent { .. }) => Err(error),
            Err(error) => {
                self.pause_until = Some(Instant::now() + PAUSE);
                Ok(self.tell_once(Notice::Unusable { reason: error.to_string() }))
            }
        }
    }

    fn tell_once(&mut self, notice: Notice) -> Change<Box<Ring>> {
        if self.told.as_ref() == Some(&notice) {
            return Change::None;
        }
        self.told = Some(notice.clone());
        Change::Told(notice)
    }
}

impl Backend for Tap {
    type New = Box<Ring>;

    fn start<'scope>(
        &mut self,
        scope: &'scope Scope<'scope, '_>,
        seats: Vec<Seat<Box<Ring>>>,
        cores: &[usize],
        notify: &'scope (dyn Fn(&Notice) + Sync),
    ) -> Result<(), TapError> {
        let mut rings = std::mem::take(&mut self.rings).into_iter();
        for seat in seats {
            let number = seat.number;
            let worker = seat.take(RingIntake {
                ring: rings.next().map(Box::new),
                busy_poll: self.ringwork.busy_poll,
                block_timeout: Duration::from_millis(self.ringwork.block_timeout_ms.into()),
            });
            start_thread(scope, number, worker, cores.get(number).copied(), notify)?;
        }
        Ok(())
    }

    fn begin(&mut self) -> Option<Notice> {
        let name = self.name.clone();
        if self.interface.is_some() {
            return Some(Notice::Listening { name, workers: self.workers });
        }
        let notice = Notice::Down { name };
        self.told = Some(notice.clone());
        Some(notice)
    }

    fn look(&mut self) -> Result<Change<Box<Ring>>, TapError> {
        match self.interface.take() {
            Some(interface) => Ok(self.watch(&interface)),
            None => self.await_interface(),
        }
    }

    fn end(self) -> Result<(), TapError> {
        // Closing the sockets is all, and they are closed with the rings.
        Ok(())
    }
}

/// Starts the thread of worker `number`, on a core of its own if it has one.
///
/// # Errors
/// When the system refuses the thread.
pub(super) fn start_thread<'scope, I: Intake + Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    number: usize,
    worker: Worker<I>,
    core: Option<usize>,
    notify: &'scope (dyn Fn(&Notice) + Sync),
) -> Result<(), TapError> {
    let run = move || {
        if let Some(core) = core
            && let Err(error) = pin(core)
        {
            notify(&Notice::NotPinned { core, reason: error.to_string() });
        }
        worker.run();
    };
    let thread = thread::Builder::new().name(format!("worker-{number}"));
    thread.spawn_scoped(scope, run).map_err(TapError::Thread)?;
    Ok(())
}

/// Ties the calling thread to a core.
///
/// # Errors
/// What the system said.
pub(super) fn pin(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

fn refused(cause: io::Error, interface: &Interface) -> TapError {
    if cause.kind() == io::ErrorKind::PermissionDenied {
        let program = env::current_exe().unwrap_or_else(|_| PathBuf::from("resetscope"));
        return TapError::Permission { program };
    }
    TapError::Step { doing: "open a packet socket", name: interface.name.clone(), cause }
}
