//! The flow hash: one number for both directions, the same on every machine and in every version.
//!
//! The key is canonical, so any mix of it is symmetric. Folded 128-bit products, as in wyhash,
//! spread every input bit over the result; shard, bucket and tag are cut from different bits.

use super::key::FlowKey;

const K: [u64; 6] = [
    0x9e37_79b9_7f4a_7c15,
    0xbf58_476d_1ce4_e5b9,
    0x94d0_49bb_1331_11eb,
    0xd6e8_feb8_6659_fd93,
    0xa076_1d64_78bd_642f,
    0xe703_7ed1_a0b4_28db,
];

#[inline(always)]
const fn fold(a: u64, b: u64) -> u64 {
    let product = (a as u128).wrapping_mul(b as u128);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Hashes a canonical key.
///
/// Inlined always, so that a key just built is hashed in registers.
#[inline(always)]
#[must_use]
pub fn hash(key: &FlowKey) -> u64 {
    let [a, b] = &key.addr;
    let a = u128::from_le_bytes(*a);
    let b = u128::from_le_bytes(*b);
    let rest = u64::from(key.port[0]) | u64::from(key.port[1]) << 16 | u64::from(key.domain) << 32;
    let low = fold(a as u64 ^ K[0], (a >> 64) as u64 ^ K[1]);
    let high = fold(b as u64 ^ K[2], (b >> 64) as u64 ^ K[3]);
    // Ports in order differ in few bits: one product alone lays them out in a lattice.
    fold(low ^ fold(rest, K[5]), high.rotate_left(32) ^ K[4])
}

#[cfg(test)]
mod tests {
    use super::hash;
    use crate::flow::key::FlowKey;

    const KEYS: u32 = 1 << 16;

    fn v4(source: u32, sport: u32, destination: u32, dport: u32) -> FlowKey {
        let end = |address: u32, port: u32| (address.to_be_bytes(), port as u16);
        FlowKey::new_v4(end(source, sport), end(destination, dport), 0).0
    }

    fn v6(low: u64, sport: u32, dport: u32) -> FlowKey {
        let address = |low: u64| (0x2001_0db8_u128 << 96 | u128::from(low)).to_be_bytes();
        FlowKey::new((address(low), sport as u16), (address(1 << 40), dport as u16), 0).0
    }

    /// Key `n` of a kind of traffic.
    type Traffic = fn(u32) -> FlowKey;

    /// What captures hold: numbers that count up, a few bits at a time.
    const TRAFFIC: &[(&str, Traffic)] = &[
        ("one client, its ports in order", |n| v4(0x0a00_0001, n, 0xc0a8_0001, 443)),
        ("every second port, as Linux picks them", |n| {
            v4(0x0a00_0001, n << 1, 0xc0a8_0001 + (n >> 15), 443)
        }),
        ("a port scan", |n| v4(0x0a00_0001, 40000, 0x0a00_0002, n)),
        ("a scan of a /16", |n| v4(0x0a00_0001, 40000, 0x0b00_0000 + n, 22)),
        ("clients in order, one port", |n| v4(0x0a00_0000 + n, 50000, 0xc0a8_0001, 80)),
        ("256 clients, 256 ports", |n| {
            v4(0x0a00_0000 + (n >> 8), 1024 + (n & 255), 0xc0a8_0001, 80)
        }),
        ("address and port rise together", |n| v4(0x0a00_0000 + n, n, 0xc0a8_0001, 80)),
        ("networks in order", |n| v4(n << 16 | 1, 1024, 0xc0a8_0001, 80)),
        ("256 to 256 hosts", |n| v4(0x0a00_0000 + (n >> 8), 80, 0x0b00_0000 + (n & 255), 80)),
        ("IPv6 hosts in order", |n| v6(u64::from(n), 50000, 443)),
        ("IPv6 networks in order", |n| v6(u64::from(n) << 48, 50000, 443)),
        ("IPv6, ports in order", |n| v6(7, n, 443)),
        ("overlay networks in order", |n| FlowKey {
            domain: n,
            ..v4(0x0a00_0001, 40000, 0x0a00_0002, 443)
        }),
    ];

    /// Pearson's statistic, in standard deviations from what an even spread gives.
    fn unevenness(counts: &[u32]) -> f64 {
        let total: u32 = counts.iter().sum();
        let expected = f64::from(total) / counts.len() as f64;
        let sum: f64 = counts.iter().map(|&n| (f64::from(n) - expected).powi(2) / expected).sum();
        let freedom = counts.len() as f64 - 1.0;
        (sum - freedom) / (2.0 * freedom).sqrt()
    }

    #[test]
    fn realistic_keys_spread_evenly_over_every_slice_of_bits() {
        // (name, first bit, bits): shards are cut from the top, buckets from the bottom, and what
        // lies between serves as tag.
        let slices = [
            ("shard", 58, 6),
            ("low", 0, 6),
            ("bucket", 0, 12),
            ("middle", 20, 8),
            ("tag", 42, 16),
        ];
        for (traffic, key) in TRAFFIC {
            for (name, shift, bits) in slices {
                let mut counts = vec![0; 1 << bits];
                for n in 0..KEYS {
                    counts[(hash(&key(n)) >> shift) as usize & ((1 << bits) - 1)] += 1;
                }
                let deviations = unevenness(&counts);
                assert!(deviations < 5.0, "{traffic}, {name}: {deviations:.1} deviations");
            }
        }
    }

    #[test]
    fn buckets_stay_even_within_one_shard() {
        for (traffic, key) in TRAFFIC {
            let mut counts = vec![0; 256];
            for n in 0..KEYS {
                let hash = hash(&key(n));
                counts[hash as usize & 255] += u32::from(hash >> 61 == 5);
            }
            let deviations = unevenness(&counts);
            assert!(deviations < 5.0, "{traffic}: {deviations:.1} deviations");
        }
    }

    #[test]
    fn realistic_keys_never_collide() {
        for (traffic, key) in TRAFFIC {
            let mut hashes: Vec<u64> = (0..KEYS).map(|n| hash(&key(n))).collect();
            hashes.sort_unstable();
            hashes.dedup();
            assert_eq!(hashes.len(), KEYS as usize, "{traffic}");
        }
    }

    #[test]
    fn the_hash_is_the_same_on_every_machine() {
        // Worked out apart from this code, from the definition.
        assert_eq!(hash(&v4(0x0a00_0001, 40000, 0xc0a8_0001, 443)), 0x702c_2863_daa9_2fcd);
        assert_eq!(hash(&v6(7, 50000, 443)), 0x3822_e4f7_390a_7469);
    }
}
