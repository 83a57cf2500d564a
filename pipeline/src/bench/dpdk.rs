//! Recorded traffic through DPDK: its driver net_pcap keeps the capture in packet buffers and deals
//! copies of them out again and again, which go the way that a network adapter's frames go. A
//! recording has one queue, so several workers are several by software steering.
//!
//! What the driver cannot play is refused before DPDK starts, as DPDK tells no reasons.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use resetscope_core::engine::Config;
use resetscope_core::frame::{Frame, LinkType};
use resetscope_core::interval::Interval;

use super::stopwatch::Stopwatch;
use crate::config::{Dpdk, Steering};
use crate::live::dpdk::error::DeviceError;
use crate::live::dpdk::measure::{Each, Stand, Until};
use crate::live::dpdk::settings::Settings;
use crate::live::usable_cores;
use crate::source::{self, Batch, Damage, Fill, Input, Options, SourceError, line_bytes};

/// Bytes of one packet buffer that a looped frame can have.
const FRAME_BYTES_MAX: usize = 2048;

/// Buffers beside those that hold the capture: copies under way, and those that cores keep.
const BUFFERS_MORE: u64 = 4096;

/// A page's worth of buffers, in MiB and in buffers: each takes 2368 bytes and none crosses pages.
const PAGE: (u64, u64) = (2, 880);

/// MiB that DPDK takes beside the buffers and the rings.
const MEMORY_MORE_MIB: u64 = 48;

/// Why a capture cannot be played by DPDK.
#[derive(Debug, thiserror::Error)]
pub enum DpdkError {
    /// The driver takes one.
    #[error("--backend dpdk plays one file: join them with `mergecap -F pcap -w all.pcap` first")]
    Files,
    /// It keeps the file open by itself.
    #[error("--backend dpdk reads a file, not standard input: save it first")]
    Stdin,
    /// Frames are dealt out as they are.
    #[error("--rotate needs --backend memory: DPDK plays frames as they are")]
    Rotate,
    /// Each worker has a core.
    #[error("{asked} workers need as many cores with --backend dpdk, and {usable} can be used")]
    Workers {
        /// Workers asked for.
        asked: usize,
        /// Cores there are.
        usable: usize,
    },
    /// Not a pcap file as it lies.
    #[error(
        "{path}: DPDK plays plain pcap files only: convert it with `editcap -F pcap {path} \
         converted.pcap`, which unpacks it (gzip, zstd, lz4), too"
    )]
    Format {
        /// The file.
        path: String,
    },
    /// Frames without an Ethernet header.
    #[error(
        "{path}: DPDK plays Ethernet only, and it is of link type {link}: use --backend memory"
    )]
    Link {
        /// The file.
        path: String,
        /// The number of its link type.
        link: u16,
    },
    /// A frame that does not fit into one buffer.
    #[error(
        "{path}: a frame of {bytes} bytes is too long for one of DPDK's buffers: cut it with \
         `editcap -F pcap -s {FRAME_BYTES_MAX} {path} short.pcap`"
    )]
    Long {
        /// The file.
        path: String,
        /// Its bytes.
        bytes: usize,
    },
    /// Nothing to play.
    #[error("{path}: there are no frames in it")]
    Empty {
        /// The file.
        path: String,
    },
    /// The capture does not fit into the memory that DPDK can have.
    #[error(
        "DPDK would keep {frames} frames on {needed_mib} MiB of huge pages, of which {free_mib} MiB \
         are free: run `sudo scripts/setup-dpdk --pages {pages}`, or measure a shorter capture \
         (`editcap -r`)"
    )]
    Memory {
        /// Frames of the capture.
        frames: u64,
        /// What they take, in MiB.
        needed_mib: u64,
        /// What there is, in MiB.
        free_mib: u64,
        /// Pages of 2 MiB that would do.
        pages: u64,
    },
    /// More frames than DPDK has numbers for.
    #[error(
        "{frames} frames are more than DPDK can keep: measure a shorter capture (`editcap -r`)"
    )]
    Frames {
        /// Frames of the capture.
        frames: u64,
    },
    /// The file cannot be opened.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The file cannot be read as a capture.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The system does not say which cores there are.
    #[error("cannot ask for the cores")]
    Cores(#[source] io::Error),
    /// DPDK refused.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

/// A capture that DPDK can play.
pub(super) struct Looped {
    /// What DPDK reads, by its descriptor: so any name will do.
    file: File,
    frames: u64,
    /// Bytes that one loop takes on an Ethernet line.
    line_bytes: u64,
    damage: Vec<Damage>,
    /// What plays it, once it does.
    stand: Mutex<Option<Box<Stand>>>,
}

/// What came of playing it.
pub(super) struct Played {
    pub(super) watches: Vec<Stopwatch>,
    pub(super) interval: Interval,
    pub(super) line_bytes: u64,
    pub(super) stopped: bool,
}

impl Looped {
    /// Reads the capture once, to see whether DPDK can play it and what that takes.
    ///
    /// # Errors
    /// The reason why it cannot.
    pub(super) fn open(files: &[PathBuf]) -> Result<Self, DpdkError> {
        let [path] = files else { return Err(DpdkError::Files) };
        if path.as_os_str() == "-" {
            return Err(DpdkError::Stdin);
        }
        let name = || path.display().to_string();
        let read = |cause| DpdkError::Read { path: name(), cause };
        let mut file = File::open(path).map_err(read)?;
        let mut magic = Vec::new();
        (&mut file).take(4).read_to_end(&mut magic).map_err(read)?;
        if !source::is_pcap(&magic) {
            return Err(DpdkError::Format { path: name() });
        }
        let mut looped =
            Self { file, frames: 0, line_bytes: 0, damage: Vec::new(), stand: Mutex::default() };
        looped.survey(path)?;
        if looped.frames == 0 {
            return Err(DpdkError::Empty { path: name() });
        }
        Ok(looped)
    }

    fn survey(&mut self, path: &Path) -> Result<(), DpdkError> {
        let mut source = source::open([Input::from(path.to_owned())], &Options::default())?;
        let mut batch = Batch::new(1024);
        while source.fill(&mut batch, u64::MAX)? != Fill::End {
            self.frames += batch.len() as u64;
            for frame in batch.frames() {
                check(&frame, path)?;
                self.line_bytes += line_bytes(frame.wire_len);
            }
        }
        self.damage = source.damage().to_vec();
        Ok(())
    }

    pub(super) fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// Plays it to `workers` workers, one loop at least, until `time` is over or `stop` becomes true.
    ///
    /// # Errors
    /// When DPDK cannot be started or goes wrong.
    pub(super) fn play(
        &self,
        workers: usize,
        engine: &Config,
        time: Duration,
        stop: &Arc<AtomicBool>,
    ) -> Result<Played, DpdkError> {
        let watches: Arc<[Mutex<Stopwatch>]> =
            (0..workers).map(|_| Mutex::new(Stopwatch::new())).collect();
        let each: Each = {
            let watches = Arc::clone(&watches);
            Arc::new(move |worker, frames, begun: Instant, ended: Instant| {
                // Nobody else wants it until the end.
                if let Some(watch) = watches.get(worker) {
                    let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
                    watch.count(frames, begun, ended);
                }
            })
        };
        let until = Until { time, frames: self.frames, stop: Arc::clone(stop) };
        let mut stand = self.stand.lock().unwrap_or_else(PoisonError::into_inner);
        let stand = match &mut *stand {
            Some(stand) => stand,
            none => none.insert(Box::new(self.stand()?)),
        };
        let mut interval = Interval::default();
        for worker in stand.measure(workers, &until, Some(engine), &each)? {
            interval.merge(&worker.interval);
        }
        let taken = |watch: &Mutex<Stopwatch>| {
            std::mem::take(&mut *watch.lock().unwrap_or_else(PoisonError::into_inner))
        };
        let watches = watches.iter().map(taken).collect();
        let loops = interval.frames.received as f64 / self.frames as f64;
        let line_bytes = (loops * self.line_bytes as f64) as u64;
        Ok(Played { watches, interval, line_bytes, stopped: stop.load(Ordering::Relaxed) })
    }

    /// Opens the device, for as many workers as there are cores.
    fn stand(&self) -> Result<Stand, DpdkError> {
        let cores = usable_cores().map_err(DpdkError::Cores)?;
        let settings = Settings::new(&self.devices()?, cores.len(), &[], &cores);
        Stand::open(&settings).map_err(|error| self.explain(error))
    }

    /// The device that plays the capture, and the memory that it takes.
    fn devices(&self) -> Result<Dpdk, DpdkError> {
        let too_many = |_| DpdkError::Frames { frames: self.frames };
        let buffers = self.frames + BUFFERS_MORE;
        let (page_mib, page_buffers) = PAGE;
        // DPDK's rings hold a pointer for each of a power of two: one for all buffers, one for those
        // of the capture.
        let rings_mib = (2 * 8 * buffers.next_power_of_two()).div_ceil(1 << 20);
        let memory_mib = buffers.div_ceil(page_buffers) * page_mib + rings_mib + MEMORY_MORE_MIB;
        let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        Ok(Dpdk {
            devices: vec![format!("net_pcap0,rx_pcap={path},infinite_rx=1")],
            buffers: buffers.try_into().map_err(too_many)?,
            memory_mib: memory_mib.next_multiple_of(page_mib).try_into().map_err(too_many)?,
            steering: Steering::Software,
            ..Dpdk::default()
        })
    }

    /// The same in words that fit: nothing of this is configured.
    fn explain(&self, error: DeviceError) -> DpdkError {
        match error {
            DeviceError::HugePages { needed_mib, free_mib, pages } => {
                DpdkError::Memory { frames: self.frames, needed_mib, free_mib, pages }
            }
            error => error.into(),
        }
    }
}

fn check(frame: &Frame<'_>, path: &Path) -> Result<(), DpdkError> {
    let path = || path.display().to_string();
    if frame.link != LinkType::ETHERNET {
        return Err(DpdkError::Link { path: path(), link: frame.link.0 });
    }
    let bytes = frame.bytes.len();
    if bytes > FRAME_BYTES_MAX {
        return Err(DpdkError::Long { path: path(), bytes });
    }
    Ok(())
}
