//! Benchmarks against recorded traffic: the pipeline of `analyze`, fed with the same capture again
//! and again, and a clock beside each worker.
//!
//! [`Bench::open`] gets the traffic ready, [`Bench::run`] runs it on so many workers ([`stopwatch`]
//! times their bursts) and gives [`figures`], [`text`] shows those to a person.
//!
//! Nothing but the traffic is made for measuring: feed, workers, exchange, engines and collector are
//! those of [`crate::run`], only the results are counted instead of written. Flow tables and frames
//! are brought into memory before the clock starts.

#[cfg(feature = "dpdk")]
pub mod dpdk;
pub mod figures;
mod machine;
pub mod stopwatch;
pub mod text;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use resetscope_core::engine::Config;
use resetscope_core::interval::Interval;
use resetscope_core::judge::event::Event;
use resetscope_core::limits::SHARDS;

use crate::collect::{Sink, Summary};
use crate::feed::Feed;
use crate::huge_pages;
use crate::run::{Plan, RunError, drive, engines};
use crate::source::recording::{Recording, RecordingError};
use crate::source::rotate::Rotation;
use crate::source::{self, Damage, Input, Options, Played, Reopened, Replay, Source, SourceError};

use figures::{Figures, Measured};
use stopwatch::Stopwatch;

/// Where the frames come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// The capture is held in memory.
    Memory,
    /// The capture is opened and read anew for each loop.
    File,
    /// DPDK plays the capture from its packet buffers.
    Dpdk,
}

/// What is to be measured.
#[derive(Clone, Debug)]
pub struct Request {
    /// Captures, as one tap.
    pub files: Vec<PathBuf>,
    /// Where the frames come from.
    pub backend: Backend,
    /// What changes from loop to loop.
    pub rotation: Rotation,
    /// How long each run lasts; the loop in which it is over is completed.
    pub time: Duration,
    /// What the engines are built for.
    pub engine: Config,
}

/// Why nothing can be measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The program was built without the backend.
    #[cfg(not(feature = "dpdk"))]
    #[error(
        "this build has no DPDK: run scripts/setup-dpdk once, then `cargo build --release --features \
         dpdk`, or measure with --backend memory or file"
    )]
    NoDpdk,
    /// DPDK cannot do it.
    #[cfg(feature = "dpdk")]
    #[error(transparent)]
    Dpdk(#[from] dpdk::DpdkError),
    /// Files are read as they are.
    #[error("--rotate needs --backend memory: frames in files are not changed")]
    RotateFile,
    /// Standard input is read once.
    #[error("standard input can be read only once; measure it with --backend memory")]
    StdinAgain,
    /// The capture cannot be held in memory.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The capture cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The run failed.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Traffic that is ready to be played.
enum Traffic {
    Memory(Recording),
    File,
    #[cfg(feature = "dpdk")]
    Dpdk(dpdk::Looped),
}

/// A benchmark that is ready to run.
pub struct Bench {
    request: Request,
    traffic: Traffic,
}

impl Bench {
    /// Gets the traffic ready. Frames are held in memory up to three quarters of what is free.
    ///
    /// # Errors
    /// When the captures cannot be read or held, or the backend cannot do what is asked.
    pub fn open(request: Request) -> Result<Self, BenchError> {
        let traffic = match request.backend {
            #[cfg(not(feature = "dpdk"))]
            Backend::Dpdk => return Err(BenchError::NoDpdk),
            #[cfg(feature = "dpdk")]
            Backend::Dpdk if request.rotation != Rotation::None => {
                return Err(dpdk::DpdkError::Rotate.into());
            }
            #[cfg(feature = "dpdk")]
            Backend::Dpdk => Traffic::Dpdk(dpdk::Looped::open(&request.files)?),
            Backend::File if request.rotation != Rotation::None => {
                return Err(BenchError::RotateFile);
            }
            Backend::File if request.files.iter().any(|path| path.as_os_str() == "-") => {
                return Err(BenchError::StdinAgain);
            }
            Backend::File => Traffic::File,
            Backend::Memory => {
                let inputs = request.files.iter().cloned().map(Input::from);
                let mut source = source::open(inputs, &Options::default())?;
                let bytes_max = machine::free_bytes() / 4 * 3;
                Traffic::Memory(Recording::load(source.as_mut(), request.rotation, bytes_max)?)
            }
        };
        Ok(Self { request, traffic })
    }

    /// The numbers of workers to measure: those `asked` for; if none are, powers of two up to the
    /// cores, and the cores.
    ///
    /// # Errors
    /// When the backend cannot do those.
    pub fn counts(&self, asked: &[u16]) -> Result<Vec<usize>, BenchError> {
        #[cfg(feature = "dpdk")]
        if let Traffic::Dpdk(_) = self.traffic {
            let usable = machine::cores();
            if let Some(asked) = asked.iter().copied().map(usize::from).find(|of| *of > usable) {
                return Err(dpdk::DpdkError::Workers { asked, usable }.into());
            }
        }
        if !asked.is_empty() {
            return Ok(asked.iter().copied().map(usize::from).collect());
        }
        let cores = machine::cores().min(SHARDS);
        let mut counts: Vec<usize> = (0..=cores.ilog2()).map(|bit| 1 << bit).collect();
        if !cores.is_power_of_two() {
            counts.push(cores);
        }
        Ok(counts)
    }

    /// Runs on `workers` workers, one of [`Self::counts`], until the time is over or `stop` becomes
    /// true.
    ///
    /// # Errors
    /// When the memory of the flow tables or a thread is refused, a file cannot be read again, or
    /// DPDK refuses.
    pub fn run(
        &self,
        workers: usize,
        stop: &Arc<AtomicBool>,
    ) -> Result<(Figures, Vec<Damage>), BenchError> {
        let played = Arc::new(Played::default());
        let source: Box<dyn Source> = match &self.traffic {
            Traffic::Memory(recording) => {
                Box::new(Replay::new(recording.clone(), self.request.time, Arc::clone(&played)))
            }
            Traffic::File => {
                let options = Options { stop: Arc::clone(stop), ..Options::default() };
                let files = self.request.files.clone();
                Box::new(Reopened::open(files, options, self.request.time, Arc::clone(&played))?)
            }
            #[cfg(feature = "dpdk")]
            Traffic::Dpdk(looped) => return self.run_dpdk(looped, workers, stop),
        };
        let plan = Plan { workers, interval_ns: None, engine: self.request.engine.clone() };
        let mut engines = engines(&plan)?;
        for engine in &engines {
            huge_pages::advise(engine);
            huge_pages::populate(engine);
        }
        let mut watches: Vec<Stopwatch> = engines.iter().map(|_| Stopwatch::new()).collect();
        let mut total = Total::default();
        let feed = Feed::new(source, plan.interval_ns, Arc::clone(stop));
        let findings = drive(&mut engines, &mut watches, feed, &mut total, stop, &|_| {})?;
        let measured = Measured {
            request: &self.request,
            watches: &watches,
            interval: &total.0,
            line_bytes: played.line_bytes.load(Ordering::Relaxed),
            rotate_ns: played.rotate_ns.load(Ordering::Relaxed),
            stopped: stop.load(Ordering::Relaxed),
        };
        Ok((Figures::new(&measured), findings.damage))
    }

    #[cfg(feature = "dpdk")]
    fn run_dpdk(
        &self,
        looped: &dpdk::Looped,
        workers: usize,
        stop: &Arc<AtomicBool>,
    ) -> Result<(Figures, Vec<Damage>), BenchError> {
        let played = looped.play(workers, &self.request.engine, self.request.time, stop)?;
        let measured = Measured {
            request: &self.request,
            watches: &played.watches,
            interval: &played.interval,
            line_bytes: played.line_bytes,
            rotate_ns: 0,
            stopped: played.stopped,
        };
        Ok((Figures::new(&measured), looped.damage().to_vec()))
    }
}

/// Adds up what the workers saw, in place of writing it.
#[derive(Default)]
struct Total(Interval);

impl Sink for Total {
    fn event(&mut self, _event: &Event) -> io::Result<()> {
        Ok(())
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        self.0.merge(&summary.interval);
        Ok(())
    }

    fn wants_events(&self) -> bool {
        false
    }
}
