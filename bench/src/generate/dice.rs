//! Randomness that is the same on every machine: a generator of fixed stream and software
//! mathematics.
//!
//! The stream is PCG XSL RR 128/64 (crate `rand_pcg`), of which only raw 64-bit words are used, so
//! that no change in how a library draws ranges shows in captures. Logarithm and exponential come
//! from `libm`, as those of the system differ in their last bit from one machine to the next.

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::Rng as _;

/// A source of choices.
#[derive(Debug)]
pub(super) struct Dice(Pcg64Mcg);

impl Dice {
    /// The choices that belong to `seed`.
    pub(super) fn new(seed: u64) -> Self {
        let high = u128::from(scatter(seed, 0));
        Self(Pcg64Mcg::new(high << 64 | u128::from(scatter(seed, 1))))
    }

    /// 64 random bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// 32 random bits.
    pub(super) fn word(&mut self) -> u32 {
        (self.bits() >> 32) as u32
    }

    /// A number below `end`; 0 when `end` is.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(end)) >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// A number from 0 to 1, 1 excluded.
    pub(super) fn unit(&mut self) -> f64 {
        unit(self.bits())
    }

    /// True in `share` of all cases.
    pub(super) fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// One of `choices`.
    pub(super) fn choose<T: Copy>(&mut self, choices: &[T], otherwise: T) -> T {
        let place = self.below(choices.len() as u64) as usize;
        choices.get(place).copied().unwrap_or(otherwise)
    }

    /// A waiting time whose mean is `mean`.
    pub(super) fn exponential(&mut self, mean: u64) -> u64 {
        (-libm::log(1.0 - self.unit()) * mean as f64) as u64
    }

    /// A lognormal value: `median`, and the spread of its logarithm.
    pub(super) fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        // Of twelve uniform numbers the sum is normal enough (Irwin-Hall), and it is exact.
        let normal = (0..12).map(|_| self.unit()).sum::<f64>() - 6.0;
        median * libm::exp(normal * sigma)
    }

    /// A Pareto value from `least` to `most`: heavier tailed the smaller `alpha`.
    pub(super) fn pareto(&mut self, least: f64, alpha: f64, most: f64) -> f64 {
        (least * libm::exp(-libm::log(1.0 - self.unit()) / alpha)).min(most)
    }
}

/// A number from 0 to 1, 1 excluded, made of random bits.
pub(super) fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

/// 64 bits that belong to `number` under `salt` (the finaliser of SplitMix64): for properties that
/// are looked up again rather than kept.
pub(super) const fn scatter(number: u64, salt: u64) -> u64 {
    let mut z = number.wrapping_add(salt.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_add(1);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn the_stream_of_a_seed_is_fixed() {
        let mut dice = Dice::new(1);
        let words = [dice.bits(), dice.bits(), dice.bits()];
        // A change here changes every capture of every seed.
        let want =
            [9_165_235_618_964_012_299, 16_823_689_899_937_944_682, 4_823_902_585_710_077_141];
        assert_eq!(words, want);
    }

    #[test]
    fn distributions_have_the_shape_they_promise() {
        let mut dice = Dice::new(7);
        let n = 20_000;
        let mut lognormal: Vec<f64> = (0..n).map(|_| dice.lognormal(8_000.0, 1.5)).collect();
        lognormal.sort_by(f64::total_cmp);
        assert!((lognormal[n / 2] / 8_000.0 - 1.0).abs() < 0.1, "median {}", lognormal[n / 2]);
        let mean = (0..n).map(|_| dice.exponential(1_000)).sum::<u64>() / n as u64;
        assert!((950..1_050).contains(&mean), "mean {mean}");
        let above = (0..n).filter(|_| dice.pareto(10.0, 1.0, 1e9) > 20.0).count();
        assert!((above as f64 / n as f64 - 0.5).abs() < 0.02, "{above} above twice the least");
        assert!((0..n).all(|_| (3..=5).contains(&dice.between(3, 5))));
    }
}
