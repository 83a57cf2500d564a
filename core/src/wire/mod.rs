//! Dissection: from the bytes of a frame to a [`Segment`], or the reason why not.
//!
//! Nearly all traffic is Ethernet, at most one VLAN tag, IPv4 without options, TCP. `common`
//! recognises exactly that with a handful of comparisons and reads every field at a fixed place.
//! Anything else goes to `walk`, which takes headers one by one out of a checked view and
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
use link::{Family, Layer, ether_type};
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
    let (ethernet, behind) = frame.bytes.split_first_chunk::<14>()?;
    let packet = match u16::from_be_bytes([ethernet[12], ethernet[13]]) {
        ether_type::IP4 => behind,
        ether_type::VLAN => match behind.split_first_chunk::<4>()? {
            (&[_, _, 0x08, 0x00], packet) => packet,
            _ => return None,
        },
        _ => return None,
    };
    let (ip, tcp) = packet.split_first_chunk::<20>()?;
    let header = tcp.first_chunk::<16>()?;
    let total = u32::from(u16::from_be_bytes([ip[2], ip[3]]));
    let whole = (ip[6] & 0x3f) | ip[7] == 0;
    let tcp_len = u32::from(header[12] >> 4) * 4;
    // The claims of both headers fit each other; a cut payload is fine, a cut header is not.
    let sound = tcp_len >= 20 && total >= 20 + tcp_len;
    if ip[0] != 0x45 || ip[9] != protocol::TCP || !whole || !sound {
        return None;
    }
    let options_len = (tcp_len - 20) as usize;
    let options = tcp.get(20..)?.get(..options_len)?;
    let claimed = total - 20 - tcp_len;
    let behind = tcp.get(tcp_len as usize..)?;
    let payload = behind.get(..claimed as usize).unwrap_or(behind);
    let cut = payload.len() < claimed as usize;

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
    options::read(options, options_len, segment);
    tcp::fill(header, claimed, payload, segment, texts);
    Some(())
}

/// Reads any frame, header by header.
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

#[cfg(test)]
mod tests {
    use super::{common, walk};
    use crate::frame::{Frame, LinkType};
    use crate::segment::{RstTexts, Segment, TcpFlags, quirk};
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// A common frame: perhaps a tag, 20 bytes of IPv4, TCP with `options`.
    fn frame(tagged: bool, random: &[u8], options: &[u8], payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![2; 12];
        if tagged {
            bytes.extend([0x81, 0, 0, 7]);
        }
        let tcp_len = 20 + options.len();
        let total = u16::try_from(20 + tcp_len + payload.len()).unwrap();
        let (ip, tcp) = random.split_at(20);
        bytes.extend([8, 0, 0x45, ip[1]]);
        bytes.extend(total.to_be_bytes());
        bytes.extend([ip[4], ip[5], ip[6] & 0xc0, 0, ip[8], 6]);
        bytes.extend(&ip[10..]);
        bytes.extend(&tcp[..12]);
        bytes.extend([u8::try_from(tcp_len / 4).unwrap() << 4, tcp[13]]);
        bytes.extend(&tcp[14..20]);
        bytes.extend(options);
        bytes.extend(payload);
        bytes
    }

    fn any_options() -> impl Strategy<Value = Vec<u8>> {
        let timestamps = any::<[u8; 8]>().prop_map(|v| [&[1, 1, 8, 10][..], &v].concat());
        let raw = (0usize..=10).prop_flat_map(|words| vec(0u8..12, words * 4));
        prop_oneof![Just(Vec::new()), timestamps, raw]
    }

    /// Both paths over the same bytes; `None` when the short path leaves the frame to the other.
    fn both(bytes: &[u8], wire_len: usize) -> Option<[String; 2]> {
        let wire_len = u32::try_from(wire_len).unwrap();
        let frame = Frame { bytes, wire_len, time_ns: 3, link: LinkType::ETHERNET };
        let (mut short, mut long) = (Segment::default(), Segment::default());
        let (mut short_texts, mut long_texts) = (RstTexts::new(1), RstTexts::new(1));
        common(&frame, &mut short, &mut short_texts)?;
        let walked = walk(&frame, &mut long, &mut long_texts);
        assert_eq!(walked, Ok(()));
        let shown = |segment: &Segment, texts: &RstTexts| format!("{segment:?} {texts:?}");
        Some([shown(&short, &short_texts), shown(&long, &long_texts)])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn the_short_path_takes_common_frames_and_agrees_with_the_long_one(
            tagged: bool, random in vec(any::<u8>(), 40), options in any_options(),
            payload in vec(any::<u8>(), 0..40), padding in 0usize..30, cut in 0usize..40
        ) {
            let mut bytes = frame(tagged, &random, &options, &payload);
            let kept = bytes.len() - cut.min(payload.len());
            bytes.resize(bytes.len() + padding, 0);
            let wire_len = bytes.len();
            bytes.truncate(if cut == 0 { wire_len } else { kept });
            let shown = both(&bytes, wire_len);
            prop_assert!(shown.is_some());
            let [short, long] = shown.unwrap();
            prop_assert_eq!(short, long);
        }

        #[test]
        fn what_the_short_path_takes_of_damaged_frames_it_reads_as_the_long_one(
            tagged: bool, random in vec(any::<u8>(), 40), options in any_options(),
            payload in vec(any::<u8>(), 0..40), damage in vec(any::<(prop::sample::Index, u8)>(), 1..4),
            captured in prop::option::of(any::<prop::sample::Index>()), extra in 0usize..20
        ) {
            let mut bytes = frame(tagged, &random, &options, &payload);
            for (at, value) in damage {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            let wire_len = bytes.len() + extra;
            if let Some(captured) = captured {
                bytes.truncate(captured.index(bytes.len()));
            }
            if let Some([short, long]) = both(&bytes, wire_len) {
                prop_assert_eq!(short, long);
            }
        }
    }

    #[test]
    fn a_cut_payload_and_a_reset_with_text_take_the_short_path() {
        let mut random = [9; 40];
        random[33] = TcpFlags::RST;
        let bytes = frame(true, &random, &[], b"go away");
        let [short, long] = both(&bytes[..bytes.len() - 3], bytes.len()).unwrap();
        assert_eq!(short, long);
        let frame =
            Frame { bytes: &bytes[..62], wire_len: 90, time_ns: 0, link: LinkType::ETHERNET };
        let (mut segment, mut texts) = (Segment::default(), RstTexts::new(1));
        common(&frame, &mut segment, &mut texts).unwrap();
        assert_eq!((segment.payload_len, segment.text), (7, 1));
        assert!(segment.has_quirk(quirk::CUT));
        assert_eq!(texts.get(1).unwrap()[..5], *b"go a\0");
    }
}
