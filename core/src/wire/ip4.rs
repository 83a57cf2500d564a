//! IPv4 (RFC 791): the header, its options by length only, fragments by their offset.

use super::tcp::Ip;
use super::view::View;
use crate::flow::key::mapped;
use crate::segment::quirk;
use crate::skip::Skip;

/// Reads an IPv4 header; the view returned holds what its total length delimits.
pub(super) fn read(packet: View<'_>) -> Result<(Ip, View<'_>), Skip> {
    let (h, _) = packet.take::<20>()?;
    let header_len = usize::from(h[0] & 0x0f) * 4;
    let total = match u16::from_be_bytes([h[2], h[3]]) {
        // Segmentation offload leaves 0 for packets above 64 KiB: take what there is.
        0 => packet.wire,
        total => usize::from(total),
    };
    if h[0] >> 4 != 4 || header_len < 20 || total < header_len {
        return Err(Skip::BadIp);
    }
    let fragment = u16::from_be_bytes([h[6], h[7]]);
    if fragment & 0x1fff != 0 {
        return Err(Skip::Fragment);
    }
    let df = if fragment & 0x4000 == 0 { 0 } else { quirk::DF };
    let first = if fragment & 0x2000 == 0 { 0 } else { quirk::FIRST_FRAGMENT };
    let ip = Ip {
        source: mapped([h[12], h[13], h[14], h[15]]),
        destination: mapped([h[16], h[17], h[18], h[19]]),
        id: u16::from_be_bytes([h[4], h[5]]),
        ttl: h[8],
        tos: h[1],
        protocol: h[9],
        quirks: df | first,
    };
    Ok((ip, packet.limit(total).advance(header_len)?))
}
