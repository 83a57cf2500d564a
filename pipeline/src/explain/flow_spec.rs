//! A flow as a person types it: `A:PORT-B:PORT`, in any order, IPv6 in brackets.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use resetscope_core::flow::key::{FlowKey, mapped};

/// Two endpoints, in whatever network they lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowSpec {
    ends: [SocketAddr; 2],
}

impl FlowSpec {
    /// Whether a key names these endpoints; overlay networks are not told apart.
    #[must_use]
    pub fn matches(&self, key: &FlowKey) -> bool {
        let [a, b] = self.ends.map(|end| {
            let address = match end.ip() {
                IpAddr::V4(v4) => mapped(v4.octets()),
                IpAddr::V6(v6) => v6.octets(),
            };
            (address, end.port())
        });
        let (own, _) = FlowKey::new(a, b, key.domain);
        own == *key
    }
}

impl FromStr for FlowSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text} is no flow; write it as 10.0.0.1:40000-10.0.0.2:443 or \
                 [2001:db8::1]:40000-[2001:db8::2]:443"
            )
        };
        let (a, b) = text.split_once('-').ok_or_else(wrong)?;
        let end = |text: &str| text.trim().parse().map_err(|_| wrong());
        Ok(Self { ends: [end(a)?, end(b)?] })
    }
}

impl fmt::Display for FlowSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b] = self.ends;
        write!(f, "{a}-{b}")
    }
}

#[cfg(test)]
mod tests {
    use super::FlowSpec;
    use resetscope_core::flow::key::{FlowKey, mapped};

    #[test]
    fn a_flow_is_typed_in_either_direction_and_in_both_families() {
        let v4 = FlowKey::new((mapped([10, 0, 0, 1]), 40000), (mapped([10, 0, 0, 2]), 443), 7).0;
        let one: u128 = 1;
        let (a, b) = (one.to_be_bytes(), 2u128.to_be_bytes());
        let v6 = FlowKey::new((a, 40000), (b, 443), 0).0;
        for (text, of_v4, of_v6) in [
            ("10.0.0.1:40000-10.0.0.2:443", true, false),
            ("10.0.0.2:443-10.0.0.1:40000", true, false),
            ("10.0.0.1:443-10.0.0.2:40000", false, false),
            ("[::1]:40000-[::2]:443", false, true),
        ] {
            let spec: FlowSpec = text.parse().unwrap();
            assert_eq!((spec.matches(&v4), spec.matches(&v6)), (of_v4, of_v6), "{text}");
        }
        for text in ["", "10.0.0.1:1", "10.0.0.1-10.0.0.2", "::1:1-::2:2", "a:1-b:2"] {
            assert!(text.parse::<FlowSpec>().is_err(), "{text}");
        }
    }
}
