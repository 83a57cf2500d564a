//! The tap as a whole: an interface by name, the sockets for it, and what becomes of them when the
//! interface goes down, away, or comes back.

use std::env;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::af_packet::{Ring, Socket, open_rings};
use super::error::TapError;
use super::interface::{Inquiry, Interface};
use super::notice::Notice;
use super::{Plan, Ringwork};

/// Times that an interface may come back: sockets for that are opened at the start, as later there
/// is no privilege left to do so. An unused socket costs the kernel about 2 kB.
const SPARES: usize = 16;

/// Time to let pass after a ring could not be made.
const PAUSE: Duration = Duration::from_secs(2);

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

/// What a look at the interface led to.
pub(super) enum Change {
    /// Nothing new.
    None,
    /// Something to say.
    Told(Notice),
    /// New rings, one a worker.
    Rings(Vec<Ring>, Notice),
}

impl Tap {
    /// Opens all sockets, and the rings if the interface is up. From then on no privilege is
    /// needed.
    ///
    /// # Errors
    /// When the interface is not there or of another kind, or the process may not open packet
    /// sockets.
    pub fn open(plan: &Plan) -> Result<Self, TapError> {
        let inquiry = Inquiry::new()?;
        let interface = inquiry.find(&plan.interface)?;
        let workers = plan.workers.max(1);
        let spares = (0..workers * (1 + SPARES))
            .map(|_| Socket::open().map_err(|cause| refused(cause, &interface)))
            .collect::<Result<Vec<_>, _>>()?;
        let mut tap = Self {
            name: plan.interface.clone(),
            workers,
            ringwork: plan.rings.clone(),
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

    /// The rings that were opened at the start: none, or one a worker.
    pub(super) fn take_rings(&mut self) -> Vec<Ring> {
        std::mem::take(&mut self.rings)
    }

    /// What there is to say at the start.
    pub(super) fn begin(&mut self) -> Notice {
        let name = self.name.clone();
        if self.interface.is_some() {
            return Notice::Listening { name, workers: self.workers };
        }
        let notice = Notice::Down { name };
        self.told = Some(notice.clone());
        notice
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

    /// Looks at the interface and does what follows.
    ///
    /// # Errors
    /// [`TapError::Spent`].
    pub(super) fn look(&mut self) -> Result<Change, TapError> {
        match self.interface.take() {
            Some(interface) => Ok(self.watch(&interface)),
            None => self.await_interface(),
        }
    }

    /// Looks after an interface that is listened on.
    fn watch(&mut self, known: &Interface) -> Change {
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
    fn await_interface(&mut self) -> Result<Change, TapError> {
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
                Ok(Change::Rings(rings, notice))
            }
            Err(error @ TapError::Spent { .. }) => Err(error),
            Err(error) => {
                self.pause_until = Some(Instant::now() + PAUSE);
                Ok(self.tell_once(Notice::Unusable { reason: error.to_string() }))
            }
        }
    }

    fn tell_once(&mut self, notice: Notice) -> Change {
        if self.told.as_ref() == Some(&notice) {
            return Change::None;
        }
        self.told = Some(notice.clone());
        Change::Told(notice)
    }
}

fn refused(cause: io::Error, interface: &Interface) -> TapError {
    if cause.kind() == io::ErrorKind::PermissionDenied {
        let program = env::current_exe().unwrap_or_else(|_| PathBuf::from("resetscope"));
        return TapError::Permission { program };
    }
    TapError::Step { doing: "open a packet socket", name: interface.name.clone(), cause }
}
