//! Why a frame was read but not used: one reason a frame, so that the packet ledger balances.

/// Why a frame did not become a TCP segment; the value is the counter's index.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Skip {
    /// The link type is not one this dissector reads, or the source does not know it.
    LinkType,
    /// The link layer carries something other than IPv4 or IPv6 (ARP, LLDP, STP, …).
    NotIp,
    /// IP, but neither TCP nor a tunnel that leads to TCP (UDP, ICMP, …).
    NotTcp,
    /// A fragment other than the first: it has no TCP header.
    Fragment,
    /// The snap length cut the frame before the end of its TCP header.
    Truncated,
    /// A link, MPLS, tunnel or IP header contradicts itself or the length of the frame.
    BadIp,
    /// A TCP header contradicts itself (data offset below 20 bytes or beyond the packet).
    BadTcp,
    /// More nested headers (tags, labels, extension headers, tunnels) than the limit allows.
    TooDeep,
}

impl Skip {
    /// Every reason, in the order of the counters.
    pub const ALL: [Self; 8] = [
        Self::LinkType,
        Self::NotIp,
        Self::NotTcp,
        Self::Fragment,
        Self::Truncated,
        Self::BadIp,
        Self::BadTcp,
        Self::TooDeep,
    ];

    /// The reason's name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LinkType => "link_type",
            Self::NotIp => "not_ip",
            Self::NotTcp => "not_tcp",
            Self::Fragment => "fragment",
            Self::Truncated => "truncated",
            Self::BadIp => "bad_ip",
            Self::BadTcp => "bad_tcp",
            Self::TooDeep => "too_deep",
        }
    }
}
