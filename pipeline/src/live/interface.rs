//! Network interfaces: which there are, and what the kernel says of one.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};

use resetscope_core::frame::LinkType;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::af_packet::{hardware_type, interface_flags};
use super::error::TapError;

/// An interface as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its number; a name that goes away and comes back has another.
    pub index: u32,
    /// Whether it is up.
    pub up: bool,
    /// What its frames begin with.
    pub link: LinkType,
    /// Whether every frame passes twice, once as sent and once as received.
    pub loopback: bool,
}

/// A way to ask the kernel about interfaces; needs no privilege.
pub struct Inquiry(OwnedFd);

impl Inquiry {
    /// Opens it.
    ///
    /// # Errors
    /// When the system refuses a plain socket.
    pub fn new() -> Result<Self, TapError> {
        let flags = SocketFlags::CLOEXEC;
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)
            .map(Self)
            .map_err(|cause| TapError::Inquire { cause: cause.into() })
    }

    /// The number of the interface `name`, if there is one.
    #[must_use]
    pub fn index(&self, name: &str) -> Option<u32> {
        rustix::net::netdevice::name_to_index(self.0.as_fd(), name).ok()
    }

    /// Whether the interface `name` is there, up, and has a link.
    #[must_use]
    pub fn carries(&self, name: &str) -> bool {
        let both = libc::IFF_UP | libc::IFF_RUNNING;
        interface_flags(self.0.as_fd(), name).is_ok_and(|flags| flags & both == both)
    }

    /// The interface `name`.
    ///
    /// # Errors
    /// [`TapError::Missing`] when there is none, [`TapError::LinkType`] when its frames cannot be
    /// read.
    pub fn find(&self, name: &str) -> Result<Interface, TapError> {
        let missing = || TapError::Missing { name: name.to_owned(), present: names() };
        let index = self.index(name).ok_or_else(missing)?;
        let flags = interface_flags(self.0.as_fd(), name).map_err(|_| missing())?;
        let hardware = hardware_type(self.0.as_fd(), name).map_err(|_| missing())?;
        let link = match hardware {
            libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK => LinkType::ETHERNET,
            libc::ARPHRD_NONE => LinkType::RAW,
            kind => return Err(TapError::LinkType { name: name.to_owned(), kind }),
        };
        Ok(Interface {
            name: name.to_owned(),
            index,
            up: flags & libc::IFF_UP != 0,
            link,
            loopback: flags & libc::IFF_LOOPBACK != 0,
        })
    }
}

/// The names of all interfaces, in the order of the kernel.
#[must_use]
pub fn names() -> Vec<String> {
    // Two lines of titles, then `name: counters`. Unlike /sys/class/net this is always the view of
    // the process's own network namespace.
    let table = fs::read_to_string("/proc/self/net/dev").unwrap_or_default();
    table
        .lines()
        .skip(2)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name.trim().to_owned())
        .collect()
}
