//! Resets that no user notices.

use super::{Case, Want, check, tape_of};
use crate::conversation::{ACK, FIN, MS, RST, S, Tape};
use crate::play::{PLAIN, play};

#[test]
fn resets_around_a_close_are_not_failures() {
    check(&[
        Case {
            name: "a stray segment after both FINs, and the answer's answer",
            want: &[Want(&["0.1"], 85)],
            story: |t| {
                t.established();
                t.server().fin();
                t.client().fin();
                t.server().ack();
                t.wait(100 * MS);
                t.client().ack();
                t.server().reply();
                t.server().ack();
                t.client().reply();
            },
        },
        Case {
            name: "SO_LINGER 0 after a full exchange",
            want: &[Want(&["0.2"], 60)],
            story: |t| {
                t.established();
                t.wait(2 * MS);
                t.server().active();
            },
        },
        Case {
            name: "Windows: the same with window 0 and without timestamps",
            want: &[Want(&["0.2"], 60)],
            story: |t| {
                t.windows();
                t.established();
                t.wait(2 * MS);
                t.server().active_windows();
            },
        },
        Case {
            name: "the client resets after the server's FIN",
            want: &[Want(&["0.2"], 60)],
            story: |t| {
                t.established();
                t.server().fin();
                t.client().ack();
                t.client().active();
            },
        },
        Case {
            name: "TCP_LINGER2: shutdown, then close",
            want: &[Want(&["0.2"], 60)],
            story: |t| {
                t.established();
                t.server().fin();
                t.client().ack();
                t.server().active();
            },
        },
    ]);
}

#[test]
fn answers_to_what_was_on_its_way_and_to_probes_are_not_failures() {
    check(&[
        Case {
            name: "data that crossed the server's FIN",
            want: &[Want(&["0.3"], 70)],
            story: |t| {
                t.established();
                t.server().fin();
                t.end(0).deaf = true;
                t.client().data(100);
                t.server().reply();
            },
        },
        Case {
            name: "the client closes after reading, the server streams on: one reset for each segment",
            want: &[Want(&["0.3", "4.6", "2.2"], 60)],
            story: |t| {
                t.established();
                t.client().fin();
                for _ in 0..4 {
                    t.server().data(1000);
                    t.client().reply();
                }
            },
        },
        Case {
            name: "a half-open probe by raw packets",
            want: &[Want(&["0.6"], 70)],
            story: |t| {
                let syn = t.client().syn();
                (syn.ttl, syn.window, syn.id) = (55, 1024, 33_000);
                syn.options.truncate(1);
                t.wait(900);
                t.server().syn_ack();
                t.client().reply();
            },
        },
        Case {
            name: "a number inside the window that is not the next, and both went on",
            want: &[Want(&["0.5"], 80)],
            story: |t| {
                t.established();
                t.server().forged(RST, 50).seq += 5_000;
                t.client().ack();
                for _ in 0..3 {
                    t.exchange(100, 400);
                }
            },
        },
    ]);
}

#[test]
fn a_lone_socket_kill_is_never_more_than_a_suspicion() {
    let story: fn(&mut Tape) = |t| {
        t.established();
        t.wait(10 * S);
        t.server().active();
    };
    check(&[Case { name: "idle, then reset", want: &[Want(&["0.2", "4.2"], 40)], story }]);
    let event = play(&tape_of(story), &PLAIN).events[0];
    let kill =
        event.verdict.alternatives.iter().flatten().find(|claim| claim.subcause.id() == "6.1");
    assert!(kill.is_some_and(|claim| claim.percent <= 35), "{:?}", event.verdict);
}

#[test]
fn fins_in_either_order_make_the_rest_a_close() {
    // A port-unreachable tail: FIN-ACK answered by RST-ACK with the FIN's own number, as macOS does.
    check(&[Case {
        name: "a reset with the number of its own FIN",
        want: &[Want(&["0.1", "0.2"], 60)],
        story: |t| {
            t.established();
            t.client().fin();
            t.server().send(ACK | FIN, b"");
            let rst = t.client().active();
            rst.seq -= 1;
        },
    }]);
}
