//! A worker's intake from AF_PACKET: the ring that the kernel fills, or none while the interface is
//! away.

use std::hint;
use std::thread;
use std::time::{Duration, Instant};

use resetscope_core::engine::Engine;
use resetscope_core::interval::{Ledger, Shed};

use super::af_packet::Ring;
use super::clock::Clock;
use super::worker::{End, Intake, Taken};

/// How far behind the wall clock the tap is known to be complete, beyond two timeouts of a block:
/// frames are stamped before the kernel puts them into a block.
const LAG: Duration = Duration::from_millis(100);

/// A ring that may be missing, and be replaced.
pub(super) struct RingIntake {
    /// `None` while there is no interface.
    pub(super) ring: Option<Box<Ring>>,
    /// How long to look at an empty ring before sleeping.
    pub(super) busy_poll: Duration,
    /// After this time the kernel hands over a block that is not full.
    pub(super) block_timeout: Duration,
}

impl Intake for RingIntake {
    type New = Box<Ring>;

    fn take(&mut self, engine: &mut Engine, clock: &Clock, first: u64) -> Option<Taken> {
        let mut block = self.ring.as_mut()?.next_block()?;
        let mut frames = block.frames(clock.stamps());
        engine.push(&mut frames, first);
        Some(Taken { frames: frames.taken(), last_ns: frames.last_ns() })
    }

    fn count_losses(&mut self, ledger: &mut Ledger) {
        let dropped = self.ring.as_ref().map_or(0, |ring| ring.take_drops());
        ledger.lost(Shed::KernelDrop, dropped);
    }

    fn lag(&self) -> Option<Duration> {
        Some(LAG + 2 * self.block_timeout)
    }

    fn end(&self) -> End {
        // The kernel's timer looks after a block once each timeout and hands it over at the second
        // look; a while longer for a kernel that is busy. No ring, no block.
        match self.ring {
            Some(_) => End::Silence(2 * self.block_timeout + Duration::from_millis(20)),
            None => End::Closed(true),
        }
    }

    fn wait(&mut self, longest: Duration) {
        let Some(ring) = &self.ring else { return thread::sleep(longest) };
        let begun = Instant::now();
        while begun.elapsed() < self.busy_poll.min(longest) {
            if ring.is_ready() {
                return;
            }
            hint::spin_loop();
        }
        if ring.wait(longest).is_err() {
            thread::sleep(longest);
        }
    }

    fn change(&mut self, new: Box<Ring>) {
        self.ring = Some(new);
    }
}
