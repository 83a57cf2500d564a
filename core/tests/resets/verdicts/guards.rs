//! False positives that must not happen, whatever the rules become.

use super::{tape_of, variants};
use crate::conversation::{CLIENT, MS, S, SERVER, Tape};
use crate::distort::{copies, overtaken};
use crate::play::{PLAIN, Played, play};

/// A story, and ids, or beginnings of ids, that none of its events may get.
struct Never(&'static str, &'static [&'static str], fn(&mut Tape));

fn check(cases: &[Never]) {
    for Never(name, forbidden, story) in cases {
        let tape = tape_of(*story);
        let distorted = (2..5).map(|times| copies(&tape, times, false));
        let tapes = distorted.chain((1..4).filter_map(|over| overtaken(&tape, over)));
        let plays = tapes.map(|tape| play(&tape, &PLAIN));
        let plays = plays.chain(variants().into_iter().map(|variant| play(&tape, &variant)));
        let mut judged = 0;
        for Played { events, .. } in plays {
            for event in &events {
                let claim = event.verdict.claim;
                let id = claim.subcause.id();
                let wrong = forbidden.iter().any(|beginning| id.starts_with(beginning));
                assert!(!wrong, "{name}: {id}, {} %", claim.percent);
            }
            judged += events.len();
        }
        assert!(judged > 0, "{name}: no event");
    }
}

/// A service that sets its own time to live, 136 above what its host uses without a connection.
fn own_ttl(t: &mut Tape) {
    t.end(SERVER).ttl = 199;
    t.end(SERVER).system_ttl = 63;
}

#[test]
fn an_identification_that_jumps_to_zero_is_no_injection() {
    check(&[
        Never("state lost, then data", &["3"], |t| {
            t.established();
            t.wait(5 * S);
            t.client().data(100);
            t.server().reply();
        }),
        Never("the client sends on after the server's close", &["3"], |t| {
            t.established();
            t.server().fin();
            t.client().ack();
            t.client().data(100);
            t.server().reply();
        }),
        Never("the listener is closed with connections in its queue", &["3"], |t| {
            t.handshake();
            t.wait(20 * MS);
            t.server().active();
        }),
        Never("the client has closed, the server streams on", &["3"], |t| {
            t.established();
            t.client().fin();
            for _ in 0..5 {
                t.server().data(1400);
                t.client().reply();
            }
        }),
        Never("Linux gives up silently, then the peer speaks", &["3"], |t| {
            t.established();
            t.end(CLIENT).deaf = true;
            t.server().data(500);
            for wait in [200, 400] {
                t.wait(wait * MS);
                t.server().again(500);
            }
            t.wait(3 * S);
            t.client().data(100);
            t.server().reply();
        }),
    ]);
}

#[test]
fn a_reply_with_the_systems_time_to_live_is_no_injection() {
    check(&[
        Never("after a close", &["3"], |t| {
            own_ttl(t);
            t.established();
            t.server().fin();
            t.client().ack();
            t.wait(300 * MS);
            t.client().data(100);
            t.server().reply();
        }),
        Never("after the state was lost", &["3"], |t| {
            own_ttl(t);
            t.established();
            t.wait(90 * S);
            t.client().data(100);
            t.server().reply();
        }),
        Never("to data that crossed the FIN and its acknowledgement", &["3"], |t| {
            own_ttl(t);
            t.established();
            let crossed = t.client().data(100).clone();
            t.server().data(900);
            t.server().fin();
            t.client().ack();
            t.server().reply_to(&crossed);
        }),
        Never("to a SYN, on a host whose service sets its own", &["3"], |t| {
            own_ttl(t);
            t.established();
            t.connect((1, 40_200), (100, 444));
            t.end(SERVER).system_ttl = 63;
            t.wait(S);
            t.client().syn();
            t.wait(900);
            t.server().reply();
        }),
        Never("several, after a close", &["3"], |t| {
            own_ttl(t);
            t.established();
            t.server().fin();
            t.client().ack();
            for _ in 0..4 {
                t.client().data(100);
                t.wait(30 * MS);
                t.server().reply();
            }
        }),
    ]);
}

#[test]
fn a_refusal_that_is_followed_by_acceptance_is_no_device() {
    check(&[
        Never("asked again with the same number", &["3"], |t| {
            t.client().syn();
            t.server().reply();
            t.wait(500 * MS);
            t.client().syn();
            t.server().reply();
            t.wait(500 * MS);
            t.established();
        }),
        Never("asked again with another number", &["3"], |t| {
            t.client().syn().seq = 70_000;
            t.server().reply().ack = 70_001;
            t.wait(S);
            t.established();
        }),
        Never("asked again at once", &["3"], |t| {
            t.client().syn();
            t.server().reply();
            t.wait(5 * MS);
            t.established();
        }),
        Never("the service restarts while others connect", &["3"], |t| {
            t.established();
            t.server().fin();
            t.client().fin();
            t.server().ack();
            t.wait(S);
            for _ in 0..3 {
                t.sibling();
                t.client().syn();
                t.wait(900);
                t.server().reply();
                t.wait(300 * MS);
            }
            t.established();
        }),
    ]);
}

#[test]
fn a_late_syn_ack_and_a_half_open_probe_are_not_swapped() {
    check(&[
        Never("the SYN-ACK comes a second late", &["0.6"], |t| {
            t.client().syn();
            t.wait(S);
            t.server().syn_ack();
            t.client().reply();
        }),
        Never("a raw SYN is answered at once, and the kernel resets", &["2.5", "3"], |t| {
            t.client().syn().ttl = 55;
            t.server().syn_ack();
            t.client().reply();
        }),
    ]);
}

#[test]
fn timers_and_crowds_are_not_somebodys_intention() {
    check(&[
        Never("keepalive expires after a known idle time", &["6.4", "6.1"], |t| {
            t.established();
            t.wait(60 * S);
            for _ in 0..2 {
                t.server().probe();
                t.wait(S);
            }
            t.server().active();
        }),
        Never("a process with five connections is killed", &["6.1"], |t| {
            let talks: Vec<usize> = (0..5)
                .map(|_| {
                    let talk = t.sibling();
                    t.established();
                    talk
                })
                .collect();
            for &talk in &talks[..2] {
                t.on(talk).client().data(1);
                t.server().ack();
            }
            t.wait(S);
            t.step_us = 20;
            for &talk in &talks {
                if talk <= talks[1] {
                    t.on(talk).server().active();
                } else {
                    t.on(talk).server().fin();
                    t.client().ack();
                }
            }
            t.step_us = 200;
            t.wait(500 * MS);
            t.sibling();
            t.client().syn();
            t.wait(900);
            t.server().reply();
        }),
        Never("one keepalive probe, and much later an abort", &["5.1"], |t| {
            t.established();
            t.wait(60 * S);
            t.server().probe();
            t.client().ack();
            t.wait(45 * S + 300 * MS);
            t.server().active();
        }),
    ]);
}
