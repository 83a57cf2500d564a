//! The short way for nearly all traffic: Ethernet, at most one VLAN tag, IPv4 without options or
//! IPv6 without extension headers, and in it TCP, or UDP that is no tunnel.
//!
//! Every field lies at a fixed place behind one of two headers, so a handful of comparisons tells
//! that a frame is of that kind, and none of them is a jump that traffic decides at random: whether
//! there are timestamps, or a payload, differs from frame to frame. Whatever is not of that kind, good
//! or bad, is left to [`super::walk`], which gives the same answer for these too; tests hold the two
//! together.

use super::link::ether_type;
use super::{Sink, options, payload, protocol, tcp, tunnel};
use crate::flow::hash::hash;
use crate::flow::key::FlowKey;
use crate::frame::{Frame, LinkType};
use crate::segment::quirk;
use crate::skip::Skip;

/// What the IP header of either version says, in the form that the segment wants.
struct Network {
    /// Bytes behind the header, as it claims.
    carried: u32,
    id: u16,
    ttl: u8,
    tos: u8,
    quirks: u8,
}

/// What the frame holds, or `None` when it is not a common one.
#[inline(always)]
pub(super) fn read(frame: &Frame<'_>, sink: &mut impl Sink) -> Option<Result<(), Skip>> {
    if frame.link != LinkType::ETHERNET {
        return None;
    }
    let (ethernet, mut packet) = frame.bytes.split_first_chunk::<14>()?;
    let mut number = u16::from_be_bytes([ethernet[12], ethernet[13]]);
    if number == ether_type::VLAN {
        let (tag, behind) = packet.split_first_chunk::<4>()?;
        (number, packet) = (u16::from_be_bytes([tag[2], tag[3]]), behind);
    }
    match number {
        ether_type::IP4 => ip4(packet, frame.time_ns, sink),
        ether_type::IP6 => ip6(packet, frame.time_ns, sink),
        _ => None,
    }
}

#[inline(always)]
fn ip4(packet: &[u8], time_ns: u64, sink: &mut impl Sink) -> Option<Result<(), Skip>> {
    let (ip, body) = packet.split_first_chunk::<20>()?;
    let total = u32::from(u16::from_be_bytes([ip[2], ip[3]]));
    let whole = (ip[6] & 0x3f) | ip[7] == 0;
    if (ip[0] != 0x45) | !whole | (total < 20) {
        return None;
    }
    let carried = total - 20;
    if ip[9] != protocol::TCP {
        return other(ip[9], body, carried);
    }
    let header = body.first_chunk::<20>()?;
    let (key, direction) = FlowKey::new_v4(
        ([ip[12], ip[13], ip[14], ip[15]], u16::from_be_bytes([header[0], header[1]])),
        ([ip[16], ip[17], ip[18], ip[19]], u16::from_be_bytes([header[2], header[3]])),
        0,
    );
    let network = Network {
        carried,
        id: u16::from_be_bytes([ip[4], ip[5]]),
        ttl: ip[8],
        tos: ip[1],
        quirks: if ip[6] & 0x40 == 0 { 0 } else { quirk::DF },
    };
    fill(&network, (key, direction), (header, body), time_ns, sink)
}

#[inline(always)]
fn ip6(packet: &[u8], time_ns: u64, sink: &mut impl Sink) -> Option<Result<(), Skip>> {
    let (fixed, behind) = packet.split_first_chunk::<8>()?;
    let (source, behind) = behind.split_first_chunk::<16>()?;
    let (destination, body) = behind.split_first_chunk::<16>()?;
    let carried = u32::from(u16::from_be_bytes([fixed[4], fixed[5]]));
    if (fixed[0] >> 4 != 6) | (carried == 0) {
        return None;
    }
    if fixed[6] != protocol::TCP {
        return other(fixed[6], body, carried);
    }
    let header = body.first_chunk::<20>()?;
    let (key, direction) = FlowKey::new(
        (*source, u16::from_be_bytes([header[0], header[1]])),
        (*destination, u16::from_be_bytes([header[2], header[3]])),
        0,
    );
    let network = Network {
        carried,
        id: 0,
        ttl: fixed[7],
        tos: fixed[0] << 4 | fixed[1] >> 4,
        quirks: quirk::IPV6 | quirk::DF,
    };
    fill(&network, (key, direction), (header, body), time_ns, sink)
}

/// What carries no TCP here: UDP beside the ports of tunnels. Any other protocol is left open.
#[inline(always)]
fn other(number: u8, body: &[u8], carried: u32) -> Option<Result<(), Skip>> {
    let header = body.first_chunk::<8>()?;
    let ports = [[header[0], header[1]], [header[2], header[3]]].map(u16::from_be_bytes);
    let plain = (number == protocol::UDP) & (carried >= 8) & !tunnel::may_be_udp(ports);
    plain.then_some(Err(Skip::NotTcp))
}

/// Fills the segment when the claims of all headers fit each other. A cut payload is fine, a cut
/// header is not.
#[inline(always)]
fn fill(
    network: &Network,
    (key, direction): (FlowKey, u8),
    (header, body): (&[u8; 20], &[u8]),
    time_ns: u64,
    sink: &mut impl Sink,
) -> Option<Result<(), Skip>> {
    let header_len = u32::from(header[12] >> 4) * 4;
    let options = body.get(20..header_len as usize)?;
    let essential = header.first_chunk::<{ tcp::ESSENTIAL }>()?;
    let claimed = network.carried.checked_sub(header_len)?;
    let captured = (body.len() - header_len as usize).min(claimed as usize);
    let cut = if captured < claimed as usize { quirk::CUT } else { 0 };
    let hash = hash(&key);
    let (segment, texts) = sink.place(hash);
    segment.key = key;
    segment.hash = hash;
    segment.time_ns = time_ns;
    segment.ip_id = network.id;
    segment.ttl = network.ttl;
    segment.tos = network.tos;
    segment.direction = direction;
    segment.quirks = network.quirks | cut;
    options::read(options, options.len(), segment);
    let start = header_len as usize;
    segment.payload = payload::kind(body, start, captured);
    let text = body.get(start..start + captured).unwrap_or_default();
    tcp::fill(essential, claimed, text, segment, texts);
    Some(Ok(()))
}
