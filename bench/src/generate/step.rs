//! Carries out the steps of a flow when their time has come.

use super::flow::Step;
use super::host::{CLIENT, MS, S, SERVER, US};
use super::packet::{Kind, Options, Packet, flag};
use super::payload::{self, Opening, Payload};
use super::talk::Talk;

impl Talk<'_> {
    /// Carries out what is due; false when the flow is over.
    pub(super) fn advance(&mut self) -> bool {
        while self.flow.now <= self.net.schedule.now() {
            let Some(step) = self.flow.steps.pop() else { break };
            self.step(step);
        }
        let over = self.flow.steps.is_empty();
        if over && self.flow.last_at < self.net.schedule.now() {
            return false;
        }
        let next = if over { self.flow.last_at + 1 } else { self.flow.now };
        self.net.schedule.wake(next, self.number);
        true
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Open => self.open(),
            Step::Send { side, bytes, opening } => {
                let left = self.round(side, bytes, opening);
                if left > 0 {
                    self.then(&[Step::Send { side, bytes: left, opening: Opening::Plain }]);
                }
            }
            Step::Exchanges { left, response, think } => {
                self.exchange_one(left, response, think);
            }
            Step::Typing { left } => self.type_one(left),
            Step::Keepalive => self.keepalive(),
            Step::Wait(time) => self.pass(time),
            Step::Until(moment) => self.pass(moment.saturating_sub(self.flow.now)),
            Step::Close(first) => {
                self.close(first);
            }
            Step::Datagram { side, len, opening } => self.datagram(side, len, opening),
            Step::Datagrams { left } => self.datagrams(left),
            Step::End(end) => end(self),
        }
    }

    /// These steps come next, in this order.
    fn then(&mut self, steps: &[Step]) {
        self.flow.steps.extend(steps.iter().rev());
    }

    fn exchange_one(&mut self, left: u16, response: u32, think: u64) {
        if left == 0 {
            return;
        }
        let dice = self.dice();
        let request = dice.lognormal(420.0, 0.6).clamp(60.0, 9_000.0) as u32;
        let bytes = if dice.chance(0.012) {
            dice.pareto(30_000.0, 1.2, 4e7) as u32
        } else {
            dice.lognormal(f64::from(response), 1.2).clamp(80.0, 4e6) as u32
        };
        let work = dice.lognormal(2.0 * MS as f64, 1.3) as u64;
        let think = dice.exponential(think);
        if left > 1 {
            let rest = Step::Exchanges { left: left - 1, response, think };
            self.then(&[Step::Wait(think), rest]);
        }
        self.then(&[
            Step::Send { side: CLIENT, bytes: request, opening: Opening::HttpRequest },
            Step::Wait(work.min(2 * S)),
            Step::Send { side: SERVER, bytes, opening: Opening::HttpResponse },
        ]);
    }

    /// A keystroke and its echo, seldom a screenful.
    fn type_one(&mut self, left: u16) {
        let key = self.data(CLIENT, Opening::Plain, 36);
        self.hear(&key);
        self.pause(100 * US, 2 * MS);
        let len = if self.dice().chance(0.9) { 36 } else { self.dice().between(100, 1_200) };
        let echo = self.data(SERVER, Opening::Plain, len as u16);
        self.hear(&echo);
        let pause = self.dice().lognormal(160.0 * MS as f64, 0.9) as u64;
        self.pass(pause);
        if left > 1 {
            self.then(&[Step::Typing { left: left - 1 }]);
        }
    }

    /// One number below the next and no data, answered at once (RFC 9293 section 3.8.4).
    fn keepalive(&mut self) {
        let probe = self.build(SERVER, flag::ACK, Payload::default());
        let probe =
            self.transmit(self.flow.now, Packet { seq: probe.seq.wrapping_sub(1), ..probe });
        self.flow.now = probe.arrives_at + 5 * US;
        let answer = self.ack(CLIENT);
        self.flow.now = answer.arrives_at;
    }

    fn datagram(&mut self, side: usize, len: u16, opening: Opening) {
        if side == CLIENT {
            self.end_mut(CLIENT).nxt = self.end(CLIENT).nxt.wrapping_add(1);
        }
        let place = self.dice().word();
        let built = self.build(side, 0, payload::at(opening, place, len));
        let seq = self.end(CLIENT).nxt;
        let packet = Packet { seq, options: Options::None, window: 0, ..built };
        let sent = self.transmit(self.flow.now, packet);
        self.flow.now = sent.arrives_at;
        self.pause(20 * US, if self.flow.kind == Kind::Echo { 60 * US } else { 2 * MS });
    }

    /// A flight of full datagrams, and acknowledgements in the transport's own protocol.
    fn datagrams(&mut self, left: u32) {
        let flight = left.min(16);
        let start = self.flow.now;
        for place in 0..flight {
            self.flow.now = start + u64::from(place) * self.flow.parties.gap;
            self.datagram(SERVER, 1_250, Opening::Plain);
            if place % 4 == 3 || place + 1 == flight {
                self.datagram(CLIENT, 33, Opening::Plain);
            }
        }
        if left > flight {
            self.then(&[Step::Datagrams { left: left - flight }]);
        }
    }
}
