//! Dockets of events on their way to the collector, and back.
//!
//! In a storm of resets each holds hundreds of kilobytes, and there may be a hundred of them on the
//! way. Memory that the allocator has just got from the kernel costs more than to fill it, so a message
//! gives its docket back to its worker.

use std::ops::Deref;
use std::sync::Arc;

use crossbeam::queue::ArrayQueue;
use resetscope_core::docket::Docket;
use resetscope_core::engine::Engine;

/// Dockets that a worker keeps for later: as one comes back for each that leaves, few wait.
const SPARE_MAX: usize = 16;

/// The dockets of one worker that are not in use.
#[derive(Clone)]
pub struct Pool(Arc<ArrayQueue<Docket>>);

impl Default for Pool {
    fn default() -> Self {
        Self(Arc::new(ArrayQueue::new(SPARE_MAX)))
    }
}

impl Pool {
    /// Takes out what the engine has judged.
    pub fn drain(&self, engine: &mut Engine) -> Events {
        let docket = engine.has_events().then(|| {
            let mut docket = self.0.pop().unwrap_or_else(Docket::with_room);
            engine.exchange_events(&mut docket);
            docket
        });
        Events { docket: docket.unwrap_or_default(), home: self.clone() }
    }
}

/// Events of one worker, in no particular order.
#[derive(Default)]
pub struct Events {
    docket: Docket,
    home: Pool,
}

impl Deref for Events {
    type Target = Docket;

    fn deref(&self) -> &Docket {
        &self.docket
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        if !self.docket.is_empty() {
            let mut docket = std::mem::take(&mut self.docket);
            docket.clear();
            // One too many goes back to the allocator.
            let _ = self.home.0.push(docket);
        }
    }
}
