//! Whose hand wrote the reset, as far as a sub-cause says.

use crate::judge::cause::{Cause, Subcause};

/// Who wrote a reset. Its addresses name a host whoever it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// The host that it names.
    Host,
    /// A device or tool in the path, in that host's name.
    Stranger,
    /// The packets do not tell.
    Untold,
}

impl Author {
    /// Every author, in the order of reports.
    pub const ALL: [Self; 3] = [Self::Host, Self::Stranger, Self::Untold];
}

/// The author that a sub-cause claims.
#[must_use]
pub fn of(subcause: Subcause) -> Author {
    match subcause {
        Subcause::IdleStateLost
        | Subcause::Tcpkill
        | Subcause::Killcx
        | Subcause::IdleTimer
        | Subcause::NatFlush => Author::Stranger,
        _ => match subcause.cause() {
            Cause::Firewall => Author::Stranger,
            Cause::Unknown => Author::Untold,
            _ => Author::Host,
        },
    }
}
