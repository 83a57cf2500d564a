//! Captures that are odd, and captures that are damaged: exit codes, and how far the results go.

use super::capture_writer::{Ng, Order, Seen, gzip, lz4, pcap_header, pcap_record, sample, zstd};
use super::traffic::{BEGIN_NS, refusals};
use super::{Folder, analyze, capture, json, text};

#[test]
fn odd_captures_that_are_not_damaged_are_exit_code_0() {
    let folder = Folder::new();
    let mut backwards = refusals(20);
    backwards.reverse();
    let empty_records: Vec<Seen> = (0..5)
        .map(|i| Seen { time_ns: BEGIN_NS + i, link: 1, wire_len: 0, bytes: Vec::new() })
        .collect();
    for (name, bytes, frames, resets, why) in [
        ("header-only", capture(&[]), 0, 0, "no record is no damage"),
        ("zero-length", capture(&empty_records), 5, 0, "frames of no bytes are counted"),
        ("backwards", capture(&backwards), 40, 20, "time that runs backwards stops nothing"),
        ("noise", capture(&sample(50)), 50, 0, "frames that are no packets are counted"),
    ] {
        let path = folder.put(name, &bytes);
        for mmap in [&[][..], &["--no-mmap"]] {
            let output = analyze(["--format", "json", path.to_str().unwrap()].iter().chain(mmap));
            assert_eq!(output.status.code(), Some(0), "{name}: {why}");
            assert!(output.stderr.is_empty(), "{name}: {}", text(&output.stderr));
            let summary = json(&text(&output.stdout));
            assert_eq!(summary["frames"]["received"], frames, "{name}: {why}");
            assert_eq!(summary["resets"]["packets"], resets, "{name}: {why}");
        }
    }
}

#[test]
fn a_capture_of_which_no_packet_can_be_read_is_told_with_its_link_type() {
    let folder = Folder::new();
    let of = |link: u16, begin_ns: u64| -> Vec<Seen> {
        let frames = refusals(2).into_iter();
        frames.map(|frame| Seen { link, time_ns: frame.time_ns + begin_ns, ..frame }).collect()
    };
    let ng = |interfaces: [u32; 4]| {
        let mut ng = Ng::new(Order::Little);
        for link in [127, 1, 239] {
            ng.interface(link, 0, &[(9, &[9])]);
        }
        for (frame, interface) in of(1, 0).iter().zip(interfaces) {
            ng.packet(interface, frame.time_ns, frame.wire_len, &frame.bytes);
        }
        ng.bytes
    };
    let readable = "those that can are Ethernet, Linux cooked, raw IP, BSD loopback, PPP";
    for (name, captures, says) in [
        (
            "named",
            vec![capture(&of(127, 0))],
            "a link type that cannot be read: IEEE802_11_RADIOTAP (127);",
        ),
        ("a number", vec![capture(&of(65_000, 0))], "a link type that cannot be read: 65000;"),
        (
            "both interfaces",
            vec![ng([0, 2, 2, 0])],
            "link types that cannot be read: IEEE802_11_RADIOTAP (127), NFLOG (239);",
        ),
        ("one packet can be read", vec![ng([0, 2, 2, 1])], ""),
        ("no packet", vec![pcap_header(Order::Little, 0xa1b2_c3d4, (2, 4), 127)], ""),
        (
            "two, and one that can be read",
            vec![capture(&of(127, 0)), capture(&of(239, 1)), capture(&of(1, 2))],
            "and 1 other input: nothing of it was analysed: all packets are of link types that \
             cannot be read: IEEE802_11_RADIOTAP (127), NFLOG (239);",
        ),
    ] {
        let paths: Vec<_> = captures
            .iter()
            .enumerate()
            .map(|(at, bytes)| folder.put(&format!("{at}.pcap"), bytes))
            .collect();
        let output = analyze(paths.iter().map(|path| path.as_os_str()).chain(["-q".as_ref()]));
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{name}: {stderr}");
        assert_eq!(stderr.lines().count(), usize::from(!says.is_empty()), "{name}: {stderr}");
        if !says.is_empty() {
            assert!(stderr.contains(says) && stderr.contains(readable), "{name}: {stderr}");
            assert!(stderr.contains("0.pcap"), "{name}: {stderr}");
        }
    }
}

/// A capture with a good part, and where that ends in bytes.
struct Damaged {
    name: &'static str,
    bytes: Vec<u8>,
    offset: usize,
    frames: usize,
    says: &'static str,
}

fn damaged() -> Vec<Damaged> {
    let frames = refusals(3);
    let good = capture(&frames);
    let last = good.len() - 16 - frames[5].bytes.len();
    let mut huge = good.clone();
    huge.extend(pcap_record(Order::Little, [1_700_000_001, 0, u32::MAX, u32::MAX], &[0; 64]));
    let mut ng = Ng::new(Order::Little);
    ng.interface(1, 0, &[(9, &[9])]);
    for frame in &frames {
        ng.packet(0, frame.time_ns, frame.wire_len, &frame.bytes);
    }
    let ng_good = ng.bytes.len();
    ng.packet(7, BEGIN_NS, 60, &[0; 60]);
    vec![
        Damaged {
            name: "cut-in-a-record.pcap",
            bytes: good[..good.len() - 7].to_vec(),
            offset: last,
            frames: 5,
            says: "record",
        },
        Damaged {
            name: "cut-in-a-record-header.pcap",
            bytes: good[..last + 9].to_vec(),
            offset: last,
            frames: 5,
            says: "record",
        },
        Damaged {
            name: "a-record-of-4-gigabytes.pcap",
            bytes: huge,
            offset: good.len(),
            frames: 6,
            says: "4294967295",
        },
        Damaged {
            name: "an-interface-that-is-not-there.pcapng",
            bytes: ng.bytes,
            offset: ng_good,
            frames: 7,
            says: "interface 7",
        },
    ]
}

#[test]
fn damage_is_exit_code_3_with_the_results_up_to_there_and_a_line_that_says_where() {
    let folder = Folder::new();
    for damaged in damaged() {
        let path = folder.put(damaged.name, &damaged.bytes);
        // Damage is an error: it shows in spite of --quiet.
        for flags in [&[][..], &["--no-mmap"], &["--quiet"], &["--workers", "3"]] {
            let output = analyze(["--format", "json", path.to_str().unwrap()].iter().chain(flags));
            let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
            assert_eq!(output.status.code(), Some(3), "{}: {stderr}", damaged.name);
            let summary = json(&stdout);
            assert_eq!(summary["frames"]["received"], damaged.frames, "{}", damaged.name);
            assert_eq!(summary["resets"]["packets"], damaged.frames / 2, "{}", damaged.name);
            assert_eq!(stderr.lines().count(), 1, "{stderr}");
            let place = format!("{} is damaged at byte {}", path.display(), damaged.offset);
            assert!(stderr.contains(&place), "{stderr} does not say {place}");
            assert!(stderr.contains(damaged.says), "{stderr} does not say {}", damaged.says);
        }
    }
}

#[test]
fn compressed_captures_cut_short_are_damaged_where_their_data_ends() {
    let folder = Folder::new();
    // Enough that the good part is more than one block of every compression.
    let bytes = capture(&refusals(4_000));
    for (name, packed) in [("gzip", gzip(&bytes)), ("zstd", zstd(&bytes)), ("lz4", lz4(&bytes))] {
        let path = folder.put(name, &packed[..packed.len() * 3 / 4]);
        let output = analyze(["--format", "json", path.to_str().unwrap()]);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{name}: {stderr}");
        assert!(stderr.contains(&format!("{name} data is cut short")), "{name}: {stderr}");
        let frames = json(&text(&output.stdout))["frames"]["received"].as_u64().unwrap();
        let of = format!("{} is damaged at byte ", path.display());
        let place = stderr.split_once(&of).unwrap_or_else(|| panic!("{name}: {stderr}")).1;
        let (offset, rest) = place.split_once(' ').unwrap();
        assert!(rest.starts_with("of its decompressed data: its "), "{name}: {stderr}");
        // Where a record begins of the data that was compressed, which may lie behind all of the file.
        let lengths = refusals(4_000).into_iter().map(|frame| 16 + frame.bytes.len() as u64);
        let begins = 24 + lengths.take(usize::try_from(frames).unwrap()).sum::<u64>();
        assert_eq!(offset.parse::<u64>().unwrap(), begins, "{name}: {stderr}");
        assert!((100..8_000).contains(&frames), "{name}: {frames} frames");
    }
}

#[test]
fn one_damaged_file_does_not_keep_others_from_being_read() {
    let folder = Folder::new();
    let frames = refusals(3);
    let good = folder.put("good.pcap", &capture(&frames));
    let bad = folder.put("bad.pcap", &capture(&frames)[..90]);
    let output = analyze(["--format".as_ref(), "json".as_ref(), bad.as_os_str(), good.as_os_str()]);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(json(&text(&output.stdout))["frames"]["received"], 6);
    assert!(text(&output.stderr).contains("bad.pcap"));
}
