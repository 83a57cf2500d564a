//! What a running tap has to say besides its results.

use std::fmt;
use std::time::Duration;

/// A remark or a warning, as one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The tap is open: from now on frames are seen.
    Listening {
        /// The interface.
        name: String,
        /// Workers, each with a ring.
        workers: usize,
    },
    /// DPDK devices are open and have links: from now on frames are seen.
    Polling {
        /// The devices.
        name: String,
        /// Their drivers.
        driver: String,
        /// Workers, each with a queue of every device.
        workers: usize,
        /// Where times come from.
        times: String,
    },
    /// One worker receives, and deals out connections to all.
    Steering {
        /// Why it does, as the beginning of a sentence.
        why: String,
        /// Workers, the one that receives among them.
        workers: usize,
    },
    /// The interface is there, but down.
    Down {
        /// The interface.
        name: String,
    },
    /// The interface, which was down, is up.
    Up {
        /// The interface.
        name: String,
    },
    /// The interface went away.
    Gone {
        /// The interface.
        name: String,
        /// Times that this has happened.
        times: u64,
    },
    /// The interface is there again, or is another one of the same name, and is listened on.
    Back {
        /// The interface.
        name: String,
    },
    /// The interface is there, but cannot be listened on.
    Unusable {
        /// Why, as a sentence.
        reason: String,
    },
    /// The system's clock was set back.
    ClockSetBack(Duration),
    /// Summaries are not taken off, so the interval goes on.
    OutputBehind {
        /// Summaries that wait.
        waiting: u64,
    },
    /// Every worker has done something since this was last said. Not a remark, but what a watchdog
    /// wants to hear, several times a second.
    GoesOn,
    /// The end has come: the workers finish.
    Ending,
    /// A worker could not be tied to its core.
    NotPinned {
        /// The core.
        core: usize,
        /// What the system said.
        reason: String,
    },
    /// Some of the kernel's accounts of its resets were lost.
    ReasonsLost {
        /// How many, since this was last told.
        count: u64,
    },
    /// The kernel's accounts cannot be read any more.
    ReasonsEnded {
        /// What the system said.
        reason: String,
    },
}

impl Notice {
    /// Whether it tells of something that should not be.
    #[must_use]
    pub const fn is_warning(&self) -> bool {
        !matches!(
            self,
            Self::Listening { .. }
                | Self::Polling { .. }
                | Self::Steering { .. }
                | Self::Up { .. }
                | Self::Back { .. }
                | Self::GoesOn
                | Self::Ending
        )
    }

    /// Whether the interface is listened on from now on, if this is about that.
    #[must_use]
    pub const fn listening(&self) -> Option<bool> {
        match self {
            Self::Listening { .. } | Self::Up { .. } | Self::Back { .. } => Some(true),
            Self::Down { .. } | Self::Gone { .. } | Self::Unusable { .. } => Some(false),
            _ => None,
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listening { name, workers: 1 } => write!(f, "listening on {name}"),
            Self::Listening { name, workers } => {
                write!(f, "listening on {name} with {workers} workers")
            }
            Self::Polling { name, driver, workers, times } => {
                let several = if *workers == 1 { "" } else { "s" };
                write!(
                    f,
                    "listening on {name} through DPDK (driver {driver}, {workers} worker{several}, \
                     {times})"
                )
            }
            Self::Steering { why, workers } => write!(
                f,
                "{why}: one queue receives, and software steers connections to {workers} workers"
            ),
            Self::Down { name } => write!(f, "{name} is down; waiting for it to come up"),
            Self::Up { name } => write!(f, "{name} is up"),
            Self::Gone { name, times: 1 } => write!(f, "{name} went away; waiting for it"),
            Self::Gone { name, times } => {
                write!(f, "{name} went away, {times} times so far; waiting for it")
            }
            Self::Back { name } => write!(f, "{name} is back; listening again"),
            Self::Unusable { reason } => write!(f, "{reason}; trying again"),
            Self::ClockSetBack(by) => write!(
                f,
                "the system's clock was set back by {}; times go on from before until the program \
                 is started again",
                humantime::format_duration(Duration::from_millis(by.as_millis() as u64))
            ),
            Self::OutputBehind { waiting } => write!(
                f,
                "{waiting} summaries wait to be taken off the output; this interval goes on until \
                 they are"
            ),
            Self::GoesOn => write!(f, "all workers go on"),
            Self::Ending => write!(f, "ending"),
            Self::NotPinned { core, reason } => {
                write!(f, "cannot tie a worker to core {core}: {reason}")
            }
            Self::ReasonsLost { count } => {
                write!(f, "the kernel's reasons of {count} resets were lost: too many came at once")
            }
            Self::ReasonsEnded { reason } => {
                write!(f, "cannot read the kernel's reasons any more: {reason}")
            }
        }
    }
}
