//! The flow hash: one number for both directions, the same on every machine and in every version.
//!
//! The key is canonical, so any mix of it is symmetric. Folded 128-bit products, as in wyhash,
//! spread every input bit over the result; shard, bucket and tag are cut from different bits.

use super::key::FlowKey;

const K: [u64; 5] = [
    0x9e37_79b9_7f4a_7c15,
    0xbf58_476d_1ce4_e5b9,
    0x94d0_49bb_1331_11eb,
    0xd6e8_feb8_6659_fd93,
    0xa076_1d64_78bd_642f,
];

#[inline]
const fn fold(a: u64, b: u64) -> u64 {
    let product = (a as u128).wrapping_mul(b as u128);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Hashes a canonical key.
#[inline]
#[must_use]
pub fn hash(key: &FlowKey) -> u64 {
    let [a, b] = &key.addr;
    let a = u128::from_le_bytes(*a);
    let b = u128::from_le_bytes(*b);
    let rest = u64::from(key.port[0]) | u64::from(key.port[1]) << 16 | u64::from(key.domain) << 32;
    let low = fold(a as u64 ^ K[0], (a >> 64) as u64 ^ K[1]);
    let high = fold(b as u64 ^ K[2], (b >> 64) as u64 ^ K[3]);
    fold(low ^ rest, high.rotate_left(32) ^ K[4])
}
