//! Packets as bytes: Ethernet, IEEE 802.1Q, IPv4 or IPv6, TCP, UDP or ICMP, with valid checksums.

use super::dice::scatter;
use super::packet::{Kind, Options, Packet, flag};
use super::payload::Pool;

/// The shortest frame on an Ethernet, without its checksum; shorter ones are padded (IEEE 802.3).
const SHORTEST: usize = 60;

/// Room for all headers.
const HEADERS: usize = 14 + 4 + 40 + 60;

/// What all packets of one connection share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Address {
    /// IP addresses of client and server; of IPv4 the first four bytes.
    pub(super) ip: [[u8; 16]; 2],
    /// Ports of client and server.
    pub(super) port: [u16; 2],
    /// IPv6 rather than IPv4.
    pub(super) v6: bool,
    /// IEEE 802.1Q tag; 0 for none.
    pub(super) vlan: u16,
}

/// Headers under construction.
struct Header {
    bytes: [u8; HEADERS],
    len: usize,
}

impl Header {
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        if let Some(room) = self.bytes.get_mut(self.len..self.len + N) {
            room.copy_from_slice(&bytes);
            self.len += N;
        }
    }

    fn u16(&mut self, value: u16) {
        self.put(value.to_be_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.put(value.to_be_bytes());
    }

    fn set(&mut self, at: usize, value: u16) {
        if let Some(room) = self.bytes.get_mut(at..at + 2) {
            room.copy_from_slice(&value.to_be_bytes());
        }
    }

    fn from(&self, at: usize) -> &[u8] {
        self.bytes.get(at..self.len).unwrap_or_default()
    }
}

/// Appends the frame of `packet`, cut to `snaplen` bytes; returns its length on the wire.
pub(super) fn write(
    out: &mut Vec<u8>,
    address: &Address,
    packet: &Packet,
    pool: &Pool,
    snaplen: usize,
) -> usize {
    let mut header = Header { bytes: [0; HEADERS], len: 0 };
    let from = usize::from(packet.side & 1);
    ethernet(&mut header, address, from);
    let ip_at = header.len;
    if address.v6 {
        ip6(&mut header, address, packet, from);
    } else {
        ip4(&mut header, address, packet, from);
    }
    let above = header.len;
    let checksum_at = match packet.kind {
        Kind::Tcp => tcp(&mut header, address, packet, from),
        Kind::Udp => udp(&mut header, address, packet, from),
        Kind::Echo => echo(&mut header, address, packet),
    };
    finish(&mut header, address, packet, pool, [ip_at, above, checksum_at]);
    let payload = pool.bytes(packet.payload);
    let unpadded = header.len + payload.len();
    let wire_len = unpadded.max(SHORTEST);
    let captured = wire_len.min(snaplen);
    let head = header.from(0);
    out.extend_from_slice(head.get(..captured.min(head.len())).unwrap_or_default());
    let rest = captured.saturating_sub(head.len()).min(payload.len());
    out.extend_from_slice(payload.get(..rest).unwrap_or_default());
    out.extend(std::iter::repeat_n(0, captured.saturating_sub(unpadded)));
    wire_len
}

/// Locally administered addresses: the router of each side of the tap.
fn ethernet(header: &mut Header, address: &Address, from: usize) {
    header.put([2, 0, 0, 0, 0, 2 - from as u8]);
    header.put([2, 0, 0, 0, 0, 1 + from as u8]);
    if address.vlan != 0 {
        header.u16(0x8100);
        header.u16(address.vlan);
    }
    header.u16(if address.v6 { 0x86dd } else { 0x0800 });
}

fn protocol(kind: Kind, v6: bool) -> u8 {
    match (kind, v6) {
        (Kind::Tcp, _) => 6,
        (Kind::Udp, _) => 17,
        (Kind::Echo, false) => 1,
        (Kind::Echo, true) => 58,
    }
}

/// RFC 791. Length and checksum follow in [`finish`].
fn ip4(header: &mut Header, address: &Address, packet: &Packet, from: usize) {
    header.put([0x45, packet.tos, 0, 0]);
    header.u16(packet.ip_id);
    header.u16(if packet.df { 0x4000 } else { 0 });
    header.put([packet.ttl, protocol(packet.kind, false), 0, 0]);
    for end in [from, from ^ 1] {
        let ip = address.ip[end & 1];
        header.put([ip[0], ip[1], ip[2], ip[3]]);
    }
}

/// RFC 8200. A host that answers without a socket has no flow label of the flow's to repeat.
fn ip6(header: &mut Header, address: &Address, packet: &Packet, from: usize) {
    let stateless = packet.has(flag::RST) && packet.options == Options::None;
    let flow = u64::from(u32::from_be_bytes([0, 0, address.ip[0][15], address.ip[1][15]]));
    let salt = u64::from(packet.side) + 2 * u64::from(stateless);
    let label = scatter(flow << 32 | u64::from(address.port[0]), salt) as u32 & 0xf_ffff;
    header.u32(6 << 28 | u32::from(packet.tos) << 20 | label);
    header.put([0, 0, protocol(packet.kind, true), packet.ttl]);
    header.put(address.ip[from & 1]);
    header.put(address.ip[(from ^ 1) & 1]);
}

/// RFC 9293 section 3.1; returns where the checksum belongs.
fn tcp(header: &mut Header, address: &Address, packet: &Packet, from: usize) -> usize {
    let begin = header.len;
    header.u16(address.port[from & 1]);
    header.u16(address.port[(from ^ 1) & 1]);
    header.u32(packet.seq);
    header.u32(packet.ack);
    header.put([0x50, packet.flags]);
    header.u16(packet.window);
    header.u32(0);
    options(header, packet);
    let words = (header.len - begin) / 4;
    header.set(begin + 12, (words as u16) << 12 | u16::from(packet.flags));
    begin + 16
}

/// RFC 9293, 7323, 2018; in the order and padding of the stacks that send them.
fn options(header: &mut Header, packet: &Packet) {
    let timestamps = |header: &mut Header| {
        header.put([8, 10]);
        header.u32(packet.time[0]);
        header.u32(packet.time[1]);
    };
    match packet.options {
        Options::None => {}
        Options::Mss => header.put([2, 4, 5, 0xb4]),
        Options::Syn { mss, scale, timestamps: with } => {
            header.put([2, 4]);
            header.u16(mss);
            if with {
                header.put([4, 2]);
                timestamps(header);
                header.put([1, 3, 3, scale]);
            } else {
                header.put([1, 3, 3, scale, 1, 1, 4, 2]);
            }
        }
        Options::Timestamps => {
            header.put([1, 1]);
            timestamps(header);
        }
        Options::Sack { block, timestamps: with } => {
            if with {
                header.put([1, 1]);
                timestamps(header);
            }
            header.put([1, 1, 5, 10]);
            header.u32(block[0]);
            header.u32(block[1]);
        }
    }
}

fn udp(header: &mut Header, address: &Address, packet: &Packet, from: usize) -> usize {
    header.u16(address.port[from & 1]);
    header.u16(address.port[(from ^ 1) & 1]);
    header.u16(8 + packet.payload.len);
    header.u16(0);
    header.len - 2
}

/// RFC 792, RFC 4443. The sequence number is the low half of the packet's.
fn echo(header: &mut Header, address: &Address, packet: &Packet) -> usize {
    let kind = match (address.v6, packet.side) {
        (false, 0) => 8,
        (false, _) => 0,
        (true, 0) => 128,
        (true, _) => 129,
    };
    header.put([kind, 0, 0, 0]);
    header.u16(address.port[0]);
    header.u16(packet.seq as u16);
    header.len - 6
}

/// Fills in what needs the whole packet: lengths and checksums (RFC 1071).
fn finish(
    header: &mut Header,
    address: &Address,
    packet: &Packet,
    pool: &Pool,
    [ip_at, above, checksum_at]: [usize; 3],
) {
    let len = (header.len - above) as u32 + u32::from(packet.payload.len);
    let pseudo = if packet.kind == Kind::Echo && !address.v6 {
        0
    } else {
        let ends = if address.v6 { ip_at + 8..ip_at + 40 } else { ip_at + 12..ip_at + 20 };
        let addresses = header.bytes.get(ends).unwrap_or_default();
        words(addresses) + u32::from(protocol(packet.kind, address.v6)) + len
    };
    let sum = words(header.from(above)) + pool.sum(packet.payload);
    let checksum = !fold(u64::from(pseudo) + u64::from(sum));
    // In UDP, zero would say that there is none.
    let never_zero = if packet.kind == Kind::Udp && checksum == 0 { 0xffff } else { checksum };
    header.set(checksum_at, never_zero);
    if address.v6 {
        header.set(ip_at + 4, len as u16);
    } else {
        header.set(ip_at + 2, len as u16 + 20);
        let ip = header.bytes.get(ip_at..ip_at + 20).unwrap_or_default();
        let checksum = !fold(u64::from(words(ip)));
        header.set(ip_at + 10, checksum);
    }
}

/// The sum of 16-bit words; headers are of even length.
fn words(bytes: &[u8]) -> u32 {
    bytes.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum()
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}
