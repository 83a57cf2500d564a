//! Measuring what a worker does, without a cost where nobody measures.

/// Watches the bursts of one worker.
pub trait Gauge: Send {
    /// Does `work` on a burst of `packets`: frames for a worker alone, which dissects them in it;
    /// segments for one of several, which were dissected before.
    fn burst(&mut self, packets: usize, work: impl FnOnce());
}

/// Nobody measures.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unmeasured;

impl Gauge for Unmeasured {
    #[inline]
    fn burst(&mut self, _packets: usize, work: impl FnOnce()) {
        work();
    }
}
