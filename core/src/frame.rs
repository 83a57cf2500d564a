//! A captured frame as a source hands it over: borrowed bytes, a timestamp, a link type.

/// The link-layer type of a frame, by its number in the registry of the pcap formats
/// (<https://www.tcpdump.org/linktypes.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: a 4-byte protocol family in the byte order of the capturing host.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// PPP as in RFC 1661, with or without HDLC framing bytes.
    pub const PPP: Self = Self(9);
    /// Raw IP, the number that files from some BSDs carry.
    pub const RAW_BSD: Self = Self(12);
    /// Raw IP, the number that OpenBSD files carry.
    pub const RAW_OPENBSD: Self = Self(14);
    /// PPP in HDLC-like framing (RFC 1662).
    pub const PPP_HDLC: Self = Self(50);
    /// Raw IP: the version nibble tells IPv4 from IPv6.
    pub const RAW: Self = Self(101);
    /// Cisco HDLC.
    pub const C_HDLC: Self = Self(104);
    /// OpenBSD loopback: a 4-byte protocol family in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux cooked capture, version 1.
    pub const LINUX_SLL: Self = Self(113);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux cooked capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);
}

/// One captured frame, borrowed from the memory of its source.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The captured bytes, from the first byte of the link layer; cut at the snap length.
    pub bytes: &'a [u8],
    /// Length of the frame on the wire, in bytes; at least `bytes.len()`.
    pub wire_len: u32,
    /// When the frame was captured, in nanoseconds since 1970-01-01 UTC.
    pub time_ns: u64,
    /// What `bytes` begins with.
    pub link: LinkType,
}
