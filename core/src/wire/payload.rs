//! What a payload begins with: a few comparisons, enough to tell a handshake from data.

use crate::segment::Payload;

/// Not 0 where a payload that begins with a byte may be more than [`Payload::Other`].
static TELLING: [u8; 256] = {
    let mut telling = [0; 256];
    let firsts = [20, 21, 22, 23, b'C', b'D', b'G', b'H', b'O', b'P', b'T'];
    let mut at = 0;
    while at < firsts.len() {
        telling[firsts[at] as usize] = 1;
        at += 1;
    }
    telling
};

/// The kind of the captured payload: `len` bytes from `start` of `bytes` on.
///
/// Looks at a first byte even where there is none, and at another one then: whether packets have a
/// payload is hard to predict, and what the byte is hardly matters. Of two conditions a compiler makes
/// two jumps, so it is one product.
#[inline(always)]
pub(super) fn kind(bytes: &[u8], start: usize, len: usize) -> Payload {
    let at = start.min(bytes.len().saturating_sub(1));
    let first = bytes.get(at).map_or(0, |byte| *byte);
    if usize::from(TELLING[usize::from(first)]).wrapping_mul(len) != 0 {
        return told(bytes.get(start..).and_then(|rest| rest.get(..len)).unwrap_or_default());
    }
    if len == 0 { Payload::None } else { Payload::Other }
}

fn told(bytes: &[u8]) -> Payload {
    match *bytes {
        // A TLS record (RFC 8446 section 5.1): content type, version 3.x, length.
        [20..=23, 3, 0..=4, ..] => tls(bytes),
        [_, b'A'..=b'Z', ..] => http(bytes),
        [] => Payload::None,
        _ => Payload::Other,
    }
}

fn tls(bytes: &[u8]) -> Payload {
    const CLIENT_HELLO: u8 = 1;
    match *bytes {
        // Longer records than RFC 8446 section 5.2 allows are data that happens to look alike.
        [_, _, _, 0x49..=0xff, ..] => Payload::Other,
        [21, ..] => Payload::TlsAlert,
        [22, _, _, _, _, CLIENT_HELLO, ..] => Payload::TlsClientHello,
        [20 | 22, ..] => Payload::TlsHandshake,
        _ => Payload::TlsData,
    }
}

fn http(bytes: &[u8]) -> Payload {
    // Methods of RFC 9110 section 9 and RFC 5789, and the preface of RFC 9113 section 3.4.
    const REQUESTS: [&[u8]; 10] = [
        b"GET ",
        b"POST ",
        b"PUT ",
        b"HEAD ",
        b"DELETE ",
        b"OPTIONS ",
        b"PATCH ",
        b"CONNECT ",
        b"TRACE ",
        b"PRI * HTTP/2",
    ];
    if bytes.starts_with(b"HTTP/1.") {
        Payload::HttpResponse
    } else if REQUESTS.iter().any(|start| bytes.starts_with(start)) {
        Payload::HttpRequest
    } else {
        Payload::Other
    }
}
