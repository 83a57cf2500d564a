//! How fast frames come through DPDK, with and without the engine: for benchmarks.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use resetscope_core::engine::{Config, Engine};

use super::error::DeviceError;
use super::queue::Queues;
use super::session::{GiveUp, Make, Session, Work};
use super::settings::Settings;
use crate::huge_pages;
use crate::live::clock::Clock;
use crate::live::worker::Turn;

/// What one worker did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Frames received.
    pub packets: u64,
    /// Bytes they had on the wire.
    pub bytes: u64,
    /// Time from the first of them to the end.
    pub elapsed: Duration,
    /// Frames that became part of a flow; 0 without an engine.
    pub analysed: u64,
}

/// Receives for `duration` on every core of `settings` and returns what each did, in the order of the
/// cores. With `engine` the frames are analysed by one of that kind on each core, without it they are
/// only counted. `each` is told by each worker how many frames it took at once, and how many
/// nanoseconds that took. DPDK can be started once in a process, and so can this.
///
/// # Errors
/// As [`super::Devices::open`].
pub fn measure<F>(
    settings: &Settings,
    duration: Duration,
    engine: Option<&Config>,
    each: F,
) -> Result<Vec<Measured>, DeviceError>
where
    F: Fn(u64, u64) + Clone + Send + 'static,
{
    let keep: GiveUp = Arc::new(|_| Ok(()));
    let mut session = Session::open(settings, keep)?;
    let results = Arc::new(Mutex::new(vec![None; settings.cores.len()]));
    let mut work: Vec<Make<Probe<F>>> = Vec::new();
    for number in 0..settings.cores.len() {
        let engine = engine.map(|config| Engine::new(config, 0, 1)).transpose();
        let engine = engine.map_err(|_| DeviceError::Buffers)?;
        engine.iter().for_each(huge_pages::advise);
        let (results, each) = (Arc::clone(&results), each.clone());
        work.push(Box::new(move |queues| Probe {
            queues,
            engine,
            each,
            clock: Clock::default(),
            begun: None,
            duration,
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
    duration: Duration,
    done: Measured,
    number: usize,
    results: Arc<Mutex<Vec<Option<Measured>>>>,
}

impl<F: Fn(u64, u64) + Send + 'static> Work for Probe<F> {
    fn turn(&mut self) -> Turn {
        let from = Instant::now();
        let (engine, done) = (&mut self.engine, &mut self.done);
        let taken = self.queues.take_each(&self.clock, |frames, before| match engine {
            Some(engine) => engine.push(frames, done.packets + before + 1),
            None => done.bytes += frames.map(|frame| u64::from(frame.wire_len)).sum::<u64>(),
        });
        let begun = *self.begun.get_or_insert(from);
        if let Some(taken) = &taken {
            done.packets += taken.frames;
            (self.each)(taken.frames, from.elapsed().as_nanos() as u64);
        }
        if let Some(engine) = engine.as_mut().filter(|engine| engine.has_events()) {
            drop(engine.drain_events());
            drop(engine.drain_sightings());
        }
        if begun.elapsed() < self.duration {
            return if taken.is_some() { Turn::Busy } else { Turn::Idle };
        }
        done.elapsed = begun.elapsed();
        if let Some(engine) = engine {
            let frames = engine.take_interval().frames;
            (done.bytes, done.analysed) = (frames.bytes, frames.analysed);
        }
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(result) = results.get_mut(self.number) {
            *result = Some(std::mem::take(done));
        }
        Turn::Done
    }
}
