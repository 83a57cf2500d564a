//! A dissected TCP segment: plain data, no borrow, so that it can wait in a burst or cross a queue.

use crate::flow::key::FlowKey;
use crate::flow::usual::Usual;

/// The control bits of a TCP header (RFC 9293 section 3.1; CWR and ECE included).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// Push.
    pub const PSH: u8 = 0x08;
    /// The acknowledgement field is significant.
    pub const ACK: u8 = 0x10;

    /// Whether any of the bits in `mask` is set.
    #[inline]
    #[must_use]
    pub const fn any(self, mask: u8) -> bool {
        self.0 & mask != 0
    }

    /// SYN set, ACK and RST clear: an opening segment.
    #[inline]
    #[must_use]
    pub const fn is_syn(self) -> bool {
        self.0 & (Self::SYN | Self::ACK | Self::RST) == Self::SYN
    }

    /// SYN and ACK set, RST clear.
    #[inline]
    #[must_use]
    pub const fn is_syn_ack(self) -> bool {
        self.0 & (Self::SYN | Self::ACK | Self::RST) == Self::SYN | Self::ACK
    }
}

/// What the first bytes of a payload look like; enough to tell a handshake from data.
#[repr(u8)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Payload {
    /// No payload, or none of it was captured.
    #[default]
    None,
    /// Anything not listed below.
    Other,
    /// A TLS alert record (content type 21).
    TlsAlert,
    /// A TLS handshake record that begins with a `ClientHello`.
    TlsClientHello,
    /// Any other TLS handshake record, or change cipher spec.
    TlsHandshake,
    /// A TLS application data record.
    TlsData,
    /// An HTTP/1 request line or the HTTP/2 preface.
    HttpRequest,
    /// An HTTP/1 status line.
    HttpResponse,
}

/// Whether the payload is a TLS alert, plain or encrypted: it says goodbye and asks for nothing.
/// TLS 1.3 hides alerts in application data records of 24 bytes at most (RFC 8446 section 5.2: a
/// header of 5, the alert's 2, the type, a tag of 16).
#[inline(always)]
pub(crate) const fn closes_tls(segment: &Segment) -> bool {
    // Payloads shorter than this are a goodbye; a table, as what a payload is cannot be predicted.
    const SHORTER_THAN: [u32; 8] = {
        let mut lens = [0; 8];
        lens[Payload::TlsAlert as usize] = u32::MAX;
        lens[Payload::TlsData as usize] = 25;
        lens
    };
    segment.payload_len < SHORTER_THAN[segment.payload as usize & 7]
}

/// Bits of [`Segment::options`].
pub mod option {
    /// Timestamps (RFC 7323).
    pub const TIMESTAMPS: u8 = 0x01;
    /// Maximum segment size.
    pub const MSS: u8 = 0x02;
    /// Window scale (RFC 7323).
    pub const WINDOW_SCALE: u8 = 0x04;
    /// SACK permitted (RFC 2018).
    pub const SACK_PERMITTED: u8 = 0x08;
    /// At least one SACK block.
    pub const SACK: u8 = 0x10;
    /// Multipath TCP (RFC 8684), any subtype.
    pub const MPTCP: u8 = 0x20;
    /// The options area ends inside an option, or has a length below 2.
    pub const MALFORMED: u8 = 0x80;
}

/// Bits of [`Segment::quirks`].
pub mod quirk {
    /// IPv4: "don't fragment" is set. IPv6 packets count as set.
    pub const DF: u8 = 0x01;
    /// IPv6.
    pub const IPV6: u8 = 0x02;
    /// The first fragment of a fragmented datagram.
    pub const FIRST_FRAGMENT: u8 = 0x04;
    /// The snap length cut the payload: `payload_len` is what the IP header claims.
    pub const CUT: u8 = 0x08;
    /// The segment came out of a tunnel (GRE, VXLAN, Geneve, IP-in-IP, ERSPAN, Teredo).
    pub const TUNNEL: u8 = 0x10;
}

/// The largest number of bytes kept of the text that a RST may carry (RFC 9293 section 3.5.2).
pub const RST_TEXT_LEN: usize = 64;

/// One TCP segment as the tracker needs it.
///
/// `key` is canonical (the same for both directions); `direction` says from which of its two
/// endpoints the segment came: 0 when `key.addr[0]` sent it, 1 when `key.addr[1]` did.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Segment {
    /// The canonical 5-tuple.
    pub key: FlowKey,
    /// [`crate::flow::hash::hash`] of `key`.
    pub hash: u64,
    /// Nanoseconds since 1970-01-01 UTC.
    pub time_ns: u64,
    /// Number of the frame in the capture, from 1.
    pub frame: u64,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement field, whether or not ACK is set.
    pub ack: u32,
    /// Payload bytes on the wire, by the IP header's length.
    pub payload_len: u32,
    /// Window field as sent, not scaled.
    pub window: u16,
    /// IPv4 identification; 0 for IPv6.
    pub ip_id: u16,
    /// Maximum segment size, when `options` has [`option::MSS`].
    pub mss: u16,
    /// 1 + index of the RST's text in the burst's text pool; 0 when there is none.
    pub text: u16,
    /// Control bits.
    pub flags: TcpFlags,
    /// IPv4 time to live or IPv6 hop limit.
    pub ttl: u8,
    /// IPv4 type of service or IPv6 traffic class.
    pub tos: u8,
    /// Window scale shift, when `options` has [`option::WINDOW_SCALE`].
    pub window_scale: u8,
    /// Which options are present: bits of [`option`].
    pub options: u8,
    /// Bits of [`quirk`].
    pub quirks: u8,
    /// What the payload begins with.
    pub payload: Payload,
    /// Index in `key` of the endpoint that sent the segment: 0 or 1.
    pub direction: u8,
    /// What makes it a usual segment: [`Usual::of`] all other fields, to be made again by whoever changes
    /// one of them.
    pub usual: Usual,
}

const _: () = assert!(size_of::<Segment>() == 96, "a segment is one and a half cache lines");

impl Segment {
    /// Sequence space that the segment occupies: payload, plus one each for SYN and FIN.
    #[inline]
    #[must_use]
    pub const fn sequence_len(&self) -> u32 {
        let flags = self.flags.0;
        let control = (flags & TcpFlags::FIN) as u32 + ((flags & TcpFlags::SYN) >> 1) as u32;
        self.payload_len.wrapping_add(control)
    }

    /// The sequence number behind the segment's last byte.
    #[inline]
    #[must_use]
    pub const fn end(&self) -> u32 {
        self.seq.wrapping_add(self.sequence_len())
    }

    /// Whether all bits of `mask` (see [`quirk`]) are set.
    #[inline]
    #[must_use]
    pub const fn has_quirk(&self, mask: u8) -> bool {
        self.quirks & mask == mask
    }

    /// Whether any bit of `mask` (see [`option`]) is set.
    #[inline]
    #[must_use]
    pub const fn has_option(&self, mask: u8) -> bool {
        self.options & mask != 0
    }
}

/// The texts that RSTs of one burst carried, filled by dissection.
///
/// Such RSTs are rare, so memory is taken when the first come, up to the bound, and then kept.
#[derive(Clone, Debug)]
pub struct RstTexts {
    texts: Vec<[u8; RST_TEXT_LEN]>,
    most: usize,
}

impl RstTexts {
    /// Room for up to `most` texts.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { texts: Vec::new(), most: most.min(usize::from(u16::MAX)) }
    }

    /// Forgets all texts.
    pub fn clear(&mut self) {
        self.texts.clear();
    }

    /// Keeps the first bytes of `payload` and returns the handle for [`Segment::text`]; 0 when full.
    #[must_use]
    pub fn keep(&mut self, payload: &[u8]) -> u16 {
        if self.texts.len() >= self.most {
            return 0;
        }
        let mut text = [0; RST_TEXT_LEN];
        for (to, from) in text.iter_mut().zip(payload) {
            *to = *from;
        }
        self.texts.push(text);
        u16::try_from(self.texts.len()).unwrap_or(0)
    }

    /// The text behind a handle, zero-padded.
    #[must_use]
    pub fn get(&self, handle: u16) -> Option<&[u8; RST_TEXT_LEN]> {
        self.texts.get(usize::from(handle).checked_sub(1)?)
    }
}
