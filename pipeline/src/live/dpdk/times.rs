//! When a frame came: what the device stamped on it, or the clock when its burst was taken.

/// Where the times of a device's frames come from.
#[derive(Clone, Debug)]
pub(super) enum Times {
    /// The system's clock, read once for each burst.
    Clock,
    /// Time stamps in the buffers; a frame without one gets the clock's time.
    Stamps {
        /// What they mean.
        unit: Unit,
        /// Where in the buffer's descriptor, in bytes.
        offset: usize,
        /// The flag that tells that there is one.
        flag: u64,
    },
}

/// What a time stamp means.
#[derive(Clone, Debug)]
pub(super) enum Unit {
    /// Microseconds since 1970-01-01 UTC, of the time when the frame was recorded.
    Recorded,
    /// Nanoseconds since 1970-01-01 UTC.
    Nanoseconds,
    /// Ticks of the device's clock.
    Ticks(Ticks),
}

impl Times {
    /// In words, for a remark.
    pub(super) const fn describe(&self) -> &'static str {
        match self {
            Self::Clock => "times by the system's clock, a burst at once",
            Self::Stamps { unit: Unit::Recorded, .. } => "times as recorded",
            Self::Stamps { unit: Unit::Nanoseconds, .. } => "times by the kernel, frame by frame",
            Self::Stamps { unit: Unit::Ticks(_), .. } => "times by the device, frame by frame",
        }
    }

    /// Whether they are those of a recording, and no clock tells anything about them.
    pub(super) const fn are_recorded(&self) -> bool {
        matches!(self, Self::Stamps { unit: Unit::Recorded, .. })
    }
}

/// Turns ticks of a device's clock into time. The rate is measured against the system's clock, again
/// and again, so that neither drifts away from the other.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ticks {
    ticks: u64,
    ns: u64,
    ns_per_tick: f64,
}

impl Ticks {
    /// From two readings of both clocks, ticks and nanoseconds; `None` when the device's did not
    /// go on in between.
    pub(super) fn new(first: (u64, u64), second: (u64, u64)) -> Option<Self> {
        let ticks = second.0.checked_sub(first.0).filter(|ticks| *ticks > 0)?;
        let ns = second.1.checked_sub(first.1)?;
        Some(Self { ticks: second.0, ns: second.1, ns_per_tick: ns as f64 / ticks as f64 })
    }

    /// Measures anew, with a reading that is later than all before.
    pub(super) fn update(&mut self, reading: (u64, u64)) {
        if let Some(anew) = Self::new((self.ticks, self.ns), reading) {
            *self = anew;
        }
    }

    /// The time of a tick, in nanoseconds since 1970-01-01 UTC.
    #[inline]
    pub(super) fn ns(&self, ticks: u64) -> u64 {
        // Frames wait a little, so stamps lie on both sides of the last reading.
        let since = ticks.wrapping_sub(self.ticks).cast_signed();
        let ns = (since as f64 * self.ns_per_tick) as i64;
        self.ns.saturating_add_signed(ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_become_time_on_both_sides_of_a_reading() {
        // 25 MHz: 40 ns a tick.
        let mut ticks = Ticks::new((1_000, 50_000), (2_000, 90_000)).unwrap();
        for (tick, want) in [(2_000, 90_000), (2_001, 90_040), (1_990, 89_600), (1_000, 50_000)] {
            assert_eq!(ticks.ns(tick), want, "{tick}");
        }
        // The device's clock runs slower now.
        ticks.update((3_000, 131_000));
        assert_eq!(ticks.ns(3_010), 131_410);
        let before = ticks.clone();
        ticks.update((3_000, 140_000));
        assert_eq!(ticks, before, "a clock that stands still tells no rate");
        assert_eq!(Ticks::new((5, 0), (5, 10)), None);
    }
}
