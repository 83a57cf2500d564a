//! Group 0: resets that are no failure.

use resetscope_core::judge::cause::Subcause as Sub;

use super::some_exchanges;
use crate::generate::cast::Cast;
use crate::generate::flow::Step;
use crate::generate::host::{CLIENT, MS, S, SERVER, US};
use crate::generate::packet::{Options, Packet, flag};
use crate::generate::payload::{Opening, Payload};
use crate::generate::reset::Why;
use crate::generate::talk::Talk;
use crate::generate::truth::{Label, Sender};

/// No data.
const NONE: Payload = Payload { start: 0, len: 0 };

const AFTER_CLOSE: Label = Label::new("41-after-both-fins", Sub::AfterClose, &[]);
const AFTER_CLOSE_MORE: Label =
    Label::new("41-after-both-fins", Sub::AfterClose, &[Sub::AfterReset]);
const LINGER: Label = Label::new("15-linger0-after-exchange", Sub::AbortAfterExchange, &[]);
/// Only the client knows whether it had all that it wanted.
const LINGER_CLIENT: Label =
    Label::new("15-linger0-after-exchange", Sub::AbortAfterExchange, &[Sub::ClientGaveUp]);
const CROSSES: Label =
    Label::new("11-data-crosses-fin", Sub::LateSegmentAfterClose, &[Sub::DataAfterClose]);
const CROSSES_MORE: Label = Label::new(
    "11-data-crosses-fin",
    Sub::LateSegmentAfterClose,
    &[Sub::AfterReset, Sub::DataAfterClose],
);
const REUSE: Label = Label::new("29-port-reuse", Sub::PortReuse, &[]);
const INEXACT: Label = Label::new("36-inexact-rst", Sub::Ineffective, &[Sub::BlindInjection]);
const GUESSED: Label = Label::new("36-inexact-rst", Sub::BlindInjection, &[Sub::Ineffective]);
const PROBE: Label = Label::new("28-half-open-probe", Sub::HalfOpenProbe, &[]);

/// 0.1: both sides have closed; a copy of an old segment meets the side that has forgotten.
pub(in crate::generate) fn after_close(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        let first = t.dice().below(2) as usize;
        let data = t.data(first, Opening::HttpResponse, 90);
        t.hear(&data);
        let last = t.close(first);
        t.pause(30 * MS, 400 * MS);
        // A copy that the network kept for a while, of data or of the last acknowledgement.
        let old = if t.dice().chance(0.5) { data } else { last }.packet;
        let copy = t.passes(old);
        let answer = t.refuse(&copy, Why::new(&AFTER_CLOSE, "NO_SOCKET"));
        if t.dice().chance(0.1) {
            t.flow.now = answer.arrives_at + 20 * MS;
            let copy = t.passes(old);
            t.refuse(&copy, Why::after(&AFTER_CLOSE_MORE, "NO_SOCKET"));
        }
    }
    one(cast, end);
}

/// 0.2: everything was delivered, and a RST takes the place of the FIN.
pub(in crate::generate) fn abort_after_exchange(cast: &mut Cast<'_>) {
    fn server(t: &mut Talk<'_>) {
        t.settle();
        t.abort(SERVER, Why::new(&LINGER, "TCP_STATE"));
    }
    fn client(t: &mut Talk<'_>) {
        t.settle();
        t.abort(CLIENT, Why::new(&LINGER_CLIENT, "TCP_STATE"));
    }
    fn client_after_fin(t: &mut Talk<'_>) {
        t.settle();
        let fin = t.say(SERVER, flag::FIN | flag::ACK, Opening::Plain, 0);
        t.take(&fin);
        t.pause(200 * US, 30 * MS);
        t.abort(CLIENT, Why::new(&LINGER, "TCP_STATE"));
    }
    let end = cast.dice.choose(&[server, client, client_after_fin, client_after_fin], server);
    one(cast, end);
}

/// 0.3: the client's data are on their way when the server closes.
pub(in crate::generate) fn data_crosses_fin(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        t.settle();
        let one_way = t.flow.rtt() / 2;
        let closes = t.flow.now + one_way;
        let speaks = closes + t.dice().below(one_way * 9 / 10);
        t.flow.now = closes;
        let fin = t.say(SERVER, flag::FIN | flag::ACK, Opening::Plain, 0);
        t.flow.now = speaks;
        let len = t.dice().between(60, 700) as u16;
        let request = t.data(CLIENT, Opening::HttpRequest, len);
        t.take(&fin);
        t.flow.now += 3 * US;
        let noticed = t.ack(CLIENT);
        t.refuse(&request, Why::new(&CROSSES, "TCP_ABORT_ON_DATA"));
        t.refuse(&noticed, Why::after(&CROSSES_MORE, "NO_SOCKET"));
    }
    one(cast, end);
}

/// 0.4: a rebooted client comes back with the port of a connection the server still has.
pub(in crate::generate) fn port_reuse(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        t.settle();
        t.pause(200 * MS, 4 * S);
        let old = *t.end(CLIENT);
        let begin = old.nxt.wrapping_add(t.dice().between(1 << 26, 1 << 28) as u32);
        t.end_mut(CLIENT).nxt = begin;
        let syn = t.say(CLIENT, flag::SYN, Opening::Plain, 0);
        // RFC 5961 section 4: an acknowledgement of the old connection's.
        t.flow.now = syn.arrives_at + 6 * US;
        let challenge = t.ack(SERVER);
        t.refuse(&challenge, Why::new(&REUSE, "TCP_INVALID_ACK_SEQUENCE"));
        t.pause(8 * MS, 12 * MS);
        t.end_mut(SERVER).nxt = t.dice().word();
        for side in [CLIENT, SERVER] {
            t.end_mut(side).dead = false;
        }
        let again = t.again(t.flow.now, &syn);
        t.take(&again);
        t.flow.now += 12 * US;
        let answer = t.say(SERVER, flag::SYN | flag::ACK, Opening::Plain, 0);
        t.take(&answer);
        t.flow.now += 5 * US;
        t.ack(CLIENT);
        t.exchange();
        t.settle();
        t.close(CLIENT);
    }
    one(cast, end);
}

/// 0.5: a forged RST inside the window but not exact: a challenge, and the connection goes on.
pub(in crate::generate) fn inexact(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        guess(t, 1, &INEXACT);
    }
    one(cast, end);
}

/// 3.4: the same again and again.
pub(in crate::generate) fn guessed(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        let guesses = t.dice().between(3, 6);
        guess(t, guesses, &GUESSED);
    }
    one(cast, end);
}

fn guess(t: &mut Talk<'_>, guesses: u64, label: &'static Label) {
    t.settle();
    for number in 0..guesses {
        let mut forged = t.forge(SERVER, flag::RST);
        forged.seq = forged.seq.wrapping_add(t.dice().between(100, 20_000) as u32);
        let why = if number == 0 { Why::new(label, "") } else { Why::after(label, "") };
        let at = t.flow.now + t.end(SERVER).host.delay / 2;
        let rst = t.inject(at, forged, Sender::Injector, why);
        t.flow.now = rst.arrives_at + 5 * US;
        t.ack(CLIENT);
        t.pause(15 * MS, 25 * MS);
    }
    t.settle();
    t.exchange();
    t.settle();
    t.close(CLIENT);
}

/// 0.6: somebody only asks whether the port is open: a health check, or a scanner's kernel that
/// did not know of the SYN.
pub(in crate::generate) fn half_open_probe(cast: &mut Cast<'_>) {
    /// `HAProxy`'s check: the third packet is an active RST.
    fn check(t: &mut Talk<'_>) {
        let syn = t.say(CLIENT, flag::SYN, Opening::Plain, 0);
        t.take(&syn);
        t.flow.now += 15 * US;
        let answer = t.say(SERVER, flag::SYN | flag::ACK, Opening::Plain, 0);
        t.take(&answer);
        t.pause(10 * US, 60 * US);
        t.abort(CLIENT, Why::new(&PROBE, "TCP_STATE"));
    }
    let parties = cast.pair();
    let end = if cast.dice.chance(0.5) { check } else { probe_open };
    cast.tcp(0, &parties, &[Step::End(end)]);
}

/// A SYN as port scanners write it, to an open port.
pub(super) fn probe_open(t: &mut Talk<'_>) {
    let syn = raw_syn(t);
    t.flow.timestamps = false;
    t.take(&syn);
    t.pause(8 * US, 40 * US);
    let answer = t.say(SERVER, flag::SYN | flag::ACK, Opening::Plain, 0);
    let plain = Packet { options: Options::Mss, ..answer.packet };
    let answer = crate::generate::talk::Sent { packet: plain, ..answer };
    t.refuse(&answer, Why::new(&PROBE, "NO_SOCKET"));
}

/// The SYN of a scanner: its own window, time to live and identification, one option.
pub(super) fn raw_syn(t: &mut Talk<'_>) -> crate::generate::talk::Sent {
    let built = t.build(CLIENT, flag::SYN, NONE);
    let ttl = t.dice().between(37, 60) as u8;
    let ip_id = t.dice().word() as u16;
    t.end_mut(CLIENT).nxt = built.end();
    let syn =
        Packet { options: Options::Mss, window: 1_024, df: false, tos: 0, ttl, ip_id, ..built };
    t.transmit(t.flow.now, syn)
}

fn one(cast: &mut Cast<'_>, end: fn(&mut Talk<'_>)) {
    let parties = cast.pair();
    let steps = [Step::Open, some_exchanges(cast.dice), Step::End(end)];
    cast.tcp(0, &parties, &steps);
}
