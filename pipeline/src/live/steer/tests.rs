use std::fs::File;
use std::path::Path;

use flate2::read::GzDecoder;
use resetscope_core::engine::Config;
use resetscope_core::frame::LinkType;
use resetscope_core::interval::Interval;
use resetscope_core::judge::event_of;
use resetscope_core::judge::surroundings::Surroundings;
use resetscope_core::wire;

use super::*;
use crate::source::{self, Batch, Fill, Input};

/// A capture with six kinds of resets, among connections that end otherwise and frames of no use.
struct Capture(Vec<(Vec<u8>, u32, u64)>);

impl Capture {
    fn read() -> Self {
        let packed =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/corpus/six-causes.pcap.gz");
        let mut plain = tempfile::NamedTempFile::new().unwrap();
        std::io::copy(&mut GzDecoder::new(File::open(packed).unwrap()), &mut plain).unwrap();
        let mut source = source::open([Input::from(plain.path())], &Default::default()).unwrap();
        let mut batch = Batch::new(1024);
        let mut frames = Vec::new();
        loop {
            let filled = source.fill(&mut batch, u64::MAX).unwrap();
            let owned = |frame: Frame<'_>| (frame.bytes.to_vec(), frame.wire_len, frame.time_ns);
            frames.extend(batch.frames().map(owned));
            batch.clear();
            if filled == Fill::End {
                return Self(frames);
            }
        }
    }

    fn frames(&self) -> impl Iterator<Item = Frame<'_>> {
        self.0.iter().map(|(bytes, wire_len, time_ns)| Frame {
            bytes,
            wire_len: *wire_len,
            time_ns: *time_ns,
            link: LinkType::ETHERNET,
        })
    }
}

fn engine(worker: usize, workers: usize) -> Engine {
    Engine::new(&Config { flows: 8192, ..Config::default() }, worker, workers).unwrap()
}

/// What engines together made of a capture, in an order of its own.
fn outcome(engines: Vec<Engine>) -> (Interval, Vec<String>) {
    let (mut all, mut events) = (Interval::default(), Vec::new());
    for mut engine in engines {
        engine.finish();
        events.extend(engine.drain_events().map(|judged| {
            let event = event_of(&judged.open, &Surroundings::default());
            format!("{:06} {event:?}", event.frame)
        }));
        let interval = engine.take_interval();
        assert!(interval.frames.balances(), "each worker by itself: {:?}", interval.frames);
        all.merge(&interval);
    }
    events.sort_unstable();
    (all, events)
}

fn assert_same(got: &(Interval, Vec<String>), want: &(Interval, Vec<String>), what: &str) {
    assert_eq!(got.0.frames, want.0.frames, "{what}");
    assert_eq!(got.0.flows.opened, want.0.flows.opened, "{what}");
    assert_eq!(format!("{:?}", got.0.resets), format!("{:?}", want.0.resets), "{what}");
    assert_eq!(got.1, want.1, "{what}");
}

#[test]
fn steered_workers_together_see_what_one_sees() {
    let capture = Capture::read();
    let mut alone = engine(0, 1);
    alone.push(capture.frames(), 1);
    let want = outcome(vec![alone]);
    assert!(want.1.len() > 50, "{}", want.1.len());
    for (workers, at_once, every, why) in [
        (2, 128, 1, "receivers keep up"),
        (2, 1, 3, "frames come one by one"),
        (3, 500, 7, "more than a parcel at once"),
        (5, 1024, 1, "a worker has few shards"),
        (64, 32, 5, "every shard has a worker"),
        (1, 128, 1, "there is nobody to deal to"),
    ] {
        let (mut dealer, mut inboxes) = Dealer::new(workers, at_once, Full::Wait);
        let mut engines: Vec<Engine> = (0..workers).map(|worker| engine(worker, workers)).collect();
        let frames: Vec<Frame<'_>> = capture.frames().collect();
        let mut first = 1;
        for (turn, hand) in frames.chunks(at_once).enumerate() {
            while !dealer.is_ready() {
                for (inbox, engine) in inboxes.iter_mut().zip(&mut engines[1..]) {
                    inbox.open(engine);
                }
            }
            dealer.deal(&mut engines[0], hand.iter().copied(), first);
            dealer.settle(&mut engines[0]);
            dealer.pass(hand.last().unwrap().time_ns);
            first += hand.len() as u64;
            for (inbox, engine) in inboxes.iter_mut().zip(&mut engines[1..]) {
                if turn % every == 0 {
                    inbox.open(engine);
                }
            }
        }
        drop(dealer);
        for (inbox, engine) in inboxes.iter_mut().zip(&mut engines[1..]) {
            while inbox.open(engine).is_some() {}
            assert!(inbox.is_closed());
        }
        assert_same(&outcome(engines), &want, why);
    }
}

#[test]
fn what_a_slow_worker_has_no_room_for_is_counted_and_costs_no_other_anything() {
    let capture = Capture::read();
    let mut keeps_up = engine(2, 3);
    let frames: Vec<Frame<'_>> = capture.frames().collect();
    let (mut dealer, mut inboxes) = Dealer::new(3, 128, Full::Drop);
    let mut first = engine(0, 3);
    let mut number = 1;
    // Far more than the parcels of one worker hold.
    for hand in std::iter::repeat_n(frames.chunks(128), 30).flatten() {
        assert!(dealer.is_ready(), "a device does not wait");
        dealer.deal(&mut first, hand.iter().copied(), number);
        number += hand.len() as u64;
        dealer.settle(&mut first);
        dealer.pass(0);
        while inboxes[1].open(&mut keeps_up).is_some() {}
    }
    let handed = dealer.handed();
    drop(dealer);
    while inboxes[1].open(&mut keeps_up).is_some() {}
    let mut slow = engine(1, 3);
    let held: u64 =
        std::iter::from_fn(|| inboxes[0].open(&mut slow)).map(|taken| taken.frames).sum();
    // The first parcel goes as it is to a worker that has nothing to do yet; the others are full.
    assert!(((PARCELS - 1) * PARCEL..=PARCELS * PARCEL).contains(&(held as usize)), "{held}");
    let (all, _) = outcome(vec![first, keeps_up, slow]);
    let mut alone = engine(0, 1);
    alone.push(std::iter::repeat_n(&frames, 30).flatten().copied(), 1);
    let want = alone.take_interval().frames;
    assert_eq!(all.frames.received, want.received);
    assert_eq!(all.frames.bytes, want.bytes);
    assert_eq!(all.frames.skipped, want.skipped);
    let dropped = all.frames.shed[Shed::NicDrop as usize];
    assert_eq!(all.frames.analysed + dropped, want.analysed);
    let mut owned = [0; 3];
    let (mut segment, mut texts) = (Segment::default(), RstTexts::new(1));
    for frame in &frames {
        if wire::dissect(frame, &mut segment, &mut texts).is_ok() {
            owned[Owners::new(3).of(segment.hash)] += 30;
        }
    }
    assert_eq!(dropped + held, owned[1], "all but what its parcels held");
    assert_eq!(handed, held + owned[2], "and nothing of the other's");
}

#[test]
fn a_receiver_knows_the_time_although_nothing_is_for_it() {
    let (mut dealer, mut inboxes) = Dealer::new(2, 128, Full::Drop);
    let (mut engine, inbox) = (engine(1, 2), &mut inboxes[0]);
    let mut seen = Vec::new();
    for (time_ns, why) in [
        (TELL_NS, "the first time"),
        (2 * TELL_NS - 1, "it was told a moment ago"),
        (2 * TELL_NS, "it was not"),
        (9 * TELL_NS, "nor now"),
    ] {
        dealer.pass(time_ns);
        let taken = inbox.open(&mut engine).map(|taken| (taken.frames, taken.last_ns));
        seen.push((taken, why));
    }
    let told = |times: u64| Some((0, times * TELL_NS));
    let want = [told(1), None, told(2), told(9)];
    assert_eq!(seen.iter().map(|(taken, _)| *taken).collect::<Vec<_>>(), want, "{seen:?}");
    assert!(!inbox.is_closed());
    drop(dealer);
    assert!(inbox.open(&mut engine).is_none() && inbox.is_closed());
}
