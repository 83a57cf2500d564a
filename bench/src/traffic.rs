//! Traffic in memory: frames of many connections, made at once and pushed again and again.
//!
//! Every bench and probe takes its frames from here, so that figures can be compared.

use memmap2::{Advice, MmapMut};
use resetscope_core::flow::prefetch;
use resetscope_core::frame::{Frame, LinkType};

/// Time of the first frame of all traffic, in nanoseconds since 1970-01-01 UTC.
pub const BEGIN_NS: u64 = 1_700_000_000_000_000_000;

/// Packet time between two frames, in nanoseconds: 10 million packets a second.
pub const GAP_NS: u64 = 100;

/// How far ahead the frames' memory is asked for, in bytes, as the program's sources do.
const AHEAD_BYTES: usize = 2048;

/// Control bits of a TCP header.
pub mod flags {
    /// An opening segment.
    pub const SYN: u8 = 0x02;
    /// An acknowledgement.
    pub const ACK: u8 = 0x10;
    /// The answer to an opening segment.
    pub const SYN_ACK: u8 = 0x12;
    /// A reset that acknowledges.
    pub const RST_ACK: u8 = 0x14;
}

/// What the frames are, link layer and network layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// IPv4, 60 bytes.
    V4,
    /// IPv6, 74 bytes.
    V6,
    /// IPv4 with a VLAN tag, 64 bytes.
    Vlan,
    /// Each connection one of the three, one as often as the other.
    Mixed,
}

impl Mix {
    /// All of them, with the names that benches give them.
    pub const ALL: [(Self, &'static str); 4] =
        [(Self::V4, "ipv4"), (Self::V6, "ipv6"), (Self::Vlan, "vlan"), (Self::Mixed, "mixed")];

    const fn of(self, flow: u32) -> Self {
        match self {
            Self::Mixed => [Self::V4, Self::V6, Self::Vlan][flow as usize % 3],
            one => one,
        }
    }
}

/// Random numbers, the same in every run (a linear congruential generator; its high bits are good).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The generator for a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`.
    pub const fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (((self.0 >> 32) * end as u64) >> 32) as u32
    }
}

/// Frames, one behind the other, in memory that is given back at once when they are dropped: what is
/// measured of an engine's memory must not depend on when an allocator does that.
#[derive(Debug)]
pub struct Traffic {
    bytes: MmapMut,
    /// Where each frame ends, as numbers of [`END`] bytes.
    ends: MmapMut,
    count: usize,
}

/// Bytes of a frame's end.
const END: usize = size_of::<u32>();

/// No frame is longer.
const FRAME_MAX: usize = 80;

impl Traffic {
    /// `packets` frames of connections 0 to `flows`, in random order and directions.
    #[must_use]
    pub fn random(flows: u32, packets: usize, mix: Mix, flags: u8) -> Self {
        let mut random = Random::new(1);
        let mut traffic = Self::with_capacity(packets);
        for _ in 0..packets {
            let flow = random.below(flows);
            traffic.add(flow, random.below(2) == 0, mix, flags);
        }
        traffic
    }

    /// One frame of each of these connections, in order, from the client or from the server.
    #[must_use]
    pub fn each(flows: std::ops::Range<u32>, from_client: bool, mix: Mix, flags: u8) -> Self {
        let mut traffic = Self::with_capacity(flows.len());
        flows.for_each(|flow| traffic.add(flow, from_client, mix, flags));
        traffic
    }

    #[expect(clippy::expect_used, reason = "a bench without memory has nothing to measure")]
    fn with_capacity(packets: usize) -> Self {
        let map = |bytes: usize| {
            let map = MmapMut::map_anon(bytes.max(1)).expect("memory for the frames");
            // As allocators do with large memory; the system may decline.
            let _ = map.advise(Advice::HugePage);
            map
        };
        Self { bytes: map(packets * FRAME_MAX), ends: map(packets * END), count: 0 }
    }

    fn add(&mut self, flow: u32, from_client: bool, mix: Mix, flags: u8) {
        let mut frame = Vec::with_capacity(FRAME_MAX);
        frame.extend_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
        match mix.of(flow) {
            Mix::V6 => add_v6(&mut frame, flow, from_client),
            Mix::Vlan => {
                frame.extend_from_slice(&[0x81, 0, 0, 7]);
                add_v4(&mut frame, flow, from_client);
            }
            _ => add_v4(&mut frame, flow, from_client),
        }
        let ports = if from_client { [40_000u16, 443] } else { [443, 40_000] };
        frame.extend(ports.iter().flat_map(|port| port.to_be_bytes()));
        frame.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 0x10, 0, 0, 0, 0, 0]);
        // An Ethernet frame is padded to 60 bytes.
        frame.resize(frame.len().max(60), 0);
        let start = self.start(self.count);
        let end = start + frame.len();
        let at = self.count * END;
        if let (Some(place), Some(noted)) =
            (self.bytes.get_mut(start..end), self.ends.get_mut(at..at + END))
        {
            place.copy_from_slice(&frame);
            noted.copy_from_slice(&(end as u32).to_ne_bytes());
            self.count += 1;
        }
    }

    /// Ends of the frames from number `first` on.
    fn ends(&self, first: usize) -> impl Iterator<Item = u32> {
        let ends = self.ends.get(first * END..self.count * END).unwrap_or_default();
        ends.as_chunks().0.iter().map(|end| u32::from_ne_bytes(*end))
    }

    /// Where frame number `index` starts.
    fn start(&self, index: usize) -> usize {
        let before = index.checked_sub(1).and_then(|before| self.ends(before).next());
        before.map_or(0, |end| end as usize)
    }

    /// Number of frames.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The frames from number `first` on, at most `count`, the first of them at `from_ns`.
    pub fn frames(
        &self,
        first: usize,
        count: usize,
        from_ns: u64,
    ) -> impl Iterator<Item = Frame<'_>> {
        let start = self.start(first);
        let (mut rest, mut end) = (self.bytes.get(start..).unwrap_or_default(), start as u32);
        let mut time_ns = from_ns;
        self.ends(first).take(count).map(move |next| {
            let wire_len = next.wrapping_sub(end);
            let (bytes, behind) = rest.split_at_checked(wire_len as usize).unwrap_or_default();
            prefetch::line(bytes.as_ptr().wrapping_add(AHEAD_BYTES));
            let frame = Frame { bytes, wire_len, time_ns, link: LinkType::ETHERNET };
            (rest, end) = (behind, next);
            time_ns += GAP_NS;
            frame
        })
    }

    /// All frames, the first at `from_ns`.
    pub fn all(&self, from_ns: u64) -> impl Iterator<Item = Frame<'_>> {
        self.frames(0, self.len(), from_ns)
    }
}

fn add_v4(frame: &mut Vec<u8>, flow: u32, from_client: bool) {
    frame.extend_from_slice(&[8, 0, 0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0]);
    let [client, server] = hosts(flow).map(u32::to_be_bytes);
    let [from, to] = if from_client { [client, server] } else { [server, client] };
    frame.extend_from_slice(&from);
    frame.extend_from_slice(&to);
}

fn add_v6(frame: &mut Vec<u8>, flow: u32, from_client: bool) {
    frame.extend_from_slice(&[0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, 6, 64]);
    let address = |host: u32| (0x2001_0db8_u128 << 96 | u128::from(host)).to_be_bytes();
    let [client, server] = hosts(flow).map(address);
    let [from, to] = if from_client { [client, server] } else { [server, client] };
    frame.extend_from_slice(&from);
    frame.extend_from_slice(&to);
}

/// Client and server of a connection: a million clients for each server.
const fn hosts(flow: u32) -> [u32; 2] {
    [0x0a00_0000 + (flow & 0x000f_ffff), 0x0b00_0000 + (flow >> 20)]
}
