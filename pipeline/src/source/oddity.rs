//! What is odd about inputs and yet no damage: all that can be read was read, but verdicts may be
//! weaker for it.

use super::error::shown;
use std::fmt;
use std::path::{Path, PathBuf};

/// What one input showed beside its frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Packets that it says were lost while it was recorded.
    pub(super) lost: u64,
}

/// Something odd about one input or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oddity {
    /// The first input concerned; `-` is standard input.
    pub path: PathBuf,
    /// How many more are concerned.
    pub others: usize,
    /// What it is.
    pub about: About,
}

/// What is odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum About {
    /// Whoever recorded it lost packets.
    Lost {
        /// How many, in all inputs concerned.
        packets: u64,
    },
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inputs = Inputs { first: &self.path, others: self.others };
        match self.about {
            About::Lost { packets } => write!(
                f,
                "{inputs}: {} lost while this was recorded, as the capture itself says; verdicts \
                 may rest on gaps",
                Packets(packets)
            ),
        }
    }
}

/// The inputs concerned, in few words.
struct Inputs<'a> {
    first: &'a Path,
    others: usize,
}

impl fmt::Display for Inputs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", shown(self.first))?;
        match self.others {
            0 => Ok(()),
            1 => write!(f, " and 1 other input"),
            others => write!(f, " and {others} other inputs"),
        }
    }
}

/// A number of packets, with the verb that follows.
struct Packets(u64);

impl fmt::Display for Packets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => write!(f, "1 packet was"),
            packets => write!(f, "{packets} packets were"),
        }
    }
}

/// One oddity of each kind, from what each input showed.
pub(super) fn oddities(odd: &[(PathBuf, Counts)]) -> Vec<Oddity> {
    let lost = sum(odd, |odd| odd.lost).map(|(path, others, packets)| Oddity {
        path,
        others,
        about: About::Lost { packets },
    });
    lost.into_iter().collect()
}

/// The first input of which there is something to count, how many others there are, and the sum.
fn sum(odd: &[(PathBuf, Counts)], count: impl Fn(&Counts) -> u64) -> Option<(PathBuf, usize, u64)> {
    let mut concerned = odd.iter().map(|(path, odd)| (path, count(odd))).filter(|(_, n)| *n > 0);
    let (path, first) = concerned.next()?;
    let (others, sum) =
        concerned.fold((0, first), |(others, sum), (_, n)| (others + 1, sum.saturating_add(n)));
    Some((path.clone(), others, sum))
}
