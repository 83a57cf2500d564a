//! Group 3: a device on the path refuses or forges.

use resetscope_core::judge::cause::Subcause as Sub;

use super::ordinary::customers;
use super::{some_exchanges, spoken};
use crate::generate::cast::Cast;
use crate::generate::flow::Step;
use crate::generate::host::{CLIENT, Device, MS, S, SERVER, US};
use crate::generate::packet::{Packet, flag};
use crate::generate::payload::{self, Opening, RESET_TEXT_LEN};
use crate::generate::reset::Why;
use crate::generate::talk::{Sent, Talk};
use crate::generate::truth::{Label, Sender};

const SYN_REJECTED: Label = Label::new("04-reject-syn", Sub::SynRejected, &[]);
const MIDSTREAM: Label = Label::new("07-reject-midstream", Sub::MidstreamReject, &[]);
const MIDSTREAM_ECHO: Label =
    Label::new("07-reject-midstream", Sub::AfterReset, &[Sub::MidstreamReject, Sub::HalfOpen]);
const CONTENT: Label = Label::new("34-content-injection", Sub::Injection, &[]);
const CONTENT_ECHO: Label = Label::new("34-content-injection", Sub::AfterReset, &[Sub::Injection]);
const RACE: Label = Label::new("35-injection-race", Sub::Injection, &[Sub::MidstreamReject]);
const RACE_ECHO: Label =
    Label::new("35-injection-race", Sub::AfterReset, &[Sub::Injection, Sub::MidstreamReject]);
const NO_SESSION: Label = Label::new(
    "52-no-session",
    Sub::NoSession,
    &[Sub::MidstreamReject, Sub::IdleStateLost, Sub::NatFlush],
);
const DECLARED: Label = Label::new("40-self-declared", Sub::SelfDeclared, &[]);

/// 3.1: the firewall refuses a client's SYN; the service is alive for others.
pub(in crate::generate) fn syn_rejected(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        let front = t.front();
        let syn = t.say(CLIENT, flag::SYN, Opening::Plain, 0);
        t.reject(front, &syn, Why::new(&SYN_REJECTED, ""));
    }
    let parties = cast.pair();
    customers(cast, &parties, 1, S);
    let after = cast.dice.below(2 * S);
    cast.tcp(after, &parties, &[Step::End(end)]);
}

/// 3.2: a rule against the client's packets comes into force in mid-connection.
pub(in crate::generate) fn midstream(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        t.settle();
        let front = t.front();
        let len = t.dice().between(100, 700) as u16;
        let request = t.data(CLIENT, Opening::HttpRequest, len);
        t.reject(front, &request, Why::new(&MIDSTREAM, ""));
        // The server knows of nothing, speaks, and again when nobody answers.
        t.flow.now = request.arrives_at;
        t.pause(50 * MS, 400 * MS);
        let len = t.dice().between(200, 1_200) as u16;
        let mut data = t.data(SERVER, Opening::HttpResponse, len);
        let repeats = t.dice().choose(&[0, 0, 2, 3], 0);
        let mut wait = 200 * MS + t.flow.rtt();
        t.refuse(&data, Why::after(&MIDSTREAM_ECHO, "NO_SOCKET"));
        for _ in 0..repeats {
            data = t.again(data.taps_at + wait, &data);
            wait *= 2;
            t.refuse(&data, Why::after(&MIDSTREAM_ECHO, "NO_SOCKET"));
        }
    }
    let parties = cast.pair();
    spoken(cast, &parties, end);
}

/// The end that is far from the tap, and a forger on the way to it.
fn forger(t: &mut Talk<'_>) -> (usize, Device) {
    let far = usize::from(t.end(SERVER).host.delay > t.end(CLIENT).host.delay);
    let host = t.end(far).host;
    (far, Device::far(&mut t.net.dice, host.delay, host.ttl))
}

/// When a forger's answer to `trigger` passes the tap: it sees the packet on its way there, or has
/// seen it before the tap does.
fn forged_at(t: &mut Talk<'_>, far: usize, device: Device, trigger: &Sent) -> u64 {
    let way = if far == SERVER { 2 * device.delay } else { 0 };
    trigger.taps_at + way + t.dice().between(100 * US, 1_500 * US)
}

/// 3.3: a filter reacts to the first payload with RST trains to both ends, of which a tap sees those
/// towards the end near it.
pub(in crate::generate) fn content(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        let opening =
            t.dice().choose(&[Opening::TlsHello, Opening::HttpRequest], Opening::TlsHello);
        let request = t.data(CLIENT, opening, 517);
        let (far, device) = forger(t);
        let at = forged_at(t, far, device, &request);
        for (number, offset) in [0, 1_460, 4_380].into_iter().enumerate() {
            let plain = t.forge(far, flag::RST | flag::ACK);
            let ip_id = t.dice().word() as u16;
            let seq = plain.seq.wrapping_add(offset);
            let window = 79 + (offset % 7) as u16;
            let forged = Packet { seq, ttl: device.ttl, ip_id, window, ..plain };
            let why = if number == 0 { Why::new(&CONTENT, "") } else { Why::after(&CONTENT, "") };
            t.inject(at + number as u64 * 20 * US, forged, Sender::Injector, why);
        }
        // The server acknowledged the request before its own RST came; the client is dead by then.
        t.take(&request);
        t.flow.now += 5 * US;
        let late = t.ack(SERVER);
        t.refuse(&late, Why::after(&CONTENT_ECHO, "NO_SOCKET"));
    }
    let parties = cast.pair();
    cast.tcp(0, &parties, &[Step::Open, Step::End(end)]);
}

/// 3.3: one exact RST towards the client, and the real server's answer behind it.
pub(in crate::generate) fn race(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        let request = t.data(CLIENT, Opening::HttpRequest, 300);
        let host = t.end(SERVER).host;
        // A server in the site has no room for a device of many hops before it.
        let device = if host.delay < MS {
            Device { delay: host.delay / 2, ..t.front() }
        } else {
            Device::far(&mut t.net.dice, host.delay, host.ttl)
        };
        let at = forged_at(t, SERVER, device, &request);
        let random = t.dice().word() as u16;
        let ip_id = t.dice().choose(&[0, random], 0);
        let forged = Packet { ttl: device.ttl, ip_id, ..t.forge(SERVER, flag::RST) };
        let rst = t.inject(at, forged, Sender::Injector, Why::new(&RACE, ""));
        t.take(&request);
        t.flow.now += 5 * US;
        let acknowledged = t.ack(SERVER);
        t.flow.now = t.flow.now.max(rst.taps_at);
        t.pause(50 * US, 900 * US);
        let answer: Vec<Sent> = (0..2)
            .map(|place| {
                t.flow.now += place * 12 * US;
                t.data(SERVER, Opening::HttpResponse, 900)
            })
            .collect();
        if acknowledged.arrives_at > rst.arrives_at {
            t.refuse(&acknowledged, Why::after(&RACE_ECHO, "NO_SOCKET"));
        }
        for data in answer {
            t.refuse(&data, Why::after(&RACE_ECHO, "NO_SOCKET"));
        }
    }
    let parties = cast.pair();
    cast.tcp(0, &parties, &[Step::Open, Step::End(end)]);
}

/// 3.5: a stateful firewall has lost its table and refuses packets of connections it does not know.
pub(in crate::generate) fn no_session(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        let front = t.front();
        let len = t.dice().between(60, 900) as u16;
        let data = t.data(CLIENT, Opening::HttpRequest, len);
        t.reject(front, &data, Why::new(&NO_SESSION, ""));
    }
    let service = cast.own_service();
    let moment = cast.now + cast.dice.between(5 * S, 8 * S);
    for _ in 0..4 {
        let parties = cast.another(&service);
        let until = moment + cast.dice.below(400 * MS);
        let steps = [Step::Open, some_exchanges(cast.dice), Step::Until(until), Step::End(end)];
        let after = cast.dice.below(2 * S);
        cast.tcp(after, &parties, &steps);
    }
    // A new connection is let through at once.
    let parties = cast.another(&service);
    let steps = [Step::Open, some_exchanges(cast.dice), Step::Close(CLIENT)];
    cast.tcp(moment - cast.now + 2 * S, &parties, &steps);
}

/// 3.6: a load balancer puts its reason into the RST's payload.
pub(in crate::generate) fn self_declared(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        let request = t.ask();
        let front = t.front();
        let plain = t.forge(SERVER, flag::RST | flag::ACK);
        let ip_id = t.dice().word() as u16;
        let payload = payload::at(Opening::ResetText, 0, RESET_TEXT_LEN);
        let forged = Packet { ttl: 255, ip_id, payload, ..plain };
        let at = request.taps_at.max(t.flow.now) + 2 * front.delay;
        t.inject(at, forged, Sender::Injector, Why::new(&DECLARED, ""));
        t.end_mut(SERVER).owes_at = 0;
    }
    let parties = cast.pair();
    spoken(cast, &parties, end);
}
