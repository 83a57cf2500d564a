//! Dissection: from the bytes of a frame to a [`Segment`], or the reason why not.
//!
//! Nearly all traffic is Ethernet, at most one VLAN tag, IPv4 without options, TCP. [`common`]
//! recognises exactly that with a handful of comparisons and reads every field at a fixed place.
//! Anything else goes to [`walk`], which takes headers one by one out of a checked [`view`] and
//! gives the same answer for common frames too; a test holds the two together.
//!
//! Dissection never verifies checksums (capture before offload makes them wrong), never
//! reassembles, and never follows a TCP header quoted inside an ICMP error: that is not a segment.

mod ip4;
mod ip6;
mod limits;
mod link;
mod options;
mod payload;
mod tcp;
mod tunnel;
mod view;

use crate::flow::hash::hash;
use crate::flow::key::FlowKey;
use crate::frame::{Frame, LinkType};
use crate::segment::{RstTexts, Segment, quirk};
use crate::skip::Skip;
use link::{Family, Layer};
use view::View;

/// Protocol numbers of IPv4's protocol and IPv6's next header field that lead to TCP.
mod protocol {
    pub(super) const IP4: u8 = 4;
    pub(super) const TCP: u8 = 6;
    pub(super) const UDP: u8 = 17;
    pub(super) const IP6: u8 = 41;
    pub(super) const GRE: u8 = 47;
}

/// Reads the TCP segment that `frame` carries into `segment`.
///
/// Fills everything but [`Segment::frame`], which only the caller knows. After an error `segment`
/// is as it was before. The payload of a RST is kept in `texts`.
///
/// # Errors
/// The one reason why the frame holds no usable TCP segment.
#[inline]
pub fn dissect(frame: &Frame<'_>, segment: &mut Segment, texts: &mut RstTexts) -> Result<(), Skip> {
    match common(frame, segment, texts) {
        Some(()) => Ok(()),
        None => walk(frame, segment, texts),
    }
}

/// The common frame, or `None` when it is anything else (good or bad).
#[inline]
fn common(frame: &Frame<'_>, segment: &mut Segment, texts: &mut RstTexts) -> Option<()> {
    if frame.link != LinkType::ETHERNET {
        return None;
    }
    let packet = match frame.bytes {
        [_, _, _, _, _, _, _, _, _, _, _, _, 0x08, 0x00, packet @ ..]
        | [_, _, _, _, _, _, _, _, _, _, _, _, 0x81, 0x00, _, _, 0x08, 0x00, packet @ ..] => packet,
        _ => return None,
    };
    let (ip, tcp) = packet.split_first_chunk::<20>()?;
    let header = tcp.first_chunk::<16>()?;
    let total = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
    let whole = (ip[6] & 0x3f) | ip[7] == 0;
    let tcp_len = usize::from(header[12] >> 4) * 4;
    // The claims of both headers fit each other and the captured bytes; a cut payload is fine.
    let sound = tcp_len >= 20 && total >= 20 + tcp_len && tcp.len() >= tcp_len;
    if ip[0] != 0x45 || ip[9] != protocol::TCP || !whole || !sound {
        return None;
    }
    let held = tcp.get(..total - 20).unwrap_or(tcp);
    let (claimed, cut) = (total - 20 - tcp_len, held.len() < total - 20);
    let (fields, payload) = held.split_at_checked(tcp_len)?;
    let options = fields.get(20..)?;

    let (key, direction) = FlowKey::new_v4(
        ([ip[12], ip[13], ip[14], ip[15]], u16::from_be_bytes([header[0], header[1]])),
        ([ip[16], ip[17], ip[18], ip[19]], u16::from_be_bytes([header[2], header[3]])),
        0,
    );
    segment.key = key;
    segment.hash = hash(&key);
    segment.time_ns = frame.time_ns;
    segment.ip_id = u16::from_be_bytes([ip[4], ip[5]]);
    segment.ttl = ip[8];
    segment.tos = ip[1];
    segment.direction = direction;
    let df = if ip[6] & 0x40 == 0 { 0 } else { quirk::DF };
    segment.quirks = df | if cut { quirk::CUT } else { 0 };
    options::read(options, tcp_len - 20, segment);
    tcp::fill(header, claimed, payload, segment, texts);
    Some(())
}

/// Reads any frame, header by header.
#[cold]
#[inline(never)]
fn walk(frame: &Frame<'_>, segment: &mut Segment, texts: &mut RstTexts) -> Result<(), Skip> {
    let mut layer = Layer::outermost(frame.link).ok_or(Skip::LinkType)?;
    let mut view = View::of(frame);
    let (mut domain, mut quirks) = (0, 0);
    for _ in 0..=limits::TUNNELS {
        let (family, packet) = link::to_ip(layer, view).map_err(|skip| match skip {
            // The frame as a whole was IP; what the tunnel holds is not TCP.
            Skip::NotIp if quirks != 0 => Skip::NotTcp,
            other => other,
        })?;
        let (ip, body) = match family {
            Family::V4 => ip4::read(packet)?,
            Family::V6 => ip6::read(packet)?,
        };
        if ip.protocol == protocol::TCP {
            let carrier = tcp::Carrier { ip, domain, quirks, time_ns: frame.time_ns };
            return tcp::read(body, &carrier, segment, texts);
        }
        let inner = tunnel::enter(ip.protocol, body)?;
        (layer, view) = (inner.layer, inner.view);
        (domain, quirks) = (inner.domain, quirk::TUNNEL);
    }
    Err(Skip::TooDeep)
}
