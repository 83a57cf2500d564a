//! Group 2: the connection does not exist, or not any more.

use resetscope_core::judge::cause::Subcause as Sub;

use super::{some_exchanges, spoken};
use crate::generate::cast::Cast;
use crate::generate::flow::Step;
use crate::generate::host::{CLIENT, MS, Parties, S, SERVER};
use crate::generate::packet::{Packet, flag};
use crate::generate::payload::Opening;
use crate::generate::reset::Why;
use crate::generate::talk::{Sent, Talk};
use crate::generate::truth::Label;

const HALF_OPEN: Label = Label::new("09-half-open", Sub::HalfOpen, &[]);
const DATA_AFTER_CLOSE: Label = Label::new("10-data-after-close", Sub::DataAfterClose, &[]);
const EVICTED: Label =
    Label::new("37-nat-evicted", Sub::IdleStateLost, &[Sub::HalfOpen, Sub::NoSession]);
const LATE: Label = Label::new("27-late-syn-ack", Sub::LateSynAck, &[]);
const BYPASS: Label =
    Label::new("38-nat-bypass", Sub::NatBypass, &[Sub::Ineffective, Sub::Backscatter]);
const BACKSCATTER: Label =
    Label::new("51-backscatter", Sub::Backscatter, &[Sub::Midstream, Sub::OneWay]);
const FLUSHED: Label =
    Label::new("54-nat-flushed", Sub::NatFlush, &[Sub::IdleStateLost, Sub::NoSession]);

/// The client speaks, and nobody knows it.
fn speak(t: &mut Talk<'_>) -> Sent {
    let len = t.dice().between(60, 900) as u16;
    t.data(CLIENT, Opening::HttpRequest, len)
}

/// 2.1: the server has lost its state without a word; the client sends on.
pub(in crate::generate) fn half_open(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        t.settle();
        t.pause(300 * MS, 6 * S);
        let data = speak(t);
        t.refuse(&data, Why::new(&HALF_OPEN, "NO_SOCKET"));
    }
    let parties = cast.pair();
    spoken(cast, &parties, end);
}

/// 2.2: the server has closed; the client sends new data.
pub(in crate::generate) fn data_after_close(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        t.settle();
        let fin = t.say(SERVER, flag::FIN | flag::ACK, Opening::Plain, 0);
        t.take(&fin);
        t.pause(5_000, 40 * MS);
        t.ack(CLIENT);
        let round_trip = t.flow.rtt();
        t.pause(100 * MS + round_trip, 5 * S);
        let data = speak(t);
        t.refuse(&data, Why::new(&DATA_AFTER_CLOSE, "TCP_TIMEWAIT_SOCKET"));
    }
    let parties = cast.pair();
    spoken(cast, &parties, end);
}

/// A device in front of the server has no entry any more, and answers in the server's name.
fn forgotten(t: &mut Talk<'_>, label: &'static Label) {
    let front = t.front();
    let data = speak(t);
    t.reject(front, &data, Why::new(label, ""));
}

/// 2.4: a load balancer has dropped an idle connection's entry; the client speaks again.
pub(in crate::generate) fn evicted(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        t.settle();
        let tier = t.dice().choose(&[5, 5, 10, 10, 20, 60], 5);
        t.pass(tier * S);
        t.pause(20 * MS, 4 * S);
        forgotten(t, &EVICTED);
    }
    let parties = cast.pair();
    spoken(cast, &parties, end);
}

/// 6.6: the load balancer's table is flushed with five connections in it.
pub(in crate::generate) fn flushed(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        forgotten(t, &FLUSHED);
    }
    let service = cast.own_service();
    let moment = cast.now + cast.dice.between(6 * S, 9 * S);
    for number in 0..5 {
        let parties = cast.another(&service);
        let until = moment + number * 8 * MS + cast.dice.below(30 * MS);
        let steps = [Step::Open, some_exchanges(cast.dice), Step::Until(until), Step::End(end)];
        let after = cast.dice.below(3 * S);
        cast.tcp(after, &parties, &steps);
    }
}

/// 2.5: the client has given up when the SYN-ACK arrives.
pub(in crate::generate) fn late_syn_ack(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        let syn = t.say(CLIENT, flag::SYN, Opening::Plain, 0);
        t.take(&syn);
        t.pause(1_000 * MS, 2_500 * MS);
        let answer = t.say(SERVER, flag::SYN | flag::ACK, Opening::Plain, 0);
        t.refuse(&answer, Why::new(&LATE, "NO_SOCKET"));
    }
    let parties = cast.pair();
    cast.tcp(0, &parties, &[Step::End(end)]);
}

/// 2.6: of a connection through an address translator, one packet reaches the client untranslated,
/// under the server's own address.
pub(in crate::generate) fn nat_bypass(cast: &mut Cast<'_>) {
    fn stray(t: &mut Talk<'_>) {
        let built = t.build(SERVER, flag::ACK, crate::generate::payload::Payload::default());
        // It acknowledges what was never sent, so the translator takes it for no one's.
        let ack = built.ack.wrapping_add(3_000_000);
        let stray = t.transmit(t.flow.now, Packet { ack, ..built });
        t.refuse(&stray, Why::new(&BYPASS, "NO_SOCKET"));
    }
    let virtual_end = cast.pair();
    let mut real_end = virtual_end;
    real_end.hosts[SERVER].address[if real_end.v6 { 15 } else { 1 }] ^= 0x40;
    let port = cast.client_port(&virtual_end);
    let kind = crate::generate::packet::Kind::Tcp;
    let steps = [
        Step::Open,
        some_exchanges(cast.dice),
        Step::Wait(4 * S),
        Step::Exchanges { left: 1, response: 900, think: MS },
        Step::Close(CLIENT),
    ];
    cast.start_from(port, kind, 0, &virtual_end, &steps);
    cast.start_from(port, kind, 3 * S, &real_end, &[Step::End(stray)]);
}

/// 2.7: SYN-ACKs nobody asked for: somebody forged this client's address elsewhere.
pub(in crate::generate) fn backscatter(cast: &mut Cast<'_>) {
    fn answered(t: &mut Talk<'_>) {
        let answer = t.say(SERVER, flag::SYN | flag::ACK, Opening::Plain, 0);
        t.refuse(&answer, Why::new(&BACKSCATTER, "NO_SOCKET"));
    }
    let victim = cast.pair();
    for number in 0..8 {
        let port = cast.own_port();
        let after = number * 20 * MS + cast.dice.below(15 * MS);
        cast.tcp(after, &Parties { port, ..victim }, &[Step::End(answered)]);
    }
}
