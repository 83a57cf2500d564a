//! Link layers: the same IP packet below every one of them is the same segment.

use resetscope_core::frame::LinkType;
use resetscope_core::skip::Skip;

use crate::packet::{plain, plain6};
use crate::{shown, whole};

const MACS: [u8; 12] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// An Ethernet frame: `tags` stand between the addresses and the last `EtherType`.
pub(crate) fn ethernet(tags: &[u8], packet: &[u8]) -> Vec<u8> {
    join(&[&MACS, tags, &ether_type(packet), packet])
}

/// The `EtherType` of an IP packet.
pub(crate) fn ether_type(packet: &[u8]) -> [u8; 2] {
    if packet[0] >> 4 == 4 { [0x08, 0x00] } else { [0x86, 0xdd] }
}

/// An IP packet in a frame of every link type and encapsulation, each with its name.
pub(crate) fn wrapped(packet: &[u8]) -> Vec<(&'static str, LinkType, Vec<u8>)> {
    let kind = &ether_type(packet);
    let four = packet[0] >> 4 == 4;
    let ppp: &[u8] = if four { &[0x00, 0x21] } else { &[0x00, 0x57] };
    let (bsd, mac_os, linux) = if four { (2, 2, 2) } else { (24, 30, 10) };
    let snap = &[0xaa, 0xaa, 3, 0, 0, 0];
    let length = &[0x05, 0xdc];
    let inner = &join(&[&MACS, kind, packet]);
    let address: &[u8] = &[0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0];
    let second: &[u8] = &[0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0];
    let ether = |parts: &[&[u8]]| join(&[&[&MACS[..]], parts].concat());
    let mut all = vec![
        ("plain", LinkType::ETHERNET, ether(&[kind, packet])),
        ("VLAN", LinkType::ETHERNET, ether(&[&[0x81, 0, 0x20, 5], kind, packet])),
        ("QinQ", LinkType::ETHERNET, ether(&[&[0x88, 0xa8, 0, 1, 0x81, 0, 0, 2], kind, packet])),
        ("old QinQ", LinkType::ETHERNET, ether(&[&[0x91, 0, 0, 1, 0x92, 0, 0, 2], kind, packet])),
        ("MPLS", LinkType::ETHERNET, ether(&[&[0x88, 0x47, 0, 1, 0, 9, 0, 2, 1, 9], packet])),
        ("MPLS multicast", LinkType::ETHERNET, ether(&[&[0x88, 0x48, 0, 2, 1, 9], packet])),
        ("pseudowire", LinkType::ETHERNET, ether(&[&[0x88, 0x47, 0, 2, 1, 9], inner])),
        (
            "pseudowire with control word",
            LinkType::ETHERNET,
            ether(&[&[0x88, 0x47, 0, 2, 1, 9, 0, 0, 0, 7], inner]),
        ),
        ("LLC/SNAP", LinkType::ETHERNET, ether(&[length, snap, kind, packet])),
        ("LLC", LinkType::ETHERNET, ether(&[length, &[6, 6, 3], packet])),
        ("PPPoE", LinkType::ETHERNET, ether(&[&[0x88, 0x64, 0x11, 0, 0, 9, 2, 0], ppp, packet])),
        ("raw", LinkType::RAW, packet.to_vec()),
        ("raw, BSD", LinkType::RAW_BSD, packet.to_vec()),
        ("raw, OpenBSD", LinkType::RAW_OPENBSD, packet.to_vec()),
        ("PPP", LinkType::PPP, join(&[ppp, packet])),
        ("PPP, framed", LinkType::PPP, join(&[&[0xff, 3], ppp, packet])),
        ("PPP, compressed", LinkType::PPP, join(&[&ppp[1..], packet])),
        ("PPP HDLC", LinkType::PPP_HDLC, join(&[&[0xff, 3], ppp, packet])),
        ("PPP HDLC, Cisco", LinkType::PPP_HDLC, join(&[&[0x0f, 0], kind, packet])),
        ("Cisco HDLC", LinkType::C_HDLC, join(&[&[0x0f, 0], kind, packet])),
        ("loopback LE", LinkType::NULL, join(&[&[bsd, 0, 0, 0], packet])),
        ("loopback BE", LinkType::NULL, join(&[&[0, 0, 0, mac_os], packet])),
        ("loopback OpenBSD", LinkType::LOOP, join(&[&[0, 0, 0, linux], packet])),
        ("cooked", LinkType::LINUX_SLL, join(&[address, kind, packet])),
        ("cooked, VLAN", LinkType::LINUX_SLL, join(&[address, &[0x81, 0, 0, 7], kind, packet])),
        ("cooked, LLC", LinkType::LINUX_SLL, join(&[address, &[0, 4], snap, kind, packet])),
        ("cooked 2", LinkType::LINUX_SLL2, join(&[kind, second, packet])),
        (
            "cooked 2, VLAN",
            LinkType::LINUX_SLL2,
            join(&[&[0x81, 0], second, &[0, 7], kind, packet]),
        ),
    ];
    let link = if four { LinkType::IPV4 } else { LinkType::IPV6 };
    all.push(("one version", link, packet.to_vec()));
    all
}

#[test]
fn every_encapsulation_leads_to_the_same_segment() {
    for packet in [plain(b"hello"), plain6(b"")] {
        let want = shown(&whole(LinkType::RAW, &packet).unwrap());
        for (name, link, bytes) in wrapped(&packet) {
            let got = whole(link, &bytes).map(|segment| shown(&segment));
            assert_eq!(got.as_deref(), Ok(want.as_str()), "{name}");
        }
    }
}

#[test]
fn what_is_not_ip_is_told_from_what_is_broken() {
    let packet = &plain(b"");
    let ether = |rest: &[u8]| join(&[&MACS, rest]);
    let tag = [0x81, 0, 0, 1];
    let cases: &[(&str, LinkType, Vec<u8>, Skip)] = &[
        ("802.11", LinkType(127), ethernet(&[], packet), Skip::LinkType),
        ("ARP", LinkType::ETHERNET, ether(&[8, 6, 0, 1, 8, 0]), Skip::NotIp),
        ("spanning tree", LinkType::ETHERNET, ether(&[0, 38, 0x42, 0x42, 3, 0]), Skip::NotIp),
        (
            "SNAP of a vendor",
            LinkType::ETHERNET,
            ether(&[0, 9, 0xaa, 0xaa, 3, 0, 0, 12, 8, 0]),
            Skip::NotIp,
        ),
        (
            "PPPoE discovery code",
            LinkType::ETHERNET,
            ether(&[0x88, 0x64, 0x11, 9, 0, 0, 0, 0]),
            Skip::NotIp,
        ),
        ("PPP LCP", LinkType::PPP, vec![0xff, 3, 0xc0, 0x21, 1, 1], Skip::NotIp),
        (
            "netlink",
            LinkType::LINUX_SLL,
            join(&[&[0, 4, 3, 0x38, 0, 0], &[0; 8], &[0x08, 0], packet]),
            Skip::NotIp,
        ),
        ("loopback of AppleTalk", LinkType::NULL, join(&[&[16, 0, 0, 0], packet]), Skip::NotIp),
        (
            "MPLS control channel",
            LinkType::ETHERNET,
            ether(&[0x88, 0x47, 0, 0, 1, 9, 0x10, 0, 0, 0]),
            Skip::NotIp,
        ),
        (
            "IPv6 under IPv4's type",
            LinkType::ETHERNET,
            ether(&join(&[&[8, 0], &plain6(b"")])),
            Skip::BadIp,
        ),
        ("raw, version 9", LinkType::RAW, vec![0x95; 60], Skip::BadIp),
        ("half an Ethernet header", LinkType::ETHERNET, MACS.to_vec(), Skip::BadIp),
        ("empty", LinkType::ETHERNET, Vec::new(), Skip::BadIp),
        ("17 tags", LinkType::ETHERNET, ethernet(&tag.repeat(17), packet), Skip::TooDeep),
    ];
    for (name, link, bytes, want) in cases {
        assert_eq!(whole(*link, bytes).err(), Some(*want), "{name}");
    }
    assert!(whole(LinkType::ETHERNET, &ethernet(&tag.repeat(12), packet)).is_ok(), "12 tags");
}
