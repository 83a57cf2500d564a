//! Sequence numbers: order and distance modulo 2^32 (RFC 9293 section 3.4), total for any input.

/// A TCP sequence or acknowledgement number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Seq(pub u32);

impl Seq {
    /// Signed distance from `earlier` to `self`, in bytes: positive when `self` lies ahead.
    ///
    /// Exact while the two are less than 2^31 apart, as they are within any TCP window
    /// (RFC 7323 bounds windows to 2^30).
    #[inline]
    #[must_use]
    pub const fn since(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0).cast_signed()
    }

    /// Whether `self` lies ahead of `other`.
    #[inline]
    #[must_use]
    pub const fn after(self, other: Self) -> bool {
        self.since(other) > 0
    }

    /// The number `bytes` ahead.
    #[inline]
    #[must_use]
    pub const fn plus(self, bytes: u32) -> Self {
        Self(self.0.wrapping_add(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::Seq;
    use proptest::prelude::*;

    #[test]
    fn distance_is_signed_across_the_wrap() {
        for (to, from, want) in
            [(10, 10, 0), (4, u32::MAX, 5), (u32::MAX, 4, -5), (0, 0x7fff_ffff, -0x7fff_ffff)]
        {
            assert_eq!(Seq(to).since(Seq(from)), want, "{from} -> {to}");
        }
    }

    proptest! {
        #[test]
        fn order_follows_distance_wherever_the_window_starts(start: u32, ahead in 1u32..1 << 30) {
            let (a, b) = (Seq(start), Seq(start).plus(ahead));
            prop_assert!(b.after(a) && !a.after(b));
            prop_assert_eq!(b.since(a), ahead.cast_signed());
            prop_assert_eq!(a.since(b), -ahead.cast_signed());
        }
    }
}
