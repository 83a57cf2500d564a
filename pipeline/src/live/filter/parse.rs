//! Reads filter expressions.
//!
//! As pcap-filter(7) has it: `not` binds closest, `and` and `or` equally and from left to right,
//! and a bare value takes the qualifiers of the one before it (`port 80 or 443`).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::FilterError;

/// Nested parentheses and negations, at most.
const DEPTH_MAX: usize = 64;

/// Words, at most.
const WORDS_MAX: usize = 4096;

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Test(Primitive),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Ip,
    Ip6,
    Arp,
    Tcp,
    Udp,
    Icmp,
    Icmp6,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Tcp,
    Udp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Either,
    Both,
    Source,
    Destination,
}

/// A network, or a host as the smallest of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Network {
    V4 { address: u32, mask: u32 },
    V6 { address: u128, mask: u128 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Primitive {
    Protocol(Protocol),
    Host { family: Option<Protocol>, direction: Direction, network: Network },
    Port { transport: Option<Transport>, direction: Direction, low: u16, high: u16 },
}

/// What a value is to be read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Host,
    Net,
    Port,
    PortRange,
}

/// What stands before a value.
#[derive(Clone, Copy, Debug)]
struct Qualifiers {
    protocol: Option<Protocol>,
    direction: Direction,
    kind: Kind,
}

/// Reads an expression.
pub(super) fn parse(text: &str) -> Result<Node, FilterError> {
    let words = words(text)?;
    let mut parser = Parser { words: &words, at: 0, before: None };
    let node = parser.expression(0)?;
    match parser.peek() {
        None => Ok(node),
        Some(_) => Err(parser.wanted("`and` or `or`")),
    }
}

/// Cuts the text into words and signs.
fn words(text: &str) -> Result<Vec<&str>, FilterError> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let in_word = |c: char| c.is_ascii_alphanumeric() || "._:/-".contains(c);
        let len = if in_word(first) {
            rest.find(|c| !in_word(c)).unwrap_or(rest.len())
        } else if rest.starts_with("&&") || rest.starts_with("||") {
            2
        } else {
            first.len_utf8()
        };
        let (word, behind) = rest.split_at(len);
        words.push(word);
        rest = behind.trim_start();
        if words.len() > WORDS_MAX {
            return Err(FilterError::TooLong);
        }
    }
    Ok(words)
}

struct Parser<'a> {
    words: &'a [&'a str],
    at: usize,
    /// Qualifiers of the value before.
    before: Option<Qualifiers>,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.words.get(self.at).copied()
    }

    /// Takes the next word if it is one of `these`.
    fn take(&mut self, these: &[&str]) -> bool {
        let found = self.peek().is_some_and(|word| these.contains(&word));
        self.at += usize::from(found);
        found
    }

    fn wanted(&self, wanted: &'static str) -> FilterError {
        let found = self.peek().map_or("nothing more".to_owned(), |word| format!("`{word}`"));
        FilterError::Wanted { wanted, found }
    }

    fn expression(&mut self, depth: usize) -> Result<Node, FilterError> {
        let mut node = self.term(depth)?;
        loop {
            if self.take(&["and", "&&"]) {
                let next = self.term(depth)?;
                node = match node {
                    Node::All(mut parts) => {
                        parts.push(next);
                        Node::All(parts)
                    }
                    other => Node::All(vec![other, next]),
                };
            } else if self.take(&["or", "||"]) {
                let next = self.term(depth)?;
                node = match node {
                    Node::Any(mut parts) => {
                        parts.push(next);
                        Node::Any(parts)
                    }
                    other => Node::Any(vec![other, next]),
                };
            } else {
                return Ok(node);
            }
        }
    }

    fn term(&mut self, depth: usize) -> Result<Node, FilterError> {
        if depth > DEPTH_MAX {
            return Err(FilterError::TooLong);
        }
        if self.take(&["not", "!"]) {
            return Ok(Node::Not(Box::new(self.term(depth + 1)?)));
        }
        if self.take(&["("]) {
            let inner = self.expression(depth + 1)?;
            if !self.take(&[")"]) {
                return Err(self.wanted("`and`, `or` or `)`"));
            }
            return Ok(inner);
        }
        self.primitive().map(Node::Test)
    }

    fn primitive(&mut self) -> Result<Primitive, FilterError> {
        let begin = self.at;
        let protocol = self.protocol();
        let direction = self.direction()?;
        let kind = self.kind();
        if self.at == begin {
            return self.bare_value();
        }
        match (protocol, direction, kind) {
            (Some(protocol), None, None) if !self.value_follows() => {
                self.before = None;
                Ok(Primitive::Protocol(protocol))
            }
            _ => self.value(Qualifiers {
                protocol,
                direction: direction.unwrap_or(Direction::Either),
                kind: kind.unwrap_or(Kind::Host),
            }),
        }
    }

    /// A value without qualifiers of its own.
    fn bare_value(&mut self) -> Result<Primitive, FilterError> {
        if let Some(qualifiers) = self.before {
            return self.value(qualifiers);
        }
        match self.peek() {
            Some(word) if self.value_follows() && host(word).is_none() => {
                Err(FilterError::Unknown { word: word.to_owned() })
            }
            _ => Err(self.wanted("a word such as host, port or tcp")),
        }
    }

    fn protocol(&mut self) -> Option<Protocol> {
        let protocol = match self.peek()? {
            "ip" => Protocol::Ip,
            "ip6" => Protocol::Ip6,
            "arp" => Protocol::Arp,
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            "icmp" => Protocol::Icmp,
            "icmp6" => Protocol::Icmp6,
            _ => return None,
        };
        self.at += 1;
        Some(protocol)
    }

    fn direction(&mut self) -> Result<Option<Direction>, FilterError> {
        let (one, other) = match self.peek() {
            Some("src") => (Direction::Source, "dst"),
            Some("dst") => (Direction::Destination, "src"),
            _ => return Ok(None),
        };
        self.at += 1;
        // `src or dst` is one qualifier; `src 10.0.0.1 or dst 10.0.0.2` are two primitives.
        let both = match self.peek() {
            Some("or" | "||") => Direction::Either,
            Some("and" | "&&") => Direction::Both,
            _ => return Ok(Some(one)),
        };
        self.at += 1;
        if self.take(&[other]) { Ok(Some(both)) } else { Err(self.wanted("`src` or `dst`")) }
    }

    fn kind(&mut self) -> Option<Kind> {
        let kind = match self.peek()? {
            "host" => Kind::Host,
            "net" => Kind::Net,
            "port" => Kind::Port,
            "portrange" => Kind::PortRange,
            _ => return None,
        };
        self.at += 1;
        Some(kind)
    }

    /// Whether the next word is a value and not the end, a sign or an operator.
    fn value_follows(&self) -> bool {
        self.peek().is_some_and(|word| {
            !matches!(word, "and" | "or" | "not")
                && word.starts_with(|c: char| c.is_ascii_alphanumeric() || c == ':')
        })
    }

    fn value(&mut self, qualifiers: Qualifiers) -> Result<Primitive, FilterError> {
        let primitive = match qualifiers.kind {
            Kind::Host | Kind::Net => self.host(qualifiers)?,
            Kind::Port | Kind::PortRange => self.port(qualifiers)?,
        };
        self.at += 1;
        self.before = Some(qualifiers);
        Ok(primitive)
    }

    fn host(&self, qualifiers: Qualifiers) -> Result<Primitive, FilterError> {
        let Qualifiers { protocol: family, direction, kind } = qualifiers;
        let word = self.peek().unwrap_or_default();
        let network = match kind {
            Kind::Net => network(word)?,
            _ => host(word),
        };
        let Some(network) = network else {
            return Err(match kind {
                Kind::Net => self.wanted("a network such as 10.0.0.0/8 or 2001:db8::/32"),
                _ if self.value_follows()
                    && word.starts_with(|c: char| c.is_ascii_alphabetic()) =>
                {
                    FilterError::Unknown { word: word.to_owned() }
                }
                _ => self.wanted("an address in numbers"),
            });
        };
        match (family, network) {
            (None, _)
            | (Some(Protocol::Ip | Protocol::Arp), Network::V4 { .. })
            | (Some(Protocol::Ip6), Network::V6 { .. }) => {
                Ok(Primitive::Host { family, direction, network })
            }
            (Some(family), _) => {
                Err(FilterError::Misfit { first: name(family), second: word.to_owned() })
            }
        }
    }

    fn port(&self, qualifiers: Qualifiers) -> Result<Primitive, FilterError> {
        let Qualifiers { protocol, direction, kind } = qualifiers;
        let transport = match protocol {
            None => None,
            Some(Protocol::Tcp) => Some(Transport::Tcp),
            Some(Protocol::Udp) => Some(Transport::Udp),
            Some(other) => {
                let second = "port".to_owned();
                return Err(FilterError::Misfit { first: name(other), second });
            }
        };
        let word = self.peek().unwrap_or_default();
        let (first, last) = match kind {
            Kind::PortRange => word.split_once('-').unwrap_or((word, word)),
            _ => (word, word),
        };
        let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) else {
            return Err(self.wanted(match kind {
                Kind::PortRange => "a range of port numbers such as 8000-8080",
                _ => "a port number",
            }));
        };
        let (low, high) = (first.min(last), first.max(last));
        Ok(Primitive::Port { transport, direction, low, high })
    }
}

const fn name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Ip => "ip",
        Protocol::Ip6 => "ip6",
        Protocol::Arp => "arp",
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Icmp => "icmp",
        Protocol::Icmp6 => "icmp6",
    }
}

fn host(word: &str) -> Option<Network> {
    if let Ok(address) = word.parse::<Ipv4Addr>() {
        return Some(Network::V4 { address: address.into(), mask: u32::MAX });
    }
    let address = word.parse::<Ipv6Addr>().ok()?;
    Some(Network::V6 { address: address.into(), mask: u128::MAX })
}

fn network(word: &str) -> Result<Option<Network>, FilterError> {
    let Some((address, prefix)) = word.split_once('/') else { return Ok(host(word)) };
    let (Some(address), Ok(prefix)) = (host(address), prefix.parse::<u32>()) else {
        return Ok(None);
    };
    let beyond = || FilterError::BitsBeyond { word: word.to_owned() };
    match address {
        Network::V4 { address, .. } if prefix <= 32 => {
            let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
            if address & !mask != 0 {
                Err(beyond())
            } else {
                Ok(Some(Network::V4 { address, mask }))
            }
        }
        Network::V6 { address, .. } if prefix <= 128 => {
            let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
            if address & !mask != 0 {
                Err(beyond())
            } else {
                Ok(Some(Network::V6 { address, mask }))
            }
        }
        _ => Ok(None),
    }
}
