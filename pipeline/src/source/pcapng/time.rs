//! Timestamps of an interface: any resolution the format can state, turned into nanoseconds with
//! integers alone.

use crate::source::TIME_MAX_NS;

/// How an interface counts time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    unit: Unit,
    /// Added to every timestamp; `if_tsoffset` is in seconds.
    offset_ns: i128,
}

/// The unit of a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// So many nanoseconds.
    Nanoseconds(u64),
    /// So many units make one nanosecond.
    PerNanosecond(u128),
    /// 2^-n seconds.
    BinaryFraction(u32),
}

impl Clock {
    /// Microseconds, when an interface says nothing else.
    pub(super) const DEFAULT: Self = Self { unit: Unit::Nanoseconds(1_000), offset_ns: 0 };

    /// The clock that counts as `if_tsresol` says: 10^-n seconds, or 2^-n with the top bit set.
    pub(super) fn with_resolution(self, resolution: u8) -> Self {
        let exponent = u32::from(resolution & 0x7f);
        let unit = if resolution & 0x80 != 0 {
            Unit::BinaryFraction(exponent)
        } else if exponent <= 9 {
            Unit::Nanoseconds(10_u64.pow(9 - exponent))
        } else {
            // From 10^39 units a nanosecond on, 64 bits of them are no time at all.
            Unit::PerNanosecond(10_u128.checked_pow(exponent - 9).unwrap_or(u128::MAX))
        };
        Self { unit, ..self }
    }

    /// The clock whose times are so many seconds off.
    pub(super) fn with_offset(self, seconds: i64) -> Self {
        Self { offset_ns: i128::from(seconds) * 1_000_000_000, ..self }
    }

    /// Nanoseconds since 1970; times before that are 0, times beyond 64 bits the latest there is.
    #[inline]
    pub(super) fn to_ns(self, units: u64) -> u64 {
        if let Unit::Nanoseconds(each) = self.unit
            && self.offset_ns == 0
        {
            return units.saturating_mul(each).min(TIME_MAX_NS);
        }
        self.to_ns_exact(units)
    }

    fn to_ns_exact(self, units: u64) -> u64 {
        let units = u128::from(units);
        // The largest product is 2^64 * 10^9, well below 2^127.
        let ns = match self.unit {
            Unit::Nanoseconds(each) => units * u128::from(each),
            Unit::PerNanosecond(units_each) => units / units_each,
            Unit::BinaryFraction(exponent) => (units * 1_000_000_000) >> exponent,
        };
        let ns = i128::try_from(ns).unwrap_or(i128::MAX).saturating_add(self.offset_ns);
        u64::try_from(ns.max(0)).unwrap_or(TIME_MAX_NS).min(TIME_MAX_NS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolutions_and_offsets_convert_exactly() {
        let second = 1_700_000_000_u64;
        let ns = second * 1_000_000_000;
        let cases = [
            (6, 0, second * 1_000_000, ns, "the default, microseconds"),
            (9, 0, ns + 1, ns + 1, "nanoseconds"),
            (0, 0, second, ns, "whole seconds"),
            (3, 0, second * 1_000 + 7, ns + 7_000_000, "milliseconds"),
            (10, 0, ns * 10 + 19, ns + 1, "tenths of a nanosecond are cut off"),
            (18, 0, 5_000_000_000, 5, "attoseconds"),
            (28, 0, u64::MAX, 1, "10^19 units a nanosecond"),
            (29, 0, u64::MAX, 0, "10^20 units a nanosecond"),
            (127, 0, u64::MAX, 0, "the finest decimal resolution"),
            (0x80, 0, second, ns, "2^-0 seconds"),
            (0x81, 0, 3, 1_500_000_000, "half seconds"),
            (0x80 | 32, 0, (7 << 32) + (1 << 31), 7_500_000_000, "as in NTP"),
            (0x80 | 30, 0, 1, 0, "less than a nanosecond"),
            (0xff, 0, u64::MAX, 0, "the finest binary resolution"),
            (6, second as i64, 1, ns + 1_000, "an offset in seconds"),
            (6, -1, 1_500_000, 500_000_000, "a negative offset"),
            (6, -2, 1_500_000, 0, "before 1970"),
            (6, i64::MIN, u64::MAX, 0, "the most negative offset"),
            (0, i64::MAX, u64::MAX, TIME_MAX_NS, "the latest time there is"),
            (0, 0, u64::MAX, TIME_MAX_NS, "beyond 64 bits of nanoseconds"),
            (9, 0, u64::MAX, TIME_MAX_NS, "the one time that means no boundary"),
        ];
        for (resolution, offset, units, want, why) in cases {
            let clock = Clock::DEFAULT.with_resolution(resolution).with_offset(offset);
            assert_eq!(clock.to_ns(units), want, "{why}");
        }
    }

    #[test]
    fn every_resolution_takes_every_extreme() {
        for resolution in 0..=255 {
            for offset in [i64::MIN, -1, 0, 1, i64::MAX] {
                for units in [0, 1, u64::MAX] {
                    let clock = Clock::DEFAULT.with_resolution(resolution).with_offset(offset);
                    assert!(clock.to_ns(units) <= TIME_MAX_NS);
                }
            }
        }
    }
}
