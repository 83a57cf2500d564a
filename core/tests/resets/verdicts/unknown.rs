//! Captures that show too little.

use super::{Case, Want, check};
use crate::conversation::Tape;

/// A conversation whose beginning the capture missed.
fn joined_late(t: &mut Tape) {
    for side in 0..2 {
        t.end(side).nxt = 10_000;
        t.end(side).rcv = 10_000;
    }
}

#[test]
fn a_capture_that_shows_too_little_says_so() {
    check(&[
        Case {
            name: "two packets and a reset",
            want: &[Want(&["7.1"], 30)],
            story: |t| {
                joined_late(t);
                t.server().data(100);
                t.client().ack();
                t.server().active();
            },
        },
        Case {
            name: "a request that is left unanswered says enough",
            want: &[Want(&["4.1"], 50)],
            story: |t| {
                joined_late(t);
                t.client().data(100);
                t.server().ack();
                t.server().active();
            },
        },
        Case {
            name: "one direction",
            want: &[Want(&["7.2"], 30)],
            story: |t| {
                joined_late(t);
                for _ in 0..4 {
                    t.server().data(100);
                }
                t.server().active();
            },
        },
    ]);
}
