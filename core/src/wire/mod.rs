//! Dissection: from the bytes of a frame to a [`Segment`], or the reason why not.
//!
//! Nearly all traffic takes the short way, `common`, which reads every field at a fixed place.
//! Anything else goes to `walk`, which takes headers one by one out of a checked view and
//! gives the same answer for common frames too; a test holds the two together.
//!
//! Dissection never verifies checksums (capture before offload makes them wrong), never
//! reassembles, and never follows a TCP header quoted inside an ICMP error: that is not a segment.

mod common;
mod ip4;
mod ip6;
mod limits;
mod link;
mod options;
mod payload;
mod tcp;
mod tunnel;
mod view;

pub use options::timestamps;

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

/// Where a segment is to be written, decided when its flow is known.
pub trait Sink {
    /// The segment to write, and where the text of its RST is kept; asked once for each frame that
    /// holds a segment, with the [`crate::flow::hash::hash`] of its key.
    fn place(&mut self, hash: u64) -> (&mut Segment, &mut RstTexts);

    /// Looks at the options area of the segment just filled, as far as it was captured, for what a
    /// segment does not hold (see [`timestamps`]).
    #[inline(always)]
    fn options(&mut self, _area: &[u8]) {}
}

/// The one place for all.
impl Sink for (&mut Segment, &mut RstTexts) {
    #[inline(always)]
    fn place(&mut self, _hash: u64) -> (&mut Segment, &mut RstTexts) {
        (self.0, self.1)
    }
}

/// Reads the TCP segment that `frame` carries into `segment`.
///
/// Fills everything but [`Segment::frame`], which only the caller knows. After an error `segment`
/// is as it was before. The payload of a RST is kept in `texts`.
///
/// # Errors
/// The one reason why the frame holds no usable TCP segment.
#[inline(always)]
pub fn dissect(frame: &Frame<'_>, segment: &mut Segment, texts: &mut RstTexts) -> Result<(), Skip> {
    // Not by `dissect_to`: a pair made for each of the two ways need not lie in memory for the short one.
    match common::read(frame, &mut (&mut *segment, &mut *texts)) {
        Some(result) => result,
        None => walk(*frame, &mut (segment, texts)),
    }
}

/// [`dissect`] to where `sink` wants the segment.
///
/// # Errors
/// As [`dissect`]; `sink` has not been asked then.
#[inline(always)]
pub fn dissect_to(frame: &Frame<'_>, sink: &mut impl Sink) -> Result<(), Skip> {
    match common::read(frame, sink) {
        Some(result) => result,
        None => walk(*frame, sink),
    }
}

/// Whether frames of this link type can be read at all.
#[must_use]
pub const fn reads(link: LinkType) -> bool {
    Layer::outermost(link).is_some()
}

/// Reads any frame, header by header.
///
/// By value, so that no frame has to be written to memory for the few that come here.
#[cold]
#[inline(never)]
fn walk(frame: Frame<'_>, sink: &mut impl Sink) -> Result<(), Skip> {
    let mut layer = Layer::outermost(frame.link).ok_or(Skip::LinkType)?;
    let mut view = View::of(&frame);
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
            return tcp::read(body, &carrier, sink);
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

    /// A common frame: perhaps a tag, IPv4 or IPv6 without options, TCP with `options`.
    fn frame(six: bool, tagged: bool, random: &[u8], options: &[u8], payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![2; 12];
        if tagged {
            bytes.extend([0x81, 0, 0, 7]);
        }
        let (ip, tcp) = random.split_at(40);
        let len = 20 + options.len() + payload.len();
        if six {
            bytes.extend([0x86, 0xdd, 0x60 | ip[0] & 0x0f, ip[1], ip[2], ip[3]]);
            bytes.extend(u16::try_from(len).unwrap().to_be_bytes());
            bytes.extend([6, ip[4]]);
            bytes.extend(&ip[8..]);
        } else {
            bytes.extend([8, 0, 0x45, ip[1]]);
            bytes.extend(u16::try_from(20 + len).unwrap().to_be_bytes());
            bytes.extend([ip[4], ip[5], ip[6] & 0xc0, 0, ip[8], 6]);
            bytes.extend(&ip[10..20]);
        }
        bytes.extend(&tcp[..12]);
        bytes.extend([u8::try_from(5 + options.len() / 4).unwrap() << 4, tcp[13]]);
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

    /// Any bytes, or the begin of a payload that means something.
    fn any_payload() -> impl Strategy<Value = Vec<u8>> {
        const KNOWN: [&[u8]; 6] = [
            b"",
            b"GET / HTTP/1.1",
            b"HTTP/1.1 200",
            b"\x15\x03\x03\0\x02\x01\0",
            b"\x16\x03\x01\0\x05\x01",
            b"\x17\x03\x03\0\x20",
        ];
        (prop::sample::select(&KNOWN[..]), vec(any::<u8>(), 0..40))
            .prop_map(|(begin, rest)| [begin, &rest].concat())
    }

    /// Both paths over the same bytes; `None` when the short path leaves the frame to the other.
    fn both(bytes: &[u8], wire_len: usize) -> Option<[String; 2]> {
        let wire_len = u32::try_from(wire_len).unwrap();
        let frame = Frame { bytes, wire_len, time_ns: 3, link: LinkType::ETHERNET };
        let (mut short, mut long) = (Segment::default(), Segment::default());
        let (mut short_texts, mut long_texts) = (RstTexts::new(1), RstTexts::new(1));
        let read = common::read(&frame, &mut (&mut short, &mut short_texts))?;
        let walked = walk(frame, &mut (&mut long, &mut long_texts));
        Some([
            format!("{read:?} {short:?} {short_texts:?}"),
            format!("{walked:?} {long:?} {long_texts:?}"),
        ])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn the_short_path_takes_common_frames_and_agrees_with_the_long_one(
            six: bool, tagged: bool, random in vec(any::<u8>(), 60), options in any_options(),
            payload in any_payload(), padding in 0usize..30, cut in 0usize..40
        ) {
            let mut bytes = frame(six, tagged, &random, &options, &payload);
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
            six: bool, tagged: bool, random in vec(any::<u8>(), 60), options in any_options(),
            payload in any_payload(), damage in vec(any::<(prop::sample::Index, u8)>(), 1..4),
            captured in prop::option::of(any::<prop::sample::Index>()), extra in 0usize..20
        ) {
            let mut bytes = frame(six, tagged, &random, &options, &payload);
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
    fn udp_takes_the_short_path_unless_it_may_be_a_tunnel() {
        for (six, ports, short) in [
            (false, [53, 40_000], true),
            (true, [40_000, 443], true),
            (false, [40_000, 4789], false),
            (true, [3544, 40_000], false),
        ] {
            let mut bytes = frame(six, false, &[9; 60], &[], &[0; 20]);
            let (protocol, udp) = if six { (20, 54) } else { (23, 34) };
            bytes[protocol] = 17;
            bytes[udp..udp + 4].copy_from_slice(&ports.map(u16::to_be_bytes).concat());
            let shown = both(&bytes, bytes.len());
            assert_eq!(shown.is_some(), short, "{ports:?}");
            if let Some([short, long]) = shown {
                assert_eq!(short, long, "{ports:?}");
                assert!(short.starts_with("Err(NotTcp)"), "{short}");
            }
        }
    }

    #[test]
    fn a_cut_payload_and_a_reset_with_text_take_the_short_path() {
        let mut random = [9; 60];
        random[53] = TcpFlags::RST;
        let bytes = frame(false, true, &random, &[], b"go away");
        let [short, long] = both(&bytes[..bytes.len() - 3], bytes.len()).unwrap();
        assert_eq!(short, long);
        let frame =
            Frame { bytes: &bytes[..62], wire_len: 90, time_ns: 0, link: LinkType::ETHERNET };
        let (mut segment, mut texts) = (Segment::default(), RstTexts::new(1));
        common::read(&frame, &mut (&mut segment, &mut texts)).unwrap().unwrap();
        assert_eq!((segment.payload_len, segment.text), (7, 1));
        assert!(segment.has_quirk(quirk::CUT));
        assert_eq!(texts.get(1).unwrap()[..5], *b"go a\0");
    }
}
