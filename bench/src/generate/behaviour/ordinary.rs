//! Connections that end well, and what is no TCP: the bulk of any traffic.

use super::some_exchanges;
use crate::generate::cast::Cast;
use crate::generate::dice::Dice;
use crate::generate::flow::Step;
use crate::generate::host::{CLIENT, MS, Parties, S, SERVER};
use crate::generate::packet::{Kind, flag};
use crate::generate::payload::{DNS_LEN, Opening};
use crate::generate::talk::Talk;

/// A flow of any kind. `running` ones began before the capture; only those that last do.
pub(in crate::generate) fn any(cast: &mut Cast<'_>, running: bool) {
    match cast.dice.unit() {
        ..0.12 if !running => dns(cast),
        ..0.15 if !running => quic(cast),
        ..0.16 if !running => ping(cast),
        _ => {
            let mut parties = cast.pair();
            let steps = tcp(cast, &mut parties, running);
            let after = if running { cast.dice.below(3 * S) } else { 0 };
            cast.tcp(after, &parties, &steps);
        }
    }
}

/// Where in the draw of kinds the idle connections begin.
const IDLE: f64 = 0.89;

/// The steps of an ordinary TCP connection.
fn tcp(cast: &mut Cast<'_>, parties: &mut Parties, running: bool) -> Vec<Step> {
    let mut steps = if running { Vec::new() } else { vec![Step::Open] };
    let dice = &mut *cast.dice;
    // What began earlier and still runs is of a lasting kind: transfers are over soon.
    let drawn = dice.unit();
    let kind = if running && (0.80..0.825).contains(&drawn) { IDLE } else { drawn };
    match kind {
        ..0.62 => {
            if parties.port == 443 && !running {
                steps.extend(tls_handshake(dice.between(2_400, 5_200) as u32));
            }
            let left = dice.lognormal(1.8, 0.8).clamp(1.0, 30.0) as u16;
            steps.push(Step::Exchanges { left, response: 6_000, think: 1_500 * MS });
            steps.push(Step::Wait(lingers(dice)));
        }
        ..0.80 => {
            let left = dice.lognormal(5.0, 1.0).clamp(1.0, 200.0) as u16;
            steps.push(Step::Exchanges { left, response: 700, think: 600 * MS });
            steps.push(Step::Wait(lingers(dice)));
        }
        ..0.815 => {
            let bytes = dice.pareto(120_000.0, 1.2, 1e8) as u32;
            steps.push(Step::Send { side: CLIENT, bytes: 380, opening: Opening::HttpRequest });
            steps.push(Step::Send { side: SERVER, bytes, opening: Opening::HttpResponse });
        }
        ..0.825 => {
            let bytes = dice.pareto(60_000.0, 1.2, 3e7) as u32;
            steps.push(Step::Send { side: CLIENT, bytes, opening: Opening::TlsData });
            steps.push(Step::Send { side: SERVER, bytes: 210, opening: Opening::TlsData });
        }
        ..IDLE => {
            parties.port = 22;
            if !running {
                steps.push(Step::Send { side: SERVER, bytes: 40, opening: Opening::Banner });
            }
            steps.push(Step::Typing { left: dice.lognormal(70.0, 1.0).clamp(5.0, 2_000.0) as u16 });
        }
        ..0.97 => idle(&mut steps, dice.between(1, 6), dice.between(5 * S, 30 * S)),
        ..0.985 => return unanswered(cast),
        _ => steps.push(Step::Wait(20 * MS)),
    }
    let first = if cast.dice.chance(0.6) { CLIENT } else { SERVER };
    steps.push(Step::Close(first));
    steps
}

/// How long a connection is kept for another request, in nanoseconds: the usual timers of servers and
/// clients.
fn lingers(dice: &mut Dice) -> u64 {
    let timer = dice.choose(&[0, 0, 0, 0, 2, 5, 5, 5, 5, 10, 15, 30, 60], 5);
    timer * S + dice.below(40 * MS)
}

fn tls_handshake(certificates: u32) -> [Step; 4] {
    [
        Step::Send { side: CLIENT, bytes: 517, opening: Opening::TlsHello },
        Step::Wait(MS),
        Step::Send { side: SERVER, bytes: certificates, opening: Opening::TlsServerHello },
        Step::Send { side: CLIENT, bytes: 80, opening: Opening::TlsData },
    ]
}

/// A little now and then, kept alive by probes in between.
fn idle(steps: &mut Vec<Step>, times: u64, silence: u64) {
    for _ in 0..times {
        steps.push(Step::Exchanges { left: 1, response: 300, think: MS });
        steps.push(Step::Wait(silence));
        steps.push(Step::Keepalive);
        steps.push(Step::Wait(silence));
    }
}

/// A firewall drops the SYNs without a word: three of them, and nothing comes back.
fn unanswered(cast: &mut Cast<'_>) -> Vec<Step> {
    fn ask(t: &mut Talk<'_>) {
        let syn = t.say(CLIENT, flag::SYN, Opening::Plain, 0);
        for after in [1_000, 3_000] {
            t.again(t.flow.now + after * MS, &syn);
        }
    }
    let wait = cast.dice.below(10 * MS);
    vec![Step::Wait(wait), Step::End(ask)]
}

fn dns(cast: &mut Cast<'_>) {
    let parties = Parties { port: 53, ..cast.pair() };
    cast.start(
        Kind::Udp,
        0,
        &parties,
        &[
            Step::Datagram { side: CLIENT, len: DNS_LEN[CLIENT], opening: Opening::DnsQuery },
            Step::Datagram { side: SERVER, len: DNS_LEN[SERVER], opening: Opening::DnsResponse },
        ],
    );
}

fn quic(cast: &mut Cast<'_>) {
    let parties = Parties { port: 443, ..cast.pair() };
    let left = cast.dice.pareto(12.0, 1.1, 60_000.0) as u32;
    cast.start(
        Kind::Udp,
        0,
        &parties,
        &[
            Step::Datagram { side: CLIENT, len: 1_200, opening: Opening::Plain },
            Step::Datagrams { left },
        ],
    );
}

fn ping(cast: &mut Cast<'_>) {
    let parties = cast.pair();
    let mut steps = Vec::new();
    for _ in 0..cast.dice.between(1, 5) {
        steps.push(Step::Datagram { side: CLIENT, len: 56, opening: Opening::Plain });
        steps.push(Step::Datagram { side: SERVER, len: 56, opening: Opening::Plain });
        steps.push(Step::Wait(S));
    }
    cast.start(Kind::Echo, 0, &parties, &steps);
}

/// `count` connections of a service that end well, within the next `within` nanoseconds: what a
/// service's other clients do.
pub(super) fn customers(cast: &mut Cast<'_>, service: &Parties, count: u64, within: u64) {
    for _ in 0..count {
        let parties = cast.another(service);
        let after = cast.dice.below(within);
        let steps = [Step::Open, some_exchanges(cast.dice), Step::Close(SERVER)];
        cast.tcp(after, &parties, &steps);
    }
}
