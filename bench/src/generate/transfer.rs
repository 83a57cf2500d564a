//! Messages of any length: rounds of a congestion window, with acknowledgements, losses and
//! reordering.

use super::host::{MS, US};
use super::packet::{Options, Packet, flag};
use super::payload::{self, Opening};
use super::talk::{DELAYED_ACK, Sent, Talk};

/// The largest congestion window, in segments.
const WINDOW_MAX: u16 = 48;

/// The shortest retransmission timeout (Linux).
pub(super) const RTO_MIN: u64 = 200 * MS;

/// How often two segments of a round overtake each other on the way to the tap.
const REORDERED: f64 = 0.0015;

/// What happens to one segment of a round.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Lost before the tap sees it.
    LostBefore,
    /// Lost after the tap has seen it.
    LostAfter,
}

impl Talk<'_> {
    /// Sends one window's worth of a message of which `left` bytes remain; returns what remains
    /// then. Afterwards the sender may go on, or the receiver answer when nothing remains.
    pub(super) fn round(&mut self, side: usize, left: u32, opening: Opening) -> u32 {
        let segments = self.segments(side, left, opening);
        let sent_bytes: u32 = segments.iter().map(|it| u32::from(it.payload.len)).sum();
        let loss = self.flow.parties.loss * segments.len() as f64;
        let lost = self.dice().chance(loss).then(|| {
            let which = self.dice().below(segments.len() as u64) as usize;
            (which, if self.dice().chance(0.4) { Fate::LostBefore } else { Fate::LostAfter })
        });
        let sent = self.send_all(&segments, lost);
        let remains = left - sent_bytes;
        match lost {
            Some((which, _)) => self.recover(side, &sent, which),
            None => self.acknowledge(side, &sent, remains > 0),
        }
        remains
    }

    fn segments(&mut self, side: usize, left: u32, opening: Opening) -> Vec<Packet> {
        let mss = u32::from(self.flow.mss());
        let count = left.div_ceil(mss).min(u32::from(self.flow.cwnd)).max(1);
        let mut rest = left;
        let mut segments = Vec::with_capacity(count as usize);
        for place in 0..count {
            let len = rest.min(mss);
            rest -= len;
            let opening = if place == 0 { self.speech(opening) } else { Opening::Plain };
            let last = rest == 0 || place + 1 == count;
            let flags = if last { flag::PSH | flag::ACK } else { flag::ACK };
            let payload = payload::at(opening, self.end(side).nxt, len as u16);
            let packet = self.build(side, flags, payload);
            self.end_mut(side).nxt = packet.end();
            segments.push(packet);
        }
        self.end_mut(side).owes_at = 0;
        segments
    }

    fn send_all(&mut self, segments: &[Packet], lost: Option<(usize, Fate)>) -> Vec<Sent> {
        let gap = self.flow.parties.gap;
        let start = self.flow.now;
        let mut sent: Vec<Sent> = Vec::with_capacity(segments.len());
        let overtaken = if lost.is_none() && segments.len() > 2 && self.dice().chance(REORDERED) {
            self.dice().below(segments.len() as u64 - 1) as usize
        } else {
            usize::MAX
        };
        for (place, packet) in segments.iter().enumerate() {
            let at = start + place as u64 * gap;
            let one = if lost == Some((place, Fate::LostBefore)) {
                // On a way of its own, where nobody sees it.
                Sent { packet: *packet, taps_at: at, arrives_at: at }
            } else if place == overtaken {
                let delay = self.end(usize::from(packet.side)).host.delay;
                let soonest = self.net.schedule.now();
                self.transmit_at(at, (at + delay + gap + 9 * US).max(soonest), *packet)
            } else {
                self.transmit(at, *packet)
            };
            sent.push(one);
        }
        sent
    }

    /// All arrived: every second segment is acknowledged at once, the last one soon.
    fn acknowledge(&mut self, side: usize, sent: &[Sent], more: bool) {
        let receiver = side ^ 1;
        let mut answer_at = self.flow.now;
        let mut in_order: Vec<&Sent> = sent.iter().collect();
        in_order.sort_by_key(|it| it.arrives_at);
        let mut highest = self.end(receiver).rcv;
        for (place, one) in in_order.iter().enumerate() {
            let next = one.packet.seq == highest;
            self.take(one);
            // What an earlier segment overtook is there already.
            let through = sent
                .iter()
                .filter(|it| it.arrives_at <= one.arrives_at)
                .fold(highest, |end, it| if it.packet.seq == end { it.packet.end() } else { end });
            highest = through;
            self.end_mut(receiver).rcv = through;
            let last = place + 1 == in_order.len();
            let quick = !next || place % 2 == 1 || (last && (more || self.dice().chance(0.5)));
            if quick {
                self.flow.now += 3 * US;
                answer_at = self.ack(receiver).arrives_at;
            } else if last {
                self.end_mut(receiver).owes_at = self.flow.now + DELAYED_ACK;
            }
        }
        self.grow(receiver);
        if more {
            self.flow.now = answer_at;
        }
    }

    fn grow(&mut self, receiver: usize) {
        self.flow.cwnd = (self.flow.cwnd + self.flow.cwnd / 2).min(WINDOW_MAX);
        let end = self.end_mut(receiver);
        let most = if end.host.window_scale == 10 { 400 } else { 3_000 };
        end.window = (end.window + end.window / 20 + 1).min(most);
    }

    /// Segment number `which` is missing: duplicate acknowledgements with a SACK block, and a
    /// retransmission after three of them (RFC 5681) or when the timer rings.
    fn recover(&mut self, side: usize, sent: &[Sent], which: usize) {
        let receiver = side ^ 1;
        let Some(missing) = sent.get(which).copied() else { return };
        let mut duplicates = 0;
        let mut resend_at = sent.last().map_or(0, |it| it.taps_at)
            + RTO_MIN.max(self.flow.rtt() + self.flow.rtt() / 2);
        for (place, one) in sent.iter().enumerate().filter(|(place, _)| *place != which) {
            if place < which {
                self.take(one);
                if place % 2 == 1 || place + 1 == which {
                    self.flow.now += 3 * US;
                    self.ack(receiver);
                }
                continue;
            }
            self.flow.now = one.arrives_at + 3 * US;
            let block = [missing.packet.end(), one.packet.end()];
            let mut packet = self.build(receiver, flag::ACK, payload::Payload::default());
            packet.options = Options::Sack { block, timestamps: self.flow.timestamps };
            let at = self.flow.now;
            let duplicate = self.transmit(at, packet);
            duplicates += 1;
            if duplicates == 3 {
                resend_at = duplicate.arrives_at;
            }
        }
        let repeated = self.again(resend_at.max(missing.taps_at), &missing);
        self.take(&repeated);
        let end = sent.last().map_or(repeated.packet.end(), |it| it.packet.end());
        self.end_mut(receiver).rcv = end;
        self.flow.now += 3 * US;
        let acknowledged = self.ack(receiver);
        self.flow.now = acknowledged.arrives_at;
        self.flow.cwnd = (self.flow.cwnd / 2).max(2);
    }
}
