//! From an expression to conditions on the bytes of a frame, as tcpdump (libpcap 1.10) has them.

use resetscope_core::frame::LinkType;

use super::parse::{Direction, Network, Node, Primitive, Protocol, Transport};
use super::program::{Condition, Is, Load};

/// IP protocol numbers.
mod protocol {
    pub(super) const ICMP: u32 = 1;
    pub(super) const TCP: u32 = 6;
    pub(super) const UDP: u32 = 17;
    pub(super) const FRAGMENT: u32 = 44;
    pub(super) const ICMP6: u32 = 58;
    pub(super) const SCTP: u32 = 132;
}

const ETHERTYPE_IP4: u32 = 0x0800;
const ETHERTYPE_ARP: u32 = 0x0806;
const ETHERTYPE_RARP: u32 = 0x8035;
const ETHERTYPE_IP6: u32 = 0x86dd;

/// The condition that `node` states on frames that begin with `link`.
pub(super) fn lower(node: &Node, link: LinkType) -> Condition {
    let frame = Layout { ethernet: link == LinkType::ETHERNET };
    frame.node(node)
}

/// Where things are in a frame.
struct Layout {
    ethernet: bool,
}

impl Layout {
    fn node(&self, node: &Node) -> Condition {
        match node {
            Node::All(parts) => Condition::All(parts.iter().map(|part| self.node(part)).collect()),
            Node::Any(parts) => Condition::Any(parts.iter().map(|part| self.node(part)).collect()),
            Node::Not(inner) => Condition::Not(Box::new(self.node(inner))),
            Node::Test(primitive) => self.primitive(primitive),
        }
    }

    fn primitive(&self, primitive: &Primitive) -> Condition {
        match *primitive {
            Primitive::Protocol(protocol) => self.protocol(protocol),
            Primitive::Host { family, direction, network } => {
                self.network(family, direction, network)
            }
            Primitive::Port { transport, direction, low, high } => {
                self.ports(transport, direction, low, high)
            }
        }
    }

    /// Where the IP header begins.
    const fn ip(&self) -> u32 {
        if self.ethernet { 14 } else { 0 }
    }

    /// The frame is of a network protocol; without a link layer there is only IP.
    fn network_protocol(&self, ethertype: u32) -> Condition {
        if self.ethernet {
            return Condition::Value(Load::Half(12), Is::Equal(ethertype));
        }
        match ethertype {
            ETHERTYPE_IP4 => Condition::Value(Load::Byte(0), Is::Masked(0xf0, 0x40)),
            ETHERTYPE_IP6 => Condition::Value(Load::Byte(0), Is::Masked(0xf0, 0x60)),
            _ => Condition::Never,
        }
    }

    fn ip4_protocol(&self, number: u32) -> Condition {
        Condition::Value(Load::Byte(self.ip() + 9), Is::Equal(number))
    }

    fn ip6_next(&self, number: u32) -> Condition {
        Condition::Value(Load::Byte(self.ip() + 6), Is::Equal(number))
    }

    fn protocol(&self, of: Protocol) -> Condition {
        let ip4 = |number| {
            Condition::All(vec![self.network_protocol(ETHERTYPE_IP4), self.ip4_protocol(number)])
        };
        let ip6 = |number| {
            let behind = Condition::Value(Load::Byte(self.ip() + 40), Is::Equal(number));
            let fragment = Condition::All(vec![self.ip6_next(protocol::FRAGMENT), behind]);
            Condition::All(vec![
                self.network_protocol(ETHERTYPE_IP6),
                Condition::Any(vec![self.ip6_next(number), fragment]),
            ])
        };
        match of {
            Protocol::Ip => self.network_protocol(ETHERTYPE_IP4),
            Protocol::Ip6 => self.network_protocol(ETHERTYPE_IP6),
            Protocol::Arp => self.network_protocol(ETHERTYPE_ARP),
            Protocol::Icmp => ip4(protocol::ICMP),
            Protocol::Icmp6 => ip6(protocol::ICMP6),
            Protocol::Tcp => Condition::Any(vec![ip4(protocol::TCP), ip6(protocol::TCP)]),
            Protocol::Udp => Condition::Any(vec![ip4(protocol::UDP), ip6(protocol::UDP)]),
        }
    }

    fn network(
        &self,
        family: Option<Protocol>,
        direction: Direction,
        network: Network,
    ) -> Condition {
        match network {
            Network::V4 { address, mask } => {
                let of = |ethertype, source, destination| {
                    let at = |at| match mask {
                        0 => Condition::All(Vec::new()),
                        u32::MAX => Condition::Value(Load::Word(at), Is::Equal(address)),
                        mask => Condition::Value(Load::Word(at), Is::Masked(mask, address)),
                    };
                    let addresses = either(direction, at(source), at(destination));
                    Condition::All(vec![self.network_protocol(ethertype), addresses])
                };
                let ip = self.ip();
                let mut kinds = Vec::new();
                if family != Some(Protocol::Arp) {
                    kinds.push(of(ETHERTYPE_IP4, ip + 12, ip + 16));
                }
                if family != Some(Protocol::Ip) {
                    kinds.push(of(ETHERTYPE_ARP, ip + 14, ip + 24));
                }
                if family.is_none() {
                    kinds.push(of(ETHERTYPE_RARP, ip + 14, ip + 24));
                }
                Condition::Any(kinds)
            }
            Network::V6 { address, mask } => {
                let at = |at| Condition::All(words(at, address, mask));
                let addresses = either(direction, at(self.ip() + 8), at(self.ip() + 24));
                Condition::All(vec![self.network_protocol(ETHERTYPE_IP6), addresses])
            }
        }
    }

    fn ports(
        &self,
        transport: Option<Transport>,
        direction: Direction,
        low: u16,
        high: u16,
    ) -> Condition {
        let numbers: &[u32] = match transport {
            Some(Transport::Tcp) => &[protocol::TCP],
            Some(Transport::Udp) => &[protocol::UDP],
            None => &[protocol::SCTP, protocol::TCP, protocol::UDP],
        };
        let ip = self.ip();
        let port = |load| match (low, high) {
            _ if low == high => Condition::Value(load, Is::Equal(low.into())),
            _ => Condition::All(vec![
                Condition::Value(load, Is::AtLeast(low.into())),
                Condition::Value(load, Is::AtMost(high.into())),
            ]),
        };
        let ip4 = Condition::All(vec![
            self.network_protocol(ETHERTYPE_IP4),
            Condition::Any(numbers.iter().map(|&number| self.ip4_protocol(number)).collect()),
            // Only the first fragment has ports.
            Condition::Value(Load::Half(ip + 6), Is::Without(0x1fff)),
            either(direction, port(Load::HalfBehindIp4(ip, 0)), port(Load::HalfBehindIp4(ip, 2))),
        ]);
        let ip6 = Condition::All(vec![
            self.network_protocol(ETHERTYPE_IP6),
            Condition::Any(numbers.iter().map(|&number| self.ip6_next(number)).collect()),
            either(direction, port(Load::Half(ip + 40)), port(Load::Half(ip + 42))),
        ]);
        Condition::Any(vec![ip6, ip4])
    }
}

fn either(direction: Direction, source: Condition, destination: Condition) -> Condition {
    match direction {
        Direction::Source => source,
        Direction::Destination => destination,
        Direction::Either => Condition::Any(vec![source, destination]),
        Direction::Both => Condition::All(vec![source, destination]),
    }
}

/// The 32-bit words at `at` that matter for an IPv6 network.
fn words(at: u32, address: u128, mask: u128) -> Vec<Condition> {
    let word = |of: u128, shift: u32| (of >> shift) as u32;
    [(0, 96), (4, 64), (8, 32), (12, 0)]
        .into_iter()
        .filter_map(|(offset, shift)| {
            let (value, load) = (word(address, shift), Load::Word(at + offset));
            match word(mask, shift) {
                0 => None,
                u32::MAX => Some(Condition::Value(load, Is::Equal(value))),
                mask => Some(Condition::Value(load, Is::Masked(mask, value))),
            }
        })
        .collect()
}
