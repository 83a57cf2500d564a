//! The canonical 5-tuple: both directions of a connection have one key.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Both endpoints of a flow in canonical order (lower address first, then lower port), and the
/// overlay network it lives in.
///
/// IPv4 addresses are stored v4-mapped (`::ffff:a.b.c.d`), so one shape serves both families.
/// VLAN tags are not part of the key: taps show the two directions of one flow under different
/// tags, or tag only one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct FlowKey {
    /// The two addresses, in network byte order.
    pub addr: [[u8; 16]; 2],
    /// The two ports, beside their addresses.
    pub port: [u16; 2],
    /// The overlay network: 0 outside tunnels, else derived from the VXLAN or Geneve VNI.
    pub domain: u32,
}

const _: () = assert!(size_of::<FlowKey>() == 40, "a key is five words");

impl FlowKey {
    /// The key of a packet from `source` to `destination`, and the packet's direction in it.
    #[inline]
    #[must_use]
    pub fn new(source: ([u8; 16], u16), destination: ([u8; 16], u16), domain: u32) -> (Self, u8) {
        if source <= destination {
            (Self { addr: [source.0, destination.0], port: [source.1, destination.1], domain }, 0)
        } else {
            (Self { addr: [destination.0, source.0], port: [destination.1, source.1], domain }, 1)
        }
    }

    /// The address of endpoint `side` (0 or 1), IPv4 unmapped.
    #[must_use]
    pub fn ip(&self, side: usize) -> IpAddr {
        let v6 = Ipv6Addr::from(self.addr[side & 1]);
        v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4)
    }

    /// The port of endpoint `side` (0 or 1).
    #[must_use]
    pub const fn port(&self, side: usize) -> u16 {
        self.port[side & 1]
    }
}

/// The v4-mapped form of an IPv4 address.
#[inline]
#[must_use]
pub const fn mapped(v4: [u8; 4]) -> [u8; 16] {
    Ipv4Addr::new(v4[0], v4[1], v4[2], v4[3]).to_ipv6_mapped().octets()
}
