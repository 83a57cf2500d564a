//! Expressions against packets: run here in a small interpreter, and by tcpdump where it is
//! installed, which must choose the same packets.

use std::fs;
use std::process::Command;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use resetscope_core::frame::LinkType;

use super::program::{Instruction, op};
use super::{Expression, FilterError};

/// What the kernel would return: the bytes taken.
fn execute(program: &[Instruction], frame: &[u8]) -> u32 {
    let load = |at: usize, len: usize| {
        let bytes = frame.get(at..at + len)?;
        Some(bytes.iter().fold(0, |value, byte| value << 8 | u32::from(*byte)))
    };
    let (mut a, mut x, mut at) = (0, 0, 0);
    loop {
        let Instruction { code, jt, jf, k } = program[at];
        at += 1;
        let offset = k as usize;
        let loaded = match code {
            op::LOAD_BYTE => load(offset, 1),
            op::LOAD_HALF => load(offset, 2),
            op::LOAD_WORD => load(offset, 4),
            op::LOAD_HALF_X => load(x + offset, 2),
            op::LOAD_X_IP4_LEN => load(offset, 1),
            _ => Some(0),
        };
        let Some(loaded) = loaded else { return 0 };
        let mut jump = |holds: bool| at += usize::from(if holds { jt } else { jf });
        match code {
            op::LOAD_BYTE | op::LOAD_HALF | op::LOAD_WORD | op::LOAD_HALF_X => a = loaded,
            op::LOAD_X_IP4_LEN => x = 4 * (loaded as usize & 15),
            op::AND => a &= k,
            op::JUMP => at += offset,
            op::JUMP_EQUAL => jump(a == k),
            op::JUMP_GREATER => jump(a > k),
            op::JUMP_AT_LEAST => jump(a >= k),
            op::JUMP_SET => jump(a & k != 0),
            op::RETURN => return k,
            _ => panic!("no such instruction: {code:#x}"),
        }
    }
}

/// An IPv4 packet with the beginning of a transport header.
fn ip4(protocol: u8, addresses: [[u8; 4]; 2], ports: [u16; 2], options: usize, at: u16) -> Vec<u8> {
    let mut packet = vec![0x45 + options as u8, 0, 0, 60, 0, 1];
    packet.extend(at.to_be_bytes());
    packet.extend([64, protocol, 0, 0]);
    packet.extend(addresses.concat());
    packet.extend(vec![1; 4 * options]);
    packet.extend(ports.map(u16::to_be_bytes).concat());
    packet.resize(64, 0);
    packet
}

/// An IPv6 packet with the beginning of a transport header, or `then` behind a fragment header.
fn ip6(next: u8, addresses: [&str; 2], ports: [u16; 2], then: Option<u8>) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, 40, then.map_or(next, |_| 44), 64];
    for address in addresses {
        packet.extend(address.parse::<std::net::Ipv6Addr>().unwrap().octets());
    }
    packet.extend(then.map_or(Vec::new(), |then| vec![then, 0, 0, 0, 0, 0, 0, 1]));
    packet.extend(ports.map(u16::to_be_bytes).concat());
    packet.resize(80, 0);
    packet
}

const A: [u8; 4] = [10, 0, 0, 1];
const B: [u8; 4] = [192, 168, 7, 9];
const C: [u8; 4] = [10, 200, 3, 4];
const A6: &str = "2001:db8::1";
const B6: &str = "fd00:1:2:3::9";

/// Packets of every kind that the language tells apart.
fn packets() -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    for protocol in [1, 6, 17, 47, 58, 132] {
        for ports in [[80, 40_000], [40_000, 443], [22, 22], [8_050, 53]] {
            packets.push(ip4(protocol, [A, B], ports, 0, 0));
            packets.push(ip4(protocol, [B, C], ports, 3, 0x4000));
            packets.push(ip6(protocol, [A6, B6], ports, None));
            packets.push(ip6(protocol, [B6, B6], ports, None));
        }
        packets.push(ip4(protocol, [C, A], [80, 22], 0, 0x2000));
        packets.push(ip4(protocol, [C, A], [80, 22], 0, 0x00b9));
        packets.push(ip6(protocol, [B6, A6], [80, 22], Some(protocol)));
    }
    packets
}

/// The packets in Ethernet frames, and what is not IP.
fn frames() -> Vec<Vec<u8>> {
    let ethernet = |kind: u16, payload: &[u8]| {
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        frame.extend(kind.to_be_bytes());
        frame.extend(payload);
        frame
    };
    let mut frames: Vec<Vec<u8>> = packets()
        .iter()
        .map(|packet| ethernet(if packet[0] >> 4 == 4 { 0x0800 } else { 0x86dd }, packet))
        .collect();
    for (kind, operation, addresses) in
        [(0x0806, 1, [A, B]), (0x0806, 2, [B, A]), (0x8035, 3, [C, C]), (0x0806, 1, [C, B])]
    {
        let mut arp = vec![0, 1, 8, 0, 6, 4, 0, operation];
        arp.extend([2; 6]);
        arp.extend(addresses[0]);
        arp.extend([3; 6]);
        arp.extend(addresses[1]);
        arp.resize(60, 0);
        frames.push(ethernet(kind, &arp));
    }
    frames.push(ethernet(0x88cc, &[0; 60]));
    frames
}

fn chosen(text: &str, link: LinkType, frames: &[Vec<u8>]) -> Vec<usize> {
    let expression: Expression = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    let program = expression.compile(link, 96);
    (0..frames.len()).filter(|&index| execute(&program, &frames[index]) == 96).collect()
}

/// What tcpdump chooses; `None` without it.
fn chosen_by_tcpdump(text: &str, link: LinkType, frames: &[Vec<u8>]) -> Option<Vec<usize>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("frames.pcap");
    let mut pcap = 0xa1b2_c3d4_u32.to_le_bytes().to_vec();
    pcap.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0]);
    pcap.extend(u32::from(link.0).to_le_bytes());
    for (index, frame) in frames.iter().enumerate() {
        let len = u32::try_from(frame.len()).unwrap().to_le_bytes();
        pcap.extend(u32::try_from(index).unwrap().to_le_bytes());
        pcap.extend([0; 4]);
        pcap.extend([len, len].concat());
        pcap.extend(frame);
    }
    fs::write(&file, pcap).unwrap();
    let output =
        Command::new("tcpdump").args(["-w", "-", "-r"]).arg(&file).arg(text).output().ok()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("expression rejects all packets") {
        return Some(Vec::new());
    }
    assert!(output.status.success(), "{text}: {said}");
    let (mut rest, mut chosen) = (&output.stdout[24..], Vec::new());
    while let Some((header, behind)) = rest.split_first_chunk::<16>() {
        let word = |at: usize| u32::from_le_bytes(*header[at..].first_chunk().unwrap()) as usize;
        chosen.push(word(0));
        rest = &behind[word(8)..];
    }
    Some(chosen)
}

/// All that a primitive can be.
const PRIMITIVES: [&str; 40] = [
    "tcp",
    "udp",
    "icmp",
    "icmp6",
    "ip",
    "ip6",
    "arp",
    "port 80",
    "src port 22",
    "dst port 53",
    "tcp port 443",
    "udp src port 8050",
    "tcp dst port 22",
    "portrange 8000-8080",
    "tcp portrange 50-90",
    "udp dst portrange 53-53",
    "portrange 90-50",
    "host 10.0.0.1",
    "src host 10.200.3.4",
    "dst 192.168.7.9",
    "src or dst host 10.0.0.1",
    "ip host 10.0.0.1",
    "arp host 192.168.7.9",
    "net 10.0.0.0/8",
    "src net 192.168.0.0/16",
    "dst net 10.200.3.0/26",
    "ip net 10.0.0.0/9",
    "net 0.0.0.0/0",
    "host 2001:db8::1",
    "src fd00:1:2:3::9",
    "ip6 host fd00:1:2:3::9",
    "ip6 net 2001:db8::/33",
    "dst net fd00:1:2::/47",
    "src and dst host fd00:1:2:3::9",
    "src or dst 10.0.0.1",
    "src and dst port 22",
    "ip src 192.168.7.9",
    "ip6 dst 2001:db8::1",
    "src or dst port 443",
    "net 2001:db8::1",
];

fn agree(text: &str) {
    for (link, frames) in [(LinkType::ETHERNET, frames()), (LinkType::RAW, packets())] {
        if link == LinkType::RAW && text.contains("arp host") {
            // tcpdump calls that an error, as there is no ARP; here it is simply never true, since
            // an interface may come back as one of another kind.
            continue;
        }
        match chosen_by_tcpdump(text, link, &frames) {
            Some(want) => assert_eq!(chosen(text, link, &frames), want, "{text} on {link:?}"),
            None => println!("without comparison: tcpdump is not installed"),
        }
    }
}

#[test]
fn every_primitive_chooses_what_tcpdump_chooses() {
    PRIMITIVES.iter().for_each(|text| agree(text));
}

#[test]
fn operators_bind_and_values_inherit_as_with_tcpdump() {
    for text in [
        "tcp or udp and port 53",
        "tcp and port 22 or udp",
        "not tcp and not udp",
        "not (tcp or udp) or port 53",
        "! port 80 && ! port 22 || icmp",
        "port 80 or 443 or 53",
        "tcp port 80 or 443",
        "host 10.0.0.1 or 10.200.3.4 and not src 192.168.7.9",
        "src port 80 or (dst host 10.200.3.4 or 192.168.7.9)",
        "not not tcp",
        "((((ip6))))",
        "tcp and (port 80 or port 443) and not host 10.0.0.1 and not net 10.0.0.0/16",
        "src 10.0.0.1 or dst 10.0.0.1",
    ] {
        agree(text);
    }
}

#[test]
fn jumps_reach_as_far_as_they_have_to() {
    for count in [20, 40, 90, 150] {
        let ports: Vec<String> = (1..=count).map(|port| format!("tcp port {port}")).collect();
        agree(&ports.join(" or "));
        agree(&format!("not ({}) and ip", ports.join(" or ")));
        agree(&format!("ip and not {}", ports.join(" and not ")));
    }
}

#[test]
fn random_expressions_choose_what_tcpdump_chooses() {
    let primitive = prop::sample::select(&PRIMITIVES[..]).prop_map(str::to_owned);
    let expression = primitive.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} and {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} or {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} or {b}")),
            inner.prop_map(|a| format!("not ({a})")),
        ]
    });
    let config = Config { cases: 60, failure_persistence: None, ..Config::default() };
    let seed = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(config, seed)
        .run(&expression, |text| {
            agree(&text);
            Ok(())
        })
        .unwrap();
}

#[test]
fn without_tcpdump_the_meaning_is_still_pinned_down() {
    let frames = [
        ip4(6, [A, B], [80, 40_000], 0, 0),
        ip4(6, [B, A], [40_000, 80], 5, 0),
        ip4(17, [A, C], [80, 53], 0, 0),
        ip4(6, [A, B], [80, 40_000], 0, 1),
        ip6(6, [A6, B6], [80, 443], None),
    ];
    for (text, want) in [
        ("tcp", vec![0, 1, 3, 4]),
        ("port 80", vec![0, 1, 2, 4]),
        ("src port 80", vec![0, 2, 4]),
        ("dst 192.168.7.9", vec![0, 3]),
        ("net 10.200.0.0/16 or ip6", vec![2, 4]),
        ("not tcp", vec![2]),
        ("tcp or udp and port 53", vec![2]),
    ] {
        assert_eq!(chosen(text, LinkType::RAW, &frames), want, "{text}");
    }
}

#[test]
fn frames_that_are_too_short_to_tell_are_refused() {
    let expression: Expression = "not port 80".parse().unwrap();
    let program = expression.compile(LinkType::RAW, 96);
    let whole = ip4(6, [A, B], [443, 40_000], 0, 0);
    assert_eq!(execute(&program, &whole), 96);
    assert_eq!(execute(&program, &whole[..20]), 0, "the ports were cut off");
}

#[test]
fn what_is_not_understood_is_refused_in_one_sentence() {
    for (text, want) in [
        ("", "the filter wants a word such as host, port or tcp where it has nothing more"),
        ("tcp and", "the filter wants a word such as host, port or tcp where it has nothing more"),
        ("10.0.0.1", "the filter wants a word such as host, port or tcp where it has `10.0.0.1`"),
        ("port 80 or tcp or 443", "the filter does not know `443`"),
        ("host 10.0.0.1 or http", "the filter does not know `http`"),
        ("vlan 5", "the filter does not know `vlan`; it knows host, net"),
        ("tcp[13] & 4 != 0", "the filter wants `and` or `or` where it has `[`"),
        ("port http", "the filter wants a port number where it has `http`"),
        ("port 70000", "the filter wants a port number where it has `70000`"),
        ("portrange 1", ""),
        ("portrange 1-", "the filter wants a range of port numbers such as 8000-8080 where"),
        ("host example.org", "the filter does not know `example.org`"),
        ("net 10.0.0.1/8", "the filter's network `10.0.0.1/8` has bits set beyond its prefix"),
        ("net 10.0.0.0/33", "the filter wants a network such as 10.0.0.0/8 or 2001:db8::/32 where"),
        ("net 10", "the filter wants a network"),
        ("tcp host 10.0.0.1", "the filter cannot combine `tcp` with `10.0.0.1`"),
        ("ip6 host 10.0.0.1", "the filter cannot combine `ip6` with `10.0.0.1`"),
        ("icmp port 1", "the filter cannot combine `icmp` with `port`"),
        ("(tcp", "the filter wants `and`, `or` or `)` where it has nothing more"),
        ("tcp)", "the filter wants `and` or `or` where it has `)`"),
        ("tcp udp", "the filter does not know `udp`"),
        ("src or tcp", "the filter wants `src` or `dst` where it has `tcp`"),
    ] {
        match text.parse::<Expression>() {
            Ok(_) => assert_eq!(want, "", "{text}"),
            Err(error) => {
                let error = error.to_string();
                assert!(!want.is_empty() && error.starts_with(want), "{text}: {error}");
            }
        }
    }
    let deep = "(".repeat(100) + "tcp" + &")".repeat(100);
    let long = vec!["port 1"; 2000].join(" or ");
    for text in [deep, long, "not ".repeat(100) + "tcp"] {
        assert_eq!(text.parse::<Expression>(), Err(FilterError::TooLong));
    }
}
