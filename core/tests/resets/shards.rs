//! Many connections at once: sums, sharing between workers, full tables, merging.

use hdrhistogram::Histogram;
use proptest::collection::vec;
use proptest::prelude::*;
use resetscope_core::engine::{Config, Engine};
use resetscope_core::flow::usual::Usual;
use resetscope_core::interval::histogram::{Histograms, Metric};
use resetscope_core::interval::{Flows, Interval, Ledger, Resets};
use resetscope_core::judge::event::Judged;
use resetscope_core::limits::DOCKET;
use resetscope_core::segment::{RstTexts, Segment, TcpFlags};

use crate::conversation::Tape;
use crate::play::{PLAIN, Run, frames, settled};
use crate::traffic::{Outcome, Random, between, packets, plausible, share};

/// Whether two intervals hold the same, histograms included.
fn same(a: &Interval, b: &Interval) -> bool {
    a.frames == b.frames
        && a.flows == b.flows
        && a.resets == b.resets
        && Metric::ALL.iter().all(|&of| {
            let count = |interval: &Interval| interval.histograms.get(of).map_or(0, Histogram::len);
            match (a.histograms.get(of), b.histograms.get(of)) {
                (Some(a), Some(b)) => a == b,
                _ => count(a) == count(b),
            }
        })
}

#[test]
fn any_number_of_workers_sees_the_same() {
    for seed in 0..4 {
        let segments = plausible(seed, 30_000);
        let alone = share(&segments, 1, 128, 4096);
        assert_eq!(packets(&alone.judged), alone.interval.resets.packets);
        assert!(alone.judged.len() > 500, "{} events", alone.judged.len());
        let shown = |outcome: &Outcome| format!("{:?}", outcome.judged);
        let events = |outcome: Outcome| {
            let events = settled(outcome.judged, outcome.sightings);
            events.iter().map(|event| format!("{event:?}")).collect::<Vec<_>>()
        };
        let want = shown(&alone);
        let want_interval = alone.interval.clone();
        let want_events = events(alone);
        for (workers, batch) in [(1, 1), (2, 128), (3, 100), (4, 1000), (64, 17)] {
            let shared = share(&segments, workers, batch, 4096);
            assert!(shown(&shared) == want, "seed {seed}, {workers} workers: other events");
            assert!(same(&shared.interval, &want_interval), "seed {seed}, {workers} workers");
            assert!(events(shared) == want_events, "seed {seed}, {workers} workers, settled");
        }
    }
}

#[test]
fn what_is_usual_comes_to_the_same_as_if_nothing_were() {
    for flows in [4096, 1024] {
        let segments = plausible(5, 40_000);
        let unusual: Vec<Segment> = segments
            .iter()
            .map(|segment| Segment { usual: Usual::default(), ..*segment })
            .collect();
        let (quick, slow) = (share(&segments, 1, 100, flows), share(&unusual, 1, 100, flows));
        let shown = |outcome: &Outcome| format!("{:?} {:?}", outcome.judged, outcome.sightings);
        assert!(shown(&quick) == shown(&slow), "{flows} flows: other events");
        assert!(same(&quick.interval, &slow.interval), "{flows} flows");
    }
}

/// Handshakes of `count` connections, a packet each microsecond.
fn handshakes(count: u16) -> Vec<Segment> {
    let mut segments = vec![];
    for port in 0..count {
        let (client, server) = ((port % 251, 2_000 + port), (900, 443));
        let talk = [
            (client, server, TcpFlags::SYN, 100, 0),
            (server, client, TcpFlags::SYN | TcpFlags::ACK, 500, 101),
            (client, server, TcpFlags::ACK, 101, 501),
        ];
        for (from, to, flags, seq, ack) in talk {
            segments.push(Segment { flags: TcpFlags(flags), seq, ack, ..between(from, to) });
        }
    }
    segments
}

fn numbered(segments: &mut [Segment]) {
    for (segment, frame) in segments.iter_mut().zip(1..) {
        segment.frame = frame;
        segment.time_ns = 1_770_000_000_000_000_000 + frame * 1_000;
    }
}

fn resets(count: u16) -> impl Iterator<Item = Segment> {
    (0..count).map(|port| Segment {
        flags: TcpFlags(TcpFlags::RST | TcpFlags::ACK),
        seq: 501,
        ack: 101,
        ..between((900, 443), (port % 251, 2_000 + port))
    })
}

#[test]
fn what_falls_due_at_once_is_taken_out_a_docket_at_a_time() {
    let mut segments: Vec<Segment> = resets(5_000).collect();
    numbered(&mut segments);
    let due_ns = 1_770_000_000_000_000_000 + 60_000_000_000;
    let engine = || {
        let config = Config { flows: 1 << 19, ..Config::default() };
        let mut engine = Engine::new(&config, 0, 1).unwrap();
        engine.process(&segments, &RstTexts::new(1));
        assert!(!engine.has_events(), "all are still open");
        engine
    };
    let shown = |mut judged: Vec<Judged>| {
        judged.sort_unstable_by_key(|judged| judged.open.rst.frame);
        format!("{judged:?}")
    };
    let mut at_once = engine();
    at_once.advance(due_ns);
    let want: Vec<Judged> = at_once.drain_events().collect();
    assert_eq!(want.len(), 5_000);
    let (mut engine, mut got) = (engine(), Vec::new());
    let mut takes = 0;
    loop {
        let more = engine.advance_some(due_ns);
        let docket: Vec<Judged> = engine.drain_events().collect();
        assert!(docket.len() <= DOCKET, "{}", docket.len());
        assert!(!more || docket.len() >= DOCKET / 2, "{} are not worth a message", docket.len());
        got.extend(docket);
        takes += 1;
        if !more {
            break;
        }
    }
    assert!((3..=5).contains(&takes), "{takes}");
    assert!(shown(got) == shown(want), "other events");
}

#[test]
fn a_flood_of_new_connections_costs_no_established_one_its_verdict() {
    let mut quiet = handshakes(600);
    quiet.extend(resets(600));
    numbered(&mut quiet);
    let mut flooded = handshakes(600);
    let mut random = Random(7);
    flooded.extend((0..40_000).map(|_| Segment {
        flags: TcpFlags(TcpFlags::SYN),
        seq: 7,
        ..between((1_000 + random.below(60_000) as u16, random.next() as u16), (901, 80))
    }));
    flooded.extend(resets(600));
    numbered(&mut flooded);
    let (quiet, flooded) = (share(&quiet, 1, 128, 1024), share(&flooded, 1, 128, 1024));
    assert!(flooded.interval.flows.evicted[0] > 10_000, "{:?}", flooded.interval.flows);
    assert_eq!(flooded.interval.flows.evicted[2], 0, "no established connection was evicted");
    assert!(flooded.interval.frames.balances());
    let verdicts = |outcome: &Outcome| -> Vec<_> {
        outcome.judged.iter().map(|judged| (judged.open.flow.key, judged.subcause())).collect()
    };
    assert_eq!(verdicts(&quiet).len(), 600);
    assert!(verdicts(&quiet) == verdicts(&flooded), "the flood changed verdicts");
}

#[test]
fn a_full_table_sheds_newcomers_and_accounts_for_them() {
    let mut segments = handshakes(8_000);
    segments.extend(resets(8_000));
    numbered(&mut segments);
    let outcome = share(&segments, 1, 128, 1024);
    let frames = &outcome.interval.frames;
    assert!(frames.shed[0] > 0 && frames.analysed > 0 && frames.balances(), "{frames:?}");
    assert_eq!(packets(&outcome.judged), outcome.interval.resets.packets);
    assert_eq!(outcome.interval.flows.evicted[2], 0);
}

#[test]
fn who_is_heard_after_the_verdict_gives_way_like_any_other() {
    let all = handshakes(2_400);
    let (first, second) = all.split_at(all.len() / 2);
    let ends = || resets(1_200);
    let evicted = |between: Vec<Segment>| {
        let mut segments = first.iter().copied().chain(ends()).collect::<Vec<_>>();
        let judged = segments.len();
        segments.extend(between.iter().chain(second));
        numbered(&mut segments);
        segments[judged..].iter_mut().for_each(|segment| segment.time_ns += 3_000_000_000);
        let outcome = share(&segments, 1, 128, 1024);
        assert!(outcome.interval.frames.balances());
        outcome.interval.flows.evicted
    };
    let quiet = evicted(vec![]);
    assert!(quiet[1] > 300, "who was reset makes room: {quiet:?}");
    let heard = ends().map(|late| Segment { flags: TcpFlags(TcpFlags::ACK), ..late });
    assert_eq!(evicted(heard.collect()), quiet, "one more packet makes nobody stay");
}

fn interval() -> impl Strategy<Value = Interval> {
    let counts = vec(0u64..1 << 40, 32);
    let values = vec((0..Metric::ALL.len(), any::<u64>()), 0..20);
    (counts, values).prop_map(|(counts, values)| {
        let mut count = counts.into_iter().cycle();
        let mut next = || count.next().unwrap();
        let mut frames = Ledger { received: next(), bytes: next(), ..Ledger::default() };
        frames.analysed = next();
        frames.skipped.fill_with(&mut next);
        frames.shed.fill_with(&mut next);
        let flows = Flows { opened: next(), active: next(), evicted: [next(), next(), next()] };
        let mut resets = Resets { packets: next(), events: next(), ..Resets::default() };
        resets.unlisted = next();
        resets.by_cause.fill_with(&mut next);
        resets.by_subcause.fill_with(&mut next);
        resets.by_stage.fill_with(&mut next);
        let mut histograms = Histograms::new();
        for (metric, value) in values {
            histograms.record(Metric::ALL[metric], value);
        }
        Interval { frames, flows, resets, histograms }
    })
}

fn merged(parts: &[&Interval]) -> Interval {
    let mut sum = Interval::default();
    parts.iter().for_each(|part| sum.merge(part));
    sum
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn merging_intervals_is_commutative_associative_and_has_an_identity(
        a in interval(), b in interval(), c in interval()
    ) {
        prop_assert!(same(&merged(&[&a, &b]), &merged(&[&b, &a])));
        let (ab, bc) = (merged(&[&a, &b]), merged(&[&b, &c]));
        prop_assert!(same(&merged(&[&ab, &c]), &merged(&[&a, &bc])));
        prop_assert!(same(&merged(&[&a]), &a));
        prop_assert!(same(&merged(&[&a, &Interval::default()]), &a));
    }

    #[test]
    fn every_frame_is_in_one_bucket_and_every_reset_in_one_event(
        noise in vec(vec(any::<u8>(), 0..80), 0..40),
        flips in vec((0usize..60, 0usize..90, any::<u8>()), 0..40),
        seed: u64,
    ) {
        let mut tape = Tape::new();
        for _ in 0..4 {
            tape.sibling();
            tape.established();
            tape.client().data(10);
            tape.server().active();
            tape.client().data(10);
            tape.server().reply();
        }
        let mut taken = frames(&tape, &PLAIN);
        for (frame, byte, mask) in flips {
            let count = taken.len();
            let bytes = &mut taken[frame % count].1;
            let len = bytes.len();
            bytes[byte % len] ^= mask;
        }
        let mut random = Random(seed);
        for bytes in noise {
            let at = usize::try_from(random.below(taken.len() as u64)).unwrap();
            let time_ns = taken[at].0;
            taken.insert(at, (time_ns, bytes));
        }
        let mut run = Run::new(&Config { flows: 1024, ..Config::default() });
        run.take(&taken);
        let played = run.end();
        prop_assert_eq!(played.interval.frames.received, taken.len() as u64);
    }

    #[test]
    fn every_reset_of_random_traffic_is_in_one_event(seed: u64) {
        let outcome = share(&plausible(seed, 3_000), 1, 50, 1024);
        prop_assert_eq!(packets(&outcome.judged), outcome.interval.resets.packets);
        prop_assert_eq!(outcome.judged.len() as u64, outcome.interval.resets.events);
        prop_assert!(outcome.interval.frames.balances());
    }
}
