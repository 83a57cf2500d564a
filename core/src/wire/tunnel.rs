//! Tunnels: from the payload of an IP packet that is not TCP to the packet inside, if there is one.
//!
//! A tunnel over UDP is known by its port alone, so its header must be valid in every fixed bit
//! before it is believed; otherwise the packet is what it claims to be, UDP.

use super::link::{Layer, ether_type};
use super::view::View;
use super::{limits, protocol};
use crate::skip::Skip;

/// What a tunnel holds.
pub(super) struct Inner<'a> {
    pub(super) layer: Layer,
    pub(super) view: View<'a>,
    /// The overlay network, for [`crate::flow::key::FlowKey::domain`]; 0 for tunnels without one.
    pub(super) domain: u32,
}

impl<'a> Inner<'a> {
    const fn new(layer: Layer, view: View<'a>) -> Self {
        Self { layer, view, domain: 0 }
    }

    /// With the domain of a 24-bit VXLAN or Geneve network identifier; never 0.
    const fn in_network(layer: Layer, view: View<'a>, vni: [u8; 3]) -> Self {
        Self { layer, view, domain: u32::from_be_bytes([0, vni[0], vni[1], vni[2]]) + 1 }
    }
}

/// Enters the tunnel that IP protocol `number` announces at the front of `body`.
pub(super) fn enter(number: u8, body: View<'_>) -> Result<Inner<'_>, Skip> {
    match number {
        protocol::IP4 => Ok(Inner::new(Layer::Ip4, body)),
        protocol::IP6 => Ok(Inner::new(Layer::Ip6, body)),
        protocol::GRE => gre(body),
        // A datagram too short for a tunnel is plain UDP.
        protocol::UDP => udp(body).map_err(|skip| match skip {
            Skip::BadIp => Skip::NotTcp,
            other => other,
        }),
        _ => Err(Skip::NotTcp),
    }
}

/// GRE (RFC 2784 with RFC 2890), or its variant of PPTP (RFC 2637).
fn gre(body: View<'_>) -> Result<Inner<'_>, Skip> {
    const CHECKSUM: u16 = 0x8000;
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const ACKNOWLEDGEMENT: u16 = 0x0080;
    let (header, rest) = body.take::<4>()?;
    let flags = u16::from_be_bytes([header[0], header[1]]);
    let kind = u16::from_be_bytes([header[2], header[3]]);
    let words = |mask: u16| (flags & mask).count_ones() as usize * 4;
    match flags & 7 {
        // Source routes (RFC 1701) went out of use before this format was revised.
        0 if flags & ROUTING == 0 => {
            let payload = rest.advance(words(CHECKSUM | KEY | SEQUENCE))?;
            gre_payload(kind, flags & SEQUENCE != 0, payload)
        }
        // Without a sequence number a PPTP packet is a bare acknowledgement.
        1 if flags & SEQUENCE != 0 && kind == ether_type::PPP => {
            Ok(Inner::new(Layer::Ppp, rest.advance(words(KEY | SEQUENCE | ACKNOWLEDGEMENT))?))
        }
        _ => Err(Skip::NotTcp),
    }
}

fn gre_payload(kind: u16, sequenced: bool, payload: View<'_>) -> Result<Inner<'_>, Skip> {
    const ERSPAN: u16 = 0x88be;
    const ERSPAN_3: u16 = 0x22eb;
    const WCCP: u16 = 0x883e;
    match kind {
        // Type I has neither sequence number nor header of its own.
        ERSPAN if !sequenced => Ok(Inner::new(Layer::Ethernet, payload)),
        ERSPAN => match payload.take::<8>()? {
            (&[0x10..=0x1f, ..], rest) => Ok(Inner::new(Layer::Ethernet, rest)),
            _ => Err(Skip::NotTcp),
        },
        ERSPAN_3 => erspan_3(payload),
        // Version 2 puts a redirect header of 4 bytes before the packet, version 1 does not.
        WCCP if payload.nibble()? == 4 => Ok(Inner::new(Layer::Ip4, payload)),
        WCCP => Ok(Inner::new(Layer::Ip4, payload.advance(4)?)),
        0x9000 | 0x8200..=0x83ff => aruba(payload),
        // LLC makes no sense here, and some protocols have numbers that low.
        0..=0x5ff => Err(Skip::NotTcp),
        _ => Ok(Inner::new(Layer::Type(kind), payload)),
    }
}

/// ERSPAN type III (draft-foschiano-erspan-03 section 4.3): 12 bytes, and 8 more by request.
fn erspan_3(payload: View<'_>) -> Result<Inner<'_>, Skip> {
    let (header, rest) = payload.take::<12>()?;
    let rest = if header[11] & 1 == 1 { rest.advance(8)? } else { rest };
    match (header[0] >> 4, header[10] >> 2 & 0x1f) {
        (2, 0) => Ok(Inner::new(Layer::Ethernet, rest)),
        (2, 2) => Ok(Inner::new(Layer::Ip, rest)),
        _ => Err(Skip::NotTcp),
    }
}

/// What Aruba access points send to their controller: 802.11 data frames (IEEE 802.11 section
/// 9.3.2) with LLC, not encrypted.
fn aruba(payload: View<'_>) -> Result<Inner<'_>, Skip> {
    const QOS: u8 = 0x80;
    const BOTH_WAYS: u8 = 0x03;
    const PROTECTED: u8 = 0x40;
    const ORDER: u8 = 0x80;
    let (control, _) = payload.take::<2>()?;
    let [kind, flags] = *control;
    // Version 0, type data, a subtype that carries data.
    if kind & 0x4f != 0x08 || flags & PROTECTED != 0 {
        return Err(Skip::NotTcp);
    }
    let qos = kind & QOS != 0;
    let fourth_address = if flags & BOTH_WAYS == BOTH_WAYS { 6 } else { 0 };
    let extra = match (qos, flags & ORDER != 0) {
        (false, _) => 0,
        (true, false) => 2,
        (true, true) => 6,
    };
    Ok(Inner::new(Layer::Llc, payload.advance(24 + fourth_address + extra)?))
}

/// UDP ports of tunnels.
mod port {
    pub(super) const GTP: u16 = 2152;
    pub(super) const TEREDO: u16 = 3544;
    pub(super) const VXLAN: u16 = 4789;
    pub(super) const VXLAN_GPE: u16 = 4790;
    pub(super) const GENEVE: u16 = 6081;
    /// The port of VXLAN in Linux before one was registered.
    pub(super) const VXLAN_LINUX: u16 = 8472;
}

/// Whether UDP between these ports, source and destination, may be a tunnel.
#[inline(always)]
pub(super) const fn may_be_udp([source, destination]: [u16; 2]) -> bool {
    (source == port::TEREDO)
        | (destination == port::TEREDO)
        | (destination == port::VXLAN)
        | (destination == port::VXLAN_LINUX)
        | (destination == port::VXLAN_GPE)
        | (destination == port::GENEVE)
        | (destination == port::GTP)
}

fn udp(body: View<'_>) -> Result<Inner<'_>, Skip> {
    let Ok((header, payload)) = body.take::<8>() else { return Err(Skip::NotTcp) };
    let source = u16::from_be_bytes([header[0], header[1]]);
    match u16::from_be_bytes([header[2], header[3]]) {
        port::VXLAN | port::VXLAN_LINUX => vxlan(payload),
        port::VXLAN_GPE => vxlan_gpe(payload),
        port::GENEVE => geneve(payload),
        port::GTP => gtp(payload),
        port::TEREDO => teredo(payload),
        _ if source == port::TEREDO => teredo(payload),
        _ => Err(Skip::NotTcp),
    }
}

/// VXLAN (RFC 7348); the top flag bit marks a group policy (draft-smith-vxlan-group-policy).
fn vxlan(payload: View<'_>) -> Result<Inner<'_>, Skip> {
    match payload.take::<8>()? {
        (&[0x08, 0, 0, 0, a, b, c, 0] | &[0x88, _, _, _, a, b, c, 0], rest) => {
            Ok(Inner::in_network(Layer::Ethernet, rest, [a, b, c]))
        }
        _ => Err(Skip::NotTcp),
    }
}

/// VXLAN-GPE (draft-ietf-nvo3-vxlan-gpe section 3): version 0, a network, perhaps a next protocol.
fn vxlan_gpe(payload: View<'_>) -> Result<Inner<'_>, Skip> {
    let (header, rest) = payload.take::<8>()?;
    let &[flags, 0, 0, next, a, b, c, 0] = header else { return Err(Skip::NotTcp) };
    let layer = match (flags, next) {
        (0x0c, 1) => Layer::Ip4,
        (0x0c, 2) => Layer::Ip6,
        (0x0c, 3) | (0x08, 0) => Layer::Ethernet,
        (0x0c, 5) => Layer::Mpls,
        _ => return Err(Skip::NotTcp),
    };
    Ok(Inner::in_network(layer, rest, [a, b, c]))
}

/// Geneve (RFC 8926 section 3.4): version 0, not a control packet, options passed over.
fn geneve(payload: View<'_>) -> Result<Inner<'_>, Skip> {
    let (header, rest) = payload.take::<8>()?;
    let &[lengths @ 0..=0x3f, flags, high, low, a, b, c, 0] = header else {
        return Err(Skip::NotTcp);
    };
    let layer = match u16::from_be_bytes([high, low]) {
        ether_type::BRIDGED => Layer::Ethernet,
        ether_type::IP4 => Layer::Ip4,
        ether_type::IP6 => Layer::Ip6,
        _ => return Err(Skip::NotTcp),
    };
    if flags & 0xbf != 0 {
        return Err(Skip::NotTcp);
    }
    Ok(Inner::in_network(layer, rest.advance(usize::from(lengths) * 4)?, [a, b, c]))
}

/// GTP-U (3GPP TS 29.281 section 5.1): version 1, message type G-PDU.
fn gtp(payload: View<'_>) -> Result<Inner<'_>, Skip> {
    const EXTENSION: u8 = 0x04;
    let (header, mut rest) = payload.take::<8>()?;
    let &[flags @ 0x30..=0x37, 0xff, ..] = header else { return Err(Skip::NotTcp) };
    if flags & 7 != 0 {
        let (optional, after) = rest.take::<4>()?;
        rest = after;
        let mut next = if flags & EXTENSION == 0 { 0 } else { optional[3] };
        let mut left = limits::GTP_EXTENSIONS;
        while next != 0 {
            left = left.checked_sub(1).ok_or(Skip::TooDeep)?;
            let units = usize::from(rest.take::<1>()?.0[0]);
            // Each extension ends with the type of the next one; a length of 0 is no extension.
            let before_next = (units * 4).checked_sub(1).ok_or(Skip::NotTcp)?;
            let (kind, after) = rest.advance(before_next)?.take::<1>()?;
            (next, rest) = (kind[0], after);
        }
    }
    match rest.nibble()? {
        4 => Ok(Inner::new(Layer::Ip4, rest)),
        6 => Ok(Inner::new(Layer::Ip6, rest)),
        _ => Err(Skip::NotTcp),
    }
}

/// Teredo (RFC 4380 section 5.1.1): perhaps authentication, perhaps origin indication, then IPv6.
fn teredo(mut payload: View<'_>) -> Result<Inner<'_>, Skip> {
    if let [0, 1, client, value, ..] = *payload.bytes {
        payload = payload.advance(4 + usize::from(client) + usize::from(value) + 9)?;
    }
    if let [0, 0, ..] = *payload.bytes {
        payload = payload.advance(8)?;
    }
    match payload.nibble()? {
        6 => Ok(Inner::new(Layer::Ip6, payload)),
        _ => Err(Skip::NotTcp),
    }
}
