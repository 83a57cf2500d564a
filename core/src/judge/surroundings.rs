//! What the network remembers beyond the flow: the judge's view of cross-flow memory.
//!
//! A shard sees only its own flows. What other flows of the same host, service or source showed
//! comes from here; [`Surroundings::default`] knows nothing, and a verdict then says which of its
//! questions stayed open ([`Unknowns`]).

use crate::limits::{COHORT_MIN, SCAN_TARGETS};

/// What is known about the host that claims to have sent a reset, about the service, and about
/// other connections at the time. `None` means not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The service accepted a connection within memory.
    pub service_alive: Option<bool>,
    /// The service accepted a connection soon after.
    pub accepted_after: bool,
    /// The service refused a connection soon after.
    pub refused_after: bool,
    /// The host's SYN-ACKs: lowest and highest time to live, shortest answer in microseconds.
    pub host_baseline: Option<(u8, u8, Option<u32>)>,
    /// Connections of the same service, or between the same hosts, that ended within 50 ms.
    pub cohort: Option<u16>,
    /// Closed ports that the source tried within memory.
    pub source_refused: Option<u16>,
}

impl Surroundings {
    /// Whether no rule claims with them another sub-cause than it does with [`Surroundings::default`];
    /// it may be more or less sure of it.
    #[must_use]
    pub fn say_nothing(&self) -> bool {
        let scans = |ports: u16| usize::from(ports) >= SCAN_TARGETS;
        self.service_alive != Some(true)
            && !self.refused_after
            && self.host_baseline.is_none()
            && self.cohort.is_none_or(|n| n < COHORT_MIN)
            && !self.source_refused.is_some_and(scans)
    }
}

/// Questions that no packet of the flow itself answers. Bits of a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unknowns(u8);

impl Unknowns {
    /// Whether the service accepts other connections.
    pub const SERVICE: Self = Self(1);
    /// What the host's own replies look like.
    pub const HOST: Self = Self(2);
    /// Whether other connections were reset at the same time.
    pub const COHORT: Self = Self(4);
    /// Whether the source tries many ports.
    pub const SOURCE: Self = Self(8);

    const NAMES: [(Self, &'static str); 4] = [
        (Self::SERVICE, "service_alive"),
        (Self::HOST, "host_baseline"),
        (Self::COHORT, "cohort"),
        (Self::SOURCE, "source_scan"),
    ];

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The names of the questions, in order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(bit, _)| self.0 & bit.0 != 0).map(|(_, name)| name)
    }
}
