//! Paths that lose packets, and timers that give up.

use super::{Case, Want, check};
use crate::conversation::{MS, S, SERVER, Tape};

#[test]
fn timers_that_give_up_are_told_by_what_went_unanswered() {
    check(&[
        Case {
            name: "keepalive probes went unanswered",
            want: &[Want(&["5.1"], 85)],
            story: |t| {
                t.established();
                t.wait(240 * S);
                for _ in 0..2 {
                    t.server().probe();
                    t.wait(S);
                }
                t.server().active();
            },
        },
        Case {
            name: "Windows: retransmissions went unanswered, and it says so",
            want: &[Want(&["5.2"], 60)],
            story: |t| {
                t.windows();
                t.established();
                t.client().data(100);
                retransmit(t, 100, 5);
                t.client().active_windows();
            },
        },
        Case {
            name: "Linux forgets silently; a late packet of the peer finds nothing",
            want: &[Want(&["5.3"], 80)],
            story: |t| {
                t.established();
                t.end(0).deaf = true;
                t.server().data(500);
                for wait in [200, 400, 800] {
                    t.wait(wait * MS);
                    t.server().again(500);
                }
                t.wait(20 * S);
                t.client().data(100);
                t.server().reply();
            },
        },
        Case {
            name: "the SYN-ACK was sent again and again, then reset",
            want: &[Want(&["5.4"], 55)],
            story: |t| {
                t.client().syn();
                t.server().syn_ack();
                t.wait(S);
                t.server().syn_ack();
                t.wait(2 * S);
                t.server().syn_ack();
                t.wait(4 * S);
                t.server().active();
            },
        },
        Case {
            name: "the program loses patience while its data is lost",
            want: &[Want(&["5.5"], 50)],
            story: |t| {
                t.established();
                t.client().data(100);
                retransmit(t, 100, 4);
                t.client().active();
            },
        },
    ]);
}

fn retransmit(t: &mut Tape, len: usize, times: u32) {
    for turn in 0..times {
        t.wait((300 * MS) << turn);
        t.client().again(len);
    }
}

#[test]
fn retransmissions_before_progress_are_no_reason_for_a_reset_after_it() {
    check(&[
        Case {
            name: "four SYNs until one was answered",
            want: &[Want(&["4.2", "0.6", "4.6"], 50)],
            story: |t| {
                for _ in 0..4 {
                    t.client().syn();
                    t.wait(S);
                }
                t.server().syn_ack();
                t.client().ack();
                t.wait(20 * MS);
                t.client().active();
            },
        },
        Case {
            name: "four SYN-ACKs until one was acknowledged, then an exchange",
            want: &[Want(&["0.2"], 60)],
            story: |t| {
                t.client().syn();
                for _ in 0..4 {
                    t.server().syn_ack();
                    t.wait(S);
                }
                t.client().ack();
                t.exchange(300, 400);
                t.end(SERVER).window = 501;
                t.wait(2 * MS);
                t.server().active();
            },
        },
    ]);
}
