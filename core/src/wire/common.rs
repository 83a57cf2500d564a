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
use crate::segment::{Segment, quirk};
use crate::skip::Skip;

/// Of bytes 6 to 9 of an IPv4 header, in the order of memory, those that say that a datagram is whole
/// and what it carries.
const WHOLE_AND_PROTOCOL: u32 = u32::from_le_bytes([0x3f, 0xff, 0, 0xff]);

/// Those of them that are 0 in a whole datagram.
const WHOLE: u32 = u32::from_le_bytes([0x3f, 0xff, 0, 0]);

/// What they say of a whole datagram with TCP.
const WHOLE_TCP: u32 = u32::from_le_bytes([0, 0, 0, protocol::TCP]);

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
    let (headers, _) = packet.split_first_chunk::<40>()?;
    let ([version, tos, len @ ..], rest) = headers.split_first_chunk::<4>()?;
    if *version != 0x45 {
        return None;
    }
    let total = u16::from_be_bytes(*len);
    let (id, rest) = rest.split_first_chunk::<2>()?;
    let (what, rest) = rest.split_first_chunk::<4>()?;
    let [fragments, _, ttl, number] = *what;
    if u32::from_le_bytes(*what) & WHOLE_AND_PROTOCOL != WHOLE_TCP {
        let whole = u32::from_le_bytes(*what) & WHOLE == 0;
        return if whole { other(number, packet.get(20..)?, total.checked_sub(20)?) } else { None };
    }
    let (addresses, _) = rest.get(2..)?.split_first_chunk::<8>()?;
    let [s0, s1, s2, s3, d0, d1, d2, d3] = *addresses;
    let tcp = headers.last_chunk::<20>()?;
    let [source, destination] = tcp::ports(tcp);
    let key = FlowKey::new_v4(([s0, s1, s2, s3], source), ([d0, d1, d2, d3], destination), 0);
    fill::<40>(packet, tcp, total.checked_sub(20)?, key, time_ns, sink, |segment| {
        segment.ip_id = u16::from_be_bytes(*id);
        segment.ttl = ttl;
        segment.tos = *tos;
        const { assert!(quirk::DF == 1, "the bit is moved to where it belongs") };
        segment.quirks = fragments >> 6 & 1;
    })
}

#[inline(always)]
fn ip6(packet: &[u8], time_ns: u64, sink: &mut impl Sink) -> Option<Result<(), Skip>> {
    let headers = packet.first_chunk::<60>()?;
    let (fixed, addresses) = headers.split_first_chunk::<8>()?;
    let (from, to) = (addresses.first_chunk::<16>()?, addresses.get(16..)?.first_chunk::<16>()?);
    let carried = u16::from_be_bytes([fixed[4], fixed[5]]);
    if (fixed[0] >> 4 != 6) | (carried == 0) {
        return None;
    }
    if fixed[6] != protocol::TCP {
        return other(fixed[6], packet.get(40..)?, carried);
    }
    let tcp = headers.last_chunk::<20>()?;
    let [source, destination] = tcp::ports(tcp);
    let key = FlowKey::new((*from, source), (*to, destination), 0);
    fill::<60>(packet, tcp, carried, key, time_ns, sink, |segment| {
        segment.ip_id = 0;
        segment.ttl = fixed[7];
        segment.tos = fixed[0] << 4 | fixed[1] >> 4;
        segment.quirks = quirk::IPV6 | quirk::DF;
    })
}

/// What carries no TCP here: UDP beside the ports of tunnels. Any other protocol is left open.
#[inline(always)]
fn other(number: u8, body: &[u8], carried: u16) -> Option<Result<(), Skip>> {
    let header = body.first_chunk::<8>()?;
    let ports = [[header[0], header[1]], [header[2], header[3]]].map(u16::from_be_bytes);
    let plain = (number == protocol::UDP) & (carried >= 8) & !tunnel::may_be_udp(ports);
    plain.then_some(Err(Skip::NotTcp))
}

/// Fills the segment when the claims of all headers fit each other. A cut payload is fine, a cut
/// header is not.
///
/// `packet` begins with an IP header that is followed by the header `tcp` at once and says that it
/// carries `carried` bytes; `network` fills in what else it says.
#[inline(always)]
fn fill<const HEADERS: usize>(
    packet: &[u8],
    tcp: &[u8; 20],
    carried: u16,
    (key, direction): (FlowKey, u8),
    time_ns: u64,
    sink: &mut impl Sink,
    network: impl FnOnce(&mut Segment),
) -> Option<Result<(), Skip>> {
    let header_len = usize::from(tcp[12] >> 4) * 4;
    let start = HEADERS - 20 + header_len;
    let options = packet.get(HEADERS..start)?;
    let claimed = usize::from(carried).checked_sub(header_len)?;
    let hash = hash(&key);
    let (segment, texts) = sink.place(hash);
    segment.key = key;
    segment.hash = hash;
    segment.time_ns = time_ns;
    segment.direction = direction;
    network(segment);
    let captured = (packet.len() - start).min(claimed);
    segment.quirks |= u8::from(captured < claimed) * quirk::CUT;
    options::read(options, options.len(), segment);
    segment.payload = payload::kind(packet, start, captured);
    let text = packet.get(start..start + captured).unwrap_or_default();
    tcp::fill(tcp.first_chunk()?, claimed as u32, text, segment, texts);
    sink.options(options);
    Some(Ok(()))
}
