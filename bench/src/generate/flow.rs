//! One flow: its two ends as their stacks see them, and what is still to happen in it.

use super::dice::Dice;
use super::host::{Host, Parties, S, Stack};
use super::packet::Kind;
use super::payload::Opening;
use super::talk::Talk;
use super::wire::Address;

/// What happens next in a flow. A step is carried out when its time has come, so a flow keeps no
/// packets of its future.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// The handshake.
    Open,
    /// A message, in rounds of a congestion window.
    Send {
        /// Who sends.
        side: usize,
        /// Its length in bytes.
        bytes: u32,
        /// How it begins.
        opening: Opening,
    },
    /// Requests and responses with pauses.
    Exchanges {
        /// How many.
        left: u16,
        /// Median length of a response, in bytes.
        response: u32,
        /// Mean pause, in nanoseconds.
        think: u64,
    },
    /// Keystrokes and their echoes.
    Typing {
        /// How many.
        left: u16,
    },
    /// A keepalive probe of the server's, answered.
    Keepalive,
    /// Silence for some nanoseconds.
    Wait(u64),
    /// Silence until a moment of the capture.
    Until(u64),
    /// FINs, `.0` first.
    Close(usize),
    /// A datagram, or an ICMP echo.
    Datagram {
        /// Who sends.
        side: usize,
        /// Its payload in bytes.
        len: u16,
        /// How it begins.
        opening: Opening,
    },
    /// A bulk transfer in datagrams, from the server.
    Datagrams {
        /// How many.
        left: u32,
    },
    /// How it ends, packet by packet.
    End(fn(&mut Talk<'_>)),
}

/// One end of a flow.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    /// The host.
    pub(super) host: Host,
    /// The next sequence number that it sends.
    pub(super) nxt: u32,
    /// The next that it expects.
    pub(super) rcv: u32,
    /// Its counter of IP identifications.
    pub(super) ip_id: u16,
    /// The window it announces, scaled.
    pub(super) window: u16,
    /// Where its timestamp clock began.
    pub(super) clock: u32,
    /// The peer's latest timestamp.
    pub(super) heard: u32,
    /// When an acknowledgement is due at the latest; 0 for none.
    pub(super) owes_at: u64,
    /// When its latest packet passed the tap.
    pub(super) passed_at: u64,
    /// A RST ended it.
    pub(super) dead: bool,
}

/// A flow.
#[derive(Debug)]
pub(super) struct Flow {
    /// Client and server.
    pub(super) ends: [End; 2],
    /// What its packets are.
    pub(super) kind: Kind,
    /// Ports, as the packets show them.
    pub(super) port: [u16; 2],
    /// Who they are and what lies between.
    pub(super) parties: Parties,
    /// Both ends use timestamps.
    pub(super) timestamps: bool,
    /// Congestion window, in segments.
    pub(super) cwnd: u16,
    /// The time at the end that acts, in nanoseconds of the capture.
    pub(super) now: u64,
    /// When its last packet passes the tap.
    pub(super) last_at: u64,
    /// What is to happen, the next step last.
    pub(super) steps: Vec<Step>,
    /// A packet of it has passed the tap.
    pub(super) seen: bool,
    /// A RST of it has passed the tap.
    pub(super) reset: bool,
}

impl Flow {
    /// A flow between `parties`, `port` being the client's, that begins at `now`.
    pub(super) fn new(
        kind: Kind,
        parties: &Parties,
        port: u16,
        steps: Vec<Step>,
        now: u64,
        dice: &mut Dice,
    ) -> Self {
        let end = |host: Host, dice: &mut Dice| End {
            host,
            nxt: dice.word(),
            rcv: 0,
            ip_id: dice.word() as u16,
            window: match (host.stack, host.window_scale) {
                (Stack::Windows, _) => 1026,
                (Stack::Linux, 10) => 63,
                (Stack::Linux, _) => 502,
            },
            clock: dice.word(),
            heard: 0,
            owes_at: 0,
            passed_at: 0,
            dead: false,
        };
        let [client, server] = parties.hosts;
        let mut ends = [end(client, dice), end(server, dice)];
        // For flows that began before the capture; a handshake sets them anew.
        ends[0].rcv = ends[1].nxt;
        ends[1].rcv = ends[0].nxt;
        let age = dice.below(100 * S) / 1_000_000;
        ends[0].heard = ends[1].clock.wrapping_sub(age as u32);
        ends[1].heard = ends[0].clock.wrapping_sub(age as u32);
        Self {
            ends,
            kind,
            port: [port, parties.port],
            parties: *parties,
            timestamps: client.timestamps && server.timestamps,
            cwnd: 10,
            now,
            last_at: 0,
            steps,
            seen: false,
            reset: false,
        }
    }

    /// What its packets' headers need of it.
    pub(super) fn address(&self) -> Address {
        Address {
            ip: [self.ends[0].host.address, self.ends[1].host.address],
            port: self.port,
            v6: self.parties.v6,
            vlan: self.parties.vlan,
        }
    }

    /// The largest payload of a segment, in bytes (an Ethernet of 1500).
    pub(super) fn mss(&self) -> u16 {
        self.offered_mss() - if self.timestamps { 12 } else { 0 }
    }

    /// The maximum segment size that SYNs offer.
    pub(super) fn offered_mss(&self) -> u16 {
        if self.parties.v6 { 1440 } else { 1460 }
    }

    /// A packet to the other end and an answer, in nanoseconds.
    pub(super) fn rtt(&self) -> u64 {
        2 * (self.ends[0].host.delay + self.ends[1].host.delay)
    }
}
