//! DPDK devices as a tap, through the framework capsule: physical ports that belong to DPDK,
//! interfaces of the kernel through AF_XDP or AF_PACKET, and recordings.
//!
//! Nothing outside this module names anything of capsule's or DPDK's. In the order in which things
//! happen: [`settings`] (what is asked, checked beforehand) → `session` (the thread with capsule's
//! runtime, which owns EAL, buffers, ports and cores; `build` makes it) → `port` (symmetric receive
//! side scaling, jumbo frames, time stamps, counters; `sockets` for those that only the kernel has) →
//! `queue` (bursts into the engine, zero copy) and `times`. `capture`, `diagnose` and `lcore` keep DPDK
//! quiet, put its errors into words, and its threads in order.
//!
//! **Workers.** Each has a core. Where the devices' receive side scaling can bring both directions of
//! a connection to one queue, each also has a receive queue of that number at every device, and an
//! engine that owns all shards. Where it cannot, or a device has fewer queues than there are workers,
//! software steers (`crate::live::steer`): the first worker receives from one queue of every device,
//! and each has an engine that owns its share of the shards. One queue, although there may be more,
//! as without symmetry the two directions of a connection come by different ones, and nothing could
//! tell then what came first. The other workers touch nothing of DPDK's, and run on ordinary threads.
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

mod build;
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
use super::steer::{Dealer, Full};
use super::tap::start_thread;
use super::worker::{Turn, Worker};

impl Work for Worker<Queues> {
    fn turn(&mut self) -> Turn {
        Self::turn(self)
    }
}

/// Open devices.
pub struct Devices {
    session: Session<Worker<Queues>>,
    /// The workers' cores.
    cores: Vec<usize>,
    /// Frames that the first worker takes at once, at most.
    most: usize,
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
            links: vec![None; session.opened.ports.len()],
            session,
            cores: settings.cores.clone(),
            most: settings.frames_at_once(),
            link_wait: Duration::from_secs(settings.config.link_wait_s.get()),
            opened: Instant::now(),
        })
    }

    /// What there is to say when all links are there for the first time.
    fn listening(&self) -> Notice {
        let ports = &self.session.opened.ports;
        let list = |of: fn(&Port) -> String| {
            let mut list: Vec<String> = ports.iter().map(of).collect();
            list.dedup();
            list.join(", ")
        };
        Notice::Polling {
            name: list(|port| port.name.clone()),
            driver: list(|port| port.driver.clone()),
            workers: self.cores.len(),
            times: list(|port| port.times.describe().to_owned()),
        }
    }

    /// What happens to frames of a worker that does not keep up: those of recordings can wait.
    fn when_full(&self) -> Full {
        let ports = &self.session.opened.ports;
        if ports.iter().all(|port| port.times.are_recorded()) { Full::Wait } else { Full::Drop }
    }

    fn look_at_links(&mut self) -> Result<Change<Infallible>, DeviceError> {
        for (port, link) in self.session.opened.ports.iter().zip(&mut self.links) {
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
        scope: &'scope Scope<'scope, '_>,
        mut seats: Vec<Seat<Infallible>>,
        _cores: &[usize],
        notify: &'scope (dyn Fn(&Notice) + Sync),
    ) -> Result<(), TapError> {
        let others = seats.split_off(self.session.opened.queues.min(seats.len()));
        let make = |seat: Seat<Infallible>| -> Make<Worker<Queues>> {
            Box::new(move |queues| seat.take(queues))
        };
        if !self.deals_shards() {
            self.session.start(seats.into_iter().map(make).collect())?;
            return Ok(());
        }
        let (dealer, inboxes) = Dealer::new(self.cores.len(), self.most, self.when_full());
        let first = seats.pop().map(|seat| -> Make<Worker<Queues>> {
            Box::new(move |mut queues| {
                queues.deal(dealer);
                seat.take(queues)
            })
        });
        self.session.start(first.into_iter().collect())?;
        for (seat, inbox) in others.into_iter().zip(inboxes) {
            let (number, core) = (seat.number, self.cores.get(seat.number).copied());
            start_thread(scope, number, seat.take(inbox), core, notify)?;
        }
        Ok(())
    }

    fn deals_shards(&self) -> bool {
        self.session.opened.steered.is_some()
    }

    fn begin(&mut self) -> Option<Notice> {
        let why = self.session.opened.steered.clone()?;
        Some(Notice::Steering { why, workers: self.cores.len() })
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
