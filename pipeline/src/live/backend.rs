//! What a run of a live tap needs from the way in which frames come: workers started, the tap looked
//! after, all of it ended.

use std::sync::Arc;
use std::thread::Scope;

use crossbeam::channel::Receiver;
use resetscope_core::engine::Engine;

use super::clock::Clock;
use super::error::TapError;
use super::notice::Notice;
use super::report::Reporter;
use super::worker::{Intake, Order, Worker};

/// A way in which frames come, opened while there were privileges.
pub trait Backend: Send {
    /// What a worker may be given while it runs.
    type New: Send;

    /// Starts a worker at each seat; `cores` names the core for each, as far as it goes.
    ///
    /// # Errors
    /// When a worker cannot be started.
    fn start<'scope>(
        &mut self,
        scope: &'scope Scope<'scope, '_>,
        seats: Vec<Seat<Self::New>>,
        cores: &[usize],
        notify: &'scope (dyn Fn(&Notice) + Sync),
    ) -> Result<(), TapError>;

    /// Whether each worker is dealt the frames of its shards alone, and not all of some connections.
    fn deals_shards(&self) -> bool {
        false
    }

    /// What there is to say once the workers work.
    fn begin(&mut self) -> Option<Notice>;

    /// Looks after the tap, now and then.
    ///
    /// # Errors
    /// When the tap cannot go on.
    fn look(&mut self) -> Result<Change<Self::New>, TapError>;

    /// Gives back what was taken, once the workers have finished.
    ///
    /// # Errors
    /// When the tap had broken without its workers noticing.
    fn end(self) -> Result<(), TapError>;
}

/// What a look at the tap led to.
pub enum Change<N> {
    /// Nothing new.
    None,
    /// Something to say.
    Told(Notice),
    /// Something new for each worker, and something to say.
    New(Vec<N>, Notice),
}

/// All that a worker needs besides its frames.
pub struct Seat<N> {
    /// The worker's number.
    pub(super) number: usize,
    pub(super) engine: Engine,
    pub(super) orders: Receiver<Order<N>>,
    pub(super) reporter: Reporter,
    pub(super) clock: Arc<Clock>,
}

impl<N> Seat<N> {
    /// The worker, with its intake.
    pub(super) fn take<I: Intake<New = N>>(self, intake: I) -> Worker<I> {
        Worker::new(self.engine, intake, self.orders, self.reporter, self.clock)
    }
}
