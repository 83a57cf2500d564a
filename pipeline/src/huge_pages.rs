//! Huge pages for the flow tables: every lookup is a random access, and with pages of 4 KiB nearly
//! each of them would also miss the address translation cache.

#![expect(unsafe_code, reason = "madvise takes an address")]

use resetscope_core::engine::Engine;
use rustix::mm::{Advice, madvise};

/// Asks the system to put an engine's tables on huge pages. It may decline, and nothing changes but
/// the speed.
pub fn advise(engine: &Engine) {
    let Some(region) = engine.memory() else { return };
    // SAFETY: the region is the engine's own anonymous memory, alive while the engine is borrowed,
    // and this advice does not change what it holds.
    let _ = unsafe { madvise(region.start.cast_mut().cast(), region.len, Advice::LinuxHugepage) };
}

/// Asks the kernel not to put an engine's tables on huge pages, as the allocator asks it to do with
/// all large memory: a short capture uses little of them, and clearing all of it would take longer
/// than reading the capture, let alone the memory.
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
