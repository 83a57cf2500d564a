//! The thread that owns capsule's [`Runtime`], and with it EAL, buffers, ports and cores.
//!
//! A runtime cannot change threads, and what it opens takes privileges to close where the kernel goes
//! on using the device. So this thread builds it, waits until the others have given up privileges,
//! executes it, and takes it down; it never touches a frame.

use std::collections::HashMap;
use std::future::Future;
use std::os::unix::net::UnixDatagram;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use capsule::batch::Pipeline;
use capsule::{PortQueue, Runtime};
use rustix::process::{Signal, getpid, kill_process};
use signal_hook::consts::SIGHUP;

use super::build::{Built, build, words};
use super::capture::Capture;
use super::diagnose::diagnose;
use super::error::DeviceError;
use super::lcore;
use super::port::{Losses, Port};
use super::queue::{Catch, Queue, Queues};
use super::settings::{Settings, port_name};
use crate::live::worker::Turn;

/// Turns of a worker between two of capsule's.
const TURNS: usize = 16;

/// Time between two requests to end.
const ROUND: Duration = Duration::from_millis(20);

/// Gives up the calling thread's privileges; the flag says that it closes the devices later, and
/// needs what that takes.
pub type GiveUp = Arc<dyn Fn(bool) -> Result<(), String> + Send + Sync>;

/// What runs on a worker's core.
pub(super) trait Work: Send + 'static {
    /// Does a little.
    fn turn(&mut self) -> Turn;
}

/// Makes a worker's work of its queues, on its core.
pub(super) type Make<W> = Box<dyn FnOnce(Queues) -> W + Send>;

/// What has been opened.
#[derive(Clone)]
pub(super) struct Opened {
    pub(super) ports: Vec<Port>,
    /// Receive queues of each port, and so cores that receive.
    pub(super) queues: usize,
    /// Why there are fewer of them than cores, if there are.
    pub(super) steered: Option<String>,
}

/// A running, or soon running, DPDK.
pub(super) struct Session<W> {
    pub(super) opened: Opened,
    thread: Option<JoinHandle<Result<(), DeviceError>>>,
    go: Option<Sender<Vec<Make<W>>>>,
    started: Receiver<Result<(), DeviceError>>,
    over: Arc<AtomicBool>,
    capture: Option<Capture>,
    settings: Settings,
    /// What keeps other programs from the same devices.
    _locks: Vec<UnixDatagram>,
}

impl<W: Work> Session<W> {
    /// Opens all devices.
    ///
    /// # Errors
    /// The reason, as a sentence; nothing is left open.
    pub(super) fn open(settings: &Settings, give_up: GiveUp) -> Result<Self, DeviceError> {
        settings.check()?;
        let locks = settings.lock()?;
        let system = |doing| move |cause| DeviceError::System { doing, cause };
        let over = Arc::new(AtomicBool::new(false));
        // SIGHUP tells capsule to look whether it is over; without a handler it would end the process.
        signal_hook::flag::register(SIGHUP, Arc::new(AtomicBool::new(false)))
            .map_err(system("listen for signals"))?;
        let capture = Capture::begin().map_err(system("catch what DPDK says"))?;
        let (tell, hear) = channel();
        let (go, begin) = channel();
        let (tell_started, started) = channel();
        let operator = Operator {
            settings: settings.clone(),
            over: Arc::clone(&over),
            started: tell_started,
            give_up,
        };
        let thread = thread::Builder::new()
            .name("dpdk".to_owned())
            .spawn(move || operator.operate(&tell, &begin))
            .map_err(system("start a thread"))?;
        let mut session = Self {
            opened: Opened { ports: Vec::new(), queues: 0, steered: None },
            thread: Some(thread),
            go: Some(go),
            started,
            over,
            capture: Some(capture),
            settings: settings.clone(),
            _locks: locks,
        };
        match hear.recv() {
            Ok(opened) => {
                session.opened = opened;
                Ok(session)
            }
            Err(_) => Err(session.failed()),
        }
    }

    /// Starts the work, one for each core that receives, and waits until all of it is under way.
    ///
    /// # Errors
    /// When a device cannot be started or a core not be used.
    pub(super) fn start(&mut self, work: Vec<Make<W>>) -> Result<(), DeviceError> {
        let cores = work.len();
        if self.go.take().is_none_or(|go| go.send(work).is_err()) {
            return Err(self.failed());
        }
        for _ in 0..cores {
            match self.started.recv() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(error),
                Err(_) => return Err(self.failed()),
            }
        }
        self.capture = None;
        Ok(())
    }

    /// Why the thread has ended.
    fn failed(&mut self) -> DeviceError {
        let joined = self.join();
        let said = self.capture.take().map(Capture::end).unwrap_or_default();
        match joined {
            Ok(()) => DeviceError::Stopped { said: "it ended by itself".to_owned() },
            Err(DeviceError::Refused { said: error, .. }) => {
                diagnose(&self.settings, &error, &said)
            }
            Err(error) => error,
        }
    }
}

impl<W> Session<W> {
    /// Whether the thread has ended although nobody asked it to.
    pub(super) fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends it all and closes the devices.
    ///
    /// # Errors
    /// What went wrong meanwhile.
    pub(super) fn end(&mut self) -> Result<(), DeviceError> {
        self.over.store(true, Ordering::Relaxed);
        // Libraries have remarks on the way out, too.
        let _capture = (!self.has_ended()).then(Capture::begin);
        while !self.has_ended() {
            // Again and again: a signal that comes before capsule listens is lost.
            let _ = kill_process(getpid(), Signal::HUP);
            thread::sleep(ROUND);
        }
        self.join()
    }

    fn join(&mut self) -> Result<(), DeviceError> {
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(panic)) => Err(DeviceError::Stopped { said: words(panic.as_ref()) }),
        }
    }
}

impl<W> Drop for Session<W> {
    fn drop(&mut self) {
        // One that was not started ends when its orders do.
        self.go = None;
        // Who gives it up this way has an error of its own to tell.
        let _ = self.end();
    }
}

/// What the thread works with.
struct Operator {
    settings: Settings,
    over: Arc<AtomicBool>,
    started: Sender<Result<(), DeviceError>>,
    give_up: GiveUp,
}

impl Operator {
    fn operate<W: Work>(
        self,
        tell: &Sender<Opened>,
        begin: &Receiver<Vec<Make<W>>>,
    ) -> Result<(), DeviceError> {
        // Capsule leaves what it had opened; a device of the kernel's would keep what was set on it.
        let Built { mut runtime, queues, steered } =
            build(&self.settings).inspect_err(|_| lcore::close_all())?;
        let ports = self.ports()?;
        let catches = self.catches(&ports, queues)?;
        lcore::give_up_elsewhere(&self.give_up)?;
        let _ = tell.send(Opened { ports: ports.clone(), queues, steered });
        // Whoever opened it may have thought better of it.
        let Ok(work) = begin.recv() else { return Ok(()) };
        self.install(&mut runtime, &ports, catches, work)?;
        (self.give_up)(true).map_err(|reason| DeviceError::Privileges { reason })?;
        let over = Arc::clone(&self.over);
        runtime.set_on_signal(move |_| over.load(Ordering::Relaxed));
        // From here on only workers tell that they have started.
        drop(self.started);
        let settings = self.settings;
        let executed = catch_unwind(AssertUnwindSafe(|| runtime.execute()));
        ports.iter().for_each(Port::be_modest);
        drop(runtime);
        match executed {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(settings.refused(format!("{error:#}"))),
            Err(panic) => Err(DeviceError::Stopped { said: words(panic.as_ref()) }),
        }
    }

    fn ports(&self) -> Result<Vec<Port>, DeviceError> {
        let device_time = self.settings.config.device_time;
        let find = |device| {
            Port::find(device, device_time)
                .ok_or_else(|| self.settings.refused("a device is gone".to_owned()))
        };
        self.settings.devices.iter().map(find).collect()
    }

    /// For each port and queue, where its buffers go.
    fn catches(
        &self,
        ports: &[Port],
        queues: usize,
    ) -> Result<HashMap<(usize, usize), Catch>, DeviceError> {
        let bursts = self.settings.config.bursts.as_usize();
        let mut catches = HashMap::new();
        for (number, port) in ports.iter().enumerate() {
            for (queue, &core) in (0..).zip(self.settings.cores.iter().take(queues)) {
                let catch = Catch::install(port, queue, bursts)
                    .ok_or_else(|| self.settings.refused("it takes no callback".to_owned()))?;
                catches.insert((number, core), catch);
            }
        }
        Ok(catches)
    }

    /// Gives each core that receives its work.
    fn install<W: Work>(
        &self,
        runtime: &mut Runtime,
        ports: &[Port],
        mut catches: HashMap<(usize, usize), Catch>,
        work: Vec<Make<W>>,
    ) -> Result<(), DeviceError> {
        for (number, (&core, make)) in self.settings.cores.iter().zip(work).enumerate() {
            let mine = (0..ports.len()).filter_map(|of| Some((of, catches.remove(&(of, core))?)));
            let bench = Bench {
                make,
                catches: mine.collect(),
                ports: ports.to_vec(),
                losses: (number == 0).then(|| Losses::of(ports)),
                started: self.started.clone(),
                // On the main core the main thread works, which gives up privileges itself.
                give_up: (core != self.settings.main_core).then(|| Arc::clone(&self.give_up)),
            };
            // Capsule asks for what may be shared, and uses it once.
            let bench = Mutex::new(bench);
            runtime
                .add_pipeline_to_core(core, move |queues| {
                    let bench = bench.into_inner().unwrap_or_else(PoisonError::into_inner);
                    Pipe(bench.sit(queues))
                })
                .map_err(|error| self.settings.refused(format!("{error:#}")))?;
        }
        Ok(())
    }
}

/// All that work at a core is made of.
struct Bench<W> {
    make: Make<W>,
    catches: Vec<(usize, Catch)>,
    ports: Vec<Port>,
    losses: Option<Losses>,
    started: Sender<Result<(), DeviceError>>,
    give_up: Option<GiveUp>,
}

impl<W: Work> Bench<W> {
    /// Makes the work, on its core; `None` when that cannot be used.
    fn sit(self, mut queues: HashMap<String, PortQueue>) -> Option<At<W>> {
        let mut lcore = None;
        if let Some(give_up) = &self.give_up {
            lcore = lcore::Lcore::register();
            if let Err(reason) = give_up(false) {
                let _ = self.started.send(Err(DeviceError::Privileges { reason }));
                return None;
            }
        }
        let mut mine = Vec::with_capacity(self.catches.len());
        for (number, catch) in self.catches {
            if let (Some(queue), Some(port)) =
                (queues.remove(&port_name(number)), self.ports.get(number))
            {
                mine.push(Queue::new(queue, catch, port));
            }
        }
        let work = (self.make)(Queues::new(mine, self.losses));
        let _ = self.started.send(Ok(()));
        Some(At { work, _lcore: lcore })
    }
}

/// Work at its core.
struct At<W> {
    work: W,
    _lcore: Option<lcore::Lcore>,
}

/// Work as capsule runs it.
struct Pipe<W>(Option<At<W>>);

impl<W: Work> Pipe<W> {
    /// Some turns, until there is nothing to do just now.
    fn turns(&mut self) -> Turn {
        let Some(at) = &mut self.0 else { return Turn::Done };
        for _ in 0..TURNS {
            match at.work.turn() {
                Turn::Busy => {}
                other => return other,
            }
        }
        Turn::Busy
    }
}

impl<W> Unpin for Pipe<W> {}

impl<W: Work> Future for Pipe<W> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.turns() == Turn::Done {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<W: Work> Pipeline for Pipe<W> {
    fn name(&self) -> &str {
        "resetscope"
    }

    fn run_once(&mut self) {
        self.turns();
    }
}
