//! Traffic for benches: one kind of packet, at a fixed rate, over as many flows as wanted.

use resetscope_core::judge::cause::Subcause;

use super::dice::{Dice, scatter, unit};
use super::host::{CLIENT, SERVER};
use super::packet::{Options, Packet, flag};
use super::payload::{self, Opening};
use super::recorder::Recorder;
use super::truth::{Label, Sender, Told};
use super::wire::Address;
use super::{Config, GenerateError};

/// Packets per second when nothing else is said.
const RATE: u64 = 1_000_000;

const STORM: Label = Label::new(
    "102-reset-storm",
    Subcause::Backscatter,
    &[
        Subcause::NoListener,
        Subcause::ServiceDown,
        Subcause::PortScan,
        Subcause::Midstream,
        Subcause::OneWay,
    ],
);
const SCAN: Label = Label::new("03-port-sweep", Subcause::PortScan, &[Subcause::NoListener]);
const PROBE: Label = Label::new("28-half-open-probe", Subcause::HalfOpenProbe, &[]);

/// Packets at a fixed rate.
struct Line<'a, 'b> {
    recorder: &'a mut Recorder<'b>,
    rate: u64,
    ipv6: f64,
    vlan: f64,
    sent: u64,
}

impl<'a, 'b> Line<'a, 'b> {
    fn new(config: &Config, recorder: &'a mut Recorder<'b>) -> Self {
        let rate = config.rate.unwrap_or(RATE).max(1);
        Self { recorder, rate, ipv6: config.ipv6, vlan: config.vlan, sent: 0 }
    }

    fn now(&self) -> u64 {
        (u128::from(self.sent) * 1_000_000_000 / u128::from(self.rate)) as u64
    }

    fn send(
        &mut self,
        address: &Address,
        packet: &Packet,
        told: Option<&Told>,
    ) -> Result<bool, GenerateError> {
        let at = self.now();
        self.sent += 1;
        self.recorder.record(at, address, packet, told)
    }

    /// The addresses of flow number `number` between `client` and `server`.
    fn address(&self, number: u64, client: u32, server: u32, port: [u16; 2]) -> Address {
        let v6 = unit(scatter(number, 1)) < self.ipv6;
        let ip = [client, server].map(|host| {
            let mut ip = [0; 16];
            if v6 {
                ip[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
                ip[12..].copy_from_slice(&host.to_be_bytes());
            } else {
                ip[..4].copy_from_slice(&host.to_be_bytes());
            }
            ip
        });
        let vlan =
            if unit(scatter(number, 2)) < self.vlan { 100 + (number % 16) as u16 } else { 0 };
        Address { ip, port, v6, vlan }
    }

    /// The addresses of one of many flows to a few services.
    fn flow(&self, number: u64) -> Address {
        let client = 0x0a00_0001 + (number as u32 & 0x000f_ffff);
        let server = 0xc613_0001 + (scatter(number, 3) as u32 & 0x3f);
        self.address(number, client, server, [10_000 + (number >> 20) as u16, 443])
    }
}

/// Established connections: two sequence numbers for each.
struct Established(Vec<[u32; 2]>);

impl Established {
    /// As many as asked for; unless they began before the capture, with their handshakes.
    fn new(config: &Config, line: &mut Line<'_, '_>) -> Result<Self, GenerateError> {
        line.recorder.summary.connections = config.flows;
        line.recorder.summary.flows_most = config.flows;
        let begin = |number| [scatter(number, 4) as u32, scatter(number, 5) as u32];
        let mut next: Vec<[u32; 2]> = (0..config.flows).map(begin).collect();
        if config.midstream {
            return Ok(Self(next));
        }
        for (number, seq) in (0..).zip(next.iter_mut()) {
            let address = line.flow(number);
            let [client, server] = *seq;
            let open = |side, flags, seq, ack| Packet {
                flags,
                seq,
                ack,
                window: 64_240,
                options: if flags & flag::SYN == 0 { Options::None } else { Options::Mss },
                ..Packet::bare(side)
            };
            let syn_ack = flag::SYN | flag::ACK;
            *seq = [client.wrapping_add(1), server.wrapping_add(1)];
            for packet in [
                open(CLIENT, flag::SYN, client, 0),
                open(SERVER, syn_ack, server, seq[0]),
                open(CLIENT, flag::ACK, seq[0], seq[1]),
            ] {
                if !line.send(&address, &packet, None)? {
                    return Ok(Self(next));
                }
            }
        }
        Ok(Self(next))
    }

    /// Sends a packet of any of them in any direction; false when no more is wanted.
    fn send_any(
        &mut self,
        dice: &mut Dice,
        line: &mut Line<'_, '_>,
    ) -> Result<bool, GenerateError> {
        let (number, packet) = self.any(dice);
        let address = line.flow(number);
        line.send(&address, &packet, None)
    }

    /// A packet of any of them in any direction: data of six bytes, or an acknowledgement.
    fn any(&mut self, dice: &mut Dice) -> (u64, Packet) {
        let number = dice.below(self.0.len() as u64);
        let choice = dice.bits();
        let side = (choice & 1) as usize;
        let len = if choice & 2 == 0 { 0 } else { 6 };
        let Some(next) = self.0.get_mut(number as usize) else { return (0, Packet::bare(side)) };
        let seq = next[side];
        next[side] = seq.wrapping_add(u32::from(len));
        let packet = Packet {
            flags: if len == 0 { flag::ACK } else { flag::PSH | flag::ACK },
            seq,
            ack: next[side ^ 1],
            window: 502,
            ip_id: (choice >> 8) as u16,
            ttl: 64 - 4 * side as u8,
            payload: payload::at(Opening::Plain, seq, len),
            ..Packet::bare(side)
        };
        (number, packet)
    }
}

/// Established connections in random order.
pub(super) fn small_frames(
    config: &Config,
    mut dice: Dice,
    recorder: &mut Recorder<'_>,
) -> Result<(), GenerateError> {
    let mut line = Line::new(config, recorder);
    let mut flows = Established::new(config, &mut line)?;
    while flows.send_any(&mut dice, &mut line)? {}
    Ok(())
}

/// Four of five packets are SYNs from forged addresses to one service; one in ten of those is
/// answered. The others belong to established connections.
pub(super) fn syn_flood(
    config: &Config,
    mut dice: Dice,
    recorder: &mut Recorder<'_>,
) -> Result<(), GenerateError> {
    let mut line = Line::new(config, recorder);
    let mut flows = Established::new(config, &mut line)?;
    let mut floods = 0;
    loop {
        if dice.chance(0.2) {
            if !flows.send_any(&mut dice, &mut line)? {
                return Ok(());
            }
            continue;
        }
        floods += 1;
        let number = (1 << 40) + floods;
        let forged = (dice.word() | 0x1000_0000) & 0x5fff_ffff;
        let port = dice.between(1_024, 65_535) as u16;
        let address = line.address(number, forged, 0xc613_0001, [port, 443]);
        let syn = Packet {
            flags: flag::SYN,
            seq: dice.word(),
            window: 64_240,
            ip_id: dice.word() as u16,
            ttl: dice.between(30, 250) as u8,
            options: Options::Mss,
            ..Packet::bare(CLIENT)
        };
        let answer = Packet {
            flags: flag::SYN | flag::ACK,
            seq: dice.word(),
            ack: syn.end(),
            window: 65_160,
            options: Options::Mss,
            ..Packet::bare(SERVER)
        };
        let answered = dice.chance(0.1);
        line.recorder.summary.connections += 1;
        if !line.send(&address, &syn, None)? || (answered && !line.send(&address, &answer, None)?) {
            return Ok(());
        }
    }
}

/// Refusals of SYNs that were never seen: each a connection of its own.
pub(super) fn reset_storm(
    config: &Config,
    mut dice: Dice,
    recorder: &mut Recorder<'_>,
) -> Result<(), GenerateError> {
    let mut line = Line::new(config, recorder);
    for number in 0u64.. {
        // Each number is another 5-tuple: its low bits are the port, the others the client.
        let client = 0x0a00_0001 + (number >> 15) as u32;
        let server = 0xc613_0001 + (scatter(number, 3) as u32 & 0xff);
        let port = [32_768 | (number & 0x7fff) as u16, dice.choose(&[81, 8_443, 9_000], 81)];
        let address = line.address(number, client, server, port);
        let packet = Packet {
            flags: flag::RST | flag::ACK,
            ack: dice.word(),
            ttl: 64 - (scatter(u64::from(server), 6) % 20) as u8,
            ..Packet::bare(SERVER)
        };
        let told = told(&STORM, SERVER, line.now());
        line.recorder.summary.connections += 1;
        line.recorder.summary.reset += 1;
        if !line.send(&address, &packet, Some(&told))? {
            break;
        }
    }
    Ok(())
}

fn told(label: &'static Label, side: usize, at: u64) -> Told {
    let sender = Sender::Kernel(side);
    Told { label, sender, reason: Some("NO_SOCKET"), accepted: true, aftermath: false, at }
}

/// Sixteen sources, each trying port after port of a network of 256 hosts: most are closed, one in
/// twenty is open, one in four answers nothing.
pub(super) fn scan(
    config: &Config,
    mut dice: Dice,
    recorder: &mut Recorder<'_>,
) -> Result<(), GenerateError> {
    let mut line = Line::new(config, recorder);
    for number in 0u64.. {
        let source = dice.below(16) as u32;
        let server = 0xc613_0001 + (number as u32 & 0xff);
        let target = 1 + (number >> 8) % 32_000;
        let port = [40_000 + ((number >> 8) / 32_000) as u16, target as u16];
        let address = line.address(u64::from(source), 0x6440_0001 + source, server, port);
        let syn = Packet {
            flags: flag::SYN,
            seq: dice.word(),
            window: 1_024,
            ip_id: dice.word() as u16,
            df: false,
            ttl: dice.between(37, 60) as u8,
            options: Options::Mss,
            ..Packet::bare(CLIENT)
        };
        line.recorder.summary.connections += 1;
        if !line.send(&address, &syn, None)? {
            return Ok(());
        }
        let open = scatter(u64::from(server) << 16 | target, 7) % 20;
        let closed = Packet {
            flags: flag::RST | flag::ACK,
            ack: syn.end(),
            ttl: 60,
            ..Packet::bare(SERVER)
        };
        let accepted = Packet {
            flags: flag::SYN | flag::ACK,
            seq: dice.word(),
            window: 64_240,
            options: Options::Mss,
            ..closed
        };
        let reset = Packet { flags: flag::RST, seq: syn.end(), ttl: 52, ..Packet::bare(CLIENT) };
        let answers: &[(Packet, Option<Told>)] = match open {
            0 => &[(accepted, None), (reset, Some(told(&PROBE, CLIENT, line.now())))],
            1..=14 => &[(closed, Some(told(&SCAN, SERVER, line.now())))],
            _ => &[],
        };
        line.recorder.summary.reset += u64::from(!answers.is_empty());
        for (packet, told) in answers {
            if !line.send(&address, packet, told.as_ref())? {
                return Ok(());
            }
        }
    }
    Ok(())
}
