//! TCP (RFC 9293 section 3.1): the header behind an IP header, whole or cut, into a [`Segment`].

use super::view::View;
use super::{Sink, options, payload};
use crate::flow::hash::hash;
use crate::flow::key::FlowKey;
use crate::flow::usual::Usual;
use crate::segment::{RstTexts, Segment, TcpFlags, quirk};
use crate::skip::Skip;

/// What an IP header of either version says about the packet.
pub(super) struct Ip {
    pub(super) source: [u8; 16],
    pub(super) destination: [u8; 16],
    pub(super) id: u16,
    pub(super) ttl: u8,
    pub(super) tos: u8,
    pub(super) protocol: u8,
    pub(super) quirks: u8,
}

/// Everything known about a packet before its TCP header is read.
pub(super) struct Carrier {
    pub(super) ip: Ip,
    /// Overlay network, as in [`FlowKey::domain`].
    pub(super) domain: u32,
    /// Quirks from outside the innermost IP header.
    pub(super) quirks: u8,
    pub(super) time_ns: u64,
}

/// The header's fields up to and including the window: without them a segment is of no use.
pub(super) const ESSENTIAL: usize = 16;

/// Reads the TCP header at the front of `body`, which must be delimited by the IP header.
pub(super) fn read(body: View<'_>, carrier: &Carrier, sink: &mut impl Sink) -> Result<(), Skip> {
    if body.wire < 20 {
        return Err(Skip::BadTcp);
    }
    let (header, _) = body.take::<ESSENTIAL>()?;
    let header_len = usize::from(header[12] >> 4) * 4;
    if header_len < 20 || header_len > body.wire {
        return Err(Skip::BadTcp);
    }
    let ip = &carrier.ip;
    let (key, direction) = FlowKey::new(
        (ip.source, u16::from_be_bytes([header[0], header[1]])),
        (ip.destination, u16::from_be_bytes([header[2], header[3]])),
        carrier.domain,
    );
    let hash = hash(&key);
    let (segment, texts) = sink.place(hash);
    segment.key = key;
    segment.hash = hash;
    segment.time_ns = carrier.time_ns;
    segment.ip_id = ip.id;
    segment.ttl = ip.ttl;
    segment.tos = ip.tos;
    segment.direction = direction;
    let cut = if body.is_cut() { quirk::CUT } else { 0 };
    segment.quirks = ip.quirks | carrier.quirks | cut;
    let (fields, data) = body.bytes.split_at_checked(header_len).unwrap_or((body.bytes, &[]));
    let area = fields.get(20..).unwrap_or(&[]);
    options::read(area, header_len - 20, segment);
    let claimed = u32::try_from(body.wire - header_len).unwrap_or(u32::MAX);
    segment.payload = payload::kind(data, 0, data.len());
    fill(header, claimed, data, segment, texts);
    sink.options(area);
    Ok(())
}

/// The source and the destination port.
#[inline(always)]
pub(super) const fn ports(header: &[u8; 20]) -> [u16; 2] {
    let both = u32::from_be_bytes([header[0], header[1], header[2], header[3]]);
    [(both >> 16) as u16, both as u16]
}

/// Fills what the fixed header and the payload's length say: `claimed` bytes on the wire, of which
/// `captured` are here.
#[inline(always)]
pub(super) fn fill(
    header: &[u8; ESSENTIAL],
    claimed: u32,
    captured: &[u8],
    segment: &mut Segment,
    texts: &mut RstTexts,
) {
    segment.seq = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
    segment.ack = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
    segment.flags = TcpFlags(header[13]);
    segment.window = u16::from_be_bytes([header[14], header[15]]);
    segment.payload_len = claimed;
    segment.text = 0;
    segment.usual = Usual::of(segment);
    if segment.flags.any(TcpFlags::RST) {
        keep_text(captured, segment, texts);
    }
}

#[cold]
#[inline(never)]
fn keep_text(captured: &[u8], segment: &mut Segment, texts: &mut RstTexts) {
    if !captured.is_empty() {
        segment.text = texts.keep(captured);
    }
}
