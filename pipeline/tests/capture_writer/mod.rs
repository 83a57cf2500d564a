//! Writes captures of every kind, good and bad, and reads them back in one call.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test, both are its failure")]

pub(crate) mod oracle;

use resetscope::source::{
    Batch, Damage, Fill, Input, Oddity, Options, Progress, SourceError, open,
};
use std::io::Write;
use std::path::Path;

/// A frame as it was read, detached from its batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) time_ns: u64,
    pub(crate) link: u16,
    pub(crate) wire_len: u32,
    pub(crate) bytes: Vec<u8>,
}

/// Everything that was read from a source.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) frames: Vec<Seen>,
    pub(crate) damage: Vec<Damage>,
    pub(crate) oddities: Vec<Oddity>,
    pub(crate) progress: Progress,
}

/// Reads one file as a user would.
pub(crate) fn read(path: &Path) -> Result<Read, SourceError> {
    read_with([path.into()], &Options::default(), 1024)
}

/// Reads bytes that are in no file.
pub(crate) fn read_bytes(bytes: &[u8]) -> Result<Read, SourceError> {
    read_with([memory("memory", bytes)], &Options::default(), 1024)
}

/// An input whose bytes lie in memory.
pub(crate) fn memory(name: &str, bytes: &[u8]) -> Input {
    Input::Reader(name.into(), Box::new(std::io::Cursor::new(bytes.to_vec())))
}

/// Reads inputs to the end and checks what holds for every source: frame numbers without gaps,
/// batches within their capacity, an end that stays the end.
pub(crate) fn read_with(
    inputs: impl IntoIterator<Item = Input>,
    options: &Options,
    capacity: usize,
) -> Result<Read, SourceError> {
    let mut source = open(inputs, options)?;
    let mut batch = Batch::new(capacity);
    let mut frames = Vec::new();
    loop {
        let fill = source.fill(&mut batch, u64::MAX)?;
        assert_eq!(batch.first_number(), frames.len() as u64 + 1);
        assert!(batch.len() <= capacity);
        assert!(batch.is_empty() || fill != Fill::End);
        for frame in batch.frames() {
            assert!(frame.wire_len as usize >= frame.bytes.len());
            frames.push(Seen {
                time_ns: frame.time_ns,
                link: frame.link.0,
                wire_len: frame.wire_len,
                bytes: frame.bytes.to_vec(),
            });
        }
        match fill {
            Fill::Frames => {}
            Fill::Boundary => panic!("a boundary without one asked for"),
            Fill::End => break,
        }
    }
    assert_eq!(source.fill(&mut batch, u64::MAX)?, Fill::End);
    assert_eq!(source.peek_time(), None);
    let (damage, oddities) = (source.damage().to_vec(), source.oddities());
    Ok(Read { frames, damage, oddities, progress: source.progress() })
}

/// Byte order of what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Little,
    Big,
}

impl Order {
    pub(crate) fn u16(self, value: u16) -> [u8; 2] {
        if self == Self::Big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    pub(crate) fn u32(self, value: u32) -> [u8; 4] {
        if self == Self::Big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    pub(crate) fn u64(self, value: u64) -> [u8; 8] {
        if self == Self::Big { value.to_be_bytes() } else { value.to_le_bytes() }
    }
}

/// Variants of pcap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavour {
    Micro,
    Nano,
    Modified,
}

/// Frames whose times a microsecond resolution can hold.
pub(crate) fn sample(count: usize) -> Vec<Seen> {
    (0..count)
        .map(|i| {
            let len = [60, 0, 1, 1514, 77, 300][i % 6];
            Seen {
                time_ns: 1_700_000_000_000_000_000 + i as u64 * 1_234_000,
                link: 1,
                wire_len: (len + if i % 4 == 3 { 200 } else { 0 }) as u32,
                bytes: (0..len).map(|b| (b * 7 + i) as u8).collect(),
            }
        })
        .collect()
}

/// A pcap file header.
pub(crate) fn pcap_header(order: Order, magic: u32, version: (u16, u16), link: u32) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(order.u32(magic));
    out.extend(order.u16(version.0));
    out.extend(order.u16(version.1));
    out.extend([0; 8]);
    out.extend(order.u32(262_144));
    out.extend(order.u32(link));
    out
}

/// One pcap record with header fields as given.
pub(crate) fn pcap_record(order: Order, fields: [u32; 4], bytes: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = fields.iter().flat_map(|field| order.u32(*field)).collect();
    out.extend_from_slice(bytes);
    out
}

/// A pcap file of these frames; all have the link type of the first.
pub(crate) fn pcap(order: Order, flavour: Flavour, frames: &[Seen]) -> Vec<u8> {
    let (magic, unit) = match flavour {
        Flavour::Micro => (0xa1b2_c3d4, 1_000),
        Flavour::Nano => (0xa1b2_3c4d, 1),
        Flavour::Modified => (0xa1b2_cd34, 1_000),
    };
    let link = frames.first().map_or(1, |frame| u32::from(frame.link));
    let mut out = pcap_header(order, magic, (2, 4), link);
    for frame in frames {
        let seconds = (frame.time_ns / 1_000_000_000) as u32;
        let fraction = (frame.time_ns % 1_000_000_000 / unit) as u32;
        let fields = [seconds, fraction, frame.bytes.len() as u32, frame.wire_len];
        out.extend(pcap_record(order, fields, &[]));
        if flavour == Flavour::Modified {
            out.extend([2, 0, 0, 0, 8, 0, 0, 0]);
        }
        out.extend_from_slice(&frame.bytes);
    }
    out
}

/// Writes pcapng block by block.
#[derive(Clone, Debug)]
pub(crate) struct Ng {
    pub(crate) order: Order,
    pub(crate) bytes: Vec<u8>,
}

impl Ng {
    /// Begins a section of unknown length.
    pub(crate) fn new(order: Order) -> Self {
        let mut ng = Self { order, bytes: Vec::new() };
        ng.section(order, u64::MAX);
        ng
    }

    /// Begins another section.
    pub(crate) fn section(&mut self, order: Order, length: u64) -> &mut Self {
        self.order = order;
        let mut body = order.u32(0x1a2b_3c4d).to_vec();
        body.extend(order.u16(1));
        body.extend(order.u16(0));
        body.extend(order.u64(length));
        self.block(0x0a0d_0d0a, &body)
    }

    /// Any block; the body is padded.
    pub(crate) fn block(&mut self, kind: u32, body: &[u8]) -> &mut Self {
        let padded = body.len().next_multiple_of(4);
        let total = self.order.u32(12 + padded as u32);
        self.bytes.extend(self.order.u32(kind));
        self.bytes.extend(total);
        self.bytes.extend_from_slice(body);
        self.bytes.extend(std::iter::repeat_n(0, padded - body.len()));
        self.bytes.extend(total);
        self
    }

    /// An interface; options as code and value.
    pub(crate) fn interface(
        &mut self,
        link: u16,
        snap_len: u32,
        options: &[(u16, &[u8])],
    ) -> &mut Self {
        let order = self.order;
        let mut body = order.u16(link).to_vec();
        body.extend([0, 0]);
        body.extend(order.u32(snap_len));
        self.options(&mut body, options);
        self.block(1, &body)
    }

    fn options(&self, body: &mut Vec<u8>, options: &[(u16, &[u8])]) {
        body.resize(body.len().next_multiple_of(4), 0);
        for (code, value) in options {
            body.extend(self.order.u16(*code));
            body.extend(self.order.u16(value.len() as u16));
            body.extend_from_slice(value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        if !options.is_empty() {
            body.extend([0; 4]);
        }
    }

    /// Statistics of an interface: counters by option.
    pub(crate) fn statistics(&mut self, interface: u32, counters: &[(u16, u64)]) -> &mut Self {
        let values: Vec<_> =
            counters.iter().map(|(code, value)| (*code, self.order.u64(*value))).collect();
        let options: Vec<(u16, &[u8])> =
            values.iter().map(|(code, value)| (*code, &value[..])).collect();
        let mut body = self.order.u32(interface).to_vec();
        body.extend([0; 8]);
        self.options(&mut body, &options);
        self.block(5, &body)
    }

    /// An enhanced packet block.
    pub(crate) fn packet(
        &mut self,
        interface: u32,
        units: u64,
        wire_len: u32,
        bytes: &[u8],
    ) -> &mut Self {
        self.packet_with(interface, units, wire_len, bytes, &[])
    }

    /// An enhanced packet block; options as code and value.
    pub(crate) fn packet_with(
        &mut self,
        interface: u32,
        units: u64,
        wire_len: u32,
        bytes: &[u8],
        options: &[(u16, &[u8])],
    ) -> &mut Self {
        let fields = [interface, (units >> 32) as u32, units as u32, bytes.len() as u32, wire_len];
        let mut body: Vec<u8> = fields.iter().flat_map(|field| self.order.u32(*field)).collect();
        body.extend_from_slice(bytes);
        self.options(&mut body, options);
        self.block(6, &body)
    }

    /// An obsolete packet block.
    pub(crate) fn old_packet(
        &mut self,
        interface: u16,
        units: u64,
        drops: u16,
        wire_len: u32,
        bytes: &[u8],
    ) -> &mut Self {
        let mut body = self.order.u16(interface).to_vec();
        body.extend(self.order.u16(drops));
        let fields = [(units >> 32) as u32, units as u32, bytes.len() as u32, wire_len];
        body.extend(fields.iter().flat_map(|field| self.order.u32(*field)));
        body.extend_from_slice(bytes);
        self.block(2, &body)
    }

    /// A simple packet block.
    pub(crate) fn simple_packet(&mut self, wire_len: u32, bytes: &[u8]) -> &mut Self {
        let mut body = self.order.u32(wire_len).to_vec();
        body.extend_from_slice(bytes);
        self.block(3, &body)
    }
}

/// A pcapng file of these frames, of one interface with nanoseconds.
pub(crate) fn pcapng(order: Order, frames: &[Seen]) -> Vec<u8> {
    let mut ng = Ng::new(order);
    ng.interface(frames.first().map_or(1, |frame| frame.link), 0, &[(9, &[9])]);
    for frame in frames {
        ng.packet(0, frame.time_ns, frame.wire_len, &frame.bytes);
    }
    ng.bytes
}

/// Compressed with gzip.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Compressed with zstd.
pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 1).unwrap()
}

/// Compressed with lz4, in blocks of 64 KiB.
pub(crate) fn lz4(bytes: &[u8]) -> Vec<u8> {
    let info = lz4_flex::frame::FrameInfo::new().block_size(lz4_flex::frame::BlockSize::Max64KB);
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
