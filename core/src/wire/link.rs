//! Everything below IP: link types, tags, labels, PPP and LLC, down to the first IP header.
//!
//! Lengths that these layers carry (802.3, PPPoE) are not needed: IP delimits itself, and what
//! follows its total length is padding.

use super::limits;
use super::view::View;
use crate::frame::LinkType;
use crate::skip::Skip;

/// What the next byte begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    Ethernet,
    /// Whatever this `EtherType` says; up to 1500 it is an 802.3 length, with LLC behind it.
    Type(u16),
    Llc,
    Mpls,
    Ppp,
    PppHdlc,
    CiscoHdlc,
    Loopback,
    Cooked1,
    Cooked2,
    /// IP of the version that the first nibble tells.
    Ip,
    Ip4,
    Ip6,
}

/// The IP version that [`to_ip`] arrived at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

/// `EtherType` values (IEEE 802 numbers, IANA registry).
pub(super) mod ether_type {
    pub(in crate::wire) const IP4: u16 = 0x0800;
    pub(in crate::wire) const ARP: u16 = 0x0806;
    pub(in crate::wire) const BRIDGED: u16 = 0x6558;
    pub(in crate::wire) const VLAN: u16 = 0x8100;
    pub(in crate::wire) const IP6: u16 = 0x86dd;
    pub(in crate::wire) const MPLS: u16 = 0x8847;
    pub(in crate::wire) const MPLS_MULTICAST: u16 = 0x8848;
    pub(in crate::wire) const PPPOE_SESSION: u16 = 0x8864;
    pub(in crate::wire) const PPP: u16 = 0x880b;
    pub(in crate::wire) const QINQ: u16 = 0x88a8;
    /// Tags stacked by switches that predate 802.1ad.
    pub(in crate::wire) const QINQ_OLD: u16 = 0x9100;
    /// Likewise.
    pub(in crate::wire) const QINQ_OLDER: u16 = 0x9200;
}

impl Layer {
    /// The layer that frames of a link type begin with; `None` when it is not read here.
    pub(super) const fn outermost(link: LinkType) -> Option<Self> {
        Some(match link {
            LinkType::ETHERNET => Self::Ethernet,
            LinkType::LINUX_SLL => Self::Cooked1,
            LinkType::LINUX_SLL2 => Self::Cooked2,
            LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_OPENBSD => Self::Ip,
            LinkType::IPV4 => Self::Ip4,
            LinkType::IPV6 => Self::Ip6,
            LinkType::NULL | LinkType::LOOP => Self::Loopback,
            LinkType::PPP | LinkType::PPP_HDLC => Self::PppHdlc,
            LinkType::C_HDLC => Self::CiscoHdlc,
            _ => return None,
        })
    }
}

/// Reads headers until an IP header comes first.
pub(super) fn to_ip(mut layer: Layer, mut view: View<'_>) -> Result<(Family, View<'_>), Skip> {
    for _ in 0..=limits::LINK_HEADERS {
        (layer, view) = match layer {
            Layer::Ip4 => return Ok((Family::V4, view)),
            Layer::Ip6 => return Ok((Family::V6, view)),
            Layer::Ip => match view.nibble()? {
                4 => (Layer::Ip4, view),
                6 => (Layer::Ip6, view),
                _ => return Err(Skip::BadIp),
            },
            Layer::Ethernet => {
                let (header, rest) = view.take::<14>()?;
                (Layer::Type(u16::from_be_bytes([header[12], header[13]])), rest)
            }
            Layer::Type(number) => by_type(number, view)?,
            Layer::Llc => llc(view)?,
            Layer::Mpls => mpls(view)?,
            Layer::Ppp => ppp(view)?,
            Layer::PppHdlc => ppp_hdlc(view),
            Layer::CiscoHdlc => {
                let (header, rest) = view.take::<4>()?;
                (Layer::Type(u16::from_be_bytes([header[2], header[3]])), rest)
            }
            Layer::Loopback => loopback(view)?,
            Layer::Cooked1 => {
                let (header, rest) = view.take::<16>()?;
                cooked([header[2], header[3]], [header[14], header[15]], rest)?
            }
            Layer::Cooked2 => {
                let (header, rest) = view.take::<20>()?;
                cooked([header[8], header[9]], [header[0], header[1]], rest)?
            }
        };
    }
    Err(Skip::TooDeep)
}

type Next<'a> = Result<(Layer, View<'a>), Skip>;

fn by_type(number: u16, view: View<'_>) -> Next<'_> {
    let layer = match number {
        ether_type::IP4 => Layer::Ip4,
        ether_type::IP6 => Layer::Ip6,
        ether_type::VLAN | ether_type::QINQ | ether_type::QINQ_OLD | ether_type::QINQ_OLDER => {
            let (tag, rest) = view.take::<4>()?;
            return Ok((Layer::Type(u16::from_be_bytes([tag[2], tag[3]])), rest));
        }
        ether_type::MPLS | ether_type::MPLS_MULTICAST => Layer::Mpls,
        ether_type::PPPOE_SESSION => {
            // Version 1, type 1, code "session data" (RFC 2516 section 4).
            return match view.take::<6>()? {
                (&[0x11, 0, ..], rest) => Ok((Layer::Ppp, rest)),
                _ => Err(Skip::NotIp),
            };
        }
        ether_type::PPP => Layer::Ppp,
        ether_type::BRIDGED => Layer::Ethernet,
        0..=1500 => Layer::Llc,
        _ => return Err(Skip::NotIp),
    };
    Ok((layer, view))
}

/// LLC (IEEE 802.2), with SNAP or with the service access point of IP.
fn llc(view: View<'_>) -> Next<'_> {
    let (header, rest) = view.take::<3>()?;
    match *header {
        [0x06, 0x06, 0x03] => Ok((Layer::Ip, rest)),
        [0xaa, 0xaa, 0x03] => {
            let (snap, rest) = rest.take::<5>()?;
            match *snap {
                // RFC 1042, and the "bridge tunnel" form of IEEE 802.1H.
                [0, 0, 0 | 0xf8, high, low] => {
                    Ok((Layer::Type(u16::from_be_bytes([high, low])), rest))
                }
                _ => Err(Skip::NotIp),
            }
        }
        _ => Err(Skip::NotIp),
    }
}

/// One MPLS label (RFC 3032); below the bottom label only a guess tells what follows.
fn mpls(view: View<'_>) -> Next<'_> {
    let (label, rest) = view.take::<4>()?;
    if label[2] & 1 == 0 {
        return Ok((Layer::Mpls, rest));
    }
    match rest.nibble()? {
        4 => Ok((Layer::Ip4, rest)),
        6 => Ok((Layer::Ip6, rest)),
        // A pseudowire's control word (RFC 4385) begins with a zero nibble; so do many MAC
        // addresses. The EtherType in its place decides.
        0 if is_ethernet(rest, 4) => Ok((Layer::Ethernet, rest.advance(4)?)),
        _ if is_ethernet(rest, 0) => Ok((Layer::Ethernet, rest)),
        _ if rest.is_cut() && rest.word(16).is_none() => Err(Skip::Truncated),
        _ => Err(Skip::NotIp),
    }
}

/// Whether the bytes at `at` look like an Ethernet header, by a well-known `EtherType`.
fn is_ethernet(view: View<'_>, at: usize) -> bool {
    matches!(
        view.word(at + 12),
        Some(
            ether_type::IP4
                | ether_type::ARP
                | ether_type::IP6
                | ether_type::VLAN
                | ether_type::QINQ
                | ether_type::MPLS
                | ether_type::PPPOE_SESSION
        )
    )
}

/// PPP (RFC 1661) with or without address and control bytes, and with a protocol field of one
/// byte or two (its last byte is the first odd one).
fn ppp(view: View<'_>) -> Next<'_> {
    let view = match view.bytes {
        [0xff] | [0xff, 0x03, ..] => view.advance(2)?,
        _ => view,
    };
    let (first, rest) = view.take::<1>()?;
    let (protocol, rest) = if first[0] & 1 == 1 {
        (u16::from(first[0]), rest)
    } else {
        let (second, rest) = rest.take::<1>()?;
        (u16::from_be_bytes([first[0], second[0]]), rest)
    };
    match protocol {
        0x0021 => Ok((Layer::Ip4, rest)),
        0x0057 => Ok((Layer::Ip6, rest)),
        0x0281 | 0x0283 => Ok((Layer::Mpls, rest)),
        _ => Err(Skip::NotIp),
    }
}

/// A frame of one of the PPP link types: they also hold Cisco HDLC, told by its address byte.
fn ppp_hdlc(view: View<'_>) -> (Layer, View<'_>) {
    match view.bytes {
        [0x0f | 0x8f] | [0x0f | 0x8f, 0, ..] => (Layer::CiscoHdlc, view),
        _ => (Layer::Ppp, view),
    }
}

/// The address family of the BSD loopback header, in either byte order: the value depends on the
/// capturing system, and a capture may come from another machine.
fn loopback(view: View<'_>) -> Next<'_> {
    let (header, rest) = view.take::<4>()?;
    match u32::from_le_bytes(*header).min(u32::from_be_bytes(*header)) {
        2 => Ok((Layer::Ip4, rest)),
        // Linux, Windows, NetBSD and OpenBSD, FreeBSD, macOS.
        10 | 23 | 24 | 28 | 30 => Ok((Layer::Ip6, rest)),
        _ => Err(Skip::NotIp),
    }
}

/// Linux cooked capture: the protocol is an `EtherType` for most devices.
fn cooked(device: [u8; 2], protocol: [u8; 2], rest: View<'_>) -> Next<'_> {
    const NETLINK: u16 = 824;
    const RADIOTAP: u16 = 803;
    const LLC: u16 = 4;
    match (u16::from_be_bytes(device), u16::from_be_bytes(protocol)) {
        (NETLINK | RADIOTAP, _) => Err(Skip::NotIp),
        (_, LLC) => Ok((Layer::Llc, rest)),
        // Small numbers are Linux's own and not lengths as in 802.3.
        (_, 0..=0x5ff) => Err(Skip::NotIp),
        (_, number) => Ok((Layer::Type(number), rest)),
    }
}
