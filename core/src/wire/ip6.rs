//! IPv6 (RFC 8200): the fixed header and a bounded walk over its extension headers.

use super::limits;
use super::tcp::Ip;
use super::view::View;
use crate::segment::quirk;
use crate::skip::Skip;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
const MOBILITY: u8 = 135;
const HIP: u8 = 139;
const SHIM6: u8 = 140;

/// Reads an IPv6 header and its extension headers; the view returned holds what the payload
/// length delimits, behind the last extension header.
pub(super) fn read(packet: View<'_>) -> Result<(Ip, View<'_>), Skip> {
    let (fixed, rest) = packet.take::<8>()?;
    let (source, rest) = rest.take::<16>()?;
    let (destination, rest) = rest.take::<16>()?;
    if fixed[0] >> 4 != 6 {
        return Err(Skip::BadIp);
    }
    let mut ip = Ip {
        source: *source,
        destination: *destination,
        id: 0,
        ttl: fixed[7],
        tos: fixed[0] << 4 | fixed[1] >> 4,
        protocol: fixed[6],
        quirks: quirk::IPV6 | quirk::DF,
    };
    let body = match u16::from_be_bytes([fixed[4], fixed[5]]) {
        // A jumbogram (RFC 2675) or a packet caught before segmentation: take what there is.
        0 => rest,
        len => rest.limit(usize::from(len)),
    };
    let body = extensions(&mut ip, body)?;
    Ok((ip, body))
}

const fn is_extension(protocol: u8) -> bool {
    matches!(
        protocol,
        HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION | MOBILITY | HIP | SHIM6
    )
}

/// Walks the extension headers; `ip.protocol` becomes the first next header that is none.
fn extensions<'a>(ip: &mut Ip, mut body: View<'a>) -> Result<View<'a>, Skip> {
    for _ in 0..=limits::EXTENSION_HEADERS {
        if !is_extension(ip.protocol) {
            return Ok(body);
        }
        let (h, _) = body.take::<8>()?;
        let len = match ip.protocol {
            FRAGMENT => {
                let fragment = u16::from_be_bytes([h[2], h[3]]);
                if fragment & 0xfff8 != 0 {
                    return Err(Skip::Fragment);
                }
                // Offset 0 and no more fragments is an atomic fragment (RFC 6946): a whole packet.
                if fragment & 1 != 0 {
                    ip.quirks |= quirk::FIRST_FRAGMENT;
                }
                8
            }
            // RFC 4302 section 2.2 counts words minus 2, the others 8-byte units minus 1.
            AUTHENTICATION => (usize::from(h[1]) + 2) * 4,
            _ => (usize::from(h[1]) + 1) * 8,
        };
        ip.protocol = h[0];
        body = body.advance(len)?;
    }
    Err(Skip::TooDeep)
}
