//! How fast frames come through DPDK, with and without the engine: for benchmarks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use resetscope_core::engine::{Config, Engine};
use resetscope_core::interval::Interval;

use super::error::DeviceError;
use super::queue::Queues;
use super::session::{GiveUp, Make, Session, Work};
use super::settings::Settings;
use crate::huge_pages;
use crate::live::clock::Clock;
use crate::live::steer::{Dealer, Full, Inbox};
use crate::live::tap::pin;
use crate::live::worker::{Intake, Turn};
use crate::worker::REPORT_MIN;

/// Time between two advances of all shards' clocks, in nanoseconds: that of a live worker.
const ADVANCE_NS: u64 = 250_000_000;

/// Time between two looks whether a measurement is over, and whether there is another one.
const ROUND: Duration = Duration::from_millis(10);

/// When a measurement ends: with the first look at the queues after which time and frames are
/// enough, or `stop` is true.
#[derive(Clone, Debug, Default)]
pub struct Until {
    /// It lasts this long at least.
    pub time: Duration,
    /// Each worker that receives takes so many frames at least.
    pub frames: u64,
    /// Ends it at once.
    pub stop: Arc<AtomicBool>,
}

impl Until {
    fn is_over(&self, time: Duration, frames: u64) -> bool {
        (time >= self.time && frames >= self.frames) || self.stop.load(Ordering::Relaxed)
    }
}

/// What one worker did.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Frames received, or that came from the worker that receives.
    pub packets: u64,
    /// Bytes they had on the wire.
    pub bytes: u64,
    /// Time from the first of them to the end.
    pub elapsed: Duration,
    /// What the engine made of them, all of it judged; empty without one.
    pub interval: Interval,
}

impl Measured {
    /// Judges what is open.
    fn finish(&mut self, engine: &mut Engine) {
        engine.finish();
        self.interval = engine.take_interval();
        self.bytes = self.interval.frames.bytes;
    }
}

/// Who is told by each worker, by its number, how many frames it took at once and kept, when it began
/// to look for them, and when it was done with them.
pub type Each = Arc<dyn Fn(usize, u64, Instant, Instant) + Send + Sync>;

/// Receives until `until` on the cores of `settings` and returns what each worker did, in the order
/// of the cores: see [`Stand::measure`].
///
/// # Errors
/// As [`super::Devices::open`].
pub fn measure(
    settings: &Settings,
    until: &Until,
    engine: Option<&Config>,
    each: &Each,
) -> Result<Vec<Measured>, DeviceError> {
    let mut stand = Stand::open(settings)?;
    let measured = stand.measure(settings.cores.len(), until, engine, each)?;
    stand.end()?;
    Ok(measured)
}

/// Open devices, for measurements one after another: DPDK can be started once in a process.
pub struct Stand {
    session: Session<Place>,
    /// Where the places get their probes from.
    places: Vec<Sender<Probe>>,
    settings: Settings,
}

impl Stand {
    /// Opens the devices.
    ///
    /// # Errors
    /// As [`super::Devices::open`].
    pub fn open(settings: &Settings) -> Result<Self, DeviceError> {
        let keep: GiveUp = Arc::new(|_| Ok(()));
        let mut session = Session::open(settings, keep)?;
        let place = |_| -> (Sender<Probe>, Make<Place>) {
            let (send, next) = channel();
            (send, Box::new(move |queues| Place { queues, next, probe: None }))
        };
        let (places, work) = (0..session.opened.queues).map(place).unzip();
        session.start(work)?;
        Ok(Self { session, places, settings: settings.clone() })
    }

    /// Receives until `until` and returns what each worker did, in the order of the cores. With
    /// `engine` the frames are analysed, without it they are only counted. Where the devices deal
    /// out connections, every core receives and has an engine of that kind; where software steers,
    /// `workers` workers share one, the first of them receives, and it waits for the others.
    ///
    /// # Errors
    /// When there is no memory, or DPDK has stopped.
    pub fn measure(
        &mut self,
        workers: usize,
        until: &Until,
        engine: Option<&Config>,
        each: &Each,
    ) -> Result<Vec<Measured>, DeviceError> {
        let receiving = self.places.len();
        let workers = if receiving == 1 && engine.is_some() { workers.max(1) } else { receiving };
        let share = |number| if receiving == 1 { (number, workers) } else { (0, 1) };
        let engines = (0..workers).map(|number| {
            let (worker, of) = share(number);
            engine.map(|config| Engine::new(config, worker, of)).transpose()
        });
        let mut engines: Vec<_> =
            engines.collect::<Result<_, _>>().map_err(|_| DeviceError::Buffers)?;
        engines.iter().flatten().for_each(huge_pages::advise);
        engines.iter().flatten().for_each(huge_pages::populate);
        let others = engines.split_off(receiving);
        let (dealer, inboxes) = match others[..] {
            [] => (None, Vec::new()),
            _ => {
                let most = self.settings.frames_at_once();
                let (dealer, inboxes) = Dealer::new(workers, most, Full::Wait);
                (Some(dealer), inboxes)
            }
        };
        let results = Arc::new(Mutex::new(vec![None; receiving]));
        thread::scope(|scope| {
            let mut hands = Vec::new();
            for ((number, inbox), engine) in (1..).zip(inboxes).zip(others.into_iter().flatten()) {
                let core = self.settings.cores.get(number).copied();
                let hand = Hand { number, inbox, engine, each: Arc::clone(each) };
                let start = thread::Builder::new().name(format!("worker-{number}"));
                let started = start.spawn_scoped(scope, move || hand.work(core));
                hands.push(started.map_err(|cause| {
                    let doing = "start a thread";
                    DeviceError::System { doing, cause }
                })?);
            }
            let mut dealer = dealer;
            for ((number, place), engine) in self.places.iter().enumerate().zip(engines) {
                let (each, until) = (Arc::clone(each), until.clone());
                let results = Arc::clone(&results);
                let dealer = dealer.take();
                let probe = Probe::new(engine, dealer, each, until, number, results);
                // One that has gone is missed below.
                let _ = place.send(probe);
            }
            let mut measured = self.wait_for(&results)?;
            measured.extend(hands.into_iter().filter_map(|hand| ScopedJoinHandle::join(hand).ok()));
            Ok(measured)
        })
    }

    /// What the workers that receive did, once they have.
    fn wait_for(
        &mut self,
        results: &Mutex<Vec<Option<Measured>>>,
    ) -> Result<Vec<Measured>, DeviceError> {
        loop {
            thread::sleep(ROUND);
            let done: Option<Vec<Measured>> =
                results.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
            if let Some(done) = done {
                return Ok(done);
            }
            if self.session.has_ended() {
                self.session.end()?;
                return Err(DeviceError::Stopped { said: "it ended by itself".to_owned() });
            }
        }
    }

    /// Closes the devices.
    ///
    /// # Errors
    /// What went wrong meanwhile.
    pub fn end(mut self) -> Result<(), DeviceError> {
        self.session.end()
    }
}

/// What a live worker does after its frames, but for the writing.
fn look_after(engine: &mut Engine, last_ns: u64, due_ns: &mut u64) {
    if last_ns >= *due_ns {
        engine.advance(last_ns);
        *due_ns = last_ns + ADVANCE_NS;
    }
    if engine.waiting() >= REPORT_MIN {
        drop(engine.drain_events());
        drop(engine.drain_sightings());
    }
}

/// A core that receives, with or without a measurement to make.
struct Place {
    queues: Queues,
    next: Receiver<Probe>,
    probe: Option<Probe>,
}

impl Work for Place {
    fn turn(&mut self) -> Turn {
        let Some(probe) = &mut self.probe else {
            match self.next.try_recv() {
                Ok(mut probe) => {
                    if let Some(dealer) = probe.dealer.take() {
                        self.queues.deal(dealer);
                    }
                    self.probe = Some(probe);
                }
                Err(TryRecvError::Empty) => thread::sleep(ROUND),
                Err(TryRecvError::Disconnected) => return Turn::Done,
            }
            return Turn::Idle;
        };
        let turn = probe.turn(&mut self.queues);
        if turn == Turn::Done {
            self.probe = None;
            return Turn::Idle;
        }
        turn
    }
}

/// A worker that does nothing but that.
struct Probe {
    engine: Option<Engine>,
    /// For the queues.
    dealer: Option<Dealer>,
    each: Each,
    clock: Clock,
    begun: Option<Instant>,
    /// When the shards' clocks are advanced next.
    due_ns: u64,
    /// Frames received.
    frames: u64,
    until: Until,
    done: Measured,
    number: usize,
    results: Arc<Mutex<Vec<Option<Measured>>>>,
}

impl Probe {
    fn new(
        engine: Option<Engine>,
        dealer: Option<Dealer>,
        each: Each,
        until: Until,
        number: usize,
        results: Arc<Mutex<Vec<Option<Measured>>>>,
    ) -> Self {
        Self {
            engine,
            dealer,
            each,
            clock: Clock::default(),
            begun: None,
            due_ns: 0,
            frames: 0,
            until,
            done: Measured::default(),
            number,
            results,
        }
    }

    fn turn(&mut self, queues: &mut Queues) -> Turn {
        let from = Instant::now();
        let (done, handed) = (&mut self.done, queues.handed());
        let taken = match &mut self.engine {
            Some(engine) => queues.take(engine, &self.clock, self.frames + 1),
            None => queues.take_each(&self.clock, |frames, _| {
                done.bytes += frames.map(|frame| u64::from(frame.wire_len)).sum::<u64>();
            }),
        };
        if let Some(taken) = &taken {
            queues.pass(taken.last_ns);
        }
        let to = Instant::now();
        let elapsed = to - *self.begun.get_or_insert(from);
        if let Some(taken) = &taken {
            let kept = taken.frames - (queues.handed() - handed);
            self.frames += taken.frames;
            done.packets += kept;
            (self.each)(self.number, kept, from, to);
            if let Some(engine) = &mut self.engine {
                look_after(engine, taken.last_ns, &mut self.due_ns);
            }
        }
        if self.until.is_over(elapsed, self.frames) {
            queues.close();
            self.finish(elapsed);
            return Turn::Done;
        }
        if taken.is_some() { Turn::Busy } else { Turn::Idle }
    }

    /// Judges what is open and hands the result over.
    fn finish(&mut self, elapsed: Duration) {
        let mut done = std::mem::take(&mut self.done);
        done.elapsed = elapsed;
        if let Some(engine) = &mut self.engine {
            done.finish(engine);
        }
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(result) = results.get_mut(self.number) {
            *result = Some(done);
        }
    }
}

/// A worker that gets its frames from the one that receives.
struct Hand {
    number: usize,
    inbox: Inbox,
    engine: Engine,
    each: Each,
}

impl Hand {
    /// Works until no more will come.
    fn work(mut self, core: Option<usize>) -> Measured {
        // Elsewhere it is slower, and that is what is measured then.
        let _ = core.map(pin);
        let mut done = Measured::default();
        let (mut begun, mut due_ns) = (None, 0);
        while !self.inbox.is_closed() {
            let from = Instant::now();
            let Some(taken) = self.inbox.open(&mut self.engine) else {
                self.inbox.pause();
                continue;
            };
            let to = Instant::now();
            done.elapsed = to - *begun.get_or_insert(from);
            if taken.frames > 0 {
                done.packets += taken.frames;
                (self.each)(self.number, taken.frames, from, to);
            }
            look_after(&mut self.engine, taken.last_ns, &mut due_ns);
        }
        done.finish(&mut self.engine);
        done
    }
}
