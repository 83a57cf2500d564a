//! Real captures: as many TCP segments and RSTs as tshark counted in each (`index.tsv` beside them).
//!
//! The captures lie outside the project, so the test passes with a message where they are absent.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use resetscope_core::frame::{Frame, LinkType};
use resetscope_core::segment::{RstTexts, Segment, TcpFlags};
use resetscope_core::skip::Skip;
use resetscope_core::wire::dissect;

/// Captures where our count of TCP segments rightly differs from tshark's, by how much, and why.
const TCP_DIFFERS: &[(&str, i64, &str)] = &[(
    "StopDDoS__packet-captures__amp.TCP.reflection.SYNACK.pcap",
    -139,
    "the index counts TCP headers quoted inside ICMP errors here; they are not segments",
)];

/// Link types that are not read: every frame must be counted under that reason.
const LINK_TYPE_NOT_READ: &[&str] = &["ARCNET_LINUX", "IPOIB", "NFLOG", "RADIOTAP"];

fn captures() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/captures");
    if folder.join("index.tsv").is_file() {
        return Some(folder);
    }
    println!("skipped: no captures at {}", folder.display());
    None
}

/// A classic pcap file (not compressed, not the modified format): its frames in order.
struct Pcap {
    bytes: Vec<u8>,
    big_endian: bool,
    nanos: u64,
}

impl Pcap {
    fn open(path: &Path) -> Option<Self> {
        let bytes = std::fs::read(path).unwrap();
        let (big_endian, nanos) = match bytes.get(..4)? {
            [0xd4, 0xc3, 0xb2, 0xa1] => (false, 1000),
            [0x4d, 0x3c, 0xb2, 0xa1] => (false, 1),
            [0xa1, 0xb2, 0xc3, 0xd4] => (true, 1000),
            [0xa1, 0xb2, 0x3c, 0x4d] => (true, 1),
            _ => return None,
        };
        Some(Self { bytes, big_endian, nanos })
    }

    fn word(&self, at: usize) -> Option<u32> {
        let word = self.bytes.get(at..at + 4)?.try_into().unwrap();
        Some(if self.big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) })
    }

    fn for_each(&self, mut each: impl FnMut(&Frame<'_>)) {
        let link = LinkType(self.word(20).unwrap() as u16);
        let mut at = 24;
        while let (Some(seconds), Some(fraction), Some(captured), Some(wire_len)) =
            (self.word(at), self.word(at + 4), self.word(at + 8), self.word(at + 12))
        {
            at += 16;
            // A file that ends inside a frame is used up to the last whole one.
            let Some(bytes) = self.bytes.get(at..at + captured as usize) else { return };
            at += captured as usize;
            let time_ns = u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * self.nanos;
            each(&Frame { bytes, wire_len: wire_len.max(captured), time_ns, link });
        }
    }
}

#[derive(Debug, Default)]
struct Count {
    frames: i64,
    tcp: i64,
    rsts: i64,
    skips: BTreeMap<Skip, i64>,
}

fn count(pcap: &Pcap) -> Count {
    let mut count = Count::default();
    let (mut segment, mut texts) = (Segment::default(), RstTexts::new(8));
    pcap.for_each(|frame| {
        count.frames += 1;
        texts.clear();
        match dissect(frame, &mut segment, &mut texts) {
            Ok(()) => {
                assert_eq!(segment.time_ns, frame.time_ns);
                count.tcp += 1;
                count.rsts += i64::from(segment.flags.any(TcpFlags::RST));
            }
            Err(skip) => *count.skips.entry(skip).or_default() += 1,
        }
    });
    count
}

#[test]
fn as_many_segments_and_resets_as_tshark_counts_in_every_capture() {
    let Some(folder) = captures() else { return };
    let index = std::fs::read_to_string(folder.join("index.tsv")).unwrap();
    let (mut read, mut wrong) = (0, Vec::new());
    for row in index.lines().skip(1) {
        let columns: Vec<&str> = row.split('\t').collect();
        let (file, link) = (columns[0], columns[8]);
        let number = |column: usize| columns[column].parse::<i64>().unwrap();
        let Some(pcap) = Pcap::open(&folder.join("files").join(file)) else { continue };
        read += 1;
        let got = count(&pcap);
        let used: i64 = got.tcp + got.skips.values().sum::<i64>();
        assert_eq!(used, got.frames, "{file}: every frame is used or skipped");
        if LINK_TYPE_NOT_READ.contains(&link) {
            assert_eq!(got.skips.get(&Skip::LinkType), Some(&got.frames), "{file}: {link}");
            continue;
        }
        let differs = TCP_DIFFERS.iter().find(|row| row.0 == file).map_or(0, |row| row.1);
        let (tcp, rsts) = (number(10) + differs, number(12));
        if (got.tcp, got.rsts) != (tcp, rsts) {
            wrong.push(format!("{file} ({link}): want {tcp} TCP, {rsts} RST; got {got:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{read} captures read");
}
