//! Memory is taken at the start, not while packets pass: these tests count every allocation.

#![allow(unsafe_code, reason = "a global allocator is unsafe by its trait")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test, both are its failure")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use resetscope::bench::{Backend, Bench, Request};
use resetscope::source::rotate::Rotation;
use resetscope_bench::traffic::{BEGIN_NS, GAP_NS, Mix, Traffic, flags};
use resetscope_core::engine::{Config, Engine};
use resetscope_core::frame::Frame;
use resetscope_core::interval::histogram::Metric;

/// The system's allocator, with a count of allocations and of what grew.
struct Counting;

/// Of all threads.
static ALL: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Of this thread: the test harness may allocate in its own at any time.
    static OWN: Cell<u64> = const { Cell::new(0) };
}

/// One test at a time, for the sake of [`ALL`].
static TURN: Mutex<()> = Mutex::new(());

fn count() {
    ALL.fetch_add(1, Ordering::Relaxed);
    // A thread that is ending has no count of its own any more.
    let _ = OWN.try_with(|own| own.set(own.get() + 1));
}

// SAFETY: every call goes to the system's allocator as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the promises that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(old, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of this thread during `work`.
fn allocations(work: impl FnOnce()) -> u64 {
    let before = OWN.get();
    work();
    OWN.get() - before
}

/// Allocations of all threads during `work`.
fn allocations_of_all(work: impl FnOnce()) -> u64 {
    let before = ALL.load(Ordering::Relaxed);
    work();
    ALL.load(Ordering::Relaxed) - before
}

/// Connections that the table holds.
const FLOWS: u32 = 20_000;

/// An engine and the packet time that it has reached.
struct Run {
    engine: Engine,
    now_ns: u64,
    number: u64,
}

impl Run {
    fn new() -> Self {
        let config = Config { flows: FLOWS as usize, ..Config::default() };
        Self { engine: Engine::new(&config, 0, 1).unwrap(), now_ns: BEGIN_NS, number: 1 }
    }

    /// Pushes all frames in bursts, as a worker does, and lets events go.
    fn push(&mut self, traffic: &Traffic) {
        let wait_ns = 3_000_000_000;
        for first in (0..traffic.len()).step_by(1024) {
            self.engine.push(traffic.frames(first, 1024, self.now_ns), self.number);
            self.number += 1024;
            self.now_ns += 1024 * GAP_NS;
            self.let_go();
        }
        // Long enough for every verdict to fall due, and for a sweep.
        self.now_ns += wait_ns;
        self.engine.advance(self.now_ns);
        self.let_go();
    }

    fn let_go(&mut self) {
        drop(self.engine.drain_events());
        drop(self.engine.drain_sightings());
    }
}

/// Frames that hold no TCP segment, or a broken one.
fn refused() -> Vec<Vec<u8>> {
    let good: Vec<u8> =
        Traffic::each(0..1, true, Mix::V4, flags::ACK).all(0).next().unwrap().bytes.to_vec();
    let with = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes
    };
    vec![
        with(12, 0x77),
        with(14, 0x40),
        with(21, 9),
        with(23, 17),
        with(46, 0x10),
        with(46, 0xf0),
        good[..40].to_vec(),
        Vec::new(),
    ]
}

#[test]
fn no_packet_makes_the_engine_allocate() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    for (mix, name) in Mix::ALL {
        let mut run = Run::new();
        let of = |flows, client, flags| Traffic::each(flows, client, mix, flags);
        let handshakes = [
            of(0..FLOWS, true, flags::SYN),
            of(0..FLOWS, false, flags::SYN_ACK),
            of(0..FLOWS, true, flags::ACK),
        ];
        let established = Traffic::random(FLOWS, 100_000, mix, flags::ACK);
        let flood = of(FLOWS..FLOWS + 200_000, true, flags::SYN);
        let newcomers =
            [of(300_000..400_000, true, flags::ACK), of(300_000..400_000, false, flags::ACK)];
        // What is made once an interval, when the first value of its kind comes: the histogram of
        // handshake times.
        let once = allocations(|| handshakes.iter().for_each(|traffic| run.push(traffic)));

        assert!(once <= 2, "{name}: {once} allocations before all histograms are there");
        for (traffic, what) in [
            (&established, "packets of known connections"),
            (&flood, "new connections in a full table: some are evicted, some packets shed"),
            (&newcomers[0], "new connections that will be established"),
            (&newcomers[1], "their other direction"),
            (&handshakes[0], "handshakes on a full table"),
            (&handshakes[1], "their answers: sightings of services"),
        ] {
            assert_eq!(allocations(|| run.push(traffic)), 0, "{name}: {what}");
        }
        let seen = run.engine.take_interval();
        assert!(seen.frames.balances());
        assert!(seen.flows.opened > 300_000 && seen.flows.evicted.iter().sum::<u64>() > 100_000);
    }
}

#[test]
fn frames_that_are_refused_allocate_nothing() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut run, frames) = (Run::new(), refused());
    let link = Traffic::each(0..1, true, Mix::V4, flags::ACK).all(0).next().unwrap().link;
    let count = allocations(|| {
        for bytes in frames.iter().cycle().take(10_000) {
            let wire_len = bytes.len() as u32 + 4;
            run.engine.push([Frame { bytes, wire_len, time_ns: BEGIN_NS, link }], 1);
        }
    });
    assert_eq!(count, 0);
    let seen = run.engine.take_interval();
    assert_eq!((seen.frames.received, seen.frames.analysed), (10_000, 0), "{:?}", seen.frames);
}

#[test]
fn no_reset_makes_the_engine_allocate_once_the_histograms_are_there() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut run = Run::new();
    let half = FLOWS / 2;
    let of = |client, flags| Traffic::each(0..half, client, Mix::Mixed, flags);
    let life = [of(true, flags::SYN), of(false, flags::SYN_ACK), of(true, flags::ACK)];
    let deaths = of(false, flags::RST_ACK);
    let refusals = Traffic::each(half..FLOWS, false, Mix::Mixed, flags::RST_ACK);
    // Two for each histogram.
    let first = allocations(|| life.iter().chain([&deaths]).for_each(|traffic| run.push(traffic)));

    assert!(first <= 2 * Metric::ALL.len() as u64, "{first} allocations for {half} resets");
    let again = allocations(|| {
        for _ in 0..3 {
            life.iter().chain([&deaths, &refusals]).for_each(|traffic| run.push(traffic));
        }
    });
    assert_eq!(again, 0, "for {} resets", 3 * FLOWS);
    assert!(run.engine.take_interval().resets.events > u64::from(2 * FLOWS));
}

/// Allocations of a whole run over `traffic`, one loop of `resetscope bench`.
fn of_a_run(traffic: &[Traffic], backend: Backend, rotation: Rotation, workers: usize) -> u64 {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), pcap(traffic)).unwrap();
    let request = Request {
        files: vec![file.path().to_owned()],
        backend,
        rotation,
        time: Duration::ZERO,
        engine: Config { flows: FLOWS as usize, ..Config::default() },
    };
    let bench = Bench::open(request).unwrap();
    allocations_of_all(|| drop(bench.run(workers, &Arc::default()).unwrap()))
}

#[test]
fn the_pipeline_allocates_by_batches_and_never_by_packets() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let traffic = [Traffic::random(FLOWS, 200_000, Mix::Mixed, flags::ACK)];
    for (backend, rotation) in [
        (Backend::Memory, Rotation::None),
        (Backend::Memory, Rotation::Ports),
        (Backend::File, Rotation::None),
    ] {
        for workers in [1, 2] {
            let count = of_a_run(&traffic, backend, rotation, workers);
            // Begin and end of a run take some two hundred, most of them for the shards.
            assert!(count < 1_000, "{backend:?}, {rotation:?}, {workers} workers: {count}");
        }
    }
}

#[test]
fn the_pipeline_allocates_a_bounded_number_of_times_for_each_reset() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let of = |client, flags| Traffic::each(0..FLOWS / 2, client, Mix::Mixed, flags);
    let death = [
        of(true, flags::SYN),
        of(false, flags::SYN_ACK),
        of(true, flags::ACK),
        of(false, flags::RST_ACK),
    ];
    let [life @ .., _] = &death;
    for workers in [1, 2] {
        let count =
            |traffic: &[Traffic]| of_a_run(traffic, Backend::Memory, Rotation::None, workers);
        let (without, with) = (count(life), count(&death));
        let resets = u64::from(FLOWS / 2);
        assert!(with - without < 2 * resets, "{} for {resets} resets", with - without);
    }
}

/// The frames as a capture of microseconds.
fn pcap(traffic: &[Traffic]) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend([0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 1].map(u32::to_le_bytes).concat());
    for frame in traffic.iter().flat_map(|traffic| traffic.all(BEGIN_NS)) {
        let (seconds, us) = (frame.time_ns / 1_000_000_000, frame.time_ns % 1_000_000_000 / 1_000);
        let record = [seconds as u32, us as u32, frame.bytes.len() as u32, frame.wire_len];
        file.extend(record.map(u32::to_le_bytes).concat());
        file.extend_from_slice(frame.bytes);
    }
    file
}
