//! Closed ports, and hosts that have no such connection or none any more.

use super::{Case, Want, check};
use crate::conversation::{ACK, MS, PSH, RST, S, SYN, Tape};

#[test]
fn a_refused_syn_is_told_by_what_else_the_host_does() {
    check(&[
        Case {
            name: "nothing else is known of the host",
            want: &[Want(&["1.1"], 50)],
            story: |t| {
                t.client().syn();
                t.server().reply();
            },
        },
        Case {
            name: "another port of the host is open, as far away and no quicker",
            want: &[Want(&["1.1"], 80)],
            story: |t| {
                t.established();
                t.connect((1, 40_100), (100, 81));
                t.wait(S);
                t.client().syn();
                t.wait(900);
                t.server().reply();
            },
        },
        Case {
            name: "the service had accepted before",
            want: &[Want(&["1.2"], 55)],
            story: |t| {
                t.established();
                t.client().fin();
                t.server().fin();
                t.client().ack();
                t.sibling();
                t.wait(5 * S);
                t.client().syn();
                t.wait(900);
                t.server().reply();
            },
        },
        Case {
            name: "Windows: the client asks three times half a second apart",
            want: &[Want(&["1.1"], 50)],
            story: |t| {
                t.windows();
                for _ in 0..3 {
                    t.client().syn();
                    refuse_windows(t);
                    t.wait(500 * MS);
                }
            },
        },
        Case {
            name: "a client asks again after the race window",
            want: &[Want(&["1.1"], 50), Want(&["1.1"], 50)],
            story: |t| {
                for _ in 0..2 {
                    t.client().syn();
                    t.server().reply();
                    t.wait(5 * S);
                }
            },
        },
    ]);
}

#[test]
fn a_port_that_is_used_again_and_refused_is_a_closed_port() {
    check(&[Case {
        name: "the end of the old connection was not captured",
        want: &[Want(&["1.1", "1.2"], 50)],
        story: |t| {
            t.established();
            t.wait(100 * S);
            t.client().send(SYN, b"").seq = 900_000;
            t.wait(900);
            t.server().reply();
        },
    }]);
}

fn refuse_windows(t: &mut Tape) {
    let packet = t.server().reply();
    packet.id = 0x4242;
}

#[test]
fn one_source_that_is_refused_everywhere_scans() {
    check(&[Case {
        name: "twelve ports",
        want: &const { [const { Want(&["1.3"], 85) }; 12] },
        story: |t| {
            for port in 0..12 {
                t.connect((1, 41_000 + port), (100, 2_000 + port));
                t.client().syn();
                t.server().reply();
            }
        },
    }]);
}

#[test]
fn a_host_without_the_connection_answers_with_a_bare_reset() {
    check(&[
        Case {
            name: "state lost, then data",
            want: &[Want(&["2.1"], 75)],
            story: |t| {
                t.established();
                t.wait(100 * S);
                t.client().data(100);
                t.wait(900);
                t.server().reply();
            },
        },
        Case {
            name: "state lost, and the client insists: one event",
            want: &[Want(&["2.1"], 75)],
            story: |t| {
                t.established();
                t.wait(100 * S);
                t.client().data(100);
                t.client().data(100);
                t.wait(900);
                t.server().reply();
                t.server().reply();
            },
        },
        Case {
            name: "the server closes, the client sends more",
            want: &[Want(&["2.2"], 80)],
            story: |t| {
                t.established();
                t.server().fin();
                t.client().ack();
                t.wait(300 * MS);
                t.client().data(100);
                t.wait(900);
                t.server().reply();
            },
        },
        Case {
            name: "the same when FIN_WAIT has timed out",
            want: &[Want(&["2.2"], 80)],
            story: |t| {
                t.established();
                t.server().fin();
                t.client().ack();
                t.wait(70 * S);
                t.client().data(100);
                t.wait(900);
                t.server().reply();
            },
        },
    ]);
}

#[test]
fn an_answer_that_comes_too_late_finds_nobody() {
    check(&[
        Case {
            name: "a SYN-ACK after the initiator asked twice",
            want: &[Want(&["2.5"], 80)],
            story: |t| {
                t.client().syn();
                t.wait(S);
                t.client().syn();
                t.wait(200 * MS);
                t.server().syn_ack();
                t.client().reply();
            },
        },
        Case {
            name: "a SYN-ACK a second late",
            want: &[Want(&["2.5"], 80)],
            story: |t| {
                t.client().syn();
                t.wait(S);
                t.server().syn_ack();
                t.client().reply();
            },
        },
        Case {
            name: "a SYN-ACK that acknowledges another SYN",
            want: &[Want(&["2.5"], 60)],
            story: |t| {
                t.client().syn();
                t.server().syn_ack().ack = 5_000;
                t.client().reply();
            },
        },
    ]);
}

#[test]
fn a_packet_for_a_connection_that_never_was_or_is_forgotten_is_told_apart() {
    check(&[
        Case {
            name: "an acknowledgement of bytes never sent, past an address translator",
            want: &[Want(&["2.6"], 60)],
            story: |t| {
                t.established();
                t.client().ack().ack += 3_000_000;
                t.server().reply();
            },
        },
        Case {
            name: "a balancer has forgotten an idle connection",
            want: &[Want(&["2.4"], 60)],
            story: |t| {
                t.established();
                t.wait(350 * S);
                t.client().data(100);
                t.server().reply().ttl = 64;
            },
        },
        Case {
            name: "a SYN-ACK that nobody asked for",
            want: &[Want(&["2.7"], 60)],
            story: |t| {
                t.server().syn_ack().ack = 1;
                t.client().reply();
            },
        },
        Case {
            name: "nothing but a bare RST",
            want: &[Want(&["2.7"], 40)],
            story: |t| {
                t.server().forged(RST, 62).seq = 77_000;
            },
        },
    ]);
}

#[test]
fn what_follows_a_reset_is_its_aftermath() {
    check(&[
        Case {
            name: "the client had data on its way when the server aborted",
            want: &[Want(&["4.1", "4.2"], 50), Want(&["2.3"], 90)],
            story: |t| {
                t.established();
                t.client().data(200);
                t.server().active();
                t.client().data(200);
                t.server().reply();
            },
        },
        Case {
            name: "long after the reset a packet still comes",
            want: &[Want(&["4.1", "4.2"], 50), Want(&["2.3"], 90)],
            story: |t| {
                t.established();
                t.client().data(200);
                t.server().active();
                t.wait(30 * S);
                t.client().data(200);
                t.server().reply();
            },
        },
    ]);
}

#[test]
fn a_second_attempt_that_is_accepted_is_another_connection() {
    check(&[
        Case {
            name: "the same initial sequence number",
            want: &[Want(&["1.1", "1.2"], 50)],
            story: |t| {
                t.client().syn();
                t.wait(900);
                t.server().reply();
                t.wait(500 * MS);
                t.established();
            },
        },
        Case {
            name: "another initial sequence number",
            want: &[Want(&["1.1", "1.2"], 50)],
            story: |t| {
                t.client().syn().seq = 70_000;
                t.wait(900);
                t.server().reply().ack = 70_001;
                t.wait(500 * MS);
                t.established();
            },
        },
        Case {
            name: "ten seconds later",
            want: &[Want(&["1.1", "1.2"], 50)],
            story: |t| {
                t.client().syn();
                t.wait(900);
                t.server().reply();
                t.wait(10 * S);
                t.established();
            },
        },
    ]);
}

#[test]
fn a_new_syn_on_an_old_connection_clears_the_way() {
    check(&[Case {
        name: "challenged, reset, opened again",
        want: &[Want(&["0.4"], 85)],
        story: |t| {
            t.established();
            t.wait(20 * S);
            // The client has restarted and uses the port again.
            t.client().send(SYN, b"").seq = 900_000;
            t.wait(900);
            t.server().ack().ack = 1 + 300;
            t.client().reply();
            t.wait(S);
            t.client().send(SYN, b"").seq = 900_000;
            t.wait(900);
            let syn_ack = t.server().send(SYN | ACK, b"");
            (syn_ack.seq, syn_ack.ack) = (7_000_000, 900_001);
            let ack = t.client().ack();
            (ack.seq, ack.ack) = (900_001, 7_000_001);
            let data = t.client().send(ACK | PSH, b"again");
            (data.seq, data.ack) = (900_001, 7_000_001);
        },
    }]);
}
