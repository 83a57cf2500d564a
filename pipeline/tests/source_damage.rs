//! What is broken is said: where, and how; what is no capture is refused by name. Frames before the
//! damage are delivered in either case.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test, both are its failure")]

mod capture_writer;

use capture_writer::{
    Flavour, Ng, Order, gzip, lz4, memory, pcap, pcap_header, pcap_record, pcapng, read,
    read_bytes, read_with, sample, zstd,
};
use resetscope::source::{Options, SourceError};
use std::error::Error;
use std::path::Path;

/// Reads the bytes mapped, in one buffer and in small ones; all must agree on frames and damage.
/// Returns the number of frames, and offset and sentence of the damage.
fn outcome(bytes: &[u8], row: &str) -> (usize, Option<(u64, String)>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("capture");
    std::fs::write(&path, bytes).unwrap();
    let small = Options { mmap: false, buffer_bytes: 29, ..Options::default() };
    let peep = Options { window_bytes: 64, ..Options::default() };
    let first = read(&path).unwrap();
    for options in [small, peep] {
        let other = read_with([path.as_path().into()], &options, 3).unwrap();
        assert_eq!(other.frames, first.frames, "{row}");
        assert_eq!(other.damage, first.damage, "{row}");
    }
    assert!(first.damage.len() <= 1, "{row}: {:?}", first.damage);
    let damage = first.damage.first().map(|damage| {
        assert_eq!(damage.path, path);
        assert!(damage.to_string().contains(&format!("at byte {}", damage.offset)));
        (damage.offset, damage.what.clone())
    });
    (first.frames.len(), damage)
}

fn expect(bytes: &[u8], frames: usize, offset: usize, sentence: &str, row: &str) {
    let (found, damage) = outcome(bytes, row);
    assert_eq!(found, frames, "{row}: {damage:?}");
    let Some((at, what)) = damage else { panic!("{row}: nothing was noticed") };
    assert_eq!(at, offset as u64, "{row}: {what}");
    assert!(what.contains(sentence), "{row}: {what:?} does not say {sentence:?}");
}

#[test]
fn a_pcap_file_cut_anywhere_gives_the_records_before_the_cut() {
    let frames = &sample(6)[..3];
    for (flavour, head) in [(Flavour::Micro, 16), (Flavour::Nano, 16), (Flavour::Modified, 24)] {
        let bytes = pcap(Order::Big, flavour, frames);
        let mut record_begins = 24;
        for (i, frame) in frames.iter().enumerate() {
            let end = record_begins + head + frame.bytes.len();
            let (found, damage) = outcome(&bytes[..record_begins], "between records");
            assert_eq!((found, damage), (i, None), "cut between records is no damage");
            for cut in record_begins + 1..end {
                let sentence = if cut < record_begins + head {
                    format!("{} of {head} bytes are there", cut - record_begins)
                } else {
                    let there = cut - record_begins - head;
                    format!("a record of {} bytes, of which {there} are there", frame.bytes.len())
                };
                let row = format!("{flavour:?} cut at {cut}");
                expect(&bytes[..cut], i, record_begins, &sentence, &row);
            }
            record_begins = end;
        }
    }
}

#[test]
fn a_pcapng_file_cut_anywhere_gives_the_packets_before_the_cut() {
    let mut ng = Ng::new(Order::Little);
    let mut ends = vec![(ng.bytes.len(), 0)];
    ng.interface(1, 0, &[(9, &[9]), (2, b"lo")]);
    ends.push((ng.bytes.len(), 0));
    ng.packet(0, 1, 5, b"12345");
    ends.push((ng.bytes.len(), 1));
    ng.block(5, &[1; 24]);
    ends.push((ng.bytes.len(), 1));
    ng.simple_packet(3, b"abc");
    ends.push((ng.bytes.len(), 2));
    let first = ends[0].0;
    for cut in first..=ng.bytes.len() {
        let (begin, frames) = *ends.iter().rev().find(|(end, _)| *end <= cut).unwrap();
        let bytes = &ng.bytes[..cut];
        if begin == cut {
            assert_eq!(outcome(bytes, "between blocks"), (frames, None));
        } else {
            expect(bytes, frames, begin, "it is cut within a block", &format!("cut at {cut}"));
        }
    }
    // A cut within a block that is stepped over without being looked at.
    ng.block(10, &vec![0; 2 << 20]);
    let cut = ng.bytes.len() - 5;
    let (frames, damage) = outcome(&ng.bytes[..cut], "a long block");
    assert_eq!(frames, 2);
    assert!(damage.unwrap().1.contains("5 bytes are missing"));
}

#[test]
fn absurd_pcap_lengths_are_damage_whatever_follows() {
    let order = Order::Little;
    for length in [512 * 1024 + 1, 1 << 24, i32::MAX as u32, u32::MAX] {
        let mut bytes = pcap(order, Flavour::Micro, &sample(2));
        let offset = bytes.len();
        bytes.extend(pcap_record(order, [1, 2, length, length], &[7; 1000]));
        expect(&bytes, 2, offset, &format!("{length} bytes"), "a length out of the question");
    }
    // The longest that is believed is read in whole.
    let longest = vec![3; 512 * 1024];
    let mut bytes = pcap(order, Flavour::Micro, &sample(2));
    bytes.extend(pcap_record(order, [1, 2, longest.len() as u32, 1], &longest));
    assert_eq!(outcome(&bytes, "longest"), (3, None));
}

#[test]
fn every_contradiction_of_a_pcapng_block_is_damage_at_that_block() {
    for order in [Order::Little, Order::Big] {
        let mut good = Ng::new(order);
        good.interface(1, 0, &[]).packet(0, 1, 3, b"abc");
        let begin = good.bytes.len();
        let word = |value: u32| order.u32(value).to_vec();
        let with = |change: &dyn Fn(&mut Ng)| {
            let mut ng = good.clone();
            change(&mut ng);
            ng.bytes
        };
        let patched = |at: usize, value: u32| {
            let mut ng = good.clone();
            ng.packet(0, 2, 4, b"wxyz");
            ng.bytes[begin + at..begin + at + 4].copy_from_slice(&word(value));
            ng.bytes
        };
        let cases: [(Vec<u8>, &str, &str); 15] = [
            (patched(4, 0), "0 bytes long", "no length"),
            (patched(4, 8), "8 bytes long", "shorter than its framing"),
            (patched(4, 35), "35 bytes long", "not a multiple of 4"),
            (patched(4, 32), "at its head and", "shorter than it is"),
            (patched(4, 1 << 20), "cut within a block (type 6) of 1048576", "longer than the file"),
            (patched(4, (1 << 20) + 4), "that are believed", "longer than any packet"),
            (patched(4, u32::MAX - 3), "that are believed", "4 GiB"),
            (patched(32, 40), "36 bytes at its head and 40 at its tail", "lengths that differ"),
            (patched(20, 5), "room for 4 bytes and says it holds 5", "more than fits"),
            (patched(20, u32::MAX), "says it holds 4294967295", "much more than fits"),
            (with(&|ng| _ = ng.block(6, &[0; 16])), "shorter than its fixed", "a short packet"),
            (with(&|ng| _ = ng.block(3, &[])), "shorter than its fixed", "a short simple packet"),
            (with(&|ng| _ = ng.block(1, &[0; 4])), "shorter than its fixed", "a short interface"),
            (
                with(&|ng| {
                    let option = [&[0; 8][..], &order.u16(9), &order.u16(50), &[9]].concat();
                    ng.block(1, &option);
                }),
                "in an interface description, option 9 says 50 bytes",
                "an option longer than its block",
            ),
            (
                with(&|ng| {
                    let mut body = word(0x1a2b_3c4d);
                    body.extend(order.u16(2));
                    body.extend([0; 10]);
                    ng.block(0x0a0d_0d0a, &body);
                }),
                "version 2.0",
                "a section of the future",
            ),
        ];
        for (bytes, sentence, row) in cases {
            expect(&bytes, 1, begin, sentence, &format!("{row}, {order:?}"));
        }
        let mut no_order = good.clone();
        no_order.block(0x0a0d_0d0a, &[0; 16]);
        expect(&no_order.bytes, 1, begin, "byte-order mark", "a section in no byte order");
    }
}

#[test]
fn packets_of_an_interface_that_nobody_described_are_skipped_and_the_rest_is_read() {
    type Write = fn(&mut Ng);
    let cases: [(&str, Write, usize, usize, &str); 5] = [
        (
            "one",
            |ng| _ = ng.packet(1, 2, 4, b"wxyz"),
            1,
            0,
            "names interface 1, and 1 are described before it; it is skipped",
        ),
        (
            "of both kinds, with drop counters",
            |ng| {
                ng.packet_with(u32::MAX, 2, 4, b"wxyz", &[(4, &[7; 8])]);
                ng.old_packet(9, 2, 5, 4, b"wxyz").packet(0, 3, 1, b"a").packet(2, 4, 1, b"b");
            },
            4,
            0,
            "interface 4294967295, and 1 are described before it; 3 packets like that are skipped",
        ),
        (
            "a section without any, in which simple packets are of the first",
            |ng| _ = ng.section(ng.order, 0).simple_packet(1, b"x"),
            1,
            28,
            "interface 0, and 0 are described before it; 2 packets like that are skipped",
        ),
        (
            "described too late",
            |ng| {
                ng.section(ng.order, 0).packet(0, 5, 1, b"x");
                ng.interface(1, 0, &[]).packet(0, 6, 1, b"y");
            },
            2,
            28,
            "names interface 0, and 0 are described before it; it is skipped",
        ),
        (
            "far behind the beginning",
            |ng| {
                (0..5000).for_each(|n| _ = ng.packet(0, n, 1, b"x"));
                ng.packet(3, 7, 1, b"y");
                (0..5000).for_each(|n| _ = ng.packet(0, n, 1, b"x"));
            },
            10_001,
            5000 * 36,
            "names interface 3, and 1 are described before it; it is skipped",
        ),
    ];
    for order in [Order::Little, Order::Big] {
        for (row, write, more, offset, sentence) in &cases {
            let mut ng = Ng::new(order);
            ng.interface(1, 0, &[]).packet(0, 1, 3, b"abc");
            let begin = ng.bytes.len();
            write(&mut ng);
            ng.packet(0, 9, 3, b"end");
            let row = format!("{row}, {order:?}");
            expect(&ng.bytes, more + 2, begin + offset, sentence, &row);
            let found = read_bytes(&ng.bytes).unwrap();
            assert!(found.damage[0].read_on);
            assert_eq!(found.frames.last().unwrap().bytes, b"end", "{row}");
            // What ends the reading later is told as well.
            let cut = read_bytes(&ng.bytes[..ng.bytes.len() - 3]).unwrap();
            assert_eq!(cut.damage.len(), 2, "{row}");
            assert!(cut.damage[0].read_on && !cut.damage[1].read_on, "{row}");
        }
    }
}

#[test]
fn compressed_captures_cut_or_corrupt_give_what_came_before() {
    let frames = sample(3000);
    let bytes = pcap(Order::Little, Flavour::Nano, &frames);
    let cases = [("gzip", gzip(&bytes)), ("zstd", zstd(&bytes)), ("lz4", lz4(&bytes))];
    for (name, whole) in cases {
        for part in [whole.len() * 3 / 4, whole.len() - 1, whole.len() - 6] {
            let found = read_bytes(&whole[..part]).unwrap();
            let count = found.frames.len();
            assert!(found.frames == frames[..count], "{name} cut at {part}");
            let [damage] = found.damage.as_slice() else { panic!("{name} cut at {part}") };
            let sentence = format!("its {name} data is cut short");
            assert!(damage.what.starts_with(&sentence), "{damage}");
            let lengths = frames[..count].iter().map(|frame| 16 + frame.bytes.len() as u64);
            assert_eq!(damage.offset, 24 + lengths.sum::<u64>(), "{name}: in decompressed bytes");
            if part < whole.len() - 6 {
                assert!(count > 100 && count < 3000, "{name} gave {count} frames");
            }
        }
    }
    let mut corrupt = gzip(&bytes);
    let checksum = corrupt.len() - 8;
    corrupt[checksum] ^= 1;
    let found = read_bytes(&corrupt).unwrap();
    let [damage] = found.damage.as_slice() else { panic!("{:?}", found.damage) };
    assert_eq!((found.frames.len(), damage.offset), (3000, bytes.len() as u64));
    assert!(damage.what.contains("gzip data is corrupt"), "{damage}");
}

#[test]
fn what_follows_compressed_captures_is_ignored_with_a_warning() {
    let frames = sample(3000);
    let bytes = pcap(Order::Little, Flavour::Nano, &frames);
    let (begin, rest) = bytes.split_at(20_000);
    for (name, two) in [
        ("gzip", [gzip(begin), gzip(rest)]),
        ("zstd", [zstd(begin), zstd(rest)]),
        ("lz4", [lz4(begin), lz4(rest)]),
    ] {
        let two = two.concat();
        for (behind, garbage) in [(&b""[..], false), (b"garbage", true), (b"\x1fggg", true)] {
            let found = read_bytes(&[&two, behind].concat()).unwrap();
            assert!(found.frames == frames, "{name}: {} frames", found.frames.len());
            assert_eq!(found.damage, [], "{name}");
            let told: Vec<String> = found.oddities.iter().map(ToString::to_string).collect();
            let warning = "memory: trailing garbage ignored behind the compressed data";
            assert_eq!(told, [warning][..usize::from(garbage)], "{name}, {behind:?}");
        }
    }
}

#[test]
fn a_read_error_in_the_middle_is_damage_with_its_cause() {
    struct Failing(std::io::Cursor<Vec<u8>>);
    impl std::io::Read for Failing {
        fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
            match self.0.read(room)? {
                0 => Err(std::io::Error::other("the disk is on fire")),
                n => Ok(n),
            }
        }
    }
    let bytes = pcap(Order::Little, Flavour::Micro, &sample(6));
    for cut in [0, 9] {
        let failing = Failing(std::io::Cursor::new(bytes[..bytes.len() - cut].to_vec()));
        let input = resetscope::source::Input::Reader("x".into(), Box::new(failing));
        let found = read_with([input], &Options::default(), 10).unwrap();
        assert_eq!(found.frames.len(), 6 - usize::from(cut > 0));
        let [damage] = found.damage.as_slice() else { panic!("{:?}", found.damage) };
        assert!(damage.what.starts_with("the disk is on fire"), "{damage}");
    }
}

#[test]
fn what_is_no_capture_is_refused_by_name_and_with_a_way_out() {
    let pcap_cut = pcap(Order::Little, Flavour::Micro, &[])[..20].to_vec();
    let ng_cut = pcapng(Order::Little, &[])[..20].to_vec();
    let old = pcap_header(Order::Little, 0xa1b2_c3d4, (1, 0), 1);
    let mut tar = vec![b'n'; 600];
    tar[257..262].copy_from_slice(b"ustar");
    let cases: [(&[u8], &str); 12] = [
        (b"", "x is empty: not even a file header"),
        (b"\xd4", "x is not a capture: it begins with d4"),
        (&pcap_cut, "x is cut within its pcap file header: 20 of 24 bytes"),
        (&ng_cut, "x is cut within its pcapng file header: 20 of 28 bytes"),
        (&old, "x says it is pcap version 1.0; versions 2.0 to 2.4 are known"),
        (
            b"snoop\0\0\0\0\0\0\x02",
            "x is a Solaris snoop file; resetscope reads pcap and pcapng; convert it with `editcap \
             -F pcap x converted.pcap`",
        ),
        (b"GMBU....", "x is a Microsoft Network Monitor 2 file; "),
        (b"btsnoop\0", "x is a Bluetooth btsnoop file; "),
        (b"\xfd7zXZ\0\0", "x is compressed with xz; resetscope reads"),
        (b"BZh91AY", "unpack it first: `bzip2 -dc x > capture.pcap`"),
        (&tar, "x is a tar archive; "),
        (
            b"\x0a\x0d\x0d\x0a\0\0\0\x1cnotthemark1234567890",
            "x is not a capture: it begins with 0a",
        ),
    ];
    for (bytes, sentence) in cases {
        for (wrapping, wrapped) in [("plain", bytes.to_vec()), ("zstd", zstd(bytes))] {
            let inputs = [memory("x", &wrapped)];
            let error = read_with(inputs, &Options::default(), 1).unwrap_err().to_string();
            assert!(error.contains(sentence), "{wrapping}: {error:?} does not say {sentence:?}");
        }
    }
    let nested = gzip(&gzip(&gzip(&gzip(b"x"))));
    let error = read_bytes(&nested).unwrap_err();
    assert!(error.to_string().contains("compressed more than 3 times over"), "{error}");
    let error = read_bytes(b"\x1f\x8b\x08\x00").unwrap_err();
    let cause = error.source().unwrap().to_string();
    assert_eq!(
        (error.to_string().as_str(), cause.as_str()),
        ("cannot read memory", "its gzip data is cut short")
    );
}

#[test]
fn what_cannot_be_opened_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let error = read(folder.path()).unwrap_err();
    assert!(matches!(&error, SourceError::Directory { path } if path == folder.path()), "{error}");
    let error = read(Path::new("/no/such/capture")).unwrap_err();
    assert_eq!(error.to_string(), "cannot open /no/such/capture");
    assert!(error.source().unwrap().to_string().contains("No such file"));
    let empty = folder.path().join("empty");
    std::fs::write(&empty, b"").unwrap();
    assert!(matches!(read(&empty).unwrap_err(), SourceError::Empty { .. }));
    assert!(matches!(read(Path::new("/dev/null")).unwrap_err(), SourceError::Empty { .. }));
}

#[test]
fn a_wrong_checksum_is_noticed_however_many_compressed_inputs_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let frames = sample(6);
    let mut broken = gzip(&pcap(Order::Little, Flavour::Nano, &frames));
    let checksum = broken.len() - 8;
    broken[checksum] ^= 1;
    // More than are read by threads of their own.
    let paths: Vec<_> = (0..20).map(|i| folder.path().join(format!("{i}.pcap.gz"))).collect();
    for path in &paths {
        std::fs::write(path, &broken).unwrap();
    }
    let inputs = paths.iter().map(|path| path.as_path().into());
    let read = read_with(inputs, &Options::default(), 3).unwrap();
    assert_eq!(read.frames.len(), 20 * frames.len());
    let mut damaged: Vec<_> = read.damage.iter().map(|damage| damage.path.clone()).collect();
    damaged.sort();
    let mut want = paths.clone();
    want.sort();
    assert_eq!(damaged, want);
    for damage in read.damage {
        assert!(damage.what.contains("gzip data is corrupt"), "{damage}");
    }
}
