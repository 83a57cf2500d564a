//! Frames as they are: a socket that sends them, and a TUN device that takes plain IP.

#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Sends frames on an interface of the calling thread's namespace.
pub(crate) struct Sender {
    socket: OwnedFd,
    address: libc::sockaddr_ll,
}

impl Sender {
    /// A sender on the interface `name`.
    pub(crate) fn new(name: &str) -> Self {
        // SAFETY: plain numbers go in.
        let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        assert!(fd >= 0, "{}", io::Error::last_os_error());
        // SAFETY: the descriptor is new and ours.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        let index = rustix::net::netdevice::name_to_index(&socket, name).unwrap();
        let address = libc::sockaddr_ll {
            sll_family: libc::AF_PACKET as u16,
            sll_protocol: 0,
            sll_ifindex: index.cast_signed(),
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 6,
            sll_addr: [0; 8],
        };
        Self { socket, address }
    }

    /// Sends one; false when it is too long for the interface.
    pub(crate) fn send(&self, frame: &[u8]) -> bool {
        // SAFETY: the frame and the address are alive and of the lengths told.
        let sent = unsafe {
            libc::sendto(
                self.socket.as_raw_fd(),
                frame.as_ptr().cast(),
                frame.len(),
                0,
                (&raw const self.address).cast(),
                size_of::<libc::sockaddr_ll>() as u32,
            )
        };
        if sent >= 0 {
            return true;
        }
        let error = io::Error::last_os_error();
        assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE), "{error}");
        false
    }
}

/// Makes the TUN device `name` in the calling thread's namespace: what is written to the file
/// arrives there as an IP packet.
pub(crate) fn tun(name: &str) -> io::Result<File> {
    const NO_INFORMATION: i16 = 0x1000;
    let file = OpenOptions::new().read(true).write(true).open("/dev/net/tun")?;
    // SAFETY: a structure of integers and bytes, for which all zero is valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    request.ifr_ifru.ifru_flags = libc::IFF_TUN as i16 | NO_INFORMATION;
    // SAFETY: the request reads the live structure.
    let made = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    if made < 0 { Err(io::Error::last_os_error()) } else { Ok(file) }
}
