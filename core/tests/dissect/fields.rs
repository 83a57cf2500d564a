//! Every field of the segment against what `etherparse` reads in the same packet.

use etherparse::{NetHeaders, PacketHeaders, TcpHeader, TcpOptionElement, TransportHeader};
use proptest::prelude::*;
use resetscope_core::flow::hash::hash;
use resetscope_core::flow::key::{FlowKey, mapped};
use resetscope_core::flow::usual::Usual;
use resetscope_core::frame::LinkType;
use resetscope_core::segment::{Payload, Segment, TcpFlags, option, quirk};

use crate::links::wrapped;
use crate::packet::ip_packet;
use crate::{cut, shown, whole};

/// What `etherparse` reads in an IP packet, as our segment; `payload` and `text` are left out.
fn expected(packet: &[u8]) -> Segment {
    let headers = PacketHeaders::from_ip_slice(packet).unwrap();
    let (net, transport) = (headers.net.unwrap(), headers.transport);
    // The oracle does not look into fragments, ours uses the first one.
    let (tcp, payload_len) = match transport {
        Some(TransportHeader::Tcp(tcp)) => (tcp, headers.payload.slice().len()),
        _ => {
            let (tcp, rest) = TcpHeader::from_slice(headers.payload.slice()).unwrap();
            (tcp, rest.len())
        }
    };
    let mut segment = Segment {
        time_ns: 42,
        payload_len: u32::try_from(payload_len).unwrap(),
        seq: tcp.sequence_number,
        ack: tcp.acknowledgment_number,
        window: tcp.window_size,
        flags: TcpFlags(packet[packet.len() - payload_len - tcp.header_len() + 13]),
        ..Segment::default()
    };
    let (source, destination) = match net {
        NetHeaders::Ipv4(ip, _) => {
            segment.ttl = ip.time_to_live;
            segment.tos = ip.dscp.value() << 2 | ip.ecn.value();
            segment.ip_id = ip.identification;
            segment.quirks = if ip.dont_fragment { quirk::DF } else { 0 };
            (mapped(ip.source), mapped(ip.destination))
        }
        NetHeaders::Ipv6(ip, extensions) => {
            segment.ttl = ip.hop_limit;
            segment.tos = ip.traffic_class;
            segment.quirks = quirk::DF | quirk::IPV6;
            if extensions.fragment.is_some_and(|fragment| fragment.more_fragments) {
                segment.quirks |= quirk::FIRST_FRAGMENT;
            }
            (ip.source, ip.destination)
        }
        NetHeaders::Arp(_) => unreachable!("built as IP"),
    };
    let ends = ((source, tcp.source_port), (destination, tcp.destination_port));
    (segment.key, segment.direction) = FlowKey::new(ends.0, ends.1, 0);
    segment.hash = hash(&segment.key);
    for element in tcp.options.elements_iter() {
        segment.options |= match element.unwrap() {
            TcpOptionElement::Noop => 0,
            TcpOptionElement::MaximumSegmentSize(mss) => {
                segment.mss = mss;
                option::MSS
            }
            TcpOptionElement::WindowScale(shift) => {
                segment.window_scale = shift;
                option::WINDOW_SCALE
            }
            TcpOptionElement::SelectiveAcknowledgementPermitted => option::SACK_PERMITTED,
            TcpOptionElement::SelectiveAcknowledgement(..) => option::SACK,
            TcpOptionElement::Timestamp(..) => option::TIMESTAMPS,
        };
    }
    segment
}

/// Without the fields that the oracle knows nothing of.
fn comparable(segment: Segment) -> String {
    let mut segment = Segment { payload: Payload::None, text: 0, ..segment };
    segment.usual = Usual::of(&segment);
    shown(&segment)
}

/// The packet with its two endpoints swapped.
fn reversed(packet: &[u8]) -> Vec<u8> {
    let mut turned = packet.to_vec();
    let (addresses, len) = if packet[0] >> 4 == 4 { (12, 4) } else { (8, 16) };
    for at in addresses..addresses + len {
        turned.swap(at, at + len);
    }
    let payload_len = expected(packet).payload_len as usize;
    let tcp_len = expected_tcp_len(packet);
    let ports = packet.len() - payload_len - tcp_len;
    turned.swap(ports, ports + 2);
    turned.swap(ports + 1, ports + 3);
    turned
}

fn expected_tcp_len(packet: &[u8]) -> usize {
    let headers = PacketHeaders::from_ip_slice(packet).unwrap();
    match headers.transport {
        Some(TransportHeader::Tcp(tcp)) => tcp.header_len(),
        _ => TcpHeader::from_slice(headers.payload.slice()).unwrap().0.header_len(),
    }
}

proptest! {
    #[test]
    fn every_field_agrees_with_etherparse_on_every_link(
        packet in ip_packet(), which: prop::sample::Index, padding in 0usize..40
    ) {
        let want = comparable(expected(&packet));
        let (name, link, mut bytes) = which.get(&wrapped(&packet)).clone();
        // Trailing bytes are the link layer's padding, whatever they hold.
        bytes.resize(bytes.len() + padding, 0x55);
        let got = whole(link, &bytes).map(comparable);
        prop_assert_eq!(got.as_deref(), Ok(want.as_str()), "{}", name);
    }

    #[test]
    fn plain_ethernet_agrees_with_etherparse(packet in ip_packet(), padding in 0usize..40) {
        let (_, link, mut bytes) = wrapped(&packet).swap_remove(0);
        bytes.resize(bytes.len() + padding, 0x55);
        let want = comparable(expected(&packet));
        prop_assert_eq!(whole(link, &bytes).map(comparable), Ok(want));
    }

    #[test]
    fn both_directions_have_one_key_and_one_hash(packet in ip_packet()) {
        let there = whole(LinkType::RAW, &packet).unwrap();
        let back = whole(LinkType::RAW, &reversed(&packet)).unwrap();
        prop_assert_eq!((there.key, there.hash), (back.key, back.hash));
        let same_end = there.key.addr[0] == there.key.addr[1] && there.key.port[0] == there.key.port[1];
        prop_assert_eq!(there.direction != back.direction, !same_end);
    }

    #[test]
    fn a_cut_changes_nothing_before_it(packet in ip_packet(), which: prop::sample::Index) {
        let (name, link, bytes) = which.get(&wrapped(&packet)).clone();
        let full = whole(link, &bytes).unwrap();
        let tcp_at = bytes.len() - full.payload_len as usize - expected_tcp_len(&packet);
        for captured in 0..bytes.len() {
            let got = cut(link, &bytes, captured);
            if captured < tcp_at + 16 {
                prop_assert_eq!(got.err(), Some(resetscope_core::skip::Skip::Truncated), "{} {}", name, captured);
                continue;
            }
            let got = got.unwrap();
            prop_assert!(got.has_quirk(quirk::CUT));
            prop_assert!(got.options & !full.options == 0, "no option is invented");
            let behind_options = captured >= tcp_at + expected_tcp_len(&packet);
            let mut want = Segment {
                quirks: full.quirks | quirk::CUT,
                payload: got.payload,
                text: got.text,
                options: if behind_options { full.options } else { got.options },
                mss: if behind_options { full.mss } else { got.mss },
                window_scale: if behind_options { full.window_scale } else { got.window_scale },
                ..full
            };
            want.usual = Usual::of(&want);
            prop_assert_eq!(shown(&got), shown(&want), "{} cut at {}", name, captured);
        }
    }
}
