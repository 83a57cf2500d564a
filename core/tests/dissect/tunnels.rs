//! Tunnels: what is inside is dissected as if it had come alone, and nothing else is believed.

use resetscope_core::frame::LinkType;
use resetscope_core::segment::{Segment, quirk};
use resetscope_core::skip::Skip;

use crate::links::{ether_type, ethernet};
use crate::packet::{plain, plain6};
use crate::{shown, whole};

/// An IPv4 packet of `protocol` around `body`.
fn ip(protocol: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = plain(b"");
    packet.truncate(20);
    packet[9] = protocol;
    packet[2..4].copy_from_slice(&u16::try_from(20 + body.len()).unwrap().to_be_bytes());
    packet.extend_from_slice(body);
    packet
}

fn udp(source: u16, destination: u16, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + body.len()).unwrap();
    let header = [source, destination, len, 0].map(u16::to_be_bytes).concat();
    ip(17, &[&header, body].concat())
}

fn gre(header: &[u8], body: &[u8]) -> Vec<u8> {
    ip(47, &[header, body].concat())
}

/// A packet in a tunnel: the tunnel's name, the outer packet, the domain that must come of it.
type Tunnelled = (&'static str, Vec<u8>, u32);

/// A packet in every tunnel.
pub(crate) fn tunnelled(packet: &[u8]) -> Vec<Tunnelled> {
    let mut all = over_gre(packet);
    all.extend(over_udp(packet));
    all.push(("IP in IP", ip(if packet[0] >> 4 == 4 { 4 } else { 41 }, packet), 0));
    all
}

fn over_gre(packet: &[u8]) -> Vec<Tunnelled> {
    let [high, low] = ether_type(packet);
    let frame = &ethernet(&[], packet);
    let with = |header: &[u8]| [header, packet].concat();
    let bridged = |header: &[u8]| [header, frame.as_slice()].concat();
    let wlan = |control: [u8; 2], rest: usize| {
        [&control[..], &vec![0; rest], &[0xaa, 0xaa, 3, 0, 0, 0, high, low], packet].concat()
    };
    let ppp = if packet[0] >> 4 == 4 { 0x21 } else { 0x57 };
    let call = [0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, ppp];
    // What precedes every ERSPAN header: the sequence flag, the type, a sequence number.
    let (second, third) = (&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1], &[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1]);
    let header3 = |last: [u8; 2]| [&[0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0], &last[..]].concat();
    let long = [header3([0, 1]), vec![0; 8]].concat();
    vec![
        ("GRE", gre(&[0, 0, high, low], packet), 0),
        ("GRE, checksum, key, sequence", gre(&[0xb0, 0, high, low], &with(&[0; 12])), 0),
        ("GRE, Ethernet", gre(&[0, 0, 0x65, 0x58], frame), 0),
        ("GRE, MPLS", gre(&[0, 0, 0x88, 0x47, 0, 0, 1, 9], packet), 0),
        ("PPTP", gre(&[0x30, 0x81, 0x88, 0x0b], &with(&call)), 0),
        ("ERSPAN I", gre(&[0, 0, 0x88, 0xbe], frame), 0),
        ("ERSPAN II", gre(second, &bridged(&[0x10, 0, 0, 0, 0, 0, 0, 0])), 0),
        ("ERSPAN III", gre(third, &bridged(&header3([0, 0]))), 0),
        ("ERSPAN III, long", gre(third, &bridged(&long)), 0),
        ("ERSPAN III, IP", gre(third, &with(&header3([8, 0]))), 0),
        ("Aruba, QoS", gre(&[0, 0, 0x82, 0x00], &wlan([0x88, 1], 24)), 0),
        ("Aruba, relayed", gre(&[0, 0, 0x82, 0x10], &wlan([0x08, 3], 28)), 0),
    ]
}

fn over_udp(packet: &[u8]) -> Vec<Tunnelled> {
    let four = packet[0] >> 4 == 4;
    let [high, low] = ether_type(packet);
    let frame = &ethernet(&[], packet);
    let with = |header: &[u8]| [header, packet].concat();
    let bridged = |header: &[u8]| [header, frame.as_slice()].concat();
    let last = [8, 0, 0, 0, 0xff, 0xff, 0xff, 0];
    let next = if four { 1 } else { 2 };
    let options = [2, 0x40, high, low, 0, 0, 8, 0, 1, 2, 3, 1, 0, 0, 0, 0];
    let sequence = [0x32, 255, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0];
    let extension = [0x34, 255, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0, 9, 0];
    let mut all = vec![
        ("VXLAN", udp(50000, 4789, &bridged(&[8, 0, 0, 0, 0, 0, 41, 0])), 42),
        ("VXLAN, Linux's port, last network", udp(50000, 8472, &bridged(&last)), 0x0100_0000),
        ("VXLAN with policy", udp(50000, 4789, &bridged(&[0x88, 0, 0, 5, 0, 0, 0, 0])), 1),
        ("VXLAN-GPE, IP", udp(50000, 4790, &with(&[0x0c, 0, 0, next, 0, 0, 6, 0])), 7),
        ("VXLAN-GPE, Ethernet", udp(50000, 4790, &bridged(&[0x0c, 0, 0, 3, 0, 0, 6, 0])), 7),
        ("Geneve", udp(50000, 6081, &bridged(&[0, 0, 0x65, 0x58, 0, 0, 8, 0])), 9),
        ("Geneve, options", udp(50000, 6081, &with(&options)), 9),
        ("GTP-U", udp(2152, 2152, &with(&[0x30, 255, 0, 0, 0, 0, 0, 1])), 0),
        ("GTP-U, sequence", udp(2152, 2152, &with(&sequence)), 0),
        ("GTP-U, extension", udp(2152, 2152, &with(&extension)), 0),
    ];
    if !four {
        let origin = [0, 0, 1, 2, 3, 4, 5, 6];
        let both = [&[0, 1, 1, 2, 9, 8, 8][..], &[0; 9], &origin].concat();
        all.push(("Teredo", udp(3544, 50000, packet), 0));
        all.push(("Teredo, origin", udp(3544, 50000, &with(&origin)), 0));
        all.push(("Teredo, authentication and origin", udp(50000, 3544, &with(&both)), 0));
    }
    all
}

/// `inner` as it must look out of a tunnel.
fn from_tunnel(inner: Segment, domain: u32) -> String {
    let mut segment = Segment { quirks: inner.quirks | quirk::TUNNEL, ..inner };
    segment.key.domain = domain;
    segment.hash = resetscope_core::flow::hash::hash(&segment.key);
    shown(&segment)
}

#[test]
fn the_inner_segment_comes_out_of_every_tunnel() {
    for packet in [plain(b"hello"), plain6(b"bye")] {
        let inner = whole(LinkType::RAW, &packet).unwrap();
        for (name, outer, domain) in tunnelled(&packet) {
            let want = from_tunnel(inner, domain);
            for (link, bytes) in
                [(LinkType::RAW, outer.clone()), (LinkType::ETHERNET, ethernet(&[], &outer))]
            {
                let got = whole(link, &bytes).map(|segment| shown(&segment));
                assert_eq!(got.as_deref(), Ok(want.as_str()), "{name}");
            }
        }
    }
}

#[test]
fn four_tunnels_deep_is_read_and_five_is_refused() {
    let mut packet = plain(b"hello");
    let inner = whole(LinkType::RAW, &packet).unwrap();
    for depth in 1..=5 {
        packet = if depth % 2 == 0 { ip(4, &packet) } else { gre(&[0, 0, 8, 0], &packet) };
        let got = whole(LinkType::RAW, &packet).map(|segment| shown(&segment));
        let want = if depth <= 4 { Ok(from_tunnel(inner, 0)) } else { Err(Skip::TooDeep) };
        assert_eq!(got, want, "depth {depth}");
    }
}

#[test]
fn a_port_alone_is_no_tunnel() {
    let packet = &plain(b"hello");
    let frame = &ethernet(&[], packet);
    let with = |header: &[u8], body: &[u8]| [header, body].concat();
    let arp = &[&[2; 12][..], &[8, 6, 0, 1]].concat();
    let cases: &[(&str, Vec<u8>)] = &[
        ("another port", udp(50000, 4788, &with(&[8, 0, 0, 0, 0, 0, 1, 0], frame))),
        ("VXLAN's port as source", udp(4789, 50000, &with(&[8, 0, 0, 0, 0, 0, 1, 0], frame))),
        ("VXLAN without network flag", udp(1, 4789, &with(&[0, 0, 0, 0, 0, 0, 1, 0], frame))),
        ("VXLAN with reserved bits", udp(1, 4789, &with(&[8, 0, 0, 0, 0, 0, 1, 1], frame))),
        ("VXLAN of 7 bytes", udp(1, 4789, &[8, 0, 0, 0, 0, 0, 1])),
        ("VXLAN with ARP", udp(1, 4789, &with(&[8, 0, 0, 0, 0, 0, 1, 0], arp))),
        ("GPE of version 1", udp(1, 4790, &with(&[0x1c, 0, 0, 1, 0, 0, 1, 0], packet))),
        ("Geneve of version 1", udp(1, 6081, &with(&[0x40, 0, 8, 0, 0, 0, 1, 0], packet))),
        ("Geneve control", udp(1, 6081, &with(&[0, 0x80, 8, 0, 0, 0, 1, 0], packet))),
        (
            "Geneve options beyond the end",
            udp(1, 6081, &with(&[0x3f, 0, 8, 0, 0, 0, 1, 0], packet)),
        ),
        ("GTP echo", udp(1, 2152, &with(&[0x32, 1, 0, 0, 0, 0, 0, 1], packet))),
        (
            "GTP extension of length 0",
            udp(1, 2152, &with(&[0x34, 255, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x85, 0, 0, 0, 0], packet)),
        ),
        ("Teredo with IPv4", udp(1, 3544, packet)),
        ("empty datagram to Teredo", udp(1, 3544, &[])),
        ("GRE keepalive", gre(&[0, 0, 0, 0], &[])),
        ("GRE with source route", gre(&[0x40, 0, 8, 0, 0, 0, 0, 0], packet)),
        ("GRE version 3", gre(&[0, 3, 8, 0], packet)),
        ("PPTP acknowledgement", gre(&[0x20, 0x81, 0x88, 0x0b, 0, 0, 0, 1, 0, 0, 0, 3], &[])),
        (
            "ERSPAN II of another version",
            gre(&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1], &with(&[0x30; 8], frame)),
        ),
        ("Aruba, encrypted", gre(&[0, 0, 0x82, 0], &with(&[0x88, 0x41], &[0; 60]))),
        ("Aruba, no data", gre(&[0, 0, 0x82, 0], &with(&[0xc8, 0x01], &[0; 60]))),
    ];
    for (name, bytes) in cases {
        assert_eq!(whole(LinkType::RAW, bytes).err(), Some(Skip::NotTcp), "{name}");
    }
}

#[test]
fn a_tcp_header_quoted_in_an_icmp_error_is_not_a_segment() {
    let quoted = [&[3, 1, 0, 0, 0, 0, 0, 0], &plain(b"")[..]].concat();
    let frame = ethernet(&[], &ip(1, &quoted));
    assert_eq!(whole(LinkType::ETHERNET, &frame).err(), Some(Skip::NotTcp));
}

#[test]
fn a_tunnel_in_a_first_fragment_gives_what_the_fragment_holds() {
    let inner = plain(&[b'x'; 100]);
    let mut outer = gre(&[0, 0, 8, 0], &inner[..60]);
    outer[6] = 0x20;
    let got = whole(LinkType::RAW, &outer).unwrap();
    assert_eq!(got.payload_len, 100, "by the inner header's length");
    assert!(got.has_quirk(quirk::TUNNEL | quirk::CUT) && !got.has_quirk(quirk::FIRST_FRAGMENT));
}
