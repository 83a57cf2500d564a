//! A conversation: two stacks that send, hear, acknowledge and close.
//!
//! The clock of a conversation is that of the end that acts. What is said passes the tap one delay
//! later, and is heard another delay after that.

use super::dice::Dice;
use super::flow::{End, Flow};
use super::host::{CLIENT, MS, SERVER, Stack, US};
use super::packet::{NO_TRUTH, Options, Packet, flag};
use super::payload::{self, Opening, Payload};
use super::schedule::Schedule;
use super::truth::Ledger;

/// How long an acknowledgement may wait for data to ride on (Linux's usual 40 ms).
pub(super) const DELAYED_ACK: u64 = 40 * MS;

/// What flows share.
pub(super) struct Net {
    /// What is on its way.
    pub(super) schedule: Schedule,
    /// Choices.
    pub(super) dice: Dice,
    /// What is known of RSTs on their way.
    pub(super) ledger: Ledger,
    /// Share of frames that the tap copies twice, as a mirror of two ports does.
    pub(super) twice: f64,
}

/// A packet that was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// The packet.
    pub(super) packet: Packet,
    /// When it passes the tap.
    pub(super) taps_at: u64,
    /// When it reaches the other end.
    pub(super) arrives_at: u64,
}

/// A flow while it acts.
pub(super) struct Talk<'a> {
    /// The flow.
    pub(super) flow: &'a mut Flow,
    /// Its number.
    pub(super) number: u32,
    /// What all flows share.
    pub(super) net: &'a mut Net,
}

impl Talk<'_> {
    /// One end.
    pub(super) fn end(&self, side: usize) -> &End {
        &self.flow.ends[side & 1]
    }

    /// One end, to be changed.
    pub(super) fn end_mut(&mut self, side: usize) -> &mut End {
        &mut self.flow.ends[side & 1]
    }

    /// The choices.
    pub(super) fn dice(&mut self) -> &mut Dice {
        &mut self.net.dice
    }

    /// Time goes by. Acknowledgements that cannot wait are sent.
    pub(super) fn pass(&mut self, time: u64) {
        let now = self.flow.now + time;
        for side in [CLIENT, SERVER] {
            let due = self.end(side).owes_at;
            if due != 0 && due < now && !self.end(side).dead {
                self.flow.now = due;
                self.say(side, flag::ACK, Opening::Plain, 0);
            }
        }
        self.flow.now = now;
    }

    /// Time goes by, from `low` to `high` nanoseconds.
    pub(super) fn pause(&mut self, low: u64, high: u64) {
        let time = self.dice().between(low, high);
        self.pass(time);
    }

    /// A packet that `side` would send now.
    pub(super) fn build(&mut self, side: usize, flags: u8, payload: Payload) -> Packet {
        let end = *self.end(side);
        let options = if flags & flag::SYN != 0 {
            let timestamps =
                if flags & flag::ACK != 0 { self.flow.timestamps } else { end.host.timestamps };
            let mss = self.flow.offered_mss();
            Options::Syn { mss, scale: end.host.window_scale, timestamps }
        } else if self.flow.timestamps {
            Options::Timestamps
        } else {
            Options::None
        };
        Packet {
            kind: self.flow.kind,
            side: side as u8,
            flags,
            ttl: end.host.ttl,
            tos: self.flow.parties.tos,
            df: true,
            ip_id: self.next_id(side, flags),
            window: self.window(side, flags),
            seq: end.nxt,
            ack: if flags & flag::ACK == 0 { 0 } else { end.rcv },
            time: [0, if flags & flag::ACK == 0 { 0 } else { end.heard }],
            options,
            payload,
            truth: NO_TRUTH,
        }
    }

    /// The next IP identification: Linux counts for each socket, but a SYN-ACK has none yet.
    pub(super) fn next_id(&mut self, side: usize, flags: u8) -> u16 {
        let end = self.end_mut(side);
        let answers_syn = flags & (flag::SYN | flag::ACK) == flag::SYN | flag::ACK;
        if answers_syn && end.host.stack == Stack::Linux {
            return 0;
        }
        end.ip_id = end.ip_id.wrapping_add(1);
        end.ip_id
    }

    fn window(&self, side: usize, flags: u8) -> u16 {
        let end = self.end(side);
        match (flags & flag::SYN != 0, flags & flag::ACK != 0, end.host.stack) {
            (false, ..) => end.window,
            (_, false, _) => 44 * (self.flow.offered_mss()),
            (_, true, Stack::Windows) => 65_535,
            (_, true, Stack::Linux) => [65_160, 64_260][usize::from(self.flow.parties.v6)],
        }
    }

    /// Sends a packet at `at`, in order behind what its sender sent before.
    pub(super) fn transmit(&mut self, at: u64, packet: Packet) -> Sent {
        let side = usize::from(packet.side);
        let jitter = self.dice().below(3 * US);
        let end = self.end(side);
        let soonest = (end.passed_at + 400).max(self.net.schedule.now());
        let taps_at = (at + end.host.delay + jitter).max(soonest);
        self.end_mut(side).passed_at = taps_at;
        self.transmit_at(at, taps_at, packet)
    }

    /// Sends a packet at `at` that passes the tap at `taps_at`, whatever came before.
    pub(super) fn transmit_at(&mut self, at: u64, taps_at: u64, mut packet: Packet) -> Sent {
        let side = usize::from(packet.side);
        let clock = self.end(side).clock;
        packet.time[0] = clock.wrapping_add((at / MS) as u32);
        self.pass_tap(taps_at, packet);
        let other = self.end(side ^ 1).host.delay;
        Sent { packet, taps_at, arrives_at: taps_at + other }
    }

    /// A packet passes the tap, seldom twice.
    pub(super) fn pass_tap(&mut self, at: u64, packet: Packet) {
        self.net.schedule.pass(at, self.number, packet);
        self.flow.last_at = self.flow.last_at.max(at);
        let twice = self.net.twice;
        if twice > 0.0 && self.net.dice.chance(twice) {
            let copy = Packet { truth: self.net.ledger.copy(packet.truth), ..packet };
            let later = at + self.net.dice.between(900, 6_000);
            self.net.schedule.pass(later, self.number, copy);
            self.flow.last_at = self.flow.last_at.max(later);
        }
    }

    /// Requests and responses as the service's port has them: in the clear, in TLS records, or in a
    /// protocol of its own.
    pub(super) fn speech(&self, opening: Opening) -> Opening {
        match (opening, self.flow.port[SERVER]) {
            (Opening::HttpRequest | Opening::HttpResponse, 443) => Opening::TlsData,
            (Opening::HttpRequest | Opening::HttpResponse, 80 | 8080) => opening,
            (Opening::HttpRequest | Opening::HttpResponse, _) => Opening::Plain,
            _ => opening,
        }
    }

    /// A packet that is on its way already, byte for byte as it was, passes the tap about now.
    pub(super) fn passes(&mut self, packet: Packet) -> Sent {
        let side = usize::from(packet.side);
        let taps_at = self.flow.now + self.end(side).host.delay;
        self.pass_tap(taps_at, packet);
        Sent { packet, taps_at, arrives_at: taps_at + self.end(side ^ 1).host.delay }
    }

    /// `side` sends a segment now.
    pub(super) fn say(&mut self, side: usize, flags: u8, opening: Opening, len: u16) -> Sent {
        let payload = payload::at(self.speech(opening), self.end(side).nxt, len);
        let packet = self.build(side, flags, payload);
        let end = self.end_mut(side);
        end.nxt = packet.end();
        if packet.has(flag::ACK) {
            end.owes_at = 0;
        }
        self.transmit(self.flow.now, packet)
    }

    /// `side` sends data now.
    pub(super) fn data(&mut self, side: usize, opening: Opening, len: u16) -> Sent {
        self.say(side, flag::PSH | flag::ACK, opening, len)
    }

    /// `side` acknowledges now.
    pub(super) fn ack(&mut self, side: usize) -> Sent {
        self.say(side, flag::ACK, Opening::Plain, 0)
    }

    /// `sent` is sent once more at `at`.
    pub(super) fn again(&mut self, at: u64, sent: &Sent) -> Sent {
        let packet = sent.packet;
        let side = usize::from(packet.side);
        let ip_id = self.next_id(side, packet.flags);
        let ack = if packet.has(flag::ACK) { self.end(side).rcv } else { 0 };
        self.transmit(at, Packet { ip_id, ack, ..packet })
    }

    /// The other end receives `sent`, and acts from then on.
    pub(super) fn take(&mut self, sent: &Sent) {
        let receiver = usize::from(sent.packet.side ^ 1);
        self.flow.now = sent.arrives_at;
        let uses_timestamps = self.flow.timestamps;
        let end = self.end_mut(receiver);
        end.rcv = sent.packet.end();
        if uses_timestamps {
            end.heard = sent.packet.time[0];
        }
    }

    /// The other end receives `sent` and acknowledges it, at once or when it next speaks.
    pub(super) fn hear(&mut self, sent: &Sent) {
        self.take(sent);
        let receiver = usize::from(sent.packet.side ^ 1);
        if sent.packet.payload.len == 0 {
            return;
        }
        if self.dice().chance(0.6) {
            self.flow.now += 4 * US;
            self.ack(receiver);
        } else {
            self.end_mut(receiver).owes_at = self.flow.now + DELAYED_ACK;
        }
    }

    /// The handshake; afterwards the client may speak.
    pub(super) fn open(&mut self) {
        let mut syn = self.say(CLIENT, flag::SYN, Opening::Plain, 0);
        let lossy = self.flow.parties.loss;
        if self.dice().chance(lossy) {
            // It got lost behind the tap: again after a second (RFC 6298).
            syn = self.again(self.flow.now + 1_000 * MS, &syn);
        }
        self.take(&syn);
        self.pause(5 * US, 60 * US);
        let answer = self.say(SERVER, flag::SYN | flag::ACK, Opening::Plain, 0);
        self.take(&answer);
        self.pause(3 * US, 20 * US);
        let done = self.ack(CLIENT);
        self.end_mut(SERVER).heard = done.packet.time[0];
    }

    /// A request of the client's and a response, both of one segment.
    pub(super) fn exchange(&mut self) {
        self.ask();
        self.pause(100 * US, 4 * MS);
        let len = self.dice().between(150, 1_300) as u16;
        let response = self.data(SERVER, Opening::HttpResponse, len);
        self.hear(&response);
    }

    /// The client asks, and the server has read it.
    pub(super) fn ask(&mut self) -> Sent {
        let len = self.dice().between(120, 700) as u16;
        let request = self.data(CLIENT, Opening::HttpRequest, len);
        self.hear(&request);
        request
    }

    /// Nothing is owed any more, whatever happens next.
    pub(super) fn settle(&mut self) {
        self.pass(DELAYED_ACK + 2 * MS);
        let rtt = self.flow.rtt();
        self.pass(rtt);
    }

    /// Both sides close, `first` before the other; returns the last acknowledgement.
    pub(super) fn close(&mut self, first: usize) -> Sent {
        let fin = self.say(first, flag::FIN | flag::ACK, Opening::Plain, 0);
        self.take(&fin);
        if self.dice().chance(0.3) {
            self.ack(first ^ 1);
            self.pause(100 * US, 30 * MS);
        } else {
            self.pause(10 * US, 200 * US);
        }
        let fin = self.say(first ^ 1, flag::FIN | flag::ACK, Opening::Plain, 0);
        self.take(&fin);
        self.flow.now += 4 * US;
        self.ack(first)
    }
}
