//! The flow table against the floor: what one random record costs, and what the table adds to it.
//!
//! All times are per item. The staged runs go as the engine does: all of a batch ask for their
//! bucket lines, then all probe and ask for their records, then all are found and updated. The
//! floor does one read-modify-write of a random 128-byte record an item, asked for in batches of
//! the same size; `floor_with_line` reads one line more, as any table with bucket lines must.
//! Compare within one run only.

#![expect(unsafe_code, reason = "the record says that zeros are a value of it")]
#![expect(clippy::expect_used, reason = "a bench without memory has nothing to measure")]

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use resetscope_core::flow::hash::hash;
use resetscope_core::flow::key::{FlowKey, mapped};
use resetscope_core::flow::prefetch::{self, LINE};
use resetscope_core::flow::table::{Class, FlowTable, Record, Slot, Zeroable};
use std::hint::black_box;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Default)]
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

impl Entry {
    /// A change to both lines, in place of tracking.
    fn update(&mut self) {
        self.packets += 1;
        self.rest[9] += self.packets;
    }
}

/// What a burst holds of one packet.
#[derive(Clone, Copy)]
struct Item {
    hash: u64,
    key: FlowKey,
}

const FLOWS: usize = 1_000_000;
const SHARDS: usize = 64;

/// Item number `number`; different numbers give different keys.
fn item(number: usize) -> Item {
    let source = (mapped((number as u32).wrapping_mul(0x9e37_79b1).to_be_bytes()), 50_000);
    let key = FlowKey::new(source, (mapped([192, 0, 2, 1]), 443), 0).0;
    Item { hash: hash(&key), key }
}

/// Items of flows 0 to `flows`, in random order, as many as there are flows at most.
fn traffic(flows: usize) -> Vec<Item> {
    let mut state = 1u64;
    let next = || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        item(((state >> 33) as usize * flows) >> 31)
    };
    std::iter::repeat_with(next).take(FLOWS).collect()
}

fn add(table: &mut FlowTable<Entry>, item: &Item, class: Class, tick: u8) {
    if let Some(placed) = table.insert(item.hash, class, tick, 1) {
        *table.record_mut(placed.slot) = Entry { key: item.key, ..Entry::default() };
    }
}

/// A table for a million flows that holds the first `flows`.
fn filled(flows: usize) -> FlowTable<Entry> {
    let mut table = FlowTable::new(FLOWS).expect("memory for a million flows");
    for number in 0..flows {
        add(&mut table, &item(number), Class::Established, 0);
    }
    table
}

/// The engine's three passes over one burst, as it takes packets that are not usual; flows that are not
/// there are added.
#[inline(always)]
fn staged<'a>(
    table_of: impl Fn(&Item) -> usize,
    tables: &mut [FlowTable<Entry>],
    burst: &'a [Item],
    tick: u8,
    absent: impl Fn(&mut FlowTable<Entry>, &'a Item),
) {
    let mut hints = [Slot::default(); 256];
    for (item, hint) in burst.iter().zip(&mut hints) {
        *hint = tables[table_of(item)].prefetch_bucket(item.hash);
    }
    for (item, hint) in burst.iter().zip(&mut hints) {
        let table = &tables[table_of(item)];
        *hint = table.probe(item.hash, *hint);
        table.prefetch_record(*hint);
    }
    for (item, hint) in burst.iter().zip(hints) {
        let table = &mut tables[table_of(item)];
        match table.find_hinted(item.hash, &item.key, hint) {
            Some(slot) => {
                table.touch(slot, Class::Established, tick);
                table.record_mut(slot).update();
            }
            None => absent(table, item),
        }
    }
}

/// The same work without hints.
fn one_by_one(table: &mut FlowTable<Entry>, items: &[Item], tick: u8) {
    for item in items {
        if let Some(slot) = table.find(item.hash, &item.key) {
            table.touch(slot, Class::Established, tick);
            table.record_mut(slot).update();
        }
    }
}

fn floor(records: &mut [Entry], lines: &[[u64; 8]], items: &[Item], batch: usize) {
    let scale =
        |item: &Item, len: usize| (((item.hash >> 26 & 0xffff_ffff) * len as u64) >> 32) as usize;
    let (count, line_count) = (records.len(), lines.len());
    let mut sum = 0;
    for burst in items.chunks(batch) {
        for item in burst {
            prefetch::line(lines.as_ptr().wrapping_add(scale(item, line_count)).cast());
        }
        for item in burst {
            sum += lines.get(scale(item, line_count)).map_or(0, |line| line[3]);
            let address = records.as_ptr().wrapping_add(scale(item, count)).cast::<u8>();
            prefetch::line(address);
            prefetch::line(address.wrapping_add(LINE));
        }
        for item in burst {
            if let Some(record) = records.get_mut(scale(item, count)) {
                record.update();
            }
        }
    }
    black_box(sum);
}

fn group<'a>(c: &'a mut Criterion, name: &str, items: usize) -> BenchmarkGroup<'a, WallTime> {
    let mut group = c.benchmark_group(name);
    group
        .throughput(Throughput::Elements(items as u64))
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    group
}

fn million(c: &mut Criterion) {
    let items = traffic(FLOWS);
    let mut group = group(c, "hit_1M_flows", items.len());
    let mut records = vec![Entry { packets: 1, ..Entry::default() }; FLOWS];
    let lines = vec![[1u64; 8]; FLOWS * 2 / 25];
    for batch in [64, 128] {
        group.bench_function(format!("floor/{batch}"), |b| {
            b.iter(|| floor(black_box(&mut records), &lines[..1], &items, batch));
        });
    }
    group.bench_function("floor_with_line/128", |b| {
        b.iter(|| floor(black_box(&mut records), &lines, &items, 128));
    });
    drop((records, lines));
    let mut tick = 0u8;
    let mut one = [filled(FLOWS)];
    // A tick lasts seconds, in which a busy flow is used often; at worst each use is in a new one.
    for (name, batch, step) in [
        ("staged/64", 64, 0),
        ("staged/128", 128, 0),
        ("staged_every_use_in_a_new_tick/128", 128, 1),
    ] {
        group.bench_function(name, |b| {
            b.iter(|| {
                tick = tick.wrapping_add(step);
                for burst in items.chunks(batch) {
                    staged(|_| 0, black_box(&mut one), burst, tick, |_, _| ());
                }
            });
        });
    }
    group.bench_function("one_by_one", |b| {
        b.iter(|| one_by_one(black_box(&mut one[0]), &items, tick));
    });
    drop(one);
    let shard = |item: &Item| (item.hash >> 58) as usize;
    let mut family =
        FlowTable::family(SHARDS, FLOWS.div_ceil(SHARDS)).expect("memory for a million flows");
    for number in 0..FLOWS {
        let item = item(number);
        add(&mut family[shard(&item)], &item, Class::Established, 0);
    }
    group.bench_function("staged_64_shards/128", |b| {
        b.iter(|| {
            for burst in items.chunks(128) {
                staged(shard, black_box(&mut family), burst, tick, |_, _| ());
            }
        });
    });
    group.finish();
}

fn by_load(c: &mut Criterion) {
    const NEW: usize = 16_384;
    for percent in [10, 50, 90] {
        let flows = FLOWS / 100 * percent;
        let hits = traffic(flows);
        let mut tables = [filled(flows)];
        let mut group = group(c, &format!("load_{percent}_percent"), FLOWS);
        group.bench_function("hit", |b| {
            b.iter(|| {
                for burst in hits.chunks(128) {
                    staged(|_| 0, black_box(&mut tables), burst, 0, |_, _| ());
                }
            });
        });
        let absent: Vec<_> = (2 * FLOWS..3 * FLOWS).map(item).collect();
        group.bench_function("miss", |b| {
            b.iter(|| {
                for burst in absent.chunks(128) {
                    staged(|_| 0, black_box(&mut tables), burst, 0, |_, _| ());
                }
            });
        });
        group.throughput(Throughput::Elements(NEW as u64));
        group.bench_function("insert", |b| {
            b.iter_custom(|rounds| {
                let mut spent = Duration::ZERO;
                for round in 0..rounds as usize {
                    let at = round % (FLOWS / NEW) * NEW;
                    let new = &absent[at..at + NEW];
                    let start = Instant::now();
                    for burst in new.chunks(128) {
                        staged(
                            |_| 0,
                            black_box(&mut tables),
                            burst,
                            0,
                            |table, item| {
                                add(table, item, Class::Established, 0);
                            },
                        );
                    }
                    spent += start.elapsed();
                    for item in new {
                        tables[0].find(item.hash, &item.key).map(|slot| tables[0].remove(slot));
                    }
                }
                spent
            });
        });
        group.finish();
    }
}

/// SYNs of ever new flows into a full table, half of it established and in use.
fn flood(c: &mut Criterion) {
    let mut group = group(c, "syn_flood_into_full_table", FLOWS);
    let items: Vec<_> = (FLOWS..6 * FLOWS).map(item).collect();
    for established in [0, 50, 100] {
        let mut tables = [filled(FLOWS / 100 * established)];
        for item in &items {
            add(&mut tables[0], item, Class::Embryonic, 0);
        }
        let mut waves = items.chunks(FLOWS).cycle();
        group.bench_function(format!("{established}_percent_established"), |b| {
            b.iter(|| {
                for burst in waves.next().into_iter().flat_map(|wave| wave.chunks(128)) {
                    staged(
                        |_| 0,
                        black_box(&mut tables),
                        burst,
                        0,
                        |table, item| {
                            add(table, item, Class::Embryonic, 0);
                        },
                    );
                }
            });
        });
    }
    group.finish();
}

fn sweep(c: &mut Criterion) {
    let mut table = filled(FLOWS);
    let buckets = table.buckets();
    let mut group = group(c, "sweep_1M_flows", FLOWS);
    group.bench_function("nothing_due", |b| {
        b.iter(|| {
            black_box(&mut table).sweep(
                0,
                buckets,
                60,
                |_| 100,
                |slot, _, _| {
                    black_box(slot);
                },
            )
        });
    });
    group.finish();
}

criterion_group!(benches, million, by_load, flood, sweep);
criterion_main!(benches);
