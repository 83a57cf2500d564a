//! What connections carry: a pool of bytes with openings of real protocols, and its checksums.
//!
//! A payload is a range of the pool, so a retransmission repeats its bytes and a checksum costs four
//! look-ups, whatever the length.

use super::dice::Dice;

/// Bytes of the pool that are drawn from at random; a power of two.
const RANDOM: usize = 1 << 16;

/// The longest payload of one packet.
const LONGEST: usize = 1 << 11;

/// A range of the pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Payload {
    /// Where it begins.
    pub(super) start: u32,
    /// Its length in bytes.
    pub(super) len: u16,
}

/// How a message begins.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// In the middle of something, or encrypted beyond recognition.
    Plain,
    /// An HTTP/1.1 request.
    HttpRequest,
    /// An HTTP/1.1 response.
    HttpResponse,
    /// A TLS `ClientHello` record.
    TlsHello,
    /// A TLS record with a `ServerHello` and certificates.
    TlsServerHello,
    /// A TLS record of application data.
    TlsData,
    /// A fatal TLS alert (`handshake_failure`).
    TlsAlert,
    /// A banner of a server that speaks first.
    Banner,
    /// What a load balancer writes into its own resets.
    ResetText,
    /// A DNS query.
    DnsQuery,
    /// A DNS response.
    DnsResponse,
}

/// The bytes that each opening begins with.
const OPENINGS: [(Opening, &[u8]); 10] = [
    (
        Opening::HttpRequest,
        b"GET /catalogue?page=7 HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: client/1.0\r\nAccept: \
          */*\r\nCookie: session=",
    ),
    (
        Opening::HttpResponse,
        b"HTTP/1.1 200 OK\r\nServer: example\r\nContent-Type: application/octet-stream\r\n\r\n",
    ),
    // A record of 512 bytes: random, one cipher suite, the name shop.example, padding.
    (Opening::TlsHello, &[22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]),
    // A record of 122 bytes, and the first of application data behind it.
    (Opening::TlsServerHello, &[22, 3, 3, 0, 122, 2, 0, 0, 118, 3, 3]),
    (Opening::TlsData, &[23, 3, 3, 16, 0]),
    (Opening::TlsAlert, &[21, 3, 3, 0, 2, 2, 40]),
    (Opening::Banner, b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12\r\n"),
    (Opening::ResetText, b"BIG-IP: [0x2664c65:2574] No flow found for ACK"),
    (
        Opening::DnsQuery,
        b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04shop\x07example\x00\x00\x01\x00\x01",
    ),
    (
        Opening::DnsResponse,
        b"\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x04shop\x07example\x00\x00\x01\x00\x01\
          \xc0\x0c\x00\x01\x00\x01\x00\x00\x01\x2c\x00\x04\xc6\x13\x00\x01",
    ),
];

/// What is not random in the middle of an opening: where, and what.
const LATER: [(Opening, usize, &[u8]); 3] = [
    (
        Opening::TlsHello,
        43,
        b"\x00\x00\x02\x13\x01\x01\x00\x01\xd1\x00\x00\x00\x11\x00\x0f\x00\x00\x0cshop.example\x00\x15\x01\xb8",
    ),
    (Opening::TlsServerHello, 43, &[0, 0x13, 1, 0, 0, 78, 0, 0x15, 0, 74]),
    (Opening::TlsServerHello, 127, &[23, 3, 3, 16, 0]),
];

/// Lengths of a DNS query and its response, in bytes.
pub(super) const DNS_LEN: [u16; 2] = [30, 46];

/// The text of [`Opening::ResetText`], in bytes.
pub(super) const RESET_TEXT_LEN: u16 = 46;

/// The bytes, and running sums of those at even and at odd places.
pub(super) struct Pool {
    bytes: Vec<u8>,
    sums: Vec<[u32; 2]>,
}

impl Pool {
    /// A pool filled by `dice`.
    pub(super) fn new(dice: &mut Dice) -> Self {
        let len = RANDOM + LONGEST + OPENINGS.len() * LONGEST;
        let mut bytes: Vec<u8> = (0..len).map(|_| dice.bits() as u8).collect();
        let letters = opening_at(Opening::HttpRequest)..opening_at(Opening::HttpResponse);
        let request = bytes.get_mut(letters).unwrap_or_default();
        request.iter_mut().for_each(|byte| *byte = b'a' + *byte % 26);
        let openings = OPENINGS.iter().map(|(opening, text)| (opening, 0, text));
        let later = LATER.iter().map(|(opening, place, text)| (opening, *place, text));
        for (opening, place, text) in openings.chain(later) {
            let room = bytes.get_mut(opening_at(*opening) + place..).unwrap_or_default();
            room.iter_mut().zip(*text).for_each(|(byte, wanted)| *byte = *wanted);
        }
        let mut sum = [0u32; 2];
        let mut sums = vec![sum];
        for pair in bytes.chunks(2) {
            for (parity, byte) in pair.iter().enumerate() {
                sum[parity & 1] += u32::from(*byte);
                sums.push(sum);
            }
        }
        Self { bytes, sums }
    }

    /// The bytes of a payload.
    pub(super) fn bytes(&self, payload: Payload) -> &[u8] {
        let start = payload.start as usize;
        self.bytes.get(start..start + usize::from(payload.len)).unwrap_or_default()
    }

    /// The sum of a payload's 16-bit words, not folded (RFC 1071).
    pub(super) fn sum(&self, payload: Payload) -> u32 {
        let start = payload.start as usize;
        let at = |place: usize| self.sums.get(place).copied().unwrap_or_default();
        let (from, to) = (at(start), at(start + usize::from(payload.len)));
        let parity = start & 1;
        let high = to[parity] - from[parity];
        let low = to[parity ^ 1] - from[parity ^ 1];
        high * 256 + low
    }
}

/// The payload at a place of a stream: a message's first packet shows its opening, the others are
/// found by their sequence number, so that a retransmission carries the same bytes.
pub(super) fn at(opening: Opening, seq: u32, len: u16) -> Payload {
    let start = match opening {
        Opening::Plain => (seq as usize & (RANDOM - 1)) as u32,
        other => opening_at(other) as u32,
    };
    Payload { start, len: len.min(LONGEST as u16) }
}

fn opening_at(opening: Opening) -> usize {
    let place = OPENINGS.iter().position(|(known, _)| *known == opening).unwrap_or(0);
    RANDOM + LONGEST + place * LONGEST
}

#[cfg(test)]
mod tests {
    use super::{Opening, Payload, Pool, RESET_TEXT_LEN, at};
    use crate::generate::dice::Dice;

    #[test]
    fn a_sum_is_that_of_the_words_whatever_the_place() {
        let pool = Pool::new(&mut Dice::new(3));
        for (start, len) in [(0, 0), (0, 1), (1, 1), (0, 1460), (77, 1459), (70_001, 300)] {
            let payload = Payload { start, len };
            let words = pool.bytes(payload).chunks(2);
            let want: u32 = words
                .map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)))
                .sum();
            assert_eq!(pool.sum(payload), want, "{start} {len}");
        }
    }

    #[test]
    fn openings_are_found() {
        let pool = Pool::new(&mut Dice::new(3));
        assert!(pool.bytes(at(Opening::HttpRequest, 9, 300)).starts_with(b"GET /"));
        let text = pool.bytes(at(Opening::ResetText, 9, RESET_TEXT_LEN));
        assert!(text.ends_with(b"No flow found for ACK"));
    }
}
