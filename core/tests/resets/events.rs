//! Events: which RSTs belong together, what counts until when, and what is reported of them.

use resetscope_core::engine::{Config, shard_of};
use resetscope_core::judge::event_of;
use resetscope_core::judge::evidence::Fact;
use resetscope_core::judge::surroundings::Surroundings;
use resetscope_core::segment::{Segment, TcpFlags};

use crate::conversation::{ACK, CLIENT, MS, PSH, RST, S, SERVER, Tape};
use crate::play::{PLAIN, Run, frames, play};
use crate::traffic::{between, share};

fn run() -> Run {
    Run::new(&Config { flows: 4096, ..Config::default() })
}

fn ids(tape: &Tape) -> Vec<(&'static str, u32)> {
    let events = play(tape, &PLAIN).events;
    events.iter().map(|event| (event.verdict.claim.subcause.id(), event.packets)).collect()
}

#[test]
fn many_resets_of_one_death_are_one_event_with_their_count() {
    let mut tape = Tape::new();
    tape.established();
    for _ in 0..300 {
        tape.server().forged(RST | ACK, 62);
        tape.client().forged(RST | ACK, 64);
    }
    let events = play(&tape, &PLAIN).events;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].packets, 600);
    assert_eq!(events[0].evidence.get(Fact::RstsSameSide), Some(300));
    assert_eq!(events[0].evidence.get(Fact::RstsOtherSide), Some(300));
}

#[test]
fn what_answers_later_packets_is_an_event_of_its_own() {
    let mut tape = Tape::new();
    tape.established();
    tape.client().data(100);
    tape.server().active();
    for _ in 0..3 {
        tape.client().data(100);
        tape.server().reply();
    }
    assert_eq!(ids(&tape), [("4.1", 1), ("2.3", 3)]);
}

#[test]
fn only_what_follows_within_the_race_window_counts() {
    for (wait, counts) in [(1_900 * MS, true), (2_100 * MS, false)] {
        let mut tape = Tape::new();
        tape.established();
        tape.client().data(100);
        tape.server().forged(RST, 50);
        tape.wait(wait);
        tape.server().data(700);
        let event = play(&tape, &PLAIN).events[0];
        assert_eq!(event.evidence.get(Fact::PostRstData).is_some(), counts, "after {wait} us");
        assert_eq!(event.verdict.claim.subcause.id().starts_with('3'), counts, "after {wait} us");
    }
}

#[test]
fn a_verdict_comes_when_the_race_window_ends() {
    let mut tape = Tape::new();
    tape.established();
    tape.server().active();
    let taken = frames(&tape, &PLAIN);
    let reset_ns = taken.last().unwrap().0;
    let mut run = run();
    run.take(&taken);
    assert_eq!(run.engine.oldest_open_frame(), Some(taken.len() as u64));
    run.engine.advance(reset_ns + 1_999_999_999);
    assert!(run.judged().is_empty(), "one nanosecond too early");
    run.engine.advance(reset_ns + 2_000_000_000);
    assert_eq!(run.judged().len(), 1);
    assert_eq!(run.engine.oldest_open_frame(), None);
    assert_eq!(run.end().events.len(), 1, "and only once");
}

#[test]
fn a_verdict_comes_when_the_connection_is_opened_again() {
    let mut tape = Tape::new();
    tape.established();
    tape.server().active();
    let reset = tape.packets.len();
    tape.wait(50 * MS);
    tape.client().send(crate::conversation::SYN, b"").seq = 777_000;
    let taken = frames(&tape, &PLAIN);
    let mut run = run();
    run.take(&taken[..reset]);
    assert!(run.judged().is_empty());
    run.take(&taken[reset..]);
    assert_eq!(run.judged().len(), 1);
    assert!(run.judged()[0].open.after.reopened);
    run.end();
}

#[test]
fn a_full_ring_judges_the_oldest_early_and_says_so() {
    let in_first_shard =
        (1_000..u16::MAX).map(|port| between((1, port), (2, 80))).filter(|s| shard_of(s.hash) == 0);
    let resets: Vec<Segment> = in_first_shard
        .take(65)
        .zip(1..)
        .map(|(segment, frame)| Segment {
            frame,
            time_ns: 1_770_000_000_000_000_000 + frame * 1_000,
            flags: TcpFlags(TcpFlags::RST),
            seq: 5_000,
            ..segment
        })
        .collect();
    for (count, cut) in [(64, 0), (65, 1)] {
        let judged = share(&resets[..count], 1, 7, 4096).judged;
        assert_eq!(judged.len(), count);
        let early: Vec<u64> = judged
            .iter()
            .map(|judged| event_of(&judged.open, &Surroundings::default()))
            .filter(|event| event.evidence.get(Fact::WindowCut) == Some(1))
            .map(|event| event.frame)
            .collect();
        assert_eq!(early, (1..=cut).collect::<Vec<u64>>(), "{count} resets, room for 64");
    }
}

#[test]
fn a_time_stamp_from_the_future_stops_no_clock() {
    let mut tape = Tape::new();
    tape.established();
    tape.client().data(10);
    tape.server().active();
    let mut taken = frames(&tape, &PLAIN);
    let reset = taken.len() - 1;
    let reset_ns = taken[reset].0;
    taken[reset - 1].0 = u64::MAX - 5;
    let mut run = run();
    run.take(&taken);
    assert!(run.judged().is_empty());
    run.engine.advance(reset_ns + 2_000_000_000);
    assert_eq!(run.judged().len(), 1);
    run.end();
}

#[test]
fn a_clock_that_is_set_back_cuts_what_was_open() {
    let mut tape = Tape::new();
    tape.wait(3_600 * S);
    tape.established();
    tape.server().active();
    let reset = tape.packets.len();
    tape.server().data(10);
    let mut taken = frames(&tape, &PLAIN);
    for (seconds, open) in [(1, 0), (50, 0), (70, 1)] {
        taken[reset].0 = taken[reset - 1].0 - seconds * 1_000_000_000;
        let mut run = run();
        run.take(&taken);
        let cut: Vec<bool> =
            run.judged().iter().map(|judged| judged.open.after.window_cut).collect();
        assert_eq!(cut, vec![true; open], "{seconds} s back");
        run.end();
    }
}

#[test]
fn every_state_of_a_connection_has_its_name_in_zeek() {
    type Story = fn(&mut Tape);
    let cases: [(&str, &str, Story); 9] = [
        ("REJ", "Sr", |t| {
            t.client().syn();
            t.server().reply();
        }),
        ("RSTOS0", "SR", |t| {
            t.client().syn();
            t.wait(S);
            t.client().active();
        }),
        ("RSTO", "ShR", |t| {
            t.client().syn();
            t.server().syn_ack();
            t.client().reply();
        }),
        ("RSTO", "ShADadR", |t| {
            t.established();
            t.client().active();
        }),
        ("RSTR", "ShADadr", |t| {
            t.established();
            t.server().active();
        }),
        ("RSTR", "ShADadFr", |t| {
            t.established();
            t.client().fin();
            t.server().active();
        }),
        ("RSTRH", "hr", |t| {
            t.server().syn_ack().ack = 1;
            t.server().active();
        }),
        ("SF", "ShADadFfR", |t| {
            t.established();
            t.client().fin();
            t.server().fin();
            t.client().reply();
        }),
        ("OTH", "Dar", |t| {
            t.end(CLIENT).nxt = 5_000;
            t.end(SERVER).nxt = 9_000;
            t.client().data(10);
            t.server().ack();
            t.server().active();
        }),
    ];
    for (state, history, story) in cases {
        let mut tape = Tape::new();
        story(&mut tape);
        let event = play(&tape, &PLAIN).events[0];
        assert_eq!((event.conn_state.name(), event.history.as_str()), (state, history));
    }
}

#[test]
fn a_stage_says_how_far_the_connection_had_come() {
    let mut tape = Tape::new();
    let reach = |packets: usize| {
        let mut tape = Tape::new();
        tape.client().syn();
        tape.server().syn_ack();
        tape.client().ack();
        tape.client().send(ACK | PSH, b"first");
        tape.server().ack();
        tape.client().send(ACK | PSH, b"second");
        tape.packets.truncate(packets);
        tape.server().active();
        play(&tape, &PLAIN).events[0].stage.name()
    };
    let stages = ["post_syn", "post_syn", "post_ack", "post_psh", "post_psh", "later"];
    assert_eq!([1, 2, 3, 4, 5, 6].map(reach), stages);
    tape.end(CLIENT).nxt = 4_000;
    tape.client().data(10);
    tape.server().active();
    assert_eq!(play(&tape, &PLAIN).events[0].stage.name(), "later", "joined late");
}
