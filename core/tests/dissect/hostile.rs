//! Hostile bytes: any frame of any link type gives a sound segment or a reason, never a panic.

use proptest::collection::vec;
use proptest::prelude::*;
use resetscope_core::flow::hash::hash;
use resetscope_core::flow::key::FlowKey;
use resetscope_core::frame::{Frame, LinkType};
use resetscope_core::segment::{Payload, RstTexts, Segment, TcpFlags, option, quirk};
use resetscope_core::wire::dissect;

use crate::links::wrapped;
use crate::packet::{ip_packet, plain, plain6};

/// Every link type that is read, and one that is not.
const LINKS: [u16; 15] = [0, 1, 9, 12, 14, 50, 101, 104, 108, 113, 228, 229, 276, 105, 65535];

/// Dissects and checks what holds for every segment, whatever the bytes.
fn check(bytes: &[u8], wire_len: usize, link: LinkType) -> bool {
    let wire_len = u32::try_from(wire_len).unwrap();
    let frame = Frame { bytes, wire_len, time_ns: 1, link };
    let (mut segment, mut texts) = (Segment { frame: 5, ..Segment::default() }, RstTexts::new(1));
    let before = segment;
    if dissect(&frame, &mut segment, &mut texts).is_err() {
        assert_eq!(segment.key, before.key, "an error leaves the segment alone");
        return false;
    }
    let [low, high] = [0, 1].map(|side| (segment.key.addr[side], segment.key.port[side]));
    assert_eq!(FlowKey::new(low, high, segment.key.domain), (segment.key, 0), "canonical");
    assert_eq!(segment.hash, hash(&segment.key));
    assert!(segment.direction <= 1);
    assert!(segment.has_option(option::MSS) || segment.mss == 0);
    assert!(segment.window_scale <= 14);
    assert!(segment.payload_len <= wire_len.max(65535));
    assert!(segment.payload == Payload::None || segment.payload_len > 0);
    assert!(segment.text == 0 || segment.flags.any(TcpFlags::RST) && segment.payload_len > 0);
    assert!(segment.has_quirk(quirk::TUNNEL) || segment.key.domain == 0);
    assert_eq!((segment.frame, segment.time_ns), (5, 1));
    true
}

/// xorshift64: the same mutations on every machine.
struct Mutations(u64);

impl Mutations {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % below.max(1)
    }

    /// Damages `bytes` in one to four places.
    fn apply(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.next(4) {
            let (at, len) = (self.next(bytes.len()), bytes.len());
            match self.next(6) {
                _ if bytes.is_empty() => bytes.push(0x45),
                0 => bytes[at] ^= 1 << self.next(8),
                1 => bytes[at] = self.next(256) as u8,
                2 => bytes[at] = [0, 1, 0x7f, 0x80, 0xfe, 0xff][self.next(6)],
                3 => bytes.truncate(at),
                4 => bytes.extend((0..self.next(40)).map(|i| i as u8)),
                _ => bytes.copy_within(at..len.min(at + self.next(24)), self.next(at)),
            }
        }
    }
}

#[test]
fn two_hundred_thousand_damaged_packets_neither_panic_nor_give_an_unsound_segment() {
    let mut corpus = Vec::new();
    for packet in [plain(b"hello"), plain6(b"go away")] {
        corpus.extend(wrapped(&packet));
        for (name, outer, _) in crate::tunnels::tunnelled(&packet) {
            corpus.push((name, LinkType::RAW, outer.clone()));
            corpus.push((name, LinkType::ETHERNET, crate::links::ethernet(&[], &outer)));
        }
    }
    let (mut mutations, mut segments) = (Mutations(0x5eed), 0);
    let mut bytes = Vec::new();
    for round in 0..200_000 {
        let (_, link, packet) = &corpus[round % corpus.len()];
        bytes.clone_from(packet);
        mutations.apply(&mut bytes);
        // Now and then under a foreign link type, and with more on the wire than was captured.
        let link = if mutations.next(8) == 0 { LinkType(LINKS[mutations.next(15)]) } else { *link };
        let wire_len = bytes.len() + if mutations.next(4) == 0 { mutations.next(100) } else { 0 };
        segments += usize::from(check(&bytes, wire_len, link));
    }
    assert!((40_000..180_000).contains(&segments), "damage is neither total nor idle: {segments}");
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_safe_under_every_link_type(bytes in vec(any::<u8>(), 0..200), extra in 0usize..9) {
        for link in LINKS {
            check(&bytes, bytes.len() + extra, LinkType(link));
        }
    }

    #[test]
    fn damaged_packets_are_safe_under_every_link_type(packet in ip_packet(), seed in 1u64.., which: prop::sample::Index) {
        let (_, _, mut bytes) = which.get(&wrapped(&packet)).clone();
        Mutations(seed).apply(&mut bytes);
        for link in LINKS {
            check(&bytes, bytes.len(), LinkType(link));
        }
    }
}
