//! Generated captures, read back by other means than those that wrote them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test, both are its failure")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::IpAddr;

use pcap_parser::traits::PcapReaderIterator;
use pcap_parser::{LegacyPcapReader, PcapBlockOwned, PcapError};
use resetscope_bench::generate::summary::Summary;
use resetscope_bench::generate::{Config, Limit, Profile, generate};
use resetscope_bench::score::{Report, find};
use resetscope_core::flow::key::FlowKey;
use resetscope_core::frame::{Frame, LinkType};
use resetscope_core::judge::cause::Cause;
use resetscope_core::segment::{RstTexts, Segment, TcpFlags};
use resetscope_core::wire;

/// A mix of some packets, of which many connections are reset.
fn mix(packets: u64) -> Config {
    Config {
        seed: 11,
        profile: Profile::Mix,
        limit: Limit { packets: Some(packets), ..Limit::default() },
        flows: 400,
        rate: None,
        resets: 0.5,
        ipv6: 0.3,
        vlan: 0.2,
        snaplen: 262_144,
        with_scans: false,
        with_flood: false,
        midstream: false,
    }
}

struct Made {
    capture: Vec<u8>,
    truth: String,
    summary: Summary,
}

fn make(config: &Config) -> Made {
    let (mut capture, mut truth) = (Vec::new(), Vec::new());
    let summary = generate(config, &mut capture, Some(&mut truth)).unwrap();
    Made { capture, truth: String::from_utf8(truth).unwrap(), summary }
}

struct Captured {
    time_ns: u64,
    wire_len: u32,
    bytes: Vec<u8>,
}

/// The frames of a capture, as the crate `pcap-parser` finds them.
fn frames(capture: &[u8]) -> Vec<Captured> {
    let mut reader = LegacyPcapReader::new(1 << 16, capture).unwrap();
    let mut frames = Vec::new();
    loop {
        match reader.next() {
            Ok((used, block)) => {
                match block {
                    PcapBlockOwned::LegacyHeader(header) => {
                        assert!(header.is_nanosecond_precision());
                        assert_eq!(header.network.0, 1);
                    }
                    PcapBlockOwned::Legacy(it) => frames.push(Captured {
                        time_ns: u64::from(it.ts_sec) * 1_000_000_000 + u64::from(it.ts_usec),
                        wire_len: it.origlen,
                        bytes: it.data.to_vec(),
                    }),
                    PcapBlockOwned::NG(_) => panic!("a pcapng block"),
                }
                reader.consume(used);
            }
            Err(PcapError::Eof) => return frames,
            Err(PcapError::Incomplete(_)) => reader.refill().unwrap(),
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// The segment in a frame; `None` when it is no TCP. Nothing else may be wrong with it.
fn segment(frame: &Captured) -> Option<Segment> {
    let view = Frame {
        bytes: &frame.bytes,
        wire_len: frame.wire_len,
        time_ns: frame.time_ns,
        link: LinkType::ETHERNET,
    };
    let mut segment = Segment::default();
    match wire::dissect(&view, &mut segment, &mut RstTexts::new(4)) {
        Ok(()) => Some(segment),
        Err(resetscope_core::skip::Skip::NotTcp) => None,
        Err(skip) => panic!("{skip:?}: {:02x?}", frame.bytes),
    }
}

/// The ones' complement sum of RFC 1071, the plain way.
fn sum(bytes: &[u8]) -> u64 {
    let word = |pair: &[u8]| u64::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u64::from(*low));
    bytes.chunks(2).map(word).sum()
}

fn is_right(mut sum: u64) -> bool {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum == 0xffff
}

/// Checks the checksums of IP and of what is above it, and the padding.
fn check_sums(frame: &[u8]) {
    let tagged = frame[12..14] == [0x81, 0];
    let ip = &frame[if tagged { 18 } else { 14 }..];
    let (protocol, header, total, addresses) = if ip[0] >> 4 == 4 {
        assert!(is_right(sum(&ip[..20])), "IP header checksum: {frame:02x?}");
        (ip[9], 20, usize::from(u16::from_be_bytes([ip[2], ip[3]])), &ip[12..20])
    } else {
        (ip[6], 40, 40 + usize::from(u16::from_be_bytes([ip[4], ip[5]])), &ip[8..40])
    };
    let above = &ip[header..total];
    let pseudo = sum(addresses) + u64::from(protocol) + above.len() as u64;
    let pseudo = if protocol == 1 { 0 } else { pseudo };
    assert!(is_right(pseudo + sum(above)), "checksum of protocol {protocol}: {frame:02x?}");
    assert!(frame.len() >= 60 && ip[total..].iter().all(|byte| *byte == 0), "padding");
}

#[test]
fn a_seed_gives_the_same_bytes_and_another_seed_others() {
    for profile in
        [Profile::Mix, Profile::SmallFrames, Profile::SynFlood, Profile::ResetStorm, Profile::Scan]
    {
        let config = Config { profile, ..mix(8_000) };
        let (one, again) = (make(&config), make(&config));
        assert!(one.capture == again.capture && one.truth == again.truth, "{profile:?}");
        let other = make(&Config { seed: 12, ..config });
        assert!(one.capture != other.capture, "{profile:?}");
    }
}

#[test]
fn the_bytes_of_a_seed_are_the_same_on_every_machine() {
    // FNV-1a of the capture. Whoever changes what is generated changes this number with it; where
    // nothing was changed, another number means that the machine has a say.
    let made = make(&Config { seed: 1, resets: 0.03, ..mix(3_000) });
    let digest = made.capture.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    assert_eq!(digest, 0xc321_e0a2_67bd_5381, "{digest:#x}");
}

#[test]
fn a_longer_capture_begins_with_the_shorter_one() {
    let (short, long) = (make(&mix(5_000)), make(&mix(20_000)));
    assert!(long.capture.starts_with(&short.capture) && long.truth.starts_with(&short.truth));
}

#[test]
fn every_frame_is_well_formed_and_its_checksums_are_right() {
    let mut config = mix(60_000);
    for (profile, with_flood) in [
        (Profile::Mix, true),
        (Profile::SmallFrames, false),
        (Profile::SynFlood, false),
        (Profile::ResetStorm, false),
        (Profile::Scan, false),
    ] {
        config = Config { profile, with_flood, with_scans: with_flood, ..config };
        let made = make(&config);
        let mut frames = frames(&made.capture);
        assert_eq!(frames.len(), 60_000);
        assert!(frames.is_sorted_by_key(|frame| frame.time_ns), "{profile:?}");
        let tcp = frames.iter_mut().filter_map(|frame| {
            assert_eq!(frame.bytes.len(), frame.wire_len as usize);
            check_sums(&frame.bytes);
            segment(frame)
        });
        assert_eq!(tcp.count() as u64, made.summary.protocols[0], "{profile:?}");
    }
}

#[test]
fn each_rst_has_its_line_of_truth_and_each_line_its_rst() {
    for profile in [Profile::Mix, Profile::ResetStorm, Profile::Scan] {
        let made = make(&Config { profile, ..mix(60_000) });
        let mut wanted = BTreeMap::new();
        for (number, frame) in (1u64..).zip(frames(&made.capture)) {
            if let Some(rst) = segment(&frame).filter(|it| it.flags.any(TcpFlags::RST)) {
                wanted.insert(number, (frame.time_ns, rst));
            }
        }
        assert_eq!(wanted.len(), made.truth.lines().count(), "{profile:?}");
        assert_eq!(wanted.len() as u64, made.summary.rsts);
        for line in made.truth.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let number = line["frame"]["client"].as_u64().unwrap();
            let (time_ns, rst) = wanted.remove(&number).unwrap_or_else(|| panic!("{line}"));
            let end = |ip: &str, port: &str| {
                let ip: IpAddr = line[ip].as_str().unwrap().parse().unwrap();
                let octets = match ip {
                    IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
                    IpAddr::V6(v6) => v6.octets(),
                };
                (octets, line[port].as_u64().unwrap() as u16)
            };
            let (key, direction) = FlowKey::new(end("src", "sport"), end("dst", "dport"), 0);
            assert_eq!((rst.key, rst.direction), (key, direction), "{line}");
            assert_eq!(line["seq"], u64::from(rst.seq), "{line}");
            assert_eq!(line["time_ns"], time_ns, "{line}");
        }
    }
}

#[test]
fn sizes_that_are_asked_for_are_met() {
    let bytes = Limit { bytes: Some(3_000_000), ..Limit::default() };
    let time = Limit { duration_ns: Some(2_000_000_000), ..Limit::default() };
    let both = Limit { packets: Some(777), ..bytes };
    for limit in [bytes, time, both] {
        let made = make(&Config { limit, ..mix(0) });
        let frames = frames(&made.capture);
        let (first, last) = (frames.first().unwrap(), frames.last().unwrap());
        assert_eq!(made.summary.packets, frames.len() as u64);
        assert_eq!(made.summary.file_bytes, made.capture.len() as u64);
        assert_eq!(made.summary.duration_ns, last.time_ns - first.time_ns);
        match limit {
            Limit { packets: Some(most), .. } => assert_eq!(frames.len() as u64, most),
            Limit { bytes: Some(most), .. } => {
                let short = most - made.summary.file_bytes;
                assert!(short < 16 + 1_518, "{short} bytes are missing");
            }
            _ => assert!((1_900_000_000..=2_000_000_000).contains(&made.summary.duration_ns)),
        }
    }
    let cut = make(&Config { snaplen: 64, ..mix(3_000) });
    let whole = make(&mix(3_000));
    for (cut, whole) in frames(&cut.capture).iter().zip(frames(&whole.capture)) {
        assert_eq!(cut.bytes[..], whole.bytes[..whole.bytes.len().min(64)]);
        assert_eq!(cut.wire_len, whole.wire_len);
    }
}

#[test]
fn a_rate_is_kept_and_flows_are_as_many_as_asked_for() {
    let limit = Limit { duration_ns: Some(60_000_000_000), ..Limit::default() };
    let paced = make(&Config { rate: Some(4_000), limit, ..mix(0) });
    let rate = paced.summary.packets as f64 / 60.0;
    assert!((3_000.0..5_000.0).contains(&rate), "{rate} packets/s");
    let many = make(&Config { flows: 3_000, resets: 0.03, ..mix(50_000) });
    assert!((3_000..3_100).contains(&many.summary.flows_most), "{}", many.summary.flows_most);
}

#[test]
fn the_mix_has_the_shares_it_is_asked_for() {
    let share = |part: u64, of: u64| part as f64 / of as f64;
    let usual = make(&Config { flows: 500, resets: 0.03, ..mix(400_000) }).summary;
    let resets = share(usual.reset, usual.connections);
    assert!((0.02..0.04).contains(&resets), "{resets} of connections are reset");
    let small: u64 = usual.frames[..3].iter().sum();
    let full = usual.frames[7];
    assert!((0.4..0.7).contains(&share(small, usual.packets)), "{usual}");
    assert!((0.2..0.5).contains(&share(full, usual.packets)), "{usual}");
    let all = make(&Config { ipv6: 1.0, vlan: 1.0, ..mix(5_000) }).summary;
    assert_eq!((all.ipv6, all.tagged), (5_000, 5_000));
    let none = make(&Config { ipv6: 0.0, vlan: 0.0, resets: 0.0, ..mix(5_000) }).summary;
    assert_eq!((none.ipv6, none.tagged, none.rsts), (0, 0, 0));
}

#[test]
fn profiles_are_what_benches_want() {
    let small = Config { profile: Profile::SmallFrames, ipv6: 0.0, vlan: 0.0, ..mix(20_000) };
    for (midstream, syns) in [(false, 400), (true, 0)] {
        let made = make(&Config { midstream, ..small });
        let segments: Vec<Segment> =
            frames(&made.capture).iter().map(|frame| segment(frame).unwrap()).collect();
        let flows: BTreeSet<_> =
            segments.iter().map(|it| format!("{:?}", (it.key.addr, it.key.port))).collect();
        assert_eq!((flows.len(), made.summary.frames[0]), (400, 20_000));
        let opened = segments.iter().filter(|it| it.flags.is_syn()).count();
        assert_eq!(opened, syns, "midstream {midstream}");
    }
    let storm = make(&Config { profile: Profile::ResetStorm, ..mix(50_000) });
    let keys: BTreeSet<_> = frames(&storm.capture)
        .iter()
        .map(|frame| format!("{:?}", segment(frame).unwrap().key))
        .collect();
    assert_eq!((keys.len(), storm.summary.rsts), (50_000, 50_000));
    let flood = make(&Config { profile: Profile::SynFlood, ..mix(50_000) });
    let syns = frames(&flood.capture)
        .iter()
        .filter(|frame| segment(frame).unwrap().flags.is_syn())
        .count();
    assert!((33_000..40_000).contains(&syns), "{syns} SYNs");
    let scan = make(&Config { profile: Profile::Scan, ..mix(50_000) });
    assert!(scan.truth.contains("\"1.3\"") && scan.truth.contains("\"0.6\""));
}

#[test]
fn every_cause_is_present_and_verdicts_agree_with_the_truth() {
    let folder = tempfile::tempdir().unwrap();
    let made = make(&mix(150_000));
    fs::write(folder.path().join("mix.pcap"), &made.capture).unwrap();
    fs::write(folder.path().join("mix.truth.jsonl"), &made.truth).unwrap();
    for cause in Cause::ALL.into_iter().filter(|cause| *cause != Cause::Unknown) {
        let count = made.summary.causes[cause as usize];
        assert!(count >= 10, "{} begins {count} events", cause.name());
    }
    let cases = find::cases(&[folder.path().to_owned()], &[]).unwrap();
    let lab = Report::measure(&cases, None).unwrap().lab.unwrap();
    assert_eq!((lab.uncovered.len(), lab.unknown_events, lab.unexplained), (0, 0, 0));
    assert_eq!(lab.promises.false_injections, []);
    // Causes overlap in time and place here far more than on any network, and each end of the path
    // has devices; see the disagreements that `score` lists.
    assert!(lab.accuracy.cause.value() >= 0.95, "{:?}", lab.accuracy.cause);
    assert!(lab.accuracy.subcause.value() >= 0.9, "{:?}", lab.accuracy.subcause);
    assert!(lab.calibration.overconfidence <= 0.03, "{:?}", lab.calibration);
}
