//! Writing RSTs, as the stacks, firewalls and forgers do that send them.

use super::dice::Dice;
use super::host::{Device, SERVER, Stack, US};
use super::packet::{Options, Packet, flag};
use super::payload::Payload;
use super::talk::{Sent, Talk};
use super::truth::{Label, Sender, Told};

/// What a RST means, and what Linux would call its reason.
#[derive(Clone, Copy, Debug)]
pub(super) struct Why {
    label: &'static Label,
    reason: &'static str,
    aftermath: bool,
}

impl Why {
    /// The RST that begins an event.
    pub(super) const fn new(label: &'static Label, reason: &'static str) -> Self {
        Self { label, reason, aftermath: false }
    }

    /// A further RST of an event.
    pub(super) const fn after(label: &'static Label, reason: &'static str) -> Self {
        Self { label, reason, aftermath: true }
    }
}

impl Talk<'_> {
    /// The receiver of `trigger` knows no such connection and says so (RFC 9293 section 3.5.2):
    /// RST with the number that the trigger acknowledges, or RST-ACK to a packet without ACK.
    pub(super) fn refuse(&mut self, trigger: &Sent, why: Why) -> Sent {
        let side = usize::from(trigger.packet.side ^ 1);
        let host = self.end(side).host;
        let mut packet = answer(&trigger.packet, host.ttl);
        packet.tos = trigger.packet.tos & 0xfc;
        if host.stack == Stack::Windows {
            packet.ip_id = self.next_id(side, flag::RST);
        }
        self.flow.now = trigger.arrives_at;
        self.pause(4 * US, 30 * US);
        self.kernel_reset(side, packet, why)
    }

    /// `side` had the connection and ends it: RST-ACK with the connection's own numbers.
    pub(super) fn abort(&mut self, side: usize, why: Why) -> Sent {
        let mut packet = self.build(side, flag::RST | flag::ACK, Payload::default());
        if self.end(side).host.stack == Stack::Windows {
            packet.window = 0;
            packet.options = Options::None;
        }
        self.end_mut(side).owes_at = 0;
        self.kernel_reset(side, packet, why)
    }

    fn kernel_reset(&mut self, side: usize, mut packet: Packet, why: Why) -> Sent {
        let linux = self.end(side).host.stack == Stack::Linux;
        let told = Told {
            label: why.label,
            sender: Sender::Kernel(side),
            reason: linux.then_some(why.reason),
            accepted: !self.end(side ^ 1).dead,
            aftermath: why.aftermath,
            at: self.flow.now,
        };
        packet.truth = self.net.ledger.put(told);
        self.end_mut(side).dead = true;
        self.end_mut(side ^ 1).dead = true;
        self.transmit(self.flow.now, packet)
    }

    /// A device beyond the tap rejects `trigger`: the same answer, but with the device's time to
    /// live, and with no trace of the trigger's service class (nftables `reject with tcp reset`).
    pub(super) fn reject(&mut self, device: Device, trigger: &Sent, why: Why) -> Sent {
        let packet = answer(&trigger.packet, device.ttl);
        let at = trigger.taps_at + 2 * device.delay + self.dice().between(4 * US, 20 * US);
        self.inject(at, packet, Sender::Firewall, why)
    }

    /// A RST that claims to come from `side`, in sequence, with a forger's plain header.
    pub(super) fn forge(&self, side: usize, flags: u8) -> Packet {
        let end = self.end(side);
        Packet {
            flags,
            seq: end.nxt,
            ack: if flags & flag::ACK == 0 { 0 } else { self.end(side ^ 1).nxt },
            ttl: 64,
            ..Packet::bare(side)
        }
    }

    /// A forged packet passes the tap at `at`; if it is a RST that its victim believes, the victim
    /// is dead then.
    pub(super) fn inject(&mut self, at: u64, mut packet: Packet, by: Sender, why: Why) -> Sent {
        let side = usize::from(packet.side);
        let arrives_at = at + self.end(side ^ 1).host.delay;
        let exact = packet.seq == self.end(side ^ 1).rcv || by == Sender::Firewall;
        let accepted = exact && !self.end(side ^ 1).dead;
        let told = Told {
            label: why.label,
            sender: by,
            reason: None,
            accepted,
            aftermath: why.aftermath,
            at,
        };
        packet.truth = self.net.ledger.put(told);
        if accepted {
            let end = self.end_mut(side ^ 1);
            end.dead = true;
            end.owes_at = 0;
        }
        let at = at.max(self.net.schedule.now());
        self.pass_tap(at, packet);
        Sent { packet, taps_at: at, arrives_at }
    }

    /// The device in front of the server; the same for all its connections.
    pub(super) fn front(&self) -> Device {
        Device::near(&mut Dice::new(u64::from(self.end(SERVER).host.number) << 8 | 0xd))
    }
}

/// What a host without the connection answers to `trigger`.
fn answer(trigger: &Packet, ttl: u8) -> Packet {
    let side = usize::from(trigger.side ^ 1);
    if trigger.has(flag::ACK) {
        Packet { flags: flag::RST, seq: trigger.ack, ttl, ..Packet::bare(side) }
    } else {
        Packet { flags: flag::RST | flag::ACK, ack: trigger.end(), ttl, ..Packet::bare(side) }
    }
}
