//! Programs that end connections.

use super::{Case, Want, check};
use crate::conversation::{ACK, MS, PSH, S, Tape};

pub(super) const CLIENT_HELLO: [u8; 60] = {
    let mut hello = [0; 60];
    (hello[0], hello[1], hello[2], hello[4], hello[5], hello[8]) = (22, 3, 1, 55, 1, 51);
    hello
};

#[test]
fn a_program_that_aborts_is_told_by_what_it_left() {
    check(&[
        Case {
            name: "closed with the request unread",
            want: &[Want(&["4.1"], 55)],
            story: |t| {
                t.handshake();
                t.client().data(300);
                t.wait(5 * MS);
                t.server().active();
            },
        },
        Case {
            name: "Windows: the same",
            want: &[Want(&["4.1"], 55)],
            story: |t| {
                t.windows();
                t.handshake();
                t.client().data(300);
                t.wait(5 * MS);
                t.server().active_windows();
            },
        },
        Case {
            name: "responded, and closed with the rest of the request unread",
            want: &[Want(&["4.1", "0.2"], 55)],
            story: |t| {
                t.handshake();
                t.client().data(1000);
                t.server().data(400);
                t.client().data(1000);
                t.server().active();
            },
        },
        Case {
            name: "aborted with its own data on the way",
            want: &[Want(&["4.2"], 55)],
            story: |t| {
                t.established();
                t.client().data(100);
                t.server().data(1000);
                t.server().data(1000);
                t.server().active();
            },
        },
    ]);
}

#[test]
fn a_service_that_cannot_take_a_connection_on_says_nothing_on_it() {
    check(&[
        Case {
            name: "reset between SYN-ACK and its acknowledgement",
            want: &[Want(&["4.4", "4.5"], 40)],
            story: |t| {
                t.client().syn();
                t.server().syn_ack();
                t.server().active();
            },
        },
        Case {
            name: "the listener was closed with the connection in its queue",
            want: &[Want(&["4.5"], 55)],
            story: |t| {
                t.handshake();
                t.wait(20 * MS);
                t.server().active();
            },
        },
        Case {
            name: "the queue of new connections was full",
            want: &[Want(&["4.5"], 60)],
            story: |t| {
                t.handshake();
                t.wait(S);
                repeat_syn_ack(t);
                t.client().ack();
                t.client().data(100);
                t.server().reply();
            },
        },
    ]);
}

#[test]
fn a_tls_handshake_that_fails_is_told_by_its_first_bytes() {
    check(&[Case {
        name: "a ClientHello is answered with a reset",
        want: &[Want(&["4.7"], 55)],
        story: |t| {
            t.handshake();
            t.client().send(ACK | PSH, &CLIENT_HELLO);
            t.wait(2 * MS);
            t.server().active();
        },
    }]);
}

#[test]
fn a_client_that_leaves_leaves_in_mid_exchange() {
    check(&[
        Case {
            name: "the client leaves in the middle of a download",
            want: &[Want(&["4.6"], 55)],
            story: |t| {
                t.established();
                t.client().data(100);
                for _ in 0..5 {
                    t.server().data(1400);
                }
                t.client().active();
            },
        },
        Case {
            name: "the client leaves while it waits for the answer",
            want: &[Want(&["4.6"], 50)],
            story: |t| {
                t.handshake();
                t.client().data(100);
                t.server().ack();
                t.wait(30 * S);
                t.client().active();
            },
        },
    ]);
}

fn repeat_syn_ack(t: &mut Tape) {
    let nxt = t.end(1).nxt;
    t.server().syn_ack();
    t.end(1).nxt = nxt;
}

#[test]
fn a_process_that_ends_takes_its_connections_and_its_port() {
    check(&[Case {
        name: "two with unread data are reset, three are closed, and the port refuses",
        want: &[Want(&["4.3"], 70), Want(&["4.3"], 70), Want(&["1.2"], 55)],
        story: |t| {
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
            t.step_us = 40;
            for &talk in &talks[..2] {
                t.on(talk).server().active();
            }
            for &talk in &talks[2..] {
                t.on(talk).server().fin();
                t.client().ack();
            }
            t.step_us = 200;
            t.wait(500 * MS);
            t.sibling();
            t.client().syn();
            t.wait(900);
            t.server().reply();
        },
    }]);
}
