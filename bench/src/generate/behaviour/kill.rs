//! Group 6: somebody ends connections on purpose.

use resetscope_core::judge::cause::Subcause as Sub;

use super::{some_exchanges, spoken};
use crate::generate::cast::Cast;
use crate::generate::flow::Step;
use crate::generate::host::{CLIENT, MS, S, SERVER, US};
use crate::generate::packet::{Options, Packet, flag};
use crate::generate::payload::Opening;
use crate::generate::reset::Why;
use crate::generate::talk::{Sent, Talk};
use crate::generate::truth::{Label, Sender};

const SINGLE: Label =
    Label::new("30-socket-kill-single", Sub::SocketKill, &[Sub::AbortAfterExchange, Sub::Abort]);
const COHORT: Label = Label::new("31-socket-kill-cohort", Sub::SocketKill, &[]);
const TCPKILL: Label = Label::new("32-tcpkill", Sub::Tcpkill, &[Sub::Injection]);
const TCPKILL_MORE: Label =
    Label::new("32-tcpkill", Sub::Tcpkill, &[Sub::Injection, Sub::AfterReset]);
const TCPKILL_ECHO: Label = Label::new("32-tcpkill", Sub::AfterReset, &[Sub::Tcpkill]);
const KILLCX: Label = Label::new("33-killcx", Sub::Killcx, &[Sub::Injection]);
const IDLE_TIMER: Label = Label::new("58-idle-timer", Sub::IdleTimer, &[Sub::Injection]);
const DRAIN: Label = Label::new(
    "49-member-down",
    Sub::Drain,
    &[Sub::AbortAfterExchange, Sub::Abort, Sub::SocketKill],
);

/// Connections of one service, of which `count` end at one moment, `apart` nanoseconds after each
/// other.
fn together(cast: &mut Cast<'_>, count: u64, apart: u64, end: fn(&mut Talk<'_>)) {
    let service = cast.own_service();
    let moment = cast.now + cast.dice.between(6 * S, 10 * S);
    for number in 0..count {
        let parties = cast.another(&service);
        let until = moment + number * apart + cast.dice.below(apart / 2);
        let steps = [Step::Open, some_exchanges(cast.dice), Step::Until(until), Step::End(end)];
        let begin = cast.dice.below(3 * S);
        cast.tcp(begin, &parties, &steps);
    }
    // The port stays open.
    let parties = cast.another(&service);
    let steps = [Step::Open, some_exchanges(cast.dice), Step::Close(SERVER)];
    cast.tcp(moment - cast.now + S, &parties, &steps);
}

/// 6.1: `ss -K` with a filter that matches five connections.
pub(in crate::generate) fn cohort(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        t.abort(SERVER, Why::new(&COHORT, "TCP_STATE"));
    }
    together(cast, 5, 60 * US, end);
}

/// 6.1: `ss -K` of one idle connection.
pub(in crate::generate) fn single(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        t.settle();
        t.pause(500 * MS, 8 * S);
        t.abort(SERVER, Why::new(&SINGLE, "TCP_STATE"));
    }
    let parties = cast.pair();
    spoken(cast, &parties, end);
}

/// 6.2: tcpkill answers each packet that it sniffs with three RSTs to its sender, spaced by the
/// packet's window as it is on the wire.
pub(in crate::generate) fn tcpkill(cast: &mut Cast<'_>) {
    fn strike(t: &mut Talk<'_>, sniffed: &Sent, why: Why) {
        let window = u32::from(sniffed.packet.window);
        let at = sniffed.taps_at + t.dice().between(60 * US, 250 * US);
        for (number, times) in [0, 1, 3].into_iter().enumerate() {
            let plain = t.forge(usize::from(sniffed.packet.side ^ 1), flag::RST);
            let seq = sniffed.packet.ack.wrapping_add(times * window);
            let ip_id = t.dice().word() as u16;
            let forged = Packet { seq, ip_id, df: false, ..plain };
            let why = if number == 0 { why } else { Why::after(&TCPKILL_MORE, "") };
            t.inject(at + number as u64 * 15 * US, forged, Sender::Tcpkill, why);
        }
    }
    fn end(t: &mut Talk<'_>) {
        t.settle();
        t.pause(50 * MS, 2 * S);
        let tick = t.data(SERVER, Opening::Plain, 4);
        strike(t, &tick, Why::new(&TCPKILL, ""));
        // The client acknowledges and knows of nothing yet; its packet is sniffed too.
        t.take(&tick);
        t.flow.now += 5 * US;
        let heard = t.ack(CLIENT);
        strike(t, &heard, Why::after(&TCPKILL_MORE, ""));
        t.refuse(&heard, Why::after(&TCPKILL_ECHO, "NO_SOCKET"));
    }
    let parties = cast.pair();
    spoken(cast, &parties, end);
}

/// 6.3: a spoofed SYN makes the server reveal its numbers; then exact RSTs go to both ends.
pub(in crate::generate) fn killcx(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        t.settle();
        t.pause(100 * MS, 3 * S);
        let ttl = t.dice().choose(&[40, 128], 128);
        let ip_id = t.dice().word() as u16;
        let spoofed = Packet {
            seq: t.dice().word(),
            ttl,
            ip_id,
            df: false,
            window: 512,
            options: Options::None,
            ..t.forge(CLIENT, flag::SYN)
        };
        let at = t.flow.now + t.end(CLIENT).host.delay;
        t.pass_tap(at, spoofed);
        t.flow.now = at + t.end(SERVER).host.delay + 6 * US;
        let challenge = t.ack(SERVER);
        let at = challenge.taps_at + t.dice().between(80 * US, 700 * US);
        for (side, seq) in [(CLIENT, challenge.packet.ack), (SERVER, challenge.packet.seq)] {
            let bare = Packet { seq, ttl, ip_id, df: false, ..t.forge(side, flag::RST) };
            let at = at + side as u64 * 25 * US;
            let why = if side == CLIENT { Why::new(&KILLCX, "") } else { Why::after(&KILLCX, "") };
            t.inject(at, bare, Sender::Injector, why);
        }
    }
    let parties = cast.pair();
    spoken(cast, &parties, end);
}

/// 6.4: a load balancer's idle timer resets both ends; a tap in front of it sees the one towards the
/// client, a tap on its only link both.
pub(in crate::generate) fn idle_timer(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        t.settle();
        let tier = t.dice().choose(&[5, 5, 10, 20, 60], 5);
        let last = t.flow.last_at;
        let front = t.front();
        let at = last + tier * S + t.dice().below(3 * MS);
        t.flow.now = at;
        let both = t.dice().chance(0.6);
        for side in [SERVER, CLIENT].into_iter().take(1 + usize::from(both)) {
            let plain = Packet { ttl: front.ttl, ..t.forge(side, flag::RST | flag::ACK) };
            let why = if side == SERVER {
                Why::new(&IDLE_TIMER, "")
            } else {
                Why::after(&IDLE_TIMER, "")
            };
            t.inject(at + front.delay + side as u64 * 10 * US, plain, Sender::Injector, why);
        }
        t.flow.ends.iter_mut().for_each(|end| end.dead = true);
    }
    let parties = cast.pair();
    spoken(cast, &parties, end);
}

/// 6.5: a load balancer finds a member dead and ends its own sessions with it at once.
pub(in crate::generate) fn drain(cast: &mut Cast<'_>) {
    fn with_fin(t: &mut Talk<'_>) {
        t.say(CLIENT, flag::FIN | flag::ACK, Opening::Plain, 0);
        t.flow.now += 20 * US;
        t.abort(CLIENT, Why::new(&DRAIN, "TCP_STATE"));
    }
    fn alone(t: &mut Talk<'_>) {
        t.abort(CLIENT, Why::new(&DRAIN, "TCP_STATE"));
    }
    let balancer = cast.pair();
    let port = cast.own_port();
    let end = if cast.dice.chance(0.5) { with_fin } else { alone };
    let moment = cast.now + cast.dice.between(5 * S, 8 * S);
    for number in 0..4 {
        let parties = crate::generate::host::Parties { port, ..balancer };
        let until = moment + number * 150 * US + cast.dice.below(60 * US);
        let steps = [Step::Open, some_exchanges(cast.dice), Step::Until(until), Step::End(end)];
        let begin = cast.dice.below(2 * S);
        cast.tcp(begin, &parties, &steps);
    }
}
