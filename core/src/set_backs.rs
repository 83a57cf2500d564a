//! How often it is believed that a clock was set back.
//!
//! One frame with a time from the future, or a clock that was corrected, is followed by times that are
//! much earlier and stay so: what goes by the clock then begins anew. Two clocks in one input would
//! make it begin anew with every other frame, so each time takes twice as many as the time before; what
//! comes too early is disorder.

/// What must have come since the first time until it is believed again.
const FIRST: u64 = 16;

/// Counts what came, and says whether the clock may have been set back once more.
#[derive(Clone, Copy, Debug, Default)]
pub struct SetBacks {
    since: u64,
    needed: u64,
}

impl SetBacks {
    /// So many more came.
    #[inline]
    pub const fn came(&mut self, more: u64) {
        self.since = self.since.saturating_add(more);
    }

    /// Whether it is believed now that the clock was set back; if so, it counts as the last time.
    #[must_use]
    pub fn believe(&mut self) -> bool {
        if self.since < self.needed {
            return false;
        }
        self.since = 0;
        self.needed = self.needed.saturating_mul(2).max(FIRST);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::SetBacks;

    #[test]
    fn of_two_clocks_that_take_turns_few_are_believed_and_the_first_at_once() {
        let mut set_backs = SetBacks::default();
        let believed: Vec<u64> = (0..1000)
            .filter(|_| {
                set_backs.came(1);
                set_backs.believe()
            })
            .collect();
        assert_eq!(believed, [0, 16, 48, 112, 240, 496]);
    }
}
