//! What is odd about inputs and yet no damage: all that can be read was read, but verdicts may be
//! weaker for it.

use super::batch::{NO_TIMES, Slot, around};
use super::error::shown;
use super::link::LinkTypes;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A packet this much earlier than the one before it in the same input, in nanoseconds, is no mere
/// disorder between the queues or cores that recorded them.
const STEP_BACK_NS: u64 = 1_000_000_000;

/// What one input showed beside its frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Packets that it says were lost while it was recorded.
    pub(super) lost: u64,
    /// Packets without a time of their own.
    pub(super) timeless: u64,
    /// Steps back in time.
    pub(super) steps_back: u64,
    /// The largest of them, in nanoseconds.
    pub(super) step_back_ns: u64,
    /// Something else follows its compressed data.
    pub(super) garbage: bool,
    /// Its link types, if none of its packets can be read for them.
    pub(super) foreign: LinkTypes,
}

/// Watches the times of an input's packets.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Times {
    last_ns: u64,
    zeros: u64,
    steps_back: u64,
    step_back_ns: u64,
}

impl Times {
    /// Looks at the next packets; says what the earliest and the latest of their times are.
    #[inline]
    pub(super) fn watch(&mut self, slots: &[Slot]) -> (u64, u64) {
        // Nearly always each is as late as the one before, and then none of them is odd. No jump for
        // each of them: that costs more than to look at all.
        let (mut last_ns, mut in_order) = (self.last_ns.max(1), true);
        for slot in slots {
            in_order &= slot.time_ns >= last_ns;
            last_ns = slot.time_ns;
        }
        if !in_order {
            return self.watch_each(slots);
        }
        let (Some(first), Some(last)) = (slots.first(), slots.last()) else { return NO_TIMES };
        self.last_ns = last.time_ns;
        (first.time_ns, last.time_ns)
    }

    #[cold]
    fn watch_each(&mut self, slots: &[Slot]) -> (u64, u64) {
        let mut times_ns = NO_TIMES;
        for slot in slots {
            times_ns = around(times_ns, (slot.time_ns, slot.time_ns));
            // No recorder was at work in the first nanosecond of 1970.
            if slot.time_ns == 0 {
                self.zeros += 1;
                continue;
            }
            let step_ns = self.last_ns.saturating_sub(slot.time_ns);
            self.steps_back += u64::from(step_ns > STEP_BACK_NS);
            self.step_back_ns = self.step_back_ns.max(step_ns);
            self.last_ns = slot.time_ns;
        }
        times_ns
    }

    /// What was seen, of an input of whose packets `borrowed` have the time of the one before them
    /// for want of one of their own.
    pub(super) fn counts(self, borrowed: u64) -> Counts {
        Counts {
            lost: 0,
            garbage: false,
            foreign: LinkTypes::default(),
            timeless: self.zeros + borrowed,
            steps_back: self.steps_back,
            step_back_ns: if self.steps_back > 0 { self.step_back_ns } else { 0 },
        }
    }
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
    /// Packets carry no time, or 0.
    Timeless {
        /// How many, in all inputs concerned.
        packets: u64,
    },
    /// Times run backwards by more than a second within an input.
    Backwards {
        /// How often, in all inputs concerned.
        times: u64,
        /// The largest step, in nanoseconds.
        most_ns: u64,
    },
    /// Something that is not compressed follows the compressed data.
    Garbage,
    /// No packet of it can be read.
    Foreign {
        /// The link types of all inputs concerned.
        links: LinkTypes,
    },
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", shown(&self.path))?;
        match self.others {
            0 => {}
            1 => write!(f, " and 1 other input")?,
            others => write!(f, " and {others} other inputs")?,
        }
        match self.about {
            About::Foreign { links } => {
                let types = if links.count() == 1 { "a link type" } else { "link types" };
                write!(
                    f,
                    ": nothing of it was analysed: all packets are of {types} that cannot be read: \
                     {links}; those that can are Ethernet, Linux cooked, raw IP, BSD loopback, PPP \
                     and Cisco HDLC"
                )
            }
            About::Garbage => write!(f, ": trailing garbage ignored behind the compressed data"),
            About::Lost { packets } => write!(
                f,
                ": {} lost while this was recorded, as the capture itself says; verdicts may rest \
                 on gaps",
                Packets(packets, "was", "were")
            ),
            About::Timeless { packets } => write!(
                f,
                ": {} no time; verdicts that rest on times (idle, latency, timers, races) may be \
                 wrong",
                Packets(packets, "carries", "carry")
            ),
            About::Backwards { times, most_ns } => {
                let most = humantime::format_duration(Duration::from_secs(most_ns / 1_000_000_000));
                let often = if times == 1 { "once".to_owned() } else { format!("{times} times") };
                write!(
                    f,
                    ": time runs backwards {often}, by up to {most}; verdicts that rest on times \
                     across such a step may be wrong"
                )
            }
        }
    }
}

/// A number of packets, with what one does and what several do.
struct Packets(u64, &'static str, &'static str);

impl fmt::Display for Packets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => write!(f, "1 packet {}", self.1),
            packets => write!(f, "{packets} packets {}", self.2),
        }
    }
}

/// One oddity of each kind, from what each input showed.
pub(super) fn oddities(odd: &[(PathBuf, Counts)]) -> Vec<Oddity> {
    let most_ns = odd.iter().map(|(_, odd)| odd.step_back_ns).max().unwrap_or(0);
    let lost = sum(odd, |odd| odd.lost, |packets| About::Lost { packets });
    let timeless = sum(odd, |odd| odd.timeless, |packets| About::Timeless { packets });
    let backwards = sum(odd, |odd| odd.steps_back, |times| About::Backwards { times, most_ns });
    let garbage = sum(odd, |odd| odd.garbage.into(), |_| About::Garbage);
    let links = odd.iter().fold(LinkTypes::default(), |all, (_, odd)| all.and(odd.foreign));
    let foreign = sum(odd, |odd| odd.foreign.count() as u64, |_| About::Foreign { links });
    [foreign, garbage, lost, timeless, backwards].into_iter().flatten().collect()
}

/// What is to be said of what `count` counts, if any input has some of it.
fn sum(
    odd: &[(PathBuf, Counts)],
    count: impl Fn(&Counts) -> u64,
    about: impl Fn(u64) -> About,
) -> Option<Oddity> {
    let mut concerned = odd.iter().map(|(path, odd)| (path, count(odd))).filter(|(_, n)| *n > 0);
    let (path, first) = concerned.next()?;
    let (others, sum) =
        concerned.fold((0, first), |(others, sum), (_, n)| (others + 1, sum.saturating_add(n)));
    Some(Oddity { path: path.clone(), others, about: about(sum) })
}

#[cfg(test)]
mod tests {
    use super::{NO_TIMES, STEP_BACK_NS, Slot, Times, around};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn times_are_seen_as_one_by_one_however_many_come_together(
            times in prop::collection::vec(prop_oneof![
                6 => 5 * STEP_BACK_NS..5 * STEP_BACK_NS + 50, 1 => Just(0), 1 => 0..9 * STEP_BACK_NS
            ], 0..40),
            piece in 1usize..20
        ) {
            let slots: Vec<Slot> =
                times.iter().map(|&time_ns| Slot { time_ns, ..Slot::default() }).collect();
            let (mut together, mut each) = (Times::default(), Times::default());
            let of_pieces = slots.chunks(piece).map(|slots| together.watch(slots));
            let times_ns = of_pieces.fold(NO_TIMES, around);
            prop_assert_eq!(times_ns.0, times.iter().copied().min().unwrap_or(u64::MAX));
            prop_assert_eq!(times_ns.1, times.iter().copied().max().unwrap_or(0));
            prop_assert_eq!(each.watch_each(&slots), times_ns);
            prop_assert_eq!(together.counts(0), each.counts(0));
        }
    }
}
