//! Filter expressions: which frames a live tap is to see, decided in the kernel.
//!
//! The language is the part of tcpdump's (pcap-filter(7)) that chooses hosts, networks, ports and
//! protocols; an expression means here what it means there. Anything else is refused. `parse` reads
//! it, `lower` says what is to be looked at in a frame, [`program`] makes instructions of that.
//!
//! As with tcpdump on an interface, a VLAN tag that the kernel has taken out is no obstacle, and
//! one that it has not (a second one, say) is: what lies behind is not looked at.

mod lower;
mod parse;
pub mod program;
#[cfg(test)]
mod tests;

use std::str::FromStr;

use resetscope_core::frame::LinkType;

use parse::Node;
use program::{Instruction, op};

/// The most instructions that the kernel takes: `BPF_MAXINSNS` of `linux/bpf_common.h`, less those
/// of [`program::incoming_only`].
const INSTRUCTIONS_MAX: usize = 4096 - 3;

/// A filter expression.
///
/// ```
/// use resetscope::live::filter::Expression;
///
/// assert!("tcp and not port 22".parse::<Expression>().is_ok());
/// assert!("tcp[13] & 4 != 0".parse::<Expression>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression(Node);

/// Why an expression is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// A word that is not understood.
    #[error(
        "the filter does not know `{word}`; it knows host, net, port, portrange, src, dst, tcp, \
         udp, icmp, icmp6, ip, ip6, arp, and, or, not and parentheses"
    )]
    Unknown {
        /// The word.
        word: String,
    },
    /// Something else should stand there.
    #[error("the filter wants {wanted} where it has {found}")]
    Wanted {
        /// What should stand there.
        wanted: &'static str,
        /// What stands there, quoted; or that nothing does.
        found: String,
    },
    /// A network has bits beyond its prefix.
    #[error("the filter's network `{word}` has bits set beyond its prefix")]
    BitsBeyond {
        /// The network.
        word: String,
    },
    /// Qualifiers that do not go together.
    #[error("the filter cannot combine `{first}` with `{second}`")]
    Misfit {
        /// One.
        first: &'static str,
        /// The other.
        second: String,
    },
    /// More than the kernel takes, or than is sensible.
    #[error("the filter is too long or too deeply nested")]
    TooLong,
}

impl FromStr for Expression {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let expression = Self(parse::parse(text)?);
        // Either link type may turn up later.
        for link in [LinkType::ETHERNET, LinkType::RAW] {
            if expression.compile(link, 1).len() > INSTRUCTIONS_MAX {
                return Err(FilterError::TooLong);
            }
        }
        Ok(expression)
    }
}

impl Expression {
    /// The program that takes the first `snaplen` bytes of every frame that the expression means.
    /// `link` is what frames begin with: Ethernet, or else plain IP.
    #[must_use]
    pub fn compile(&self, link: LinkType, snaplen: u32) -> Vec<Instruction> {
        program::assemble(&lower::lower(&self.0, link), snaplen)
    }
}

/// The program that takes the first `snaplen` bytes of every frame.
#[must_use]
pub fn take_all(snaplen: u32) -> Vec<Instruction> {
    vec![Instruction::new(op::RETURN, snaplen)]
}
