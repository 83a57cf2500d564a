//! Settling: what one connection shows helps to judge another, within bounds.

use resetscope_core::judge::event::{Event, Judged};
use resetscope_core::judge::evidence::Fact;
use resetscope_core::limits::SETTLING_MAX;
use resetscope_core::memory::brief::Brief;
use resetscope_core::memory::settle::Settler;

use crate::conversation::{MS, S, Tape};
use crate::play::{PLAIN, Run, frames, play, told};
use resetscope_core::engine::Config;

/// The one event of a tape as the engine hands it out, with the sightings before it.
fn judged_of(story: fn(&mut Tape)) -> Judged {
    let mut tape = Tape::new();
    story(&mut tape);
    let mut run = Run::new(&Config { flows: 4096, ..Config::default() });
    run.take(&frames(&tape, &PLAIN));
    run.engine.finish();
    *run.judged().last().unwrap()
}

fn take(settler: &mut Settler<u64, Box<Judged>>, tag: u64, judged: Judged) {
    settler.event(&Brief::of(&judged), Some((tag, Box::new(judged))));
}

fn drain(settler: &mut Settler<u64, Box<Judged>>, at_end: bool) -> Vec<(u64, Event)> {
    std::iter::from_fn(|| settler.settled(at_end)).map(|done| (done.tag, told(&done))).collect()
}

#[test]
fn a_verdict_settles_when_what_follows_it_is_known() {
    let refused = judged_of(|t| {
        t.client().syn();
        t.server().reply();
    });
    let mut settler = Settler::default();
    take(&mut settler, 0, refused);
    assert!(drain(&mut settler, false).is_empty() && settler.waits_for(|tag| *tag == 0));
    let mut later = refused;
    later.open.rst.time_ns += 1_999_999_999;
    take(&mut settler, 1, later);
    assert!(drain(&mut settler, false).is_empty(), "one nanosecond too early");
    later.open.rst.time_ns += 1;
    take(&mut settler, 2, later);
    assert_eq!(drain(&mut settler, false).len(), 1);
    assert_eq!(drain(&mut settler, true).len(), 2);
    assert!(!settler.waits_for(|_| true));
}

#[test]
fn a_scan_of_all_ports_displaces_no_service_from_memory() {
    let accepted = |t: &mut Tape| {
        t.established();
        t.client().fin();
        t.server().fin();
        t.client().ack();
        t.sibling();
        t.wait(S);
        t.client().syn();
        t.wait(900);
        t.server().reply();
    };
    let mut tape = Tape::new();
    accepted(&mut tape);
    // The same once more, behind a scan of 70,000 other endpoints.
    let mut run = Run::new(&Config { flows: 4096, ..Config::default() });
    run.take(&frames(&tape, &PLAIN));
    run.engine.finish();
    let down = *run.judged().last().unwrap();
    let mut settler: Settler<u64, Box<Judged>> = Settler::default();
    for sighting in run.sightings() {
        settler.sighting(sighting);
    }
    let mut settled = vec![];
    for scanned in 0..70_000u32 {
        let mut judged = down;
        judged.open.flow.key.addr[1] = [9; 16];
        judged.open.flow.key.addr[1][..4].copy_from_slice(&scanned.to_be_bytes());
        judged.open.rst.time_ns += u64::from(scanned) * 1_000;
        take(&mut settler, 1, judged);
        settled.extend(drain(&mut settler, false));
    }
    let mut last = down;
    last.open.rst.time_ns += S * 100 * 1_000;
    take(&mut settler, 2, last);
    settled.extend(drain(&mut settler, true));
    let (_, event) = settled.iter().find(|(tag, _)| *tag == 2).unwrap();
    assert_eq!(event.evidence.get(Fact::SvcAlive), Some(1));
    assert_eq!(event.verdict.claim.subcause.id(), "1.2");
}

#[test]
fn a_time_stamp_from_the_far_future_holds_nothing_up_for_ever() {
    let killed = judged_of(|t| {
        t.established();
        t.wait(10 * S);
        t.server().active();
    });
    let mut settler = Settler::default();
    let mut future = killed;
    future.open.rst.time_ns = u64::MAX;
    take(&mut settler, 0, future);
    let mut released = 0;
    let count = SETTLING_MAX as u64 + 500;
    for turn in 1..=count {
        let mut judged = killed;
        judged.open.rst.time_ns += turn * 1_000;
        take(&mut settler, turn, judged);
        released += drain(&mut settler, false).len();
        assert!(released > 0, "the one from the future waits until then");
    }
    assert!(released >= 500, "{released} of {count}");
    assert_eq!(released + drain(&mut settler, true).len(), usize::try_from(count).unwrap() + 1);
}

/// Five connections under way between the same hosts.
fn five_connections(tape: &mut Tape) -> [usize; 5] {
    [(); 5].map(|()| {
        let talk = tape.sibling();
        tape.established();
        talk
    })
}

#[test]
fn connections_that_end_together_are_counted_together() {
    for (gap_ms, cohort) in [(0, 5), (10, 5), (20, 3), (40, 2), (60, 1)] {
        let mut tape = Tape::new();
        let talks = five_connections(&mut tape);
        tape.wait(S);
        tape.step_us = 0;
        for talk in talks {
            tape.on(talk).server().active();
            tape.wait(gap_ms * MS);
        }
        let events = play(&tape, &PLAIN).events;
        assert_eq!(events.len(), 5);
        let first = events[0].evidence.get(Fact::CohortN);
        assert_eq!(first, Some(cohort), "{gap_ms} ms between them");
    }
}

#[test]
fn days_of_silence_of_one_side_are_no_packet_that_just_came() {
    // Times of 40 bits cannot tell 6.4 days from none, so long as the other side was heard of meanwhile.
    const DAY: u64 = 86_400 * S;
    for (silent_days, idle, cohort) in [
        (1, S, Some(5)),
        (6, DAY / 2, Some(5)),
        // The side that is not silent was heard of a moment ago.
        (1, 20 * MS, None),
        (6, 20 * MS, None),
    ] {
        let mut tape = Tape::new();
        let talks = five_connections(&mut tape);
        tape.step_us = 0;
        for _ in 0..silent_days {
            tape.wait(DAY);
            for talk in &talks {
                tape.on(*talk).client().data(10);
            }
        }
        tape.wait(idle);
        for talk in talks {
            tape.on(talk).server().active();
        }
        let events = play(&tape, &PLAIN).events;
        assert_eq!(events.len(), 5);
        let told = events[0].evidence.get(Fact::CohortN);
        assert_eq!(told, cohort, "{silent_days} days, {idle} us");
    }
}

#[test]
fn a_refusal_shows_what_it_was_compared_with() {
    // Who refuses is two hops nearer than the service, and much quicker.
    let mut tape = Tape::new();
    tape.established();
    tape.connect((2, 40_500), (100, 443));
    tape.wait(S);
    tape.client().syn();
    tape.server().reply().ttl = 64;
    let events = play(&tape, &PLAIN).events;
    let of = |fact| events[0].evidence.get(fact);
    let usual = of(Fact::HostResponseUs).unwrap();
    assert!(of(Fact::TriggerAgeUs).unwrap() * 2 < usual, "{usual}");
    assert_eq!(of(Fact::HostTtlDelta), Some(2));
}
