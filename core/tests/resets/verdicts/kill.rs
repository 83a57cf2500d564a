//! Connections that somebody ended on purpose.

use super::{Case, Want, check};
use crate::conversation::{ACK, CLIENT, MS, RST, S, SERVER, SYN, Tape};

#[test]
fn tools_that_kill_connections_leave_patterns() {
    check(&[
        Case {
            name: "ss -K on five connections of a service that goes on",
            want: &const { [const { Want(&["6.1"], 60) }; 5] },
            story: |t| {
                let talks: Vec<usize> = (0..5)
                    .map(|_| {
                        let talk = t.sibling();
                        t.established();
                        talk
                    })
                    .collect();
                t.wait(10 * S);
                t.step_us = 80;
                for talk in talks {
                    t.on(talk).server().active();
                }
                t.step_us = 200;
                t.wait(500 * MS);
                t.sibling();
                t.established();
            },
        },
        Case {
            name: "tcpkill: guesses spaced by the raw window, to both sides",
            want: &[Want(&["6.2"], 85)],
            story: |t| {
                t.established();
                t.client().data(100);
                t.step_us = 30;
                tcpkill(t, SERVER);
                tcpkill(t, CLIENT);
                t.step_us = 200;
                t.server().ack();
                t.step_us = 30;
                tcpkill(t, SERVER);
            },
        },
        Case {
            name: "killcx: a forged SYN, the challenge, a reset to each side",
            want: &[Want(&["6.3"], 80)],
            story: |t| {
                t.established();
                t.wait(3 * S);
                let syn = t.client().send(SYN, b"");
                (syn.seq, syn.ttl, syn.id) = (5_555_555, 63 - 30, 1);
                syn.options.clear();
                t.end(CLIENT).nxt = 301;
                t.server().ack();
                t.client().forged(RST, 34);
                t.server().forged(RST, 34);
            },
        },
        Case {
            name: "a device's idle timer resets both ends",
            want: &[Want(&["6.4"], 70)],
            story: |t| {
                t.established();
                t.wait(240 * S);
                t.server().forged(RST | ACK, 61);
                t.client().forged(RST | ACK, 61);
            },
        },
    ]);
}

/// Three guesses in the name of `side`, as dsniff's tcpkill writes them.
fn tcpkill(t: &mut Tape, side: usize) {
    let window = t.end(side ^ 1).window;
    for (turn, factor) in [0, 1, 3].into_iter().enumerate() {
        let speaker = if side == CLIENT { t.client() } else { t.server() };
        let packet = speaker.forged(RST, 64);
        packet.seq += factor * u32::from(window);
        packet.df = false;
        packet.id = [0x7411, 0x0293, 0xc0de][turn];
    }
}
