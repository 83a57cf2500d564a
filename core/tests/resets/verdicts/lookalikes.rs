//! Resets that share their most striking sign with another cause, and what tells them apart.

use super::application::CLIENT_HELLO;
use super::{Case, Want, check, tape_of};
use crate::conversation::{ACK, CLIENT, MS, PSH, RST, S, SERVER, SYN};
use crate::play::{PLAIN, play};
use resetscope_core::judge::cause::Cause;

/// A TLS 1.2 or 1.3 goodbye as it shows on the wire: `close_notify`, encrypted.
const GOODBYE: [u8; 24] = {
    let mut record = [0xA5; 24];
    (record[0], record[1], record[2], record[3], record[4]) = (23, 3, 3, 0, 19);
    record
};

/// A fatal alert in the clear: `handshake_failure`.
const ALERT: [u8; 7] = [21, 3, 3, 0, 2, 2, 40];

#[test]
fn a_goodbye_is_no_data_after_a_close() {
    check(&[
        Case {
            name: "the peer answers close_notify and FIN with its own close_notify",
            want: &[Want(&["0.3"], 80)],
            story: |t| {
                t.established();
                t.exchange(200, 400);
                t.server().ack();
                t.client().send(ACK | PSH, &GOODBYE);
                t.server().ack();
                t.client().fin();
                t.server().ack();
                t.server().send(ACK | PSH, &GOODBYE);
                t.client().reply();
            },
        },
        Case {
            name: "the same with new data is data after close",
            want: &[Want(&["2.2", "4.6"], 80)],
            story: |t| {
                t.established();
                t.exchange(200, 400);
                t.server().ack();
                t.client().fin();
                t.server().ack();
                t.server().data(500);
                t.client().reply();
            },
        },
    ]);
}

#[test]
fn a_connection_whose_peer_was_just_heard_has_lost_no_path() {
    check(&[
        Case {
            name: "both ends probe, all is answered, and the program aborts",
            want: &[Want(&["0.2"], 50)],
            story: |t| {
                t.established();
                for _ in 0..4 {
                    t.wait(10 * S);
                    t.server().probe();
                    t.client().ack();
                    t.wait(2 * S);
                    t.client().probe();
                    t.server().ack();
                }
                t.wait(3_300 * MS);
                t.server().active();
            },
        },
        Case {
            name: "retransmissions of what had been acknowledged, long before the end",
            want: &[Want(&["0.2"], 50)],
            story: |t| {
                t.established();
                t.server().data(500);
                t.client().ack();
                for _ in 0..4 {
                    t.wait(300 * MS);
                    t.server().again(500);
                }
                t.wait(20 * S);
                t.server().active();
            },
        },
    ]);
}

#[test]
fn a_syn_that_opens_a_connection_is_no_tools() {
    check(&[Case {
        name: "a translator gives the port to another client, farther away",
        want: &[Want(&["0.4"], 85)],
        story: |t| {
            t.established();
            t.wait(20 * S);
            let again = |t: &mut crate::conversation::Tape| {
                let syn = t.client().send(SYN, b"");
                (syn.seq, syn.ttl, syn.id) = (900_000, 33, 9_000);
            };
            again(t);
            t.wait(900);
            t.server().ack().ack = 1 + 300;
            t.client().reply();
            t.wait(S);
            again(t);
            t.wait(900);
            let syn_ack = t.server().send(SYN | ACK, b"");
            (syn_ack.seq, syn_ack.ack) = (7_000_000, 900_001);
            let ack = t.client().ack();
            (ack.seq, ack.ack) = (900_001, 7_000_001);
        },
    }]);
}

#[test]
fn an_old_number_of_a_long_stream_is_no_other_connections() {
    check(&[Case {
        name: "the server is gone, two megabytes before the acknowledgement that it answers",
        want: &[Want(&["0.3", "2.1"], 50)],
        story: |t| {
            t.established();
            t.end(CLIENT).deaf = true;
            t.step_us = 10;
            for _ in 0..41 {
                t.server().data(50_000);
            }
            t.wait(20 * MS);
            t.client().ack();
            t.server().reply();
        },
    }]);
}

#[test]
fn data_whose_identification_comes_before_the_resets_is_no_life_after_it() {
    // Where IP has none (IPv6), nothing tells the order.
    let tape = tape_of(|t| {
        t.established();
        t.step_us = 3 * MS;
        t.client().data(300);
        t.server().data(500);
        t.server().active();
        let last = t.packets.len() - 1;
        t.packets.swap(last - 1, last);
        let (earlier, later) = (t.packets[last].time_us, t.packets[last - 1].time_us);
        (t.packets[last - 1].time_us, t.packets[last].time_us) = (earlier, later);
    });
    let events = play(&tape, &PLAIN).events;
    let causes: Vec<_> = events.iter().map(|event| event.verdict.claim.subcause.cause()).collect();
    assert_eq!(causes, [Cause::Application]);
}

#[test]
fn who_hangs_up_on_a_request_did_not_finish_an_exchange() {
    check(&[
        Case {
            name: "a request with FIN behind it, and a reset instead of an answer",
            want: &[Want(&["4.1"], 60)],
            story: |t| {
                t.handshake();
                t.client().data(300);
                t.client().fin();
                t.server().ack();
                t.wait(5 * MS);
                t.server().active();
            },
        },
        Case {
            name: "an alert and the reset in one go, before anything is acknowledged",
            want: &[Want(&["4.7"], 80)],
            story: |t| {
                t.handshake();
                t.client().send(ACK | PSH, &CLIENT_HELLO);
                t.server().send(ACK | PSH, &ALERT);
                t.server().active();
            },
        },
    ]);
}

#[test]
fn connections_that_end_as_their_peer_closes_are_nobodys_choice() {
    check(&[Case {
        name: "a server closes four idle connections, and the client resets all of them",
        want: &[Want(&["0.2"], 80), Want(&["0.2"], 80), Want(&["0.2"], 80), Want(&["0.2"], 80)],
        story: |t| {
            t.step_us = 50;
            let talks: Vec<usize> = (0..4)
                .map(|nth| {
                    let talk = if nth == 0 { 0 } else { t.sibling() };
                    t.on(talk).established();
                    talk
                })
                .collect();
            t.wait(60 * S);
            for &talk in &talks {
                t.on(talk).server().fin();
            }
            t.wait(S);
            for &talk in &talks {
                t.on(talk).end(CLIENT).deaf = false;
                t.on(talk).client().active();
            }
        },
    }]);
}

#[test]
fn new_data_is_life_whatever_its_identification() {
    // A counter that other connections moved on by more than half of all numbers.
    let tape = tape_of(|t| {
        t.established();
        t.exchange(100, 200);
        t.wait(600 * S);
        t.server().forged(RST | ACK, 62);
        t.wait(50 * MS);
        t.end(SERVER).id = t.end(SERVER).id.wrapping_add(40_000);
        t.server().data(500);
        t.wait(50 * MS);
        t.server().data(500);
    });
    let events = play(&tape, &PLAIN).events;
    let causes: Vec<_> = events.iter().map(|event| event.verdict.claim.subcause.cause()).collect();
    assert_eq!(causes, [Cause::Firewall]);
}

#[test]
fn data_that_crossed_a_fin_and_was_taken_is_no_loss() {
    check(&[Case {
        name: "a half-closed client takes the rest, both close, and a stray acknowledgement is answered",
        want: &[Want(&["0.1"], 85)],
        story: |t| {
            t.established();
            t.client().fin();
            t.end(SERVER).deaf = true;
            t.server().data(500);
            t.end(SERVER).deaf = false;
            t.client().ack();
            t.server().fin();
            t.client().ack();
            t.wait(100 * MS);
            t.server().ack();
            t.client().reply();
        },
    }]);
}
