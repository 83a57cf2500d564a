//! Workers that die: the run ends with their panic, and nobody waits for what they had taken.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test, each is its failure"
)]

mod analysis;
mod capture_writer;
mod traffic;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use analysis::{Outcome, plan, source_of};
use capture_writer::{Flavour, Order, pcap};
use resetscope::feed::Feed;
use resetscope::run::{drive, engines};
use resetscope::source::{Batch, Damage, Fill, Progress, Source, SourceError};
use resetscope::worker::gauge::Gauge;
use traffic::refusals;

/// Longer than any run here can take; then it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Lets its worker die at a burst.
struct Doom(Option<u32>);

impl Gauge for Doom {
    fn burst(&mut self, _: usize, work: impl FnOnce()) {
        if let Some(left) = &mut self.0 {
            *left = left.checked_sub(1).expect("as a defect of the engine would");
        }
        work();
    }
}

/// A source of which whoever takes one of its batches dies, and the batch is never passed on.
struct Deadly {
    inner: Box<dyn Source>,
    left: u32,
}

impl Source for Deadly {
    fn fill(&mut self, batch: &mut Batch, until_ns: u64) -> Result<Fill, SourceError> {
        self.inner.fill(batch, until_ns)
    }

    fn take_lost(&mut self) -> u64 {
        // The batch has its number by now, and whoever comes next goes on with the one after it.
        self.left = self.left.wrapping_sub(1);
        assert_ne!(self.left, 0, "as a defect of whoever has a batch would");
        0
    }

    fn peek_time(&mut self) -> Option<u64> {
        self.inner.peek_time()
    }

    fn progress(&self) -> Progress {
        self.inner.progress()
    }

    fn damage(&self) -> &[Damage] {
        self.inner.damage()
    }
}

/// Runs some thousand batches, and returns whether the run panicked; it must end.
fn panics(workers: usize, doomed: Option<(usize, u32)>, deadly: u32) -> bool {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let capture = pcap(Order::Little, Flavour::Nano, &refusals(2_000));
        let source = Deadly { inner: source_of(&capture).unwrap(), left: deadly };
        let stop = Arc::new(AtomicBool::new(false));
        let feed = Feed::new(Box::new(source), Some(10_000_000), Arc::clone(&stop));
        let mut engines = engines(&plan(workers, None)).unwrap();
        let of = |worker| Doom(doomed.and_then(|(who, when)| (who == worker).then_some(when)));
        let mut gauges: Vec<Doom> = (0..workers).map(of).collect();
        let mut outcome = Outcome::default();
        let run = catch_unwind(AssertUnwindSafe(|| {
            drive(&mut engines, &mut gauges, feed, &mut outcome, &stop, &|_| {}).is_ok()
        }));
        send.send(run.is_err()).unwrap();
    });
    receive.recv_timeout(PATIENCE).expect("the run ends")
}

#[test]
fn a_worker_that_dies_ends_the_run_with_its_panic() {
    for workers in [1, 2, 5] {
        assert!(!panics(workers, None, 0), "{workers} workers that live");
        assert!(panics(workers, Some((0, 0)), 0), "the first of {workers}, at once");
        assert!(panics(workers, Some((workers - 1, 300)), 0), "the last of {workers}, in its work");
        assert!(panics(workers, None, 200), "one of {workers}, with a batch");
    }
}
