//! Which worker gets a flow, looked up by its hash: for whoever deals segments out.

use crate::engine::{owner_of, shard_of};
use crate::limits::SHARDS;

/// The owner of each shard. A table, as the division of [`owner_of`] would cost more for each
/// packet.
#[derive(Clone, Debug)]
pub struct Owners([u8; SHARDS]);

impl Owners {
    /// The owners among `workers` workers; 1 to [`SHARDS`], and otherwise the nearest of these.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        let workers = workers.clamp(1, SHARDS);
        Self(std::array::from_fn(|shard| owner_of(shard, workers) as u8))
    }

    /// The worker that owns the flow of this hash.
    #[inline(always)]
    #[must_use]
    pub const fn of(&self, hash: u64) -> usize {
        self.0[shard_of(hash)] as usize
    }
}

const _: () = assert!(SHARDS <= 1 << u8::BITS, "a worker's number fits in a byte");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_leads_to_the_owner_of_its_shard_for_any_number_of_workers() {
        // Beyond one worker for each shard, the engine makes no more of them either.
        for (workers, taken) in [(0, 1), (1, 1), (2, 2), (3, 3), (63, 63), (64, 64), (65, 64)] {
            let owners = Owners::new(workers);
            for hash in (0..SHARDS as u64).flat_map(|shard| [shard << 58, (shard << 58) | 0x3ff]) {
                let want = owner_of(shard_of(hash), taken);
                assert_eq!(owners.of(hash), want, "{workers} workers, {hash:#x}");
            }
        }
    }
}
