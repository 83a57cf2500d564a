//! Other addresses or ports for each loop of a recording, so that its connections are new ones.
//!
//! A loop's number becomes a mask, and the mask is put over both addresses, or over the client's
//! port, by exclusive or: packets of both directions change alike, connections that differed still
//! do, and the next loop's change needs no original. The first loop's mask is 0.
//!
//! Where the addresses lie is not parsed here but asked of the dissector: a place is right when
//! other bytes there give the key that they ought to, through whatever tags and tunnels. Checksums
//! become wrong; the engine does not verify them.

use std::net::IpAddr;

use resetscope_core::flow::key::FlowKey;
use resetscope_core::frame::{Frame, LinkType};
use resetscope_core::segment::{RstTexts, Segment};
use resetscope_core::wire::dissect;

/// What changes from loop to loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rotation {
    /// Nothing: the same connections go on.
    None,
    /// The higher of each connection's two ports; after 32,768 loops they come again.
    Ports,
    /// Both addresses.
    Addresses,
}

impl Rotation {
    /// The mask of a loop, counted from 0: low bits of the number become high bits of the mask, as
    /// neighbouring hosts and ports differ in low bits.
    fn mask(self, turn: u64) -> u32 {
        match self {
            Self::None => 0,
            Self::Ports => u32::from((turn as u16).reverse_bits() >> 1),
            Self::Addresses => (turn as u32).reverse_bits(),
        }
    }
}

/// Where a frame is changed: offsets of a 16-bit port or of 32 bits of an address; 0 for nowhere,
/// as no link layer is that short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spots([u16; 2]);

impl Spots {
    /// Finds the places in a frame that `rotation` changes; none in a frame that is not TCP.
    pub(super) fn find(bytes: &[u8], link: LinkType, rotation: Rotation) -> Self {
        let mut seeker = Seeker { bytes: bytes.to_vec(), link };
        let found = match rotation {
            Rotation::None => None,
            Rotation::Ports => seeker.ports(),
            Rotation::Addresses => seeker.addresses(),
        };
        let offset = |at: usize| u16::try_from(at).unwrap_or(0);
        found.map(|spots| Self(spots.map(offset))).unwrap_or_default()
    }

    /// Changes the frame that begins at `offset` of `bytes` from loop `from` to loop `to`.
    #[inline]
    pub(super) fn turn(
        self,
        bytes: &mut [u8],
        offset: usize,
        rotation: Rotation,
        from: u64,
        to: u64,
    ) {
        let mask = rotation.mask(from) ^ rotation.mask(to);
        for at in self.0.into_iter().filter(|at| *at != 0) {
            let there = bytes.get_mut(offset + usize::from(at)..).unwrap_or_default();
            match rotation {
                Rotation::None => {}
                Rotation::Ports => flip(there, (mask as u16).to_be_bytes()),
                Rotation::Addresses => flip(there, mask.to_be_bytes()),
            }
        }
    }
}

#[inline(always)]
fn flip<const N: usize>(bytes: &mut [u8], mask: [u8; N]) {
    if let Some(bytes) = bytes.first_chunk_mut::<N>() {
        bytes.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
    }
}

/// Tries places of one frame.
struct Seeker {
    bytes: Vec<u8>,
    link: LinkType,
}

impl Seeker {
    fn segment(&self) -> Option<Segment> {
        let frame = Frame {
            bytes: &self.bytes,
            wire_len: u32::try_from(self.bytes.len()).ok()?,
            time_ns: 0,
            link: self.link,
        };
        let mut segment = Segment::default();
        dissect(&frame, &mut segment, &mut RstTexts::new(0)).ok()?;
        Some(segment)
    }

    /// The key with the lowest bit of `width` bytes at `spots` turned.
    fn key_with(&mut self, spots: [usize; 2], width: usize) -> Option<FlowKey> {
        let turn = |bytes: &mut Vec<u8>| {
            for byte in spots.iter().filter_map(|at| at.checked_add(width - 1)) {
                if let Some(byte) = bytes.get_mut(byte).filter(|_| byte >= width) {
                    *byte ^= 1;
                }
            }
        };
        turn(&mut self.bytes);
        let key = self.segment().map(|segment| segment.key);
        turn(&mut self.bytes);
        key
    }

    /// The first place after which `pattern` follows, and at which `accept` agrees.
    fn first(
        &mut self,
        pattern: &[u8],
        mut accept: impl FnMut(&mut Self, usize) -> bool,
    ) -> Option<usize> {
        (1..self.bytes.len()).find(|&at| {
            self.bytes.get(at..).is_some_and(|rest| rest.starts_with(pattern)) && accept(self, at)
        })
    }

    /// Both addresses lie side by side, the sender's first.
    fn addresses(&mut self) -> Option<[usize; 2]> {
        let segment = self.segment()?;
        let (from, key) = (usize::from(segment.direction & 1), segment.key);
        // Of an IPv6 address the second 32 bits: the network.
        let (pattern, step, skip): (Vec<u8>, usize, usize) = match (key.ip(from), key.ip(from ^ 1))
        {
            (IpAddr::V4(a), IpAddr::V4(b)) => ([a.octets(), b.octets()].concat(), 4, 0),
            (IpAddr::V6(a), IpAddr::V6(b)) => ([a.octets(), b.octets()].concat(), 16, 4),
            _ => return None,
        };
        let last = if step == 4 { 15 } else { 7 };
        let mut ends = [0, 1].map(|side| (key.addr[side], key.port[side]));
        ends.iter_mut().for_each(|end| end.0[last] ^= 1);
        let wanted = FlowKey::new(ends[0], ends[1], key.domain).0;
        let spots = |at: usize| [at + skip, at + step + skip];
        self.first(&pattern, |seeker, at| seeker.key_with(spots(at), 4) == Some(wanted)).map(spots)
    }

    /// Both ports lie side by side, the sender's first; the higher one changes, of equals both.
    fn ports(&mut self) -> Option<[usize; 2]> {
        let segment = self.segment()?;
        let (from, key) = (usize::from(segment.direction & 1), segment.key);
        let ports = [key.port(from), key.port(from ^ 1)];
        let turned = [ports[0] >= ports[1], ports[1] >= ports[0]];
        let mut ends = [from, from ^ 1].map(|side| (key.addr[side], key.port[side]));
        for (end, turned) in ends.iter_mut().zip(turned) {
            end.1 ^= u16::from(turned);
        }
        let wanted = FlowKey::new(ends[0], ends[1], key.domain).0;
        let spots =
            |at: usize| [if turned[0] { at } else { 0 }, if turned[1] { at + 2 } else { 0 }];
        let pattern = ports.map(u16::to_be_bytes).concat();
        self.first(&pattern, |seeker, at| seeker.key_with(spots(at), 2) == Some(wanted)).map(spots)
    }
}
