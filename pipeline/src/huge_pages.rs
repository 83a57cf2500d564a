//! Huge pages for the flow tables: every lookup is a random access, and with pages of 4 KiB nearly
//! each of them would also miss the address translation cache.

#![expect(unsafe_code, reason = "madvise takes an address")]

use resetscope_core::engine::Engine;
use resetscope_core::flow::table::Region;
use rustix::mm::{Advice, madvise};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Bytes that a thread populates at a time: one huge page, so that neither the end of the work nor a
/// change of the address space waits for long.
const PIECE_BYTES: usize = 2 << 20;

/// Share of the pieces that the work must have used before the others are populated. Flows lie
/// scattered: some dozens of them reach an eighth, some hundreds reach nearly all.
const USED_SHARE: usize = 8;

/// How often, and after what time each, it is seen whether so many are used; then it is given up.
const LOOKS: usize = 50;
const LOOK_PERIOD: Duration = Duration::from_millis(2);

/// Asks the system to put an engine's tables on huge pages. It may decline, and nothing changes but
/// the speed.
pub fn advise(engine: &Engine) {
    let Some(region) = engine.memory() else { return };
    // SAFETY: the region is the engine's own anonymous memory, alive while the engine is borrowed,
    // and this advice does not change what it holds.
    let _ = unsafe { madvise(region.start.cast_mut().cast(), region.len, Advice::LinuxHugepage) };
}

/// Asks the kernel not to put an engine's tables on huge pages, as some systems do unasked: a short
/// capture uses little of them, and clearing all of it would take longer than reading the capture, let
/// alone the memory.
pub fn decline(engine: &Engine) {
    let Some(region) = engine.memory() else { return };
    // SAFETY: as above.
    let _ = unsafe { madvise(region.start.cast_mut().cast(), region.len, Advice::LinuxNoHugepage) };
}

/// Brings an engine's tables into memory now, so that no page fault is measured with the work. Where
/// the system cannot (before Linux 5.14), the first use of each page does it.
pub fn populate(engine: &Engine) {
    let Some(region) = engine.memory() else { return };
    // SAFETY: as above; pages that are there keep what they hold, others become zeros, which is
    // what they would have been at their first use.
    let _ =
        unsafe { madvise(region.start.cast_mut().cast(), region.len, Advice::LinuxPopulateWrite) };
}

/// The highest nice value, which gives way to all others (sched(7)).
const NICEST: i32 = 19;

/// Does the work of `engines`, while a thread brings their tables into memory as soon as much of them
/// is in use: clearing huge pages, and getting them from a hypervisor, takes longer than a worker
/// should stand still. Without a thread the work does it all itself.
///
/// Where `all_busy`, as each CPU has a worker, the thread gives way: it only has the time when one of
/// them waits, as each does for another that has more pages to clear than itself.
pub fn populate_meanwhile<T>(
    engines: &mut [Engine],
    all_busy: bool,
    work: impl FnOnce(&mut [Engine]) -> T,
) -> T {
    let pieces = Pieces::of(engines);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let named = thread::Builder::new().name("populate".into());
        let populating = named.spawn_scoped(scope, || {
            if all_busy {
                // The thread's alone on Linux. One that may not is as welcome.
                let _ = rustix::process::nice(NICEST);
            }
            pieces.populate_when_used(&over);
        });
        let done = work(engines);
        over.store(true, Ordering::Relaxed);
        if let Ok(populating) = populating {
            populating.thread().unpark();
        }
        done
    })
}

/// The memory of some engines' tables, in pieces.
struct Pieces(Vec<Region>);

// SAFETY: nothing is read or written through the addresses.
unsafe impl Sync for Pieces {}

impl Pieces {
    fn of(engines: &[Engine]) -> Self {
        let cut = |region: Region| {
            (0..region.len).step_by(PIECE_BYTES).map(move |offset| Region {
                start: region.start.wrapping_add(offset),
                len: PIECE_BYTES.min(region.len - offset),
            })
        };
        Self(engines.iter().filter_map(Engine::memory).flat_map(cut).collect())
    }

    /// Waits until enough of them are used, and populates the others unless it is `over` before.
    fn populate_when_used(&self, over: &AtomicBool) {
        for _ in 0..LOOKS {
            thread::park_timeout(LOOK_PERIOD);
            if over.load(Ordering::Relaxed) {
                return;
            }
            if self.used() >= self.0.len().div_ceil(USED_SHARE) {
                return self.populate(over);
            }
        }
    }

    /// How many of them have their first page in memory.
    fn used(&self) -> usize {
        let used = |piece: &&Region| {
            let mut resident = 0_u8;
            // SAFETY: asks about one page, for which one byte is written, to `resident`. An address
            // that does not begin a page, or where nothing is mapped, is an error and writes none.
            let known =
                unsafe { libc::mincore(piece.start.cast_mut().cast(), 1, &raw mut resident) };
            known == 0 && resident & 1 == 1
        };
        self.0.iter().filter(used).count()
    }

    /// Populates all of them, unless it is `over` before.
    fn populate(&self, over: &AtomicBool) {
        for piece in &self.0 {
            if over.load(Ordering::Relaxed) {
                return;
            }
            // SAFETY: pages that are there keep what they hold, whoever is at work on them, and others
            // become zeros, which is what their first use would find. The memory is the engines' own
            // anonymous memory: they are borrowed until this thread is joined. (A work that put other
            // engines in their place would only have memory populated that is not theirs any more, or
            // an error: populating changes the contents of nobody's memory.)
            let populated = unsafe {
                madvise(piece.start.cast_mut().cast(), piece.len, Advice::LinuxPopulateWrite)
            };
            if populated.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test, it is its failure")]

    use std::time::Instant;

    use super::*;
    use crate::run::{Plan, engines};

    /// Longer than any machine takes for it.
    const PATIENCE: Duration = Duration::from_secs(60);

    fn two_engines() -> Vec<Engine> {
        engines(&Plan { workers: 2, interval_ns: None, engine: Default::default() }).unwrap()
    }

    #[test]
    fn pieces_are_populated_unless_it_is_over() {
        let engines = two_engines();
        let pieces = Pieces::of(&engines);
        // What is in memory before the advice stays on small pages.
        assert_eq!(pieces.used(), 0);
        pieces.populate(&AtomicBool::new(true));
        assert_eq!(pieces.used(), 0);
        pieces.populate(&AtomicBool::new(false));
        assert_eq!(pieces.used(), pieces.0.len());
        // All are used, so it does not wait for more.
        pieces.populate_when_used(&AtomicBool::new(false));
    }

    impl Pieces {
        /// Uses the first `count` of them.
        fn touch(&self, count: usize) {
            let first = self.0.iter().take(count);
            let first = first.map(|piece| Region { start: piece.start, len: piece.len });
            Self(first.collect()).populate(&AtomicBool::new(false));
        }

        /// How many must be used before the others are populated.
        fn enough(&self) -> usize {
            self.0.len().div_ceil(USED_SHARE)
        }
    }

    #[test]
    fn tables_are_left_alone_at_all_looks_until_enough_of_them_is_used() {
        let engines = two_engines();
        let pieces = Pieces::of(&engines);
        for used in [0, pieces.enough() - 1] {
            pieces.touch(used);
            pieces.populate_when_used(&AtomicBool::new(false));
            assert_eq!(pieces.used(), used);
        }
        pieces.touch(pieces.enough());
        pieces.populate_when_used(&AtomicBool::new(true));
        assert_eq!(pieces.used(), pieces.enough(), "it was over");
        pieces.populate_when_used(&AtomicBool::new(false));
        assert_eq!(pieces.used(), pieces.0.len());
    }

    #[test]
    fn tables_that_the_work_uses_are_populated_meanwhile_and_others_are_not() {
        let mut engines = two_engines();
        assert_eq!(populate_meanwhile(&mut engines, true, |engines| engines.len()), 2);
        assert_eq!(Pieces::of(&engines).used(), 0);
        let populated = populate_meanwhile(&mut engines, true, |engines| {
            let pieces = Pieces::of(engines);
            pieces.touch(pieces.enough());
            let begun = Instant::now();
            let all = || pieces.used() == pieces.0.len();
            while !all() && begun.elapsed() < PATIENCE {
                thread::yield_now();
            }
            all()
        });
        assert!(populated);
    }
}
