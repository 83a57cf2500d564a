//! What a payload begins with: a few comparisons, enough to tell a handshake from data.

use crate::segment::Payload;

/// The kind of the captured payload `bytes`.
#[inline(always)]
pub(super) fn kind(bytes: &[u8]) -> Payload {
    match *bytes {
        [] => Payload::None,
        // A TLS record (RFC 8446 section 5.1): content type, version 3.x, length.
        [20..=23, 3, 0..=4, ..] => tls(bytes),
        [b'C' | b'D' | b'G' | b'H' | b'O' | b'P' | b'T', b'A'..=b'Z', ..] => http(bytes),
        _ => Payload::Other,
    }
}

#[inline(never)]
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

#[inline(never)]
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
