//! Captures that DPDK can play.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use crate::capture_writer::{Flavour, Order, Seen, pcap};

/// Captures that net_pcap reads: Ethernet, whole frames, not compressed.
pub(crate) fn captures(folder: &Path) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut unpacked = Vec::new();
    let packed = fs::File::open(root.join("../bench/corpus/six-causes.pcap.gz")).unwrap();
    GzDecoder::new(packed).read_to_end(&mut unpacked).unwrap();
    let files =
        [("six.pcap", unpacked), ("jumbo.pcap", pcap(Order::Little, Flavour::Micro, &jumbo()))];
    let mut captures: Vec<PathBuf> = files
        .into_iter()
        .map(|(name, bytes)| {
            let file = folder.join(name);
            fs::write(&file, bytes).unwrap();
            file
        })
        .collect();
    for name in
        ["zeek__zeek__mixed-vlan-mpls.pcap", "seladb__PcapPlusPlus__one_http_stream_rst.pcap"]
    {
        let file = root.join("../../shared/captures/files").join(name);
        if file.exists() {
            captures.push(file);
        } else {
            println!("skipped: there is no {}", file.display());
        }
    }
    captures
}

/// Frames too long for one buffer: their headers and the beginning of their payload are in the first.
fn jumbo() -> Vec<Seen> {
    let frame = |number: u64| {
        let mut bytes = vec![0; 9014];
        bytes[12..24].copy_from_slice(&[8, 0, 0x45, 0, 0x23, 0x28, 0, 1, 0, 0, 64, 6]);
        bytes[26..38].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2, 0x9c, 0x40, 1, 0xbb]);
        bytes[38..42].copy_from_slice(&(number as u32 * 8960).to_be_bytes());
        bytes[46..48].copy_from_slice(&[0x50, 0x10]);
        Seen { time_ns: 1_700_000_000_000_000_000 + number * 1000, link: 1, wire_len: 9014, bytes }
    };
    (1..100).map(frame).collect()
}
