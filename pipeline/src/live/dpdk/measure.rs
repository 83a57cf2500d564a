//! How fast frames come through DPDK, with and without the engine: for benchmarks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use resetscope_core::engine::{Config, Engine};
use resetscope_core::interval::Interval;

use super::error::DeviceError;
use super::queue::Queues;
use super::session::{GiveUp, Make, Session, Work};
use super::settings::Settings;
use crate::huge_pages;
use crate::live::clock::Clock;
use crate::live::worker::Turn;

/// Time between two advances of all shards' clocks, in nanoseconds: that of a live worker.
const ADVANCE_NS: u64 = 250_000_000;

/// When a measurement ends: with the first look at the queues after which time and frames are
/// enough, or `stop` is true.
#[derive(Clone, Debug, Default)]
pub struct Until {
    /// It lasts this long at least.
    pub time: Duration,
    /// Each worker takes so many frames at least.
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
    /// Frames received.
    pub packets: u64,
    /// Bytes they had on the wire.
    pub bytes: u64,
    /// Time from the first of them to the end.
    pub elapsed: Duration,
    /// What the engine made of them, all of it judged; empty without one.
    pub interval: Interval,
}

/// Receives until `until` on every core of `settings` and returns what each did, in the order of the
/// cores. With `engine` the frames are analysed by one of that kind on each core, without it they are
/// only counted. `each` is told by each worker how many frames it took at once, when it began to
/// look for them, and when it was done with them. DPDK can be started once in a process, and so can
/// this.
///
/// # Errors
/// As [`super::Devices::open`].
pub fn measure<F>(
    settings: &Settings,
    until: &Until,
    engine: Option<&Config>,
    each: F,
) -> Result<Vec<Measured>, DeviceError>
where
    F: Fn(u64, Instant, Instant) + Clone + Send + 'static,
{
    let keep: GiveUp = Arc::new(|_| Ok(()));
    let mut session = Session::open(settings, keep)?;
    let results = Arc::new(Mutex::new(vec![None; settings.cores.len()]));
    let mut work: Vec<Make<Probe<F>>> = Vec::new();
    for number in 0..settings.cores.len() {
        let engine = engine.map(|config| Engine::new(config, 0, 1)).transpose();
        let engine = engine.map_err(|_| DeviceError::Buffers)?;
        engine.iter().for_each(huge_pages::advise);
        engine.iter().for_each(huge_pages::populate);
        let (results, each, until) = (Arc::clone(&results), each.clone(), until.clone());
        work.push(Box::new(move |queues| Probe {
            queues,
            engine,
            each,
            clock: Clock::default(),
            begun: None,
            due_ns: 0,
            until,
            done: Measured::default(),
            number,
            results,
        }));
    }
    session.start(work)?;
    let results = loop {
        std::thread::sleep(Duration::from_millis(10));
        let results = results.lock().unwrap_or_else(PoisonError::into_inner);
        let done: Option<Vec<Measured>> = results.iter().cloned().collect();
        if let Some(done) = done {
            break done;
        }
        if session.has_ended() {
            break Vec::new();
        }
    };
    session.end()?;
    Ok(results)
}

/// A worker that does nothing but that.
struct Probe<F> {
    queues: Queues,
    engine: Option<Engine>,
    each: F,
    clock: Clock,
    begun: Option<Instant>,
    /// When the shards' clocks are advanced next.
    due_ns: u64,
    until: Until,
    done: Measured,
    number: usize,
    results: Arc<Mutex<Vec<Option<Measured>>>>,
}

impl<F> Probe<F> {
    /// What a live worker does after its frames, but for the writing.
    fn look_after(engine: &mut Engine, last_ns: u64, due_ns: &mut u64) {
        if last_ns >= *due_ns {
            engine.advance(last_ns);
            *due_ns = last_ns + ADVANCE_NS;
        }
        if engine.has_events() {
            drop(engine.drain_events());
            drop(engine.drain_sightings());
        }
    }

    /// Judges what is open and hands the result over.
    fn finish(&mut self, elapsed: Duration) {
        let mut done = std::mem::take(&mut self.done);
        done.elapsed = elapsed;
        if let Some(engine) = &mut self.engine {
            engine.finish();
            done.interval = engine.take_interval();
            done.bytes = done.interval.frames.bytes;
        }
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(result) = results.get_mut(self.number) {
            *result = Some(done);
        }
    }
}

impl<F: Fn(u64, Instant, Instant) + Send + 'static> Work for Probe<F> {
    fn turn(&mut self) -> Turn {
        let from = Instant::now();
        let (engine, done) = (&mut self.engine, &mut self.done);
        let taken = self.queues.take_each(&self.clock, |frames, before| match engine {
            Some(engine) => engine.push(frames, done.packets + before + 1),
            None => done.bytes += frames.map(|frame| u64::from(frame.wire_len)).sum::<u64>(),
        });
        let to = Instant::now();
        let elapsed = to - *self.begun.get_or_insert(from);
        if let Some(taken) = &taken {
            done.packets += taken.frames;
            (self.each)(taken.frames, from, to);
            if let Some(engine) = engine {
                Self::look_after(engine, taken.last_ns, &mut self.due_ns);
            }
        }
        if self.until.is_over(elapsed, self.done.packets) {
            self.finish(elapsed);
            return Turn::Done;
        }
        if taken.is_some() { Turn::Busy } else { Turn::Idle }
    }
}
