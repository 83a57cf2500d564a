//! The table against a plain map that keeps the same rules one flow at a time.

#![expect(unsafe_code, reason = "the tests' record says that zeros are a value of it")]

use super::{AGE_MAX, Bucket, Class, FlowTable, Record, Slot, WAYS, Zeroable, tag};
use crate::flow::hash::hash;
use crate::flow::key::{FlowKey, mapped};
use hashbrown::HashMap;
use proptest::prelude::*;

#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
struct Entry {
    key: FlowKey,
    packets: u64,
    rest: [u64; 10],
}

// SAFETY: integers only.
unsafe impl Zeroable for Entry {}

impl Record for Entry {
    fn key(&self) -> &FlowKey {
        &self.key
    }
}

fn key(number: u32) -> FlowKey {
    let source = (mapped(number.to_be_bytes()), (number % 60_000) as u16);
    FlowKey::new(source, (mapped([192, 0, 2, 1]), 443), 0).0
}

impl<R: Record> FlowTable<R> {
    /// Walks the whole table and compares every count and mark with what is there.
    fn check(&self, hash: impl Fn(&FlowKey) -> u64) {
        let mut overflow = vec![0; self.buckets.len()];
        let mut by_class = [0; 4];
        let mut seen = HashMap::new();
        for (slot, class, record) in self.iter() {
            let line = self.buckets.at(slot.bucket());
            let hash = hash(record.key());
            assert_eq!(line.tag_at(slot.way()), tag(hash), "tag of {slot:?}");
            assert_eq!(seen.insert(*record.key(), slot), None, "{slot:?} is there twice");
            let first = self.first(hash);
            let second = self.partner(first, tag(hash));
            assert_ne!(first, second, "two choices of {slot:?}");
            assert_eq!(self.partner(second, tag(hash)), first, "the way back from {slot:?}");
            let guest = line.is_guest(slot.way());
            assert_eq!(slot.bucket(), if guest { second } else { first }, "bucket of {slot:?}");
            overflow[first] += u32::from(guest);
            by_class[class.index()] += 1;
            assert_eq!(self.find(hash, record.key()), Some(slot));
            let hint = self.probe(hash, self.prefetch_bucket(hash));
            assert!(hint.index() < self.slots(), "the hint for {slot:?}");
            assert_eq!(self.find_hinted(hash, record.key(), hint), Some(slot), "hint {hint:?}");
        }
        let counted: Vec<_> = self.buckets.iter().map(|b| u32::from(b.overflow())).collect();
        assert_eq!(counted, overflow, "overflow counts");
        assert_eq!(self.len_by_class(), by_class);
        assert_eq!(self.len(), seen.len());
        assert_eq!(self.is_empty(), seen.is_empty());
    }
}

/// The table, and what it should hold: class and tick of last use of every flow.
struct Twin {
    table: FlowTable<Entry>,
    flows: HashMap<FlowKey, (Class, u32)>,
    hash: fn(&FlowKey) -> u64,
    tick: u32,
    passed: u32,
}

impl Twin {
    fn new(capacity: usize, hash: fn(&FlowKey) -> u64) -> Self {
        let table = FlowTable::new(capacity).unwrap();
        Self { table, flows: HashMap::new(), hash, tick: 1000, passed: 1000 }
    }

    fn tick(&self) -> u8 {
        self.tick as u8
    }

    fn slot(&self, key: &FlowKey) -> Option<Slot> {
        self.table.find((self.hash)(key), key)
    }

    /// Class and age of the flow in `slot`.
    fn state(&self, slot: Slot) -> Option<(Class, u32)> {
        self.table.class(slot)?;
        let (class, used) = self.flows[self.table.record(slot).key()];
        Some((class, self.tick - used))
    }

    /// What `insert` has to do, by the rules: the buckets it may choose, and class and age of who
    /// makes room.
    fn expectation(
        &self,
        key: &FlowKey,
        class: Class,
        shield: u8,
    ) -> Option<(usize, Option<(Class, u32)>)> {
        let hash = (self.hash)(key);
        let first = self.table.first(hash);
        let second = self.table.partner(first, tag(hash));
        let states = |bucket| (0..WAYS).map(move |way| self.state(Slot::new(bucket, way)));
        for bucket in [first, second] {
            if states(bucket).any(|s| s.is_none()) {
                return Some((bucket, None));
            }
        }
        let mut all: Vec<_> = [first, second]
            .into_iter()
            .flat_map(|bucket| states(bucket).flatten().map(move |(c, age)| (c, age, bucket)))
            .filter(|&(c, ..)| c != Class::Pinned)
            .collect();
        all.sort_by_key(|&(c, age, bucket)| (c.index(), u32::MAX - age, bucket != first));
        let &(c, age, bucket) = all.first()?;
        let shielded = class == Class::Embryonic && c == Class::Established;
        (!shielded || age > u32::from(shield)).then_some((bucket, Some((c, age))))
    }

    fn insert(&mut self, key: FlowKey, class: Class, shield: u8) {
        let hash = (self.hash)(&key);
        let expected = self.expectation(&key, class, shield);
        let hint = self.table.probe(hash, self.table.prefetch_bucket(hash));
        assert_eq!(self.table.find_hinted(hash, &key, hint), None);
        let tick = self.tick();
        let states: HashMap<_, _> =
            self.table.iter().map(|(slot, ..)| (slot, self.state(slot))).collect();
        let got = self.table.insert(hash, class, tick, shield);
        let (Some(got), Some((bucket, victim))) = (got, expected) else {
            assert_eq!((got, expected), (None, None), "refused or not");
            return;
        };
        assert_eq!(got.slot.bucket(), bucket, "the bucket chosen");
        assert_eq!(got.evicted, victim.map(|(class, _)| class), "the class evicted");
        assert_eq!(states.get(&got.slot).copied().flatten(), victim, "class and age evicted");
        if got.evicted.is_some() {
            let evicted = *self.table.record(got.slot).key();
            assert!(self.flows.remove(&evicted).is_some(), "the record evicted is readable");
        }
        *self.table.record_mut(got.slot) = Entry { key, ..Entry::default() };
        self.flows.insert(key, (class, self.tick));
    }

    fn touch(&mut self, key: &FlowKey, class: Class) {
        if let Some(slot) = self.slot(key) {
            self.table.touch(slot, class, self.tick());
            self.flows.insert(*key, (class, self.tick));
        }
    }

    fn remove(&mut self, key: &FlowKey) {
        let removed = self.slot(key).and_then(|slot| self.table.remove(slot));
        assert_eq!(removed, self.flows.remove(key).map(|(class, _)| class));
    }

    fn sweep(&mut self, limits: [u8; 4]) {
        let (tick, buckets) = (self.tick(), self.table.buckets());
        let mut due: HashMap<_, _> = self
            .flows
            .extract_if(|_, (class, used)| {
                let limit = limits[class.index()];
                let age = self.tick - *used;
                *class != Class::Pinned && limit < AGE_MAX && age > u32::from(limit)
            })
            .collect();
        let mut hand = buckets - 1;
        for count in [1, buckets - 1] {
            let limit = |class: Class| limits[class.index()];
            hand = self.table.sweep(hand, count, tick, limit, |_, class, entry| {
                assert_eq!(due.remove(entry.key()).map(|(class, _)| class), Some(class));
            });
        }
        assert_eq!(hand, buckets - 1, "the hand came round");
        assert_eq!(due, HashMap::new(), "flows that should have aged out");
        self.stop_ages();
    }

    fn stop_ages(&mut self) {
        self.passed = self.tick;
        for (_, used) in self.flows.values_mut() {
            *used = (*used).max(self.tick - u32::from(AGE_MAX));
        }
    }

    /// Lets time pass the way a caller has to: no flow goes 64 ticks without a pass.
    fn wait(&mut self, ticks: u32) {
        if self.tick - self.passed + ticks > 64 {
            self.table.leap(self.tick(), ticks);
            self.tick += ticks;
            self.stop_ages();
        } else {
            self.tick += ticks;
        }
    }

    fn check(&self) {
        self.table.check(self.hash);
        assert_eq!(self.table.len(), self.flows.len());
        for (key, &(class, _)) in &self.flows {
            let slot = self.slot(key).expect("every flow of the map is found");
            assert_eq!(self.table.record(slot).key(), key);
            assert_eq!(self.table.class(slot), Some(class));
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u32, Class, u8),
    Touch(u32, Class),
    Remove(u32),
    Sweep([u8; 4]),
    Wait(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let class = || prop::sample::select(Class::ALL.as_slice());
    let flow = || 0u32..300;
    prop_oneof![
        12 => (flow(), class(), 0u8..20).prop_map(|(n, c, s)| Step::Insert(n, c, s)),
        4 => (flow(), class()).prop_map(|(n, c)| Step::Touch(n, c)),
        3 => flow().prop_map(Step::Remove),
        1 => prop::array::uniform4(0u8..).prop_map(Step::Sweep),
        3 => (0u32..12).prop_map(Step::Wait),
        1 => (0u32..600).prop_map(Step::Wait),
    ]
}

/// Hashes under which the table must be right: the real one, one of few tags, one of few tags in
/// few buckets.
const HASHES: [fn(&FlowKey) -> u64; 3] =
    [hash, |key| hash(key) & !0xfffc, |key| hash(key) & !0x03ff_ffff_ffff_fffc | 1 << 40];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_table_does_what_a_map_with_the_same_rules_does(
        capacity in 0usize..120,
        which in 0usize..3,
        steps in prop::collection::vec(step(), 1..400),
    ) {
        let mut twin = Twin::new(capacity, HASHES[which]);
        for step in steps {
            match step {
                Step::Insert(n, class, shield) if twin.slot(&key(n)).is_none() => {
                    twin.insert(key(n), class, shield);
                }
                Step::Insert(n, class, _) | Step::Touch(n, class) => twin.touch(&key(n), class),
                Step::Remove(n) => twin.remove(&key(n)),
                Step::Sweep(limits) => twin.sweep(limits),
                Step::Wait(ticks) => twin.wait(ticks),
            }
            twin.check();
        }
    }

    #[test]
    fn no_hint_changes_what_is_found(
        present in prop::collection::hash_set(0u32..200, 0..60),
        gone in prop::collection::hash_set(0u32..200, 0..30),
        wanted in 0u32..200,
        hint in 0u32..64,
    ) {
        let mut twin = Twin::new(40, HASHES[1]);
        present.iter().for_each(|&n| twin.insert(key(n), Class::Established, 0));
        gone.iter().for_each(|&n| twin.remove(&key(n)));
        let (hash, key) = ((twin.hash)(&key(wanted)), key(wanted));
        prop_assert_eq!(twin.table.find_hinted(hash, &key, Slot(hint)), twin.slot(&key));
        for hint in [Slot(hint), twin.table.probe(hash, twin.table.prefetch_bucket(hash))] {
            let right = twin.slot(&key) == Some(hint);
            prop_assert_eq!(twin.table.at_hint(&key, hint).is_some(), right, "{:?}", hint);
        }
        prop_assert_eq!(twin.slot(&key).is_some(), twin.flows.contains_key(&key));
    }

    #[test]
    fn the_two_buckets_of_a_flow_differ_and_lead_to_each_other(
        capacity in 0usize..3000,
        hash: u64,
    ) {
        let table = FlowTable::<Entry>::new(capacity).unwrap();
        let (first, tag) = (table.first(hash), tag(hash));
        let second = table.partner(first, tag);
        prop_assert!(first != second && first.max(second) < table.buckets());
        prop_assert_eq!(table.partner(second, tag), first);
    }
}

#[test]
fn memory_per_flow_is_known_in_advance() {
    for capacity in [0usize, 1, 25, 26, 1000, 16_384, 65_536, 1_000_000] {
        let table = FlowTable::<Entry>::new(capacity).unwrap();
        assert!(table.slots() * 25 >= capacity * 32, "1.28 slots a flow at {capacity}");
        assert_eq!(table.bytes(), table.slots() * 132, "{capacity}");
        let most = 170 * capacity.max(1000);
        assert!(table.bytes() <= most, "{capacity} flows take {} bytes", table.bytes());
        assert!(table.memory().len >= table.bytes(), "{capacity}");
    }
}

#[test]
fn a_table_that_cannot_be_had_is_an_error() {
    for capacity in [usize::MAX, usize::MAX / 4, 1 << 40, (1 << 32) / 32 * 25 + 25] {
        assert!(FlowTable::<Entry>::new(capacity).is_err(), "{capacity}");
    }
    assert!(FlowTable::<Entry>::family(usize::MAX, 1000).is_err());
}

#[test]
fn a_family_shares_a_block_and_nothing_else() {
    let mut family = FlowTable::<Entry>::family(64, 1000).unwrap();
    assert_eq!(family.len(), 64);
    for (n, table) in family.iter_mut().enumerate() {
        let key = key(n as u32);
        let slot = table.insert(hash(&key), Class::Embryonic, 0, 0).unwrap().slot;
        *table.record_mut(slot) = Entry { key, packets: n as u64, ..Entry::default() };
    }
    for (n, table) in family.iter().enumerate() {
        assert_eq!(table.memory(), family[0].memory());
        let key = key(n as u32);
        let slot = table.find(hash(&key), &key).unwrap();
        assert_eq!(table.record(slot).packets, n as u64);
        assert_eq!(table.len(), 1);
        table.check(hash);
    }
}

#[test]
fn at_nominal_capacity_nearly_every_flow_has_its_place() {
    for (capacity, count) in [(16_384u32, 8u32), (200_000, 1)] {
        let mut displaced = 0;
        for round in 0..count {
            let mut table = FlowTable::<Entry>::new(capacity as usize).unwrap();
            for n in 0..capacity {
                let key = key(round << 24 | n);
                let placed = table.insert(hash(&key), Class::Established, 0, 0).unwrap();
                displaced += u32::from(placed.evicted.is_some());
                table.record_mut(placed.slot).key = key;
            }
            table.check(hash);
        }
        let share = f64::from(displaced) / f64::from(capacity * count);
        println!("{capacity}: {:.3} % displaced", share * 100.0);
        assert!(share < 0.005, "{capacity}: {displaced} flows were displaced");
    }
}

#[test]
fn a_syn_flood_displaces_no_flow_in_use() {
    const SHIELD: u8 = 2;
    let mut table = FlowTable::<Entry>::new(10_000).unwrap();
    let (mut tick, mut number) = (0u8, 0);
    let mut next = || {
        number += 1;
        key(number)
    };
    let mut in_use = Vec::new();
    for _ in 0..6_000 {
        let key = next();
        let placed = table.insert(hash(&key), Class::Established, tick, SHIELD).unwrap();
        assert_eq!(placed.evicted, None);
        table.record_mut(placed.slot).key = key;
        in_use.push(key);
    }
    let slots = table.slots();
    for _ in 0..30 {
        for _ in 0..100_000 {
            let key = next();
            if let Some(placed) = table.insert(hash(&key), Class::Embryonic, tick, SHIELD) {
                assert!(placed.evicted.is_none_or(|class| class == Class::Embryonic));
                table.record_mut(placed.slot).key = key;
            }
        }
        tick = tick.wrapping_add(1);
        for key in &in_use {
            let slot = table.find(hash(key), key).expect("a flow in use is still there");
            table.touch(slot, Class::Established, tick);
        }
    }
    assert_eq!(table.len_by_class()[Class::Established.index()], in_use.len());
    assert_eq!(table.slots(), slots);
    table.check(hash);
}

/// A table whose two buckets hold 32 flows of one hash, of `class` and last used at tick 100.
fn full_of(class: Class) -> (FlowTable<Entry>, u64) {
    let mut table = FlowTable::<Entry>::new(1).unwrap();
    let hash = 0x0123_4567_89ab_cdef;
    for n in 0..32 {
        let placed = table.insert(hash, class, 100, 0).unwrap();
        assert_eq!(placed.evicted, None);
        table.record_mut(placed.slot).key = key(n);
    }
    assert_eq!(table.len(), table.slots());
    (table, hash)
}

#[test]
fn who_may_displace_whom() {
    use Class::{Closing, Embryonic, Established, Pinned};
    for (newcomer, resident, idle, shield, want, why) in [
        (Embryonic, Embryonic, 0, 9, true, "embryonic flows have no shield"),
        (Embryonic, Closing, 0, 9, true, "nor have closing ones"),
        (Embryonic, Established, 0, 0, false, "used in this very tick"),
        (Embryonic, Established, 1, 0, true, "a shield of 0 covers this tick alone"),
        (Embryonic, Established, 9, 9, false, "the last tick that the shield covers"),
        (Embryonic, Established, 10, 9, true, "the first that it does not"),
        (Closing, Established, 0, 9, true, "the shield is against embryonic newcomers"),
        (Established, Established, 0, 9, true, "likewise"),
        (Pinned, Established, 0, 9, true, "likewise"),
        (Embryonic, Pinned, 90, 0, false, "never"),
        (Established, Pinned, 90, 0, false, "never"),
        (Pinned, Pinned, 90, 0, false, "not even for another pending verdict"),
    ] {
        let (mut table, hash) = full_of(resident);
        let placed = table.insert(hash, newcomer, 100 + idle, shield);
        let case = format!("{newcomer:?} for {resident:?} idle {idle}, shield {shield}: {why}");
        assert_eq!(placed.and_then(|p| p.evicted), want.then_some(resident), "{case}");
        assert_eq!(table.len(), 32, "{case}");
    }
}

#[test]
fn equals_make_room_in_turn_and_at_home() {
    let (mut table, hash) = full_of(Class::Embryonic);
    let home = table.first(hash);
    for n in 0..40 {
        let slot = table.insert(hash, Class::Embryonic, 100, 0).unwrap().slot;
        assert_eq!(slot, Slot::new(home, n % WAYS), "eviction {n}");
        assert_eq!(
            table.probe(!0x0f & hash, table.prefetch_bucket(!0x0f & hash)),
            Slot::new(home, (n + 1) % WAYS),
            "hint {n}"
        );
    }
}

#[test]
fn an_overflow_count_at_its_end_stops_overflow_rather_than_lying() {
    let same = |_: &FlowKey| 0x0123_4567_89ab_cdef;
    let mut table = FlowTable::<Entry>::new(100).unwrap();
    let first = table.first(same(&FlowKey::default()));
    let mut line = Bucket::default();
    (0..u16::MAX).for_each(|_| line.raise_overflow());
    table.buckets[first] = line;
    for n in 0..40 {
        let placed = table.insert(same(&key(n)), Class::Established, 0, 0).unwrap();
        assert_eq!(placed.slot.bucket(), first, "flow {n}");
        assert_eq!(placed.evicted.is_some(), n >= 16, "flow {n}");
        table.record_mut(placed.slot).key = key(n);
    }
    assert_eq!(table.buckets[first].overflow(), u16::MAX);
}

#[test]
fn a_free_slot_is_neither_touched_nor_removed() {
    let mut table = FlowTable::<Entry>::new(10).unwrap();
    let placed = table.insert(1, Class::Closing, 0, 0).unwrap();
    assert_eq!(table.remove(placed.slot), Some(Class::Closing));
    assert_eq!(table.remove(placed.slot), None);
    table.touch(placed.slot, Class::Pinned, 3);
    assert_eq!(table.class(placed.slot), None);
    assert_eq!(table.len_by_class(), [0; 4]);
}
