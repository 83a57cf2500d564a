//! Makes traffic: single TCP frames, and thousands of connections that live and die at random.

#![allow(dead_code, reason = "each test file uses its part")]

use super::capture_writer::Seen;

/// A generator of numbers that are the same in every run (xorshift64*).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 11) % end.max(1)
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

pub(crate) const FIN: u8 = 1;
pub(crate) const SYN: u8 = 2;
pub(crate) const RST: u8 = 4;
pub(crate) const PSH: u8 = 8;
pub(crate) const ACK: u8 = 16;

/// One TCP segment to be put into a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tcp<'a> {
    pub(crate) v6: bool,
    pub(crate) from: (u16, u16),
    pub(crate) to: (u16, u16),
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u8,
    pub(crate) window: u16,
    pub(crate) ttl: u8,
    pub(crate) ip_id: u16,
    pub(crate) payload: &'a [u8],
}

impl Default for Tcp<'_> {
    fn default() -> Self {
        Self {
            v6: false,
            from: (1, 40_000),
            to: (2, 443),
            seq: 0,
            ack: 0,
            flags: 0,
            window: 64_240,
            ttl: 64,
            ip_id: 0,
            payload: &[],
        }
    }
}

impl Tcp<'_> {
    /// The Ethernet frame. Hosts are numbers: 10.0.x.y, or 2001:db8::x:y.
    pub(crate) fn frame(&self, time_ns: u64) -> Seen {
        let mut tcp = Vec::new();
        tcp.extend(self.from.1.to_be_bytes());
        tcp.extend(self.to.1.to_be_bytes());
        tcp.extend(self.seq.to_be_bytes());
        tcp.extend(self.ack.to_be_bytes());
        tcp.extend([0x50, self.flags]);
        tcp.extend(self.window.to_be_bytes());
        tcp.extend([0; 4]);
        tcp.extend_from_slice(self.payload);
        let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        if self.v6 {
            bytes.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
            bytes.extend((tcp.len() as u16).to_be_bytes());
            bytes.extend([6, self.ttl]);
            for host in [self.from.0, self.to.0] {
                bytes.extend([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
                bytes.extend(host.to_be_bytes());
            }
        } else {
            bytes.extend([0x08, 0x00, 0x45, 0]);
            bytes.extend((20 + tcp.len() as u16).to_be_bytes());
            bytes.extend(self.ip_id.to_be_bytes());
            bytes.extend([0x40, 0, self.ttl, 6, 0, 0]);
            for host in [self.from.0, self.to.0] {
                bytes.extend([10, 0]);
                bytes.extend(host.to_be_bytes());
            }
        }
        bytes.extend(tcp);
        Seen { time_ns, link: 1, wire_len: bytes.len() as u32, bytes }
    }
}

/// When generated traffic begins, in nanoseconds since 1970-01-01 UTC.
pub(crate) const BEGIN_NS: u64 = 1_700_000_000_250_000_000;

/// A SYN and the RST-ACK that refuses it, `count` times from different ports.
pub(crate) fn refusals(count: u16) -> Vec<Seen> {
    (0..count)
        .flat_map(|i| {
            let time_ns = BEGIN_NS + u64::from(i) * 10_000_000;
            let (client, server) = ((1, 40_000 + i), (2, 81));
            let syn = Tcp { from: client, to: server, seq: 99, flags: SYN, ..Tcp::default() };
            let rst =
                Tcp { from: server, to: client, ack: 100, flags: RST | ACK, ..Tcp::default() };
            [syn.frame(time_ns), rst.frame(time_ns + 1_000_000)]
        })
        .collect()
}

/// How traffic is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mix {
    pub(crate) seed: u64,
    pub(crate) frames: usize,
    /// Connections that live at the same time.
    pub(crate) flows: usize,
    /// Time runs backwards once in so many frames; 0 for never.
    pub(crate) backwards_once_in: u64,
}

/// What one connection of the mix is at.
#[derive(Clone, Copy, Debug)]
struct Life {
    v6: bool,
    ends: [(u16, u16); 2],
    next: [u32; 2],
    step: u8,
}

impl Life {
    fn new(number: u64, dice: &mut Dice) -> Self {
        let client = ((number % 4_000) as u16 + 10, 1_024 + dice.below(60_000) as u16);
        let server = (1 + (number % 7) as u16, [80, 443, 22, 8_080][(number % 4) as usize]);
        Self {
            v6: number.is_multiple_of(5),
            ends: [client, server],
            next: [dice.next() as u32, dice.next() as u32],
            step: 0,
        }
    }

    /// The next thing that happens to it; true when it is over.
    fn live(&mut self, time_ns: u64, dice: &mut Dice, out: &mut Vec<Seen>) -> bool {
        let side = dice.below(2) as usize;
        let action = match self.step {
            0 => 0,
            1 => dice.below(3) as u8,
            2 => 2 + dice.below(2) as u8,
            _ => 3 + dice.below(12) as u8,
        };
        let payload = vec![b'x'; 1 + dice.below(90) as usize];
        let (side, flags, payload, back): (usize, u8, &[u8], u32) = match action {
            0 => (0, SYN, &[], 0),
            1 if dice.once_in(2) => (1, RST | ACK, &[], 0),
            1 => (1, SYN | ACK, &[], 0),
            2 => (0, ACK, &[], 0),
            3..=6 => (side, PSH | ACK, &payload, 0),
            7 => (side, ACK, &payload, payload.len() as u32),
            8 => (side, ACK, &[], 1),
            9 | 10 => (side, FIN | ACK, &[], 0),
            11 => (side, RST | ACK, &[], 0),
            12 => (side, RST, &[], dice.below(3) as u32),
            13 => (side, RST, b"go away", 0),
            _ => (side, SYN, &[], dice.below(1 << 20) as u32),
        };
        let known_ack = if flags & ACK == 0 { 0 } else { self.next[side ^ 1] };
        let segment = Tcp {
            v6: self.v6,
            from: self.ends[side],
            to: self.ends[side ^ 1],
            seq: self.next[side].wrapping_sub(back),
            ack: known_ack,
            flags,
            window: dice.below(1 << 16) as u16,
            ttl: if dice.once_in(20) { 255 } else { 64 - side as u8 },
            ip_id: time_ns as u16,
            payload,
        };
        out.push(segment.frame(time_ns));
        if back == 0 && flags & RST == 0 {
            let counted = u32::from(flags & (SYN | FIN) != 0);
            self.next[side] = self.next[side].wrapping_add(payload.len() as u32 + counted);
        }
        self.step = self.step.saturating_add(1);
        (flags & RST != 0 && dice.once_in(3)) || (self.step > 30 && dice.once_in(4))
    }
}

/// Connections in random interleaving, each with a random life, among frames that are no TCP.
pub(crate) fn mix(mix: Mix) -> Vec<Seen> {
    let dice = &mut Dice::new(mix.seed);
    let mut born = 0..;
    let mut birth = |dice: &mut Dice| Life::new(born.next().unwrap_or(0), dice);
    let mut lives: Vec<Life> = (0..mix.flows).map(|_| birth(dice)).collect();
    let mut clock_ns = BEGIN_NS;
    let mut out = Vec::with_capacity(mix.frames);
    while out.len() < mix.frames {
        clock_ns += match dice.below(2_000) {
            0 => dice.below(20_000_000_000),
            1..20 => dice.below(200_000_000),
            _ => dice.below(200_000),
        };
        let backwards = mix.backwards_once_in > 0 && dice.once_in(mix.backwards_once_in);
        let time_ns = clock_ns - if backwards { dice.below(4_000_000_000) } else { 0 };
        if dice.once_in(50) {
            let (ether_type, cut) = ([[8, 6], [8, 0], [0x86, 0xdd]][dice.below(3) as usize], 40);
            let mut bytes = vec![0; 12];
            bytes.extend(ether_type);
            bytes.extend((0..dice.below(cut)).map(|_| dice.next() as u8));
            out.push(Seen { time_ns, link: 1, wire_len: bytes.len() as u32, bytes });
            continue;
        }
        let which = dice.below(lives.len() as u64) as usize;
        if lives[which].live(time_ns, dice, &mut out) {
            lives[which] = birth(dice);
        }
    }
    out
}
