//! Every bound of dissection in one place: a hostile frame costs a fixed amount of work, no more.

/// Link-layer headers read before one IP header: Ethernet, tags, labels, PPP and LLC together.
///
/// Provider networks stack two tags, a service label, a transport label and a few more for
/// segment routing (RFC 8660; hardware pushes about ten at most).
pub(super) const LINK_HEADERS: usize = 16;

/// IPv6 extension headers between the fixed header and TCP.
///
/// RFC 8200 section 4.1 recommends an order with at most seven (destination options twice).
pub(super) const EXTENSION_HEADERS: usize = 8;

/// Tunnels entered, one inside the other.
///
/// A mirrored (ERSPAN) overlay packet (VXLAN) that itself holds a VPN (GRE or IP-in-IP) is three;
/// one more is kept in reserve.
pub(super) const TUNNELS: usize = 4;

/// GTP-U extension headers (3GPP TS 29.281 section 5.2): the PDU session container and a few more.
pub(super) const GTP_EXTENSIONS: usize = 4;

/// The largest window scale shift (RFC 7323 section 2.3: a larger one must be read as 14).
pub(super) const WINDOW_SCALE_MAX: u8 = 14;
