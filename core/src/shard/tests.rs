//! The short way for usual segments against the long one for all.

use super::{Report, Shard};
use crate::flow::hash::hash;
use crate::flow::key::FlowKey;
use crate::flow::record::FlowRecord;
use crate::flow::table::FlowTable;
use crate::interval::Interval;
use crate::interval::histogram::Histograms;
use crate::judge::event::Judged;
use crate::memory::Sighting;
use crate::segment::{RstTexts, Segment, TcpFlags};
use crate::track::arbitrary::{Packet, packet, segment};
use proptest::collection::vec;
use proptest::prelude::*;

/// A shard and what it reports.
struct Subject {
    shard: Shard,
    interval: Interval,
    events: Vec<Judged>,
    sightings: Vec<Sighting>,
    steady: u32,
}

impl Subject {
    fn new() -> Self {
        let table = FlowTable::family(1, 64).unwrap().pop().unwrap();
        Self {
            shard: Shard::new(table, 2, 2_000_000_000),
            interval: Interval { histograms: Histograms::new(), ..Interval::default() },
            events: Vec::with_capacity(1000),
            sightings: Vec::with_capacity(1000),
            steady: 0,
        }
    }

    fn take(&mut self, segment: &Segment, short_way: bool) {
        let hint = self.shard.table().probe(segment.hash);
        if short_way && self.shard.take_steady(segment, hint) {
            self.steady += 1;
            self.interval.frames.analysed += 1;
            return;
        }
        let mut report = Report {
            interval: &mut self.interval,
            events: &mut self.events,
            sightings: &mut self.sightings,
        };
        self.shard.take(segment, hint, &RstTexts::new(1), &mut report);
    }

    /// Everything that is remembered of flows.
    fn flows(&self) -> String {
        format!("{:?}", self.shard.table().iter().collect::<Vec<_>>())
    }

    /// Everything that was reported.
    fn reported(&self) -> String {
        format!("{:?} {:?} {:?}", self.interval, self.events, self.sightings)
    }
}

fn key(flow: u8) -> FlowKey {
    FlowKey::new_v4(([10, 0, 0, flow], 1000), ([10, 0, 1, 0], 443), 0).0
}

/// A packet of flow `flow`, as it stands in `shard`.
fn next(shard: &Shard, flow: u8, packet: Packet, time_ns: u64) -> Segment {
    let key = key(flow);
    let hash = hash(&key);
    let known = shard.table().find(hash, &key);
    let record = known.map_or_else(FlowRecord::default, |slot| *shard.table().record(slot));
    Segment { key, hash, ..segment(packet, &record, time_ns) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_short_way_leaves_everything_as_the_long_one_does(
        packets in vec((0u8..3, packet(), any::<u8>()), 1..150)
    ) {
        let (mut short, mut long) = (Subject::new(), Subject::new());
        let mut time_ns = 1_700_000_000_000_000_000_u64;
        for (flow, mut packet, chance) in packets {
            // Seconds at most, so that verdicts fall due and flows age, and now and then a reset.
            time_ns += packet.after_us % 3_000_000 * 1000;
            if chance < 4 {
                packet.flags = TcpFlags::RST | packet.flags & TcpFlags::ACK;
            }
            let segment = next(&long.shard, flow, packet, time_ns);
            short.take(&segment, true);
            long.take(&segment, false);
            prop_assert_eq!(short.flows(), long.flows(), "{:?}", segment);
        }
        prop_assert_eq!(short.reported(), long.reported());
    }
}

#[test]
fn a_connection_under_way_takes_the_short_way() {
    let mut subject = Subject::new();
    for n in 0..100u32 {
        let packet = Packet {
            direction: (n % 2) as u8,
            flags: TcpFlags::ACK,
            payload_len: 100 * (n / 2 % 2),
            window: 100,
            ip_id_step: 1,
            ttl: 64,
            ..Packet::default()
        };
        let segment = next(&subject.shard, 0, packet, u64::from(n) * 1000);
        subject.take(&segment, true);
    }
    assert!(subject.steady > 85, "only {} of 100", subject.steady);
}
