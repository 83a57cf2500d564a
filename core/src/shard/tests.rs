//! The short way for usual segments against the long one for all.

use super::{Report, Shard};
use crate::flow::hash::hash;
use crate::flow::key::FlowKey;
use crate::flow::record::{FlowRecord, micros};
use crate::flow::table::FlowTable;
use crate::limits::{CLOCK_BACK_NS, TICK_NS};
use crate::segment::{RstTexts, Segment, TcpFlags};
use crate::track;
use crate::track::arbitrary::{Packet, packet, segment};
use proptest::collection::vec;
use proptest::prelude::*;

/// A shard and what it reports.
struct Subject {
    shard: Shard,
    report: Report,
    steady: u32,
}

impl Subject {
    fn new() -> Self {
        let table = FlowTable::family(1, 64).unwrap().pop().unwrap();
        Self {
            shard: Shard::new(table, 2, 2_000_000_000),
            report: Report::new(1000, 1000),
            steady: 0,
        }
    }

    fn take(&mut self, segment: &Segment, short_way: bool) {
        let table = self.shard.table();
        let hint = table.probe(segment.hash, table.prefetch_bucket(segment.hash));
        if short_way && self.shard.take_steady(segment, hint) {
            self.steady += 1;
            self.report.interval.frames.analysed += 1;
            return;
        }
        self.shard.take(segment, hint, &RstTexts::new(1), &mut self.report);
    }

    /// Everything that is remembered of flows, and what time it is.
    fn state(&self) -> String {
        let shard = &self.shard;
        let clock = (shard.clock_ns, shard.next_due_ns, shard.tick);
        format!("{clock:?} {:?}", shard.table().iter().collect::<Vec<_>>())
    }

    /// Everything that was reported.
    fn reported(&mut self) -> String {
        self.report.recorder.hand_over(&mut self.report.interval.histograms);
        let events: Vec<_> = self.report.events.drain().collect();
        format!("{:?} {events:?} {:?}", self.report.interval, self.report.sightings)
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
    #[test]
    fn the_record_of_a_new_flow_is_what_its_first_packet_makes_of_an_empty_one(packet in packet()) {
        let mut subject = Subject::new();
        let segment = next(&subject.shard, 1, packet, 1_700_000_000_000_000_000);
        subject.take(&segment, true);
        let mut want = track::begin(&segment, micros(segment.time_ns));
        track::observe(&mut want, &segment, micros(segment.time_ns));
        let records: Vec<_> = subject.shard.table().iter().map(|(_, _, flow)| flow).collect();
        prop_assert_eq!(format!("{records:?}"), format!("[{want:?}]"), "{:?}", segment);
    }
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
            // Seconds at most, so that verdicts fall due; now and then a reset, a pause in which flows
            // grow old, or a time that runs backwards, perhaps so much that the clock is set back.
            let step_ns = packet.after_us % 3_000_000 * 1000;
            time_ns = match chance {
                0..4 => time_ns - step_ns,
                4 => time_ns - 2 * CLOCK_BACK_NS,
                5..8 => time_ns + 100 * TICK_NS,
                _ => time_ns + step_ns,
            };
            if (8..12).contains(&chance) {
                packet.flags = TcpFlags::RST | packet.flags & TcpFlags::ACK;
            }
            let segment = next(&long.shard, flow, packet, time_ns);
            short.take(&segment, true);
            long.take(&segment, false);
            prop_assert_eq!(short.state(), long.state(), "{:?}", segment);
        }
        prop_assert_eq!(short.reported(), long.reported());
    }
}

/// Packet `n` of a connection in which each side sends an acknowledgement, then data, and so on.
fn usual(n: u32) -> Packet {
    Packet {
        direction: (n % 2) as u8,
        flags: TcpFlags::ACK,
        payload_len: 100 * (n / 2 % 2),
        window: 100,
        ip_id_step: 1,
        ttl: 64,
        ..Packet::default()
    }
}

#[test]
fn a_connection_under_way_takes_the_short_way() {
    let mut subject = Subject::new();
    for n in 0..100 {
        let segment = next(&subject.shard, 0, usual(n), u64::from(n) * 1000);
        subject.take(&segment, true);
    }
    assert!(subject.steady > 85, "only {} of 100", subject.steady);
}

#[test]
fn a_connection_that_goes_on_the_short_way_after_a_reset_stays_young() {
    let mut subject = Subject::new();
    for n in 0..100 {
        // The other connection goes first and turns the clock, which is done the long way.
        let time_ns = u64::from(n) * 10 * TICK_NS;
        for flow in [1, 0] {
            let mut packet = usual(n);
            // Once reset, it is forgotten as soon as it is old; established it would never be.
            if n == 10 {
                packet.flags = TcpFlags::RST;
            }
            let segment = next(&subject.shard, flow, packet, time_ns + 1 - u64::from(flow));
            subject.take(&segment, true);
        }
    }
    assert!(subject.steady > 85, "only {} of 100", subject.steady);
    assert_eq!(subject.report.interval.flows.opened, 2, "none was forgotten");
}
