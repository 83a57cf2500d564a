//! Hostile bytes: whatever they are, reading ends, does not panic, and takes bounded memory.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test, both are its failure")]
#![allow(unsafe_code, reason = "an allocator that counts is an unsafe trait")]

mod capture_writer;

use capture_writer::oracle::oracle;
use capture_writer::{
    Flavour, Ng, Order, Seen, gzip, lz4, memory, pcap, pcapng, read_bytes, read_with, sample, zstd,
};
use proptest::prelude::*;
use resetscope::source::{Batch, Fill, Options, open};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counts bytes in use, their maximum, and allocations.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Allocations of this thread alone: the test runner's own thread allocates when it likes.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; only numbers are kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps the contract of this very method.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps the contract of this very method.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of this very method.
        unsafe { System.dealloc(memory, layout) }
    }
}

fn count(bytes: usize) {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
    let now = IN_USE.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK.fetch_max(now, Ordering::Relaxed);
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Tests that measure memory must not run beside others.
static TURN: Mutex<()> = Mutex::new(());

/// Waits until no other test of this file runs.
fn alone() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `job` and returns the most memory it had in use beyond what was in use before.
fn peak_of(job: impl FnOnce()) -> usize {
    let before = IN_USE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    job();
    PEAK.load(Ordering::Relaxed).saturating_sub(before)
}

/// A generator of numbers that are the same in every run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    /// Changes a few bytes, most often to values that are at the edge of something.
    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len());
            match self.below(8) {
                0 => bytes.truncate(at),
                1 => bytes[at] ^= 1 << self.below(8),
                2 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][self.below(5)],
                3 => bytes[at] = self.next() as u8,
                4 => {
                    let word = [0, 4, 11, 12, 16, 1 << 20, 1 << 31, u32::MAX][self.below(8)];
                    for (place, byte) in bytes.iter_mut().skip(at & !3).zip(word.to_le_bytes()) {
                        *place = byte;
                    }
                }
                5 => bytes[at..].rotate_left(1),
                6 => {
                    let copy = bytes[..at].to_vec();
                    bytes.extend(copy);
                }
                _ => {
                    bytes.drain(at..(at + self.below(40)).min(bytes.len()));
                }
            }
            if bytes.is_empty() {
                return;
            }
        }
    }
}

/// Small captures with something of everything in them.
fn seeds() -> Vec<Vec<u8>> {
    let frames: Vec<Seen> = sample(12)
        .into_iter()
        .map(|frame| {
            let bytes: Vec<u8> = frame.bytes.into_iter().take(40).collect();
            Seen { wire_len: frame.wire_len.max(bytes.len() as u32), bytes, ..frame }
        })
        .collect();
    let mut seeds = Vec::new();
    for order in [Order::Little, Order::Big] {
        for flavour in [Flavour::Micro, Flavour::Nano, Flavour::Modified] {
            seeds.push(pcap(order, flavour, &frames));
        }
        seeds.push(pcapng(order, &frames));
        let mut ng = Ng::new(order);
        ng.interface(1, 20, &[(9, &[0x94]), (14, &[0; 8])]);
        ng.simple_packet(40, &[1; 20])
            .old_packet(0, 1 << 40, 0xffff, 30, &[2; 11])
            .block(5, &[3; 20]);
        ng.section(order, 77).interface(113, 0, &[(9, &[18])]).packet(0, u64::MAX, 1, b"x");
        seeds.push(ng.bytes);
    }
    seeds
}

#[test]
fn a_hundred_thousand_mutated_captures_end_without_panic_in_bounded_memory() {
    let _alone = alone();
    let seeds = seeds();
    let options = Options { mmap: false, buffer_bytes: 4096, ..Options::default() };
    // In memory where that is possible: a hundred thousand files are much for a disk.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let path = folder.path().join("capture");
    let peak = peak_of(|| {
        let mut numbers = Numbers(1);
        let mut frames = 0;
        for round in 0..100_000 {
            let mut bytes = seeds[round % seeds.len()].clone();
            numbers.mutate(&mut bytes);
            std::fs::write(&path, &bytes).unwrap();
            let options = if round % 2 == 0 { &options } else { &Options::default() };
            if let Ok(found) = read_with([path.as_path().into()], options, 64) {
                frames += found.frames.len();
                let skipped = found.damage.iter().filter(|damage| damage.read_on).count();
                assert!(skipped <= 1 && found.damage.len() <= skipped + 1, "round {round}");
            }
        }
        assert!(frames > 200_000, "{frames} frames survived: the mutations are too coarse");
    });
    assert!(peak < 16 << 20, "{peak} bytes were in use");
}

#[test]
fn mutated_compressed_captures_end_without_panic_in_bounded_memory() {
    let _alone = alone();
    let seeds = seeds();
    let peak = peak_of(|| {
        let mut numbers = Numbers(2);
        for round in 0..3_000 {
            let wrap = [gzip, zstd, lz4][round % 3];
            let mut bytes = wrap(&seeds[round % seeds.len()]);
            numbers.mutate(&mut bytes);
            if let Ok(found) = read_bytes(&bytes) {
                let skipped = found.damage.iter().filter(|damage| damage.read_on).count();
                assert!(skipped <= 1 && found.damage.len() <= skipped + 1, "round {round}");
            }
        }
    });
    assert!(peak < 64 << 20, "{peak} bytes were in use");
}

#[test]
fn a_decompression_bomb_is_streamed() {
    let _alone = alone();
    // A pcapng file whose one block says it is 4 GiB of nothing, and 256 MiB of it.
    let mut bytes = Ng::new(Order::Little).bytes;
    bytes.extend(10_u32.to_le_bytes());
    bytes.extend((u32::MAX - 3).to_le_bytes());
    bytes.resize(256 << 20, 0);
    let bombs = [gzip(&bytes), zstd(&bytes), lz4(&bytes)];
    drop(bytes);
    for bomb in &bombs {
        let peak = peak_of(|| {
            let found = read_with([memory("bomb", bomb)], &Options::default(), 4096).unwrap();
            assert_eq!((found.frames.len(), found.damage.len()), (0, 1));
        });
        assert!(peak < 48 << 20, "{peak} bytes were in use for {} of input", bomb.len());
    }
}

#[test]
fn interfaces_without_end_are_damage() {
    let _alone = alone();
    let mut ng = Ng::new(Order::Big);
    for _ in 0..70_000 {
        ng.interface(1, 0, &[]);
    }
    ng.packet(69_999, 1, 1, b"x");
    let found = read_bytes(&ng.bytes).unwrap();
    let [damage] = found.damage.as_slice() else { panic!("{:?}", found.damage) };
    assert!(damage.what.contains("more than 65536 interfaces"), "{damage}");
    assert_eq!(damage.offset, 28 + 65_536 * 20);
}

#[test]
fn filling_allocates_nothing_once_a_window_is_mapped() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("capture");
    std::fs::write(&path, pcap(Order::Little, Flavour::Micro, &sample(6000))).unwrap();
    let mut source = open([path.as_path().into()], &Options::default()).unwrap();
    let mut batch = Batch::new(256);
    source.fill(&mut batch, u64::MAX).unwrap();
    let before = ALLOCATIONS.get();
    let mut frames = batch.len();
    while source.fill(&mut batch, u64::MAX).unwrap() == Fill::Frames {
        frames += batch.frames().len();
    }
    assert_eq!(frames, 6000);
    assert_eq!(ALLOCATIONS.get(), before);
}

/// A frame that any format can hold.
fn any_frame() -> impl Strategy<Value = (u64, u32, Vec<u8>)> {
    let time = 0..u64::from(u32::MAX) * 1_000_000_000;
    (time, 0..3_000_u32, proptest::collection::vec(any::<u8>(), 0..200))
}

fn any_order() -> impl Strategy<Value = Order> {
    prop_oneof![Just(Order::Little), Just(Order::Big)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_written_is_read(
        frames in proptest::collection::vec(any_frame(), 0..40),
        order in any_order(),
        link in any::<u16>(),
        buffer_bytes in 1..3000_usize,
        capacity in 1..50_usize,
    ) {
        let _alone = alone();
        let frames: Vec<Seen> = frames.into_iter().map(|(time_ns, more, bytes)| {
            let wire_len = bytes.len() as u32 + more;
            Seen { time_ns, link, wire_len, bytes }
        }).collect();
        // An empty pcap file of the test's writer has no link type to check.
        let options = Options { buffer_bytes, ..Options::default() };
        for bytes in [pcap(order, Flavour::Nano, &frames), pcapng(order, &frames)] {
            let found = read_with([memory("m", &bytes)], &options, capacity).unwrap();
            prop_assert_eq!(&found.damage, &[]);
            prop_assert_eq!(&found.frames, &frames);
            prop_assert_eq!(oracle(bytes).unwrap(), found.frames);
        }
        let micro = pcap(order, Flavour::Micro, &frames);
        let found = read_with([memory("m", &micro)], &options, capacity).unwrap();
        prop_assert!(found.frames.iter().zip(&frames).all(|(a, b)| a.time_ns == b.time_ns / 1000 * 1000));
    }

    #[test]
    fn anything_at_all_ends(bytes in proptest::collection::vec(any::<u8>(), 0..600), seed in 0..10_usize) {
        let _alone = alone();
        let _ = read_bytes(&bytes);
        // The same behind a valid beginning, and compared with the other parser where that reads.
        let mut behind = seeds()[seed][..28].to_vec();
        behind.extend(&bytes);
        let _ = read_bytes(&behind);
    }
}

#[test]
fn mutated_captures_read_as_far_as_an_independent_parser_agrees() {
    let _alone = alone();
    // The crate does not know the modified format.
    let frames = sample(12);
    let seeds: Vec<Vec<u8>> = [Order::Little, Order::Big]
        .into_iter()
        .flat_map(|order| {
            [
                pcap(order, Flavour::Micro, &frames),
                pcap(order, Flavour::Nano, &frames),
                pcapng(order, &frames),
            ]
        })
        .collect();
    let mut numbers = Numbers(3);
    let mut compared = 0;
    for round in 0..2_000 {
        let mut bytes = seeds[round % seeds.len()].clone();
        numbers.mutate(&mut bytes);
        let Ok(mine) = read_bytes(&bytes) else { continue };
        let Some(theirs) = oracle(bytes) else { continue };
        let common = mine.frames.len().min(theirs.len());
        assert_eq!(mine.frames[..common], theirs[..common], "round {round}: {:?}", mine.damage);
        compared += common;
    }
    assert!(compared > 8_000, "{compared} frames compared");
}
