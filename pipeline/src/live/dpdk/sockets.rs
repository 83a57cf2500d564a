//! The sockets of devices that stand on the kernel: what the kernel drops there is in no counter of
//! DPDK 22.11's drivers.

#![allow(unsafe_code)]

use std::fs;
use std::os::fd::{BorrowedFd, RawFd};

use resetscope_core::interval::{Ledger, Shed};
use rustix::net::sockopt::socket_domain;

/// The sockets of all devices, open as long as the devices are.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    /// AF_XDP sockets, with the frames that they have dropped so far.
    xdp: Vec<(RawFd, u64)>,
    /// AF_PACKET sockets, whose counters begin anew when they are read.
    packet: Vec<RawFd>,
}

impl Sockets {
    /// Those of this process. The program itself opens none of these kinds when it uses DPDK.
    pub(super) fn find() -> Self {
        let mut found = Self::default();
        for entry in fs::read_dir("/proc/self/fd").into_iter().flatten().flatten() {
            let Some(fd) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            // SAFETY: whether it is open, and a socket, is what the question answers.
            let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
            let Ok(domain) = socket_domain(borrowed) else { continue };
            match i32::from(domain.as_raw()) {
                libc::AF_XDP => found.xdp.push((fd, 0)),
                libc::AF_PACKET => found.packet.push(fd),
                _ => {}
            }
        }
        found
    }

    /// Adds what was dropped since the last call.
    pub(super) fn count(&mut self, ledger: &mut Ledger) {
        for (fd, seen) in &mut self.xdp {
            // What the socket drops for other reasons is in the driver's counter.
            let [_, _, _, full, ..] = counters::<u64, 6>(*fd, libc::SOL_XDP, libc::XDP_STATISTICS);
            ledger.lost(Shed::NicDrop, full.saturating_sub(*seen));
            *seen = full.max(*seen);
        }
        for fd in &self.packet {
            let [_, dropped, _] =
                counters::<u32, 3>(*fd, libc::SOL_PACKET, libc::PACKET_STATISTICS);
            ledger.lost(Shed::KernelDrop, dropped.into());
        }
    }
}

/// Counters that a socket option gives as a row of numbers; zero where there are none.
fn counters<T: Copy + Default, const N: usize>(fd: RawFd, level: i32, option: i32) -> [T; N] {
    let mut row = [T::default(); N];
    let mut len = size_of_val(&row) as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes into the live row of integers.
    unsafe { libc::getsockopt(fd, level, option, row.as_mut_ptr().cast(), &raw mut len) };
    row
}
