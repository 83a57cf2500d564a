//! One block of a TPACKET_V3 ring: from the kernel's frame headers to borrowed [`Frame`]s.
//!
//! The block is plain bytes here and every length in it is checked, so that this module needs no
//! trust in whoever wrote them. Layout: `tpacket3_hdr` in `linux/if_packet.h`.

use std::mem::{offset_of, take};

use libc::{TP_STATUS_VLAN_TPID_VALID, TP_STATUS_VLAN_VALID, tpacket_hdr_variant1, tpacket3_hdr};
use resetscope_core::frame::{Frame, LinkType};

/// Length of a VLAN tag, and of the room that the ring keeps before each frame for one.
pub(super) const VLAN_TAG_BYTES: usize = 4;

/// Length of the two Ethernet addresses, behind which a VLAN tag has its place.
const ADDRESSES_BYTES: usize = 12;

/// Tag protocol of frames whose kernel does not tell it: that of IEEE 802.1Q.
const VLAN_PROTOCOL: u16 = 0x8100;

const VLAN_TCI: usize =
    offset_of!(tpacket3_hdr, hv1) + offset_of!(tpacket_hdr_variant1, tp_vlan_tci);
const VLAN_TPID: usize =
    offset_of!(tpacket3_hdr, hv1) + offset_of!(tpacket_hdr_variant1, tp_vlan_tpid);

/// How the kernel's time stamps are read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stamps {
    /// Added to each, in nanoseconds.
    pub(super) shift_ns: u64,
    /// No frame is later than this, in nanoseconds since 1970-01-01 UTC: one that claims to be
    /// would stop the clocks of all flows until then.
    pub(super) latest_ns: u64,
}

impl Stamps {
    /// The time that a stamp means.
    #[inline]
    pub(super) fn apply(self, time_ns: u64) -> u64 {
        time_ns.saturating_add(self.shift_ns).min(self.latest_ns)
    }
}

/// The frames of a block, in the order in which the kernel wrote them.
pub(super) struct Frames<'a> {
    /// From the header of the next frame to the end of the block.
    rest: &'a mut [u8],
    left: u32,
    link: LinkType,
    stamps: Stamps,
    last_ns: u64,
    count: u64,
}

impl<'a> Frames<'a> {
    /// The `count` frames of a block, of which `rest` begins at the first one's header.
    pub(super) const fn new(
        rest: &'a mut [u8],
        count: u32,
        link: LinkType,
        stamps: Stamps,
    ) -> Self {
        Self { rest, left: count, link, stamps, last_ns: 0, count: 0 }
    }

    /// Latest time stamp so far, in nanoseconds since 1970-01-01 UTC.
    pub(super) const fn last_ns(&self) -> u64 {
        self.last_ns
    }

    /// Frames so far.
    pub(super) const fn taken(&self) -> u64 {
        self.count
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    #[inline]
    fn next(&mut self) -> Option<Frame<'a>> {
        // Whatever ends this early leaves no bytes for another frame.
        let rest = take(&mut self.rest);
        self.left = self.left.checked_sub(1)?;
        let header = Header::read(rest)?;
        let len = if self.left == 0 { rest.len() } else { header.next };
        let (bytes, rest) = rest.split_at_mut_checked(len)?;
        let (bytes, tag) = header.frame(bytes)?;
        self.rest = rest;
        let time_ns = self.stamps.apply(header.time_ns);
        self.last_ns = self.last_ns.max(time_ns);
        self.count += 1;
        let wire_len = header.wire_len.saturating_add(tag);
        Some(Frame { bytes, wire_len, time_ns, link: self.link })
    }
}

/// What the kernel says of a frame.
struct Header {
    next: usize,
    time_ns: u64,
    captured: usize,
    wire_len: u32,
    status: u32,
    start: usize,
    vlan_tci: u16,
    vlan_protocol: u16,
}

impl Header {
    #[inline]
    fn read(bytes: &[u8]) -> Option<Self> {
        let header = bytes.first_chunk::<{ size_of::<tpacket3_hdr>() }>()?;
        let long = |at: usize| {
            header[at..].first_chunk().map_or(0, |bytes: &[u8; 4]| u32::from_ne_bytes(*bytes))
        };
        let short = |at: usize| {
            header[at..].first_chunk().map_or(0, |bytes: &[u8; 2]| u16::from_ne_bytes(*bytes))
        };
        let seconds = u64::from(long(offset_of!(tpacket3_hdr, tp_sec)));
        let nanoseconds = u64::from(long(offset_of!(tpacket3_hdr, tp_nsec)));
        Some(Self {
            next: long(offset_of!(tpacket3_hdr, tp_next_offset)) as usize,
            time_ns: seconds * 1_000_000_000 + nanoseconds,
            captured: long(offset_of!(tpacket3_hdr, tp_snaplen)) as usize,
            wire_len: long(offset_of!(tpacket3_hdr, tp_len)),
            status: long(offset_of!(tpacket3_hdr, tp_status)),
            start: usize::from(short(offset_of!(tpacket3_hdr, tp_mac))),
            vlan_tci: long(VLAN_TCI) as u16,
            vlan_protocol: short(VLAN_TPID),
        })
    }

    /// The frame as it was on the wire, and how many bytes of it are not in `tp_len`: a VLAN tag
    /// that the kernel or the adapter took out is put back, into the room before the frame.
    #[inline]
    fn frame<'a>(&self, bytes: &'a mut [u8]) -> Option<(&'a [u8], u32)> {
        let end = self.start.checked_add(self.captured)?;
        if self.status & TP_STATUS_VLAN_VALID == 0 || self.captured < ADDRESSES_BYTES {
            return Some((bytes.get(self.start..end)?, 0));
        }
        let start = self.start.checked_sub(VLAN_TAG_BYTES)?;
        let bytes = bytes.get_mut(start..end)?;
        bytes.copy_within(VLAN_TAG_BYTES..VLAN_TAG_BYTES + ADDRESSES_BYTES, 0);
        let told = self.status & TP_STATUS_VLAN_TPID_VALID != 0;
        let protocol = if told { self.vlan_protocol } else { VLAN_PROTOCOL };
        let [p0, p1] = protocol.to_be_bytes();
        let [t0, t1] = self.vlan_tci.to_be_bytes();
        let tag = bytes.get_mut(ADDRESSES_BYTES..ADDRESSES_BYTES + VLAN_TAG_BYTES)?;
        tag.copy_from_slice(&[p0, p1, t0, t1]);
        Some((bytes, VLAN_TAG_BYTES as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMPS: Stamps = Stamps { shift_ns: 100, latest_ns: 8_500_000_000 };

    struct Written {
        next: u32,
        seconds: u32,
        captured: u32,
        wire_len: u32,
        status: u32,
        start: u16,
        vlan: (u16, u16),
        payload: Vec<u8>,
    }

    impl Default for Written {
        fn default() -> Self {
            Self {
                next: 160,
                seconds: 7,
                captured: 20,
                wire_len: 60,
                status: 1,
                start: 96,
                vlan: (0, 0),
                payload: (1..=20).collect(),
            }
        }
    }

    impl Written {
        fn bytes(&self) -> Vec<u8> {
            let mut bytes = vec![0; usize::from(self.start)];
            let mut put =
                |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
            put(offset_of!(tpacket3_hdr, tp_next_offset), &self.next.to_ne_bytes());
            put(offset_of!(tpacket3_hdr, tp_sec), &self.seconds.to_ne_bytes());
            put(offset_of!(tpacket3_hdr, tp_nsec), &5_u32.to_ne_bytes());
            put(offset_of!(tpacket3_hdr, tp_snaplen), &self.captured.to_ne_bytes());
            put(offset_of!(tpacket3_hdr, tp_len), &self.wire_len.to_ne_bytes());
            put(offset_of!(tpacket3_hdr, tp_status), &self.status.to_ne_bytes());
            put(offset_of!(tpacket3_hdr, tp_mac), &self.start.to_ne_bytes());
            put(VLAN_TCI, &u32::from(self.vlan.0).to_ne_bytes());
            put(VLAN_TPID, &self.vlan.1.to_ne_bytes());
            bytes.extend_from_slice(&self.payload);
            bytes.resize(bytes.len().max(self.next as usize).min(4096), 0);
            bytes
        }
    }

    fn frames(written: &[Written]) -> Vec<(Vec<u8>, u32, u64)> {
        let mut block: Vec<u8> = written.iter().flat_map(Written::bytes).collect();
        let count = u32::try_from(written.len()).unwrap();
        Frames::new(&mut block, count, LinkType::ETHERNET, STAMPS)
            .map(|frame| (frame.bytes.to_vec(), frame.wire_len, frame.time_ns))
            .collect()
    }

    #[test]
    fn frames_come_out_in_order_with_their_lengths_and_shifted_times() {
        let last = Written { seconds: 8, next: 0, payload: vec![9; 20], ..Written::default() };
        let plain: Vec<u8> = (1..=20).collect();
        assert_eq!(
            frames(&[Written::default(), last]),
            [(plain, 60, 7_000_000_105), (vec![9; 20], 60, 8_000_000_105)]
        );
    }

    #[test]
    fn a_time_stamp_from_the_future_becomes_the_present() {
        let got = frames(&[Written { seconds: 9, ..Written::default() }]);
        assert_eq!(got.iter().map(|frame| frame.2).collect::<Vec<_>>(), [STAMPS.latest_ns]);
    }

    #[test]
    fn a_vlan_tag_that_was_taken_out_is_put_back() {
        let addresses: Vec<u8> = (1..=12).collect();
        let behind: Vec<u8> = (13..=20).collect();
        for (status, vlan, tag, reason) in [
            (TP_STATUS_VLAN_VALID, (0x0064, 0), [0x81, 0, 0, 0x64], "no protocol told"),
            (
                TP_STATUS_VLAN_VALID | TP_STATUS_VLAN_TPID_VALID,
                (0x2001, 0x88a8),
                [0x88, 0xa8, 0x20, 1],
                "a provider's tag with priority",
            ),
        ] {
            let want = [&addresses[..], &tag, &behind].concat();
            let got = frames(&[Written { status, vlan, ..Written::default() }]);
            assert_eq!(got, [(want, 64, 7_000_000_105)], "{reason}");
        }
    }

    #[test]
    fn lengths_that_lead_out_of_the_block_end_it() {
        for (written, reason) in [
            (Written { captured: 1 << 20, ..Written::default() }, "captured beyond the block"),
            (Written { captured: u32::MAX, start: 200, ..Written::default() }, "sum overflows"),
            (Written { next: 1 << 30, ..Written::default() }, "next frame beyond the block"),
        ] {
            let mut block = written.bytes();
            let mut frames = Frames::new(&mut block, 2, LinkType::ETHERNET, STAMPS);
            assert!(frames.next().is_none(), "{reason}");
            assert!(frames.next().is_none(), "{reason}");
        }
    }
}
