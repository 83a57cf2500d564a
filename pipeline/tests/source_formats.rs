//! Every format, byte order, resolution and compression gives the frames that were written, in
//! whatever pieces it is read.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test, both are its failure")]

mod capture_writer;

use capture_writer::{
    Flavour, Ng, Order, Seen, gzip, lz4, memory, pcap, pcap_header, pcap_record, pcapng, read,
    read_bytes, read_with, sample, zstd,
};
use resetscope::source::{Batch, Fill, Input, Options, SourceError, open};
use std::io::{self, Read, Write};

const ORDERS: [Order; 2] = [Order::Little, Order::Big];

/// What is done to the bytes of a capture before they are read.
type Wrapping = fn(&[u8]) -> Vec<u8>;

/// A frame that zstd and lz4 pass over.
const SKIPPABLE: &[u8] = b"\x50\x2a\x4d\x18\x03\0\0\0abc";

const WRAPPINGS: [(&str, Wrapping); 9] = [
    ("plain", <[u8]>::to_vec),
    ("gzip", gzip),
    ("zstd", zstd),
    ("lz4", lz4),
    ("two gzip members", |bytes| halves(bytes, gzip)),
    ("two zstd frames after a skippable one", |bytes| {
        [SKIPPABLE.to_vec(), halves(bytes, zstd)].concat()
    }),
    ("two lz4 frames", |bytes| halves(bytes, lz4)),
    ("two lz4 frames after two skippable ones", |bytes| {
        [[SKIPPABLE, SKIPPABLE].concat(), halves(bytes, lz4)].concat()
    }),
    ("zstd within gzip", |bytes| gzip(&zstd(bytes))),
];

fn halves(bytes: &[u8], wrap: Wrapping) -> Vec<u8> {
    let (first, second) = bytes.split_at(bytes.len() / 2);
    [wrap(first), wrap(second)].concat()
}

/// Ways to read that must not differ: mapped in one piece or in small ones, buffers of all sizes.
fn ways() -> Vec<Options> {
    let default = Options::default;
    vec![
        default(),
        Options { window_bytes: 1, ..default() },
        Options { window_bytes: 4096, ..default() },
        Options { mmap: false, ..default() },
        Options { mmap: false, buffer_bytes: 37, ..default() },
    ]
}

fn captures() -> Vec<(String, Vec<u8>)> {
    let frames = sample(40);
    let mut all = Vec::new();
    for order in ORDERS {
        for flavour in [Flavour::Micro, Flavour::Nano, Flavour::Modified] {
            all.push((format!("pcap {flavour:?} {order:?}"), pcap(order, flavour, &frames)));
        }
        all.push((format!("pcapng {order:?}"), pcapng(order, &frames)));
    }
    all
}

#[test]
fn every_format_and_compression_read_in_every_way_gives_the_frames_written() {
    let want = sample(40);
    let folder = tempfile::tempdir().unwrap();
    // The name says nothing: recognition is by content.
    let path = folder.path().join("capture.txt");
    for (format, bytes) in captures() {
        for (wrapping, wrap) in WRAPPINGS {
            let wrapped = wrap(&bytes);
            std::fs::write(&path, &wrapped).unwrap();
            for options in ways() {
                for capacity in [1, 7, 4096] {
                    let row = format!("{format}, {wrapping}, {capacity}, {options:?}");
                    let found = read_with([path.as_path().into()], &options, capacity).unwrap();
                    assert_eq!(found.damage, [], "{row}");
                    assert!(found.frames == want, "{row}");
                    assert_eq!(found.progress.total, Some(wrapped.len() as u64), "{row}");
                    assert_eq!(found.progress.consumed, wrapped.len() as u64, "{row}");
                }
            }
            let found = read_bytes(&wrapped).unwrap();
            assert!(found.frames == want && found.damage.is_empty(), "{format}, {wrapping}");
            assert_eq!(found.progress.total, None);
        }
    }
}

/// Gives few bytes at a time, in irregular pieces, with interruptions.
struct Dribble {
    bytes: Vec<u8>,
    at: usize,
    calls: usize,
}

impl Read for Dribble {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.calls += 1;
        if self.calls % 5 == 2 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let n = (self.calls * 7 % 23 + 1).min(room.len()).min(self.bytes.len() - self.at);
        room[..n].copy_from_slice(&self.bytes[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

#[test]
fn a_stream_that_dribbles_and_is_interrupted_gives_the_same_frames() {
    for (format, bytes) in captures() {
        for (wrapping, wrap) in WRAPPINGS {
            let dribble = Dribble { bytes: wrap(&bytes), at: 0, calls: 0 };
            let input = Input::Reader("dribble".into(), Box::new(dribble));
            let found = read_with([input], &Options::default(), 16).unwrap();
            assert!(found.frames == sample(40), "{format}, {wrapping}");
            assert_eq!(found.damage, [], "{format}, {wrapping}");
        }
    }
}

#[test]
fn a_fifo_is_read_as_it_is_written_and_frames_do_not_wait_for_a_full_batch() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let (go, wait) = std::sync::mpsc::channel();
    let writer = {
        let path = path.clone();
        std::thread::spawn(move || {
            let mut pipe = std::fs::OpenOptions::new().write(true).open(path).unwrap();
            let bytes = pcap(Order::Little, Flavour::Micro, &sample(6));
            // The first three frames: 60, 0 and 1 bytes, each after a header of 16.
            let (first, second) = bytes.split_at(24 + 3 * 16 + 61);
            pipe.write_all(first).unwrap();
            wait.recv().unwrap();
            pipe.write_all(second).unwrap();
        })
    };
    let mut source = open([path.as_path().into()], &Options::default()).unwrap();
    let mut batch = Batch::new(1000);
    let mut frames = 0;
    while frames < 3 {
        assert_eq!(source.fill(&mut batch, u64::MAX).unwrap(), Fill::Frames);
        frames += batch.len();
    }
    assert_eq!(frames, 3);
    assert_eq!(source.progress().total, None);
    // Only now does the writer go on: had the source waited for more, this would never return.
    go.send(()).unwrap();
    while source.fill(&mut batch, u64::MAX).unwrap() != Fill::End {
        frames += batch.len();
    }
    assert_eq!(frames, 6);
    writer.join().unwrap();
}

#[test]
fn odd_pcap_headers_are_read_as_tcpdump_reads_them() {
    let order = Order::Big;
    let record = pcap_record(order, [1, 2, 3, 3], b"abc");
    let swapped = pcap_record(order, [1, 2, 9, 3], b"abc");
    let too_short = pcap_record(order, [1, 2, 3, 1], b"abc");
    let no_second = pcap_record(order, [1, u32::MAX, 3, 3], b"abc");
    let latest = pcap_record(order, [u32::MAX, u32::MAX, 3, 3], b"abc");
    let cases = [
        ((2, 4), 1, &record, (1, 3, 1_000_002_000), "as usual"),
        ((2, 4), 0x5400_0001, &record, (1, 3, 1_000_002_000), "a frame check sequence of 4 bytes"),
        ((2, 4), 0xffff_0071, &record, (113, 3, 1_000_002_000), "every upper bit set"),
        ((2, 3), 1, &record, (1, 3, 1_000_002_000), "2.3 with lengths in order"),
        ((2, 3), 1, &swapped, (1, 9, 1_000_002_000), "2.3 with lengths swapped"),
        ((2, 0), 1, &swapped, (1, 9, 1_000_002_000), "2.0"),
        ((543, 0), 1, &swapped, (1, 9, 1_000_002_000), "DG/UX"),
        ((2, 4), 1, &too_short, (1, 3, 1_000_002_000), "more captured than there was"),
        ((2, 4), 1, &no_second, (1, 3, 4_295_967_295_000), "a fraction of over an hour"),
        ((2, 4), 1, &latest, (1, 3, 4_294_971_589_967_295_000), "the latest time there is"),
    ];
    for (version, link, record, want, why) in cases {
        let bytes = [pcap_header(order, 0xa1b2_c3d4, version, link), record.clone()].concat();
        let found = read_bytes(&bytes).unwrap();
        assert_eq!(found.damage, [], "{why}");
        let [frame] = found.frames.as_slice() else { panic!("{why}: {found:?}") };
        assert_eq!((frame.link, frame.wire_len, frame.time_ns), want, "{why}");
        assert_eq!(frame.bytes, b"abc", "{why}");
    }
    for version in [(1, 0), (2, 5), (3, 0), (543, 1)] {
        let bytes = pcap_header(order, 0xa1b2_c3d4, version, 1);
        let error = read_bytes(&bytes).unwrap_err();
        let SourceError::Version { major, minor, .. } = error else { panic!("{error}") };
        assert_eq!((major, minor), version);
    }
}

#[test]
fn snapshot_lengths_in_the_file_header_do_not_matter() {
    for snapshot in [0, 1, 65_535, u32::MAX] {
        let mut bytes = pcap(Order::Little, Flavour::Nano, &sample(12));
        bytes[16..20].copy_from_slice(&snapshot.to_le_bytes());
        assert_eq!(read_bytes(&bytes).unwrap().frames, sample(12), "snaplen {snapshot}");
    }
}

#[test]
fn a_capture_without_frames_is_no_frames_and_no_damage() {
    let headers = [pcap(Order::Big, Flavour::Micro, &[]), pcapng(Order::Big, &[])];
    let section_only = Ng::new(Order::Little).bytes;
    for bytes in headers.iter().chain([&section_only]) {
        let found = read_bytes(bytes).unwrap();
        assert_eq!((found.frames.len(), found.damage.len()), (0, 0));
    }
}

#[test]
fn sections_have_their_own_byte_order_interfaces_and_clocks() {
    let mut ng = Ng::new(Order::Big);
    ng.interface(1, 0, &[]);
    ng.interface(113, 0, &[(9, &[9])]);
    ng.packet(1, 5, 60, b"nanoseconds");
    ng.packet(0, 5, 4, b"micro");
    // A section that says its length, in the other byte order, with interfaces of its own.
    ng.section(Order::Little, 1234);
    ng.interface(101, 0, &[(9, &[0x80 | 1]), (14, &10_i64.to_le_bytes())]);
    ng.packet(0, 3, 9, b"half secs");
    // One more in between, with options that do not matter and one without padding at its end.
    ng.interface(65_000, 0, &[(2, b"eth0"), (12, b"Linux")]);
    ng.packet(1, 7, 1, b"");
    let found = read_bytes(&ng.bytes).unwrap();
    assert_eq!(found.damage, []);
    let want = [
        (5, 113, 60, "nanoseconds"),
        (5_000, 1, 5, "micro"),
        (11_500_000_000, 101, 9, "half secs"),
        (7_000, 65_000, 1, ""),
    ];
    let want = want.map(|(time_ns, link, wire_len, text)| Seen {
        time_ns,
        link,
        wire_len,
        bytes: text.as_bytes().to_vec(),
    });
    assert_eq!(found.frames, want);
}

#[test]
fn simple_and_obsolete_packets_are_read_and_other_blocks_stepped_over() {
    for order in ORDERS {
        let mut ng = Ng::new(order);
        ng.interface(1, 5, &[]);
        ng.simple_packet(3, b"abc");
        ng.old_packet(0, 1_000_000, 0xffff, 3, b"old");
        for kind in [4, 5, 9, 10, 0xbad, 0x4000_0bad, 0x8000_0000] {
            ng.block(kind, &[0xa5; 41]);
        }
        // Longer than any block that is looked into: stepped over all the same.
        ng.block(10, &vec![0x5a; 3 << 20]);
        ng.block(4, &[]);
        ng.simple_packet(9, b"snapped!");
        let want = [(0, 3, "abc"), (1_000_000_000, 3, "old"), (1_000_000_000, 9, "snapp")];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ng");
        std::fs::write(&path, &ng.bytes).unwrap();
        for options in ways().into_iter().filter(|o| o.window_bytes > 1 && o.buffer_bytes > 37) {
            let found = read_with([path.as_path().into()], &options, 2).unwrap();
            assert_eq!(found.damage, []);
            let short = |seen: &Seen| {
                (seen.time_ns, seen.wire_len, String::from_utf8(seen.bytes.clone()).unwrap())
            };
            let got: Vec<_> = found.frames.iter().map(short).collect();
            assert_eq!(got, want.map(|(time, wire, text)| (time, wire, text.to_owned())));
        }
    }
}

#[test]
fn the_file_system_without_sizes_is_read_like_a_stream() {
    // A file of procfs says it has 0 bytes; it is no capture, but it must be looked into.
    let error = read(std::path::Path::new("/proc/self/status")).unwrap_err();
    assert!(matches!(error, SourceError::Unrecognised { .. }), "{error}");
}

#[test]
fn a_batch_outlives_its_source_and_counts_its_bytes() {
    let bytes = pcap(Order::Little, Flavour::Micro, &sample(12));
    let mut batch = Batch::new(100);
    {
        let mut source = open([memory("m", &bytes)], &Options::default()).unwrap();
        source.fill(&mut batch, u64::MAX).unwrap();
    }
    let frames = sample(12);
    let wire: u64 = frames.iter().map(|frame| u64::from(frame.wire_len)).sum();
    assert_eq!(batch.bytes_on_wire(), wire);
    assert_eq!(batch.frame(3).unwrap().bytes, frames[3].bytes);
    assert!(batch.frame(12).is_none());
    assert_eq!(batch.frames().len(), 12);
    batch.clear();
    assert!(batch.is_empty() && batch.frame(0).is_none());
}
