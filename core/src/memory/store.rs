//! A map of bounded size that forgets what it has known longest.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use foldhash::fast::RandomState;

/// A bounded map. Nothing depends on the order in which it stores, so the same entries in the same
/// order always leave the same contents.
#[derive(Debug)]
pub(super) struct Store<K, V> {
    map: HashMap<K, V, RandomState>,
    order: VecDeque<K>,
    capacity: usize,
}

impl<K: Copy + Eq + Hash, V: Copy + Default> Store<K, V> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { map: HashMap::default(), order: VecDeque::new(), capacity: capacity.max(1) }
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.map.get(key)
    }

    /// The value of `key`, made if it is not known; the oldest makes room.
    pub(super) fn entry(&mut self, key: K) -> &mut V {
        if self.order.len() >= self.capacity
            && !self.map.contains_key(&key)
            && let Some(oldest) = self.order.pop_front()
        {
            self.map.remove(&oldest);
        }
        match self.map.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                self.order.push_back(key);
                new.insert(V::default())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Store;

    #[test]
    fn the_longest_known_makes_room() {
        let mut store: Store<u32, u32> = Store::new(2);
        *store.entry(1) = 10;
        *store.entry(2) = 20;
        *store.entry(1) += 1;
        *store.entry(3) = 30;
        assert_eq!((store.get(&1), store.get(&2), store.get(&3)), (None, Some(&20), Some(&30)));
    }
}
