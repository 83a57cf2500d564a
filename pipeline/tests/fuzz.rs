//! Captures damaged at random, through everything: no panic, no frame lost from the ledger.
//!
//! The seed is fixed, so every run tries the same inputs until its time is over. What once failed
//! lies in `finds/` and is tried first, by every run.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test, both are its failure")]

mod analysis;
mod capture_writer;
mod traffic;

use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use analysis::{corpus, plan, source_of};
use capture_writer::{Flavour, Order, Seen, pcap, pcapng};
use resetscope::collect::{Sink, Summary};
use resetscope::run::run;
use resetscope::sink::{self, palette::Palette};
use resetscope_core::interval::Shed;
use resetscope_core::judge::event::Event;
use traffic::{Dice, Mix, mix};

/// How long to go on looking.
const BUDGET: Duration = Duration::from_secs(8);

/// Damaged captures that are tried whatever time it takes.
const ROUNDS_MIN: usize = 60;

/// Writes everything and keeps nothing, but for the ledger.
#[derive(Default)]
struct Null {
    received: u64,
    /// Of those, what the capture says was lost before it was recorded.
    lost: u64,
}

impl Sink for Null {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        sink::event::write(&mut io::sink(), event)
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        assert!(summary.interval.frames.balances(), "{:?}", summary.interval.frames);
        self.received += summary.interval.frames.received;
        self.lost += summary.interval.frames.shed[Shed::KernelDrop as usize];
        sink::table::write(&mut io::sink(), summary, 3, Palette::default())?;
        sink::summary::write(&mut io::sink(), summary, 3)
    }
}

/// Analyses the bytes as a capture and returns the frames received, which are all that the source gives;
/// refusals give none.
fn try_bytes(bytes: &[u8], dice: &mut Dice) -> u64 {
    let Ok(source) = source_of(bytes) else { return 0 };
    let given = frames_of(bytes).len() as u64;
    let workers = if dice.once_in(8) { 3 } else { 1 };
    let interval = dice.once_in(4).then_some(5_000_000_000);
    let mut plan = plan(workers, interval);
    plan.engine.flows = 1_024;
    let mut null = Null::default();
    run(&plan, source, &mut null, &Arc::new(AtomicBool::new(false)), &|_| {}).unwrap();
    assert_eq!(null.received - null.lost, given, "frames received and frames read");
    null.received
}

/// Changes a capture in one of the ways in which captures, disks and attackers do.
fn mutate(bytes: &mut Vec<u8>, frames: &[Seen], dice: &mut Dice) {
    let len = bytes.len() as u64;
    match dice.below(8) {
        0 => bytes.truncate(dice.below(len) as usize),
        1 => {
            let (from, count) = (dice.below(len) as usize, dice.below(40) as usize);
            let until = (from + count).min(bytes.len());
            bytes.drain(from..until);
        }
        2 => {
            let at = dice.below(len) as usize;
            bytes.splice(at..at, (0..dice.below(40)).map(|_| dice.next() as u8));
        }
        3 => {
            // A length field somewhere gets a value at the edge.
            let at = 24 + (dice.below(len.saturating_sub(28)) as usize & !3);
            let edge = [0, 1, 0xffff, 0x7fff_ffff, 0x8000_0000, u32::MAX, 0x0010_0000];
            let value = edge[dice.below(edge.len() as u64) as usize].to_le_bytes();
            for (to, from) in bytes.iter_mut().skip(at).zip(value) {
                *to = from;
            }
        }
        4..=5 => {
            for _ in 0..1 + dice.below(50) {
                let at = dice.below(len) as usize;
                bytes[at] ^= 1 << dice.below(8);
            }
        }
        _ => {
            // Only the packets, not the format around them: so that all of them arrive.
            let mut frames = frames.to_vec();
            for _ in 0..1 + dice.below(400) {
                let frame = dice.below(frames.len() as u64) as usize;
                let frame = &mut frames[frame];
                match dice.below(4) {
                    0 => frame.bytes.truncate(dice.below(90) as usize),
                    1 => frame.time_ns = dice.next() >> dice.below(40),
                    _ => {
                        // The headers rather than the payload.
                        let at = dice.below(frame.bytes.len().clamp(1, 80) as u64) as usize;
                        if let Some(byte) = frame.bytes.get_mut(at) {
                            *byte = dice.next() as u8;
                        }
                    }
                }
            }
            let ng = dice.once_in(3);
            let times_fit = |seen: &Seen| seen.time_ns / 1_000_000_000 <= u64::from(u32::MAX);
            frames.retain(|seen| ng || times_fit(seen));
            let order = if dice.once_in(2) { Order::Big } else { Order::Little };
            *bytes = if ng { pcapng(order, &frames) } else { pcap(order, Flavour::Nano, &frames) };
        }
    }
}

/// The frames of a capture.
fn frames_of(bytes: &[u8]) -> Vec<Seen> {
    capture_writer::read_bytes(bytes).unwrap().frames
}

#[test]
fn what_once_failed_does_not_fail_again() {
    let finds = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/finds");
    let Ok(entries) = std::fs::read_dir(&finds) else {
        println!("nothing has failed yet: there is no {}", finds.display());
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        let bytes = std::fs::read(&path).unwrap();
        (0..16).for_each(|seed| {
            try_bytes(&bytes, &mut Dice::new(seed));
        });
    }
}

#[test]
fn damaged_captures_never_panic_and_the_ledger_always_balances() {
    let mut shipped = Vec::new();
    let file = std::fs::File::open(corpus()).unwrap();
    flate2::read::GzDecoder::new(file).read_to_end(&mut shipped).unwrap();
    let random = mix(Mix { seed: 5, frames: 1_500, flows: 60, backwards_once_in: 9 });
    let bases = [
        (shipped.clone(), frames_of(&shipped)),
        (pcap(Order::Little, Flavour::Nano, &random), random.clone()),
        (pcapng(Order::Little, &random), random),
    ];
    let dice = &mut Dice::new(2026);
    let begin = Instant::now();
    let (mut rounds, mut received) = (0, 0);
    while rounds < ROUNDS_MIN || begin.elapsed() < BUDGET {
        let (bytes, frames) = &bases[rounds % bases.len()];
        let mut bytes = bytes.clone();
        for _ in 0..1 + dice.below(3) {
            if bytes.len() > 28 {
                mutate(&mut bytes, frames, dice);
            }
        }
        let tried = catch_unwind(AssertUnwindSafe(|| try_bytes(&bytes, &mut dice.clone())));
        received += tried.unwrap_or_else(|_| {
            let kept = std::env::temp_dir().join(format!("resetscope-find-{rounds}.pcap"));
            std::fs::write(&kept, &bytes).unwrap();
            panic!("round {rounds} failed; its input is {}", kept.display());
        });
        rounds += 1;
    }
    println!("{rounds} damaged captures, {received} frames");
    assert!(received > 10_000, "the damage left only {received} frames to look at");
}
