//! Devices in the path that write resets in others' names.

use super::{Case, Want, check};
use crate::conversation::{ACK, CLIENT, MS, PSH, RST, S, SERVER};

#[test]
fn a_device_that_refuses_a_syn_does_not_behave_like_the_host() {
    check(&[
        Case {
            name: "nearer and quicker than the host, while the service accepts others",
            want: &[Want(&["3.1"], 75)],
            story: |t| {
                t.established();
                t.connect((2, 40_500), (100, 443));
                t.wait(S);
                t.client().syn();
                t.server().reply().ttl = 64;
            },
        },
        Case {
            name: "the DSCP was not copied",
            want: &[Want(&["3.1"], 50)],
            story: |t| {
                t.end(CLIENT).tos = 0x28;
                t.client().syn();
                t.server().reply().tos = 0;
            },
        },
        Case {
            name: "a host copies the DSCP",
            want: &[Want(&["1.1"], 50)],
            story: |t| {
                t.end(CLIENT).tos = 0x28;
                t.client().syn();
                t.server().reply();
            },
        },
        Case {
            name: "the host accepts the SYN that was refused in its name",
            want: &[Want(&["3.1"], 80)],
            story: |t| {
                t.client().syn();
                t.server().reply().ttl = 47;
                t.wait(20 * MS);
                t.server().syn_ack();
            },
        },
    ]);
}

#[test]
fn a_host_that_lives_on_did_not_write_the_reset() {
    check(&[
        Case {
            name: "a rule cuts client to server; the server goes on sending",
            want: &[Want(&["3.2"], 80), Want(&["2.3"], 85)],
            story: |t| {
                t.established();
                t.server().data(700);
                t.end(CLIENT).deaf = true;
                t.client().data(100);
                t.server().reply().ttl = 63;
                t.wait(200 * MS);
                t.server().again(700);
                t.client().reply();
            },
        },
        Case {
            name: "an exact guess, and then what the host really sent",
            want: &[Want(&["3.3", "3.2"], 80), Want(&["2.3"], 85)],
            story: |t| {
                t.established();
                t.client().data(100);
                t.step_us = 100;
                t.server().forged(RST, 50);
                t.wait(8 * MS);
                t.server().data(900);
                t.client().reply();
            },
        },
        Case {
            name: "three guesses to each side after the first payload",
            want: &[Want(&["3.3"], 75)],
            story: |t| {
                t.handshake();
                t.client().send(ACK | PSH, b"GET / HTTP/1.1\r\nHost: forbidden.example\r\n\r\n");
                t.step_us = 30;
                for side in [SERVER, CLIENT] {
                    for ahead in [0, 1460, 4380] {
                        let speaker = if side == CLIENT { t.client() } else { t.server() };
                        speaker.forged(RST | ACK, 46).seq += ahead;
                    }
                }
            },
        },
        Case {
            name: "guesses all over the window, and the connection lives",
            want: &[Want(&["3.4"], 70)],
            story: |t| {
                t.established();
                for guess in 1..6 {
                    t.server().forged(RST, 50).seq += guess * 9_000;
                    t.client().ack();
                }
                for _ in 0..3 {
                    t.exchange(100, 400);
                }
            },
        },
    ]);
}

#[test]
fn a_device_may_say_itself_what_it_did() {
    check(&[
        Case {
            name: "F5 writes its reason into the reset",
            want: &[Want(&["3.6"], 90)],
            story: |t| {
                t.established();
                t.client().data(100);
                let rst = t.server().forged(RST | ACK, 255);
                rst.payload = b"BIG-IP: [0x2664c65:2574] No flow found for ACK".to_vec();
            },
        },
        Case {
            name: "long after the close, a reset with the connection's numbers from elsewhere",
            want: &[Want(&["3.5"], 55)],
            story: |t| {
                t.established();
                t.server().fin();
                t.client().fin();
                t.server().ack();
                t.wait(60 * S);
                t.client().forged(RST | ACK, 255);
            },
        },
    ]);
}
