//! DPDK devices as a tap, through the framework capsule: physical ports that belong to DPDK,
//! interfaces of the kernel through AF_XDP or AF_PACKET, and recordings.
//!
//! Nothing outside this module names anything of capsule's or DPDK's. In the order in which things
//! happen: [`settings`] (what is asked, checked beforehand) → `session` (the thread with capsule's
//! runtime, which owns EAL, buffers, ports and cores) → `port` (symmetric receive side scaling,
//! jumbo frames, time stamps, counters; `sockets` for those that only the kernel has) → `queue` (bursts into the engine, zero copy) and `times`.
//! `capture`, `diagnose` and `lcore` keep DPDK quiet, put its errors
//! into words, and its threads in order.
//!
//! **Workers.** Each has a core, a receive queue of that number at every device, and an engine that
//! owns all shards. More than one takes a device whose receive side scaling can bring both directions
//! of a connection to one queue; others are refused.
//!
//! **Times** come from the device where it offers them and shows its clock, from the recording where
//! there is one, else from the system's clock, read once a burst.
//!
//! **Memory.** No file is made on huge pages (`--in-memory`), so none is left behind, whatever ends
//! the program.
//!
//! **Privileges.** Once the devices are open, every thread that sees frames gives up all of them.
//! Where the kernel goes on using the device, the thread that closes it, and sees none, keeps
//! `CAP_NET_ADMIN` to take back promiscuous mode, and for AF_XDP `CAP_SYS_ADMIN` to unload its
//! program.

mod capture;
mod diagnose;
pub mod error;
mod lcore;
pub mod measure;
mod port;
mod queue;
mod session;
pub mod settings;
mod sockets;
mod times;

use std::convert::Infallible;
use std::thread::Scope;
use std::time::{Duration, Instant};

use error::DeviceError;
use port::Port;
use queue::Queues;
pub use session::GiveUp;
use session::{Make, Session, Work};
use settings::Settings;

use super::backend::{Backend, Change, Seat};
use super::error::TapError;
use super::notice::Notice;
use super::worker::{Turn, Worker};

impl Work for Worker<Queues> {
    fn turn(&mut self) -> Turn {
        Self::turn(self)
    }
}

/// Open devices.
pub struct Devices {
    session: Session<Worker<Queues>>,
    workers: usize,
    link_wait: Duration,
    opened: Instant,
    /// Whether each has a link, once that was told.
    links: Vec<Option<bool>>,
}

impl Devices {
    /// Opens the devices. `give_up` is called on every thread of DPDK's and capsule's, once it needs
    /// no privileges any more; the calling thread is left to the caller.
    ///
    /// # Errors
    /// The reason, as a sentence.
    pub fn open(settings: &Settings, give_up: GiveUp) -> Result<Self, DeviceError> {
        let session = Session::open(settings, give_up)?;
        Ok(Self {
            links: vec![None; session.ports.len()],
            session,
            workers: settings.cores.len(),
            link_wait: Duration::from_secs(settings.config.link_wait_s.get()),
            opened: Instant::now(),
        })
    }

    /// What there is to say when all links are there for the first time.
    fn listening(&self) -> Notice {
        let ports = &self.session.ports;
        let list = |of: fn(&Port) -> String| {
            let mut list: Vec<String> = ports.iter().map(of).collect();
            list.dedup();
            list.join(", ")
        };
        Notice::Polling {
            name: list(|port| port.name.clone()),
            driver: list(|port| port.driver.clone()),
            workers: self.workers,
            times: list(|port| port.times.describe().to_owned()),
        }
    }

    fn look_at_links(&mut self) -> Result<Change<Infallible>, DeviceError> {
        for (port, link) in self.session.ports.iter().zip(&mut self.links) {
            let now = port.has_link();
            let name = || port.name.clone();
            match (*link, now) {
                (Some(true), false) => {
                    *link = Some(false);
                    return Ok(Change::Told(Notice::Down { name: name() }));
                }
                (Some(false), true) => {
                    *link = Some(true);
                    return Ok(Change::Told(Notice::Up { name: name() }));
                }
                (None, false) if self.opened.elapsed() >= self.link_wait => {
                    let waited_s = self.link_wait.as_secs();
                    return Err(DeviceError::NoLink { device: name(), waited_s });
                }
                (None, false) => return Ok(Change::None),
                (None, true) | (Some(_), _) => {}
            }
        }
        if self.links.contains(&None) {
            self.links.fill(Some(true));
            return Ok(Change::Told(self.listening()));
        }
        Ok(Change::None)
    }
}

impl Backend for Devices {
    type New = Infallible;

    fn start<'scope>(
        &mut self,
        _scope: &'scope Scope<'scope, '_>,
        seats: Vec<Seat<Infallible>>,
        _cores: &[usize],
        _notify: &'scope (dyn Fn(&Notice) + Sync),
    ) -> Result<(), TapError> {
        let make = |seat: Seat<Infallible>| -> Make<Worker<Queues>> {
            Box::new(move |queues| seat.take(queues))
        };
        self.session.start(seats.into_iter().map(make).collect())?;
        Ok(())
    }

    fn begin(&mut self) -> Option<Notice> {
        None
    }

    fn look(&mut self) -> Result<Change<Infallible>, TapError> {
        if self.session.has_ended() {
            self.session.end()?;
        }
        Ok(self.look_at_links()?)
    }

    fn end(mut self) -> Result<(), TapError> {
        Ok(self.session.end()?)
    }
}
