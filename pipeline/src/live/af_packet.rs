//! AF_PACKET taps: sockets with a TPACKET_V3 ring that the kernel fills and this process reads in
//! place (`packet(7)`, Documentation/networking/packet_mmap.rst).
//!
//! A [`Socket`] is all that takes a privilege. What comes later (ring, filter, binding, promiscuous
//! mode, fanout) does not, so spare sockets let a tap be opened again after privileges are gone.
//!
//! All of the live part's `unsafe` is here.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::io;
use std::mem::offset_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use libc::{c_int, c_uint, socklen_t, tpacket_block_desc, tpacket_hdr_v1, tpacket_req3};
use resetscope_core::frame::LinkType;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::block::{Frames, Stamps, VLAN_TAG_BYTES};
use super::error::TapError;
use super::filter::program::{Instruction, refuse_all};
use super::interface::Interface;

/// Nominal frame size of a ring; frames of the third version take what room they need, but the
/// kernel checks that this one fits.
const FRAME_BYTES: u32 = 2048;

/// Every EtherType, in network byte order as the calls want it.
const ALL_PROTOCOLS: u16 = (libc::ETH_P_ALL as u16).to_be();

/// How a ring is made.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Memory of the ring in bytes, a multiple of `block_bytes`.
    pub ring_bytes: u32,
    /// Memory of a block in bytes, a power of two and at least a page.
    pub block_bytes: u32,
    /// Milliseconds after which the kernel hands a block over though it is not full.
    pub block_timeout_ms: u32,
    /// Whether to ask for frames that are addressed to others.
    pub promiscuous: bool,
    /// What the kernel runs on each frame.
    pub filter: Vec<Instruction>,
}

/// A packet socket that is not bound yet: it gets nothing.
pub struct Socket(OwnedFd);

impl Socket {
    /// Opens one.
    ///
    /// # Errors
    /// `EPERM` without `CAP_NET_RAW`.
    pub fn open() -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: plain numbers go in; protocol 0 leaves the socket without traffic.
        let fd = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was made just now and belongs to nobody else.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }
}

/// The rings of all workers on one interface: with several the kernel deals out flows by a hash
/// that is the same for both directions (`PACKET_FANOUT_HASH`).
///
/// # Errors
/// [`TapError::Step`] with the step that failed.
pub fn open_rings(
    sockets: Vec<Socket>,
    interface: &Interface,
    setup: &Setup,
) -> Result<Vec<Ring>, TapError> {
    let several = sockets.len() > 1;
    let mut rings = Vec::with_capacity(sockets.len());
    let mut group = None;
    for socket in sockets {
        let ring = Ring::new(socket, interface, setup)?;
        if several {
            group = Some(ring.join(group).map_err(step("share the traffic", interface))?);
        }
        rings.push(ring);
    }
    for ring in &rings {
        // Until now each socket has refused everything, so that none has seen others' flows.
        attach(&ring.socket, &setup.filter).map_err(step("attach the filter", interface))?;
    }
    Ok(rings)
}

fn step(doing: &'static str, interface: &Interface) -> impl Fn(io::Error) -> TapError {
    let name = interface.name.clone();
    move |cause| TapError::Step { doing, name: name.clone(), cause }
}

/// A socket with its ring of blocks.
pub struct Ring {
    socket: OwnedFd,
    memory: Mapping,
    block_bytes: usize,
    blocks: usize,
    next: usize,
    link: LinkType,
}

impl Ring {
    fn new(socket: Socket, interface: &Interface, setup: &Setup) -> Result<Self, TapError> {
        let Socket(socket) = socket;
        let blocks = (setup.ring_bytes / setup.block_bytes.max(1)).max(2);
        let request = tpacket_req3 {
            tp_block_size: setup.block_bytes,
            tp_block_nr: blocks,
            tp_frame_size: FRAME_BYTES,
            tp_frame_nr: setup.block_bytes / FRAME_BYTES * blocks,
            tp_retire_blk_tov: setup.block_timeout_ms,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        let version = libc::tpacket_versions::TPACKET_V3 as c_int;
        let reserve = VLAN_TAG_BYTES as c_uint;
        set_packet(&socket, libc::PACKET_VERSION, &version)
            .and_then(|()| set_packet(&socket, libc::PACKET_RESERVE, &reserve))
            .and_then(|()| set_packet(&socket, libc::PACKET_RX_RING, &request))
            .map_err(step("set up a TPACKET_V3 ring", interface))?;
        let block_bytes = setup.block_bytes as usize;
        let memory = Mapping::new(&socket, block_bytes * blocks as usize)
            .map_err(step("map the ring", interface))?;
        attach(&socket, &refuse_all()).map_err(step("attach a filter", interface))?;
        bind(&socket, interface).map_err(step("listen", interface))?;
        if setup.promiscuous {
            promiscuous(&socket, interface).map_err(step("set promiscuous mode", interface))?;
        }
        let link = interface.link;
        Ok(Self { socket, memory, block_bytes, blocks: blocks as usize, next: 0, link })
    }

    /// Joins the fanout group of this number, or makes a new one; returns its number.
    fn join(&self, group: Option<u16>) -> io::Result<u16> {
        let unique = if group.is_none() { libc::PACKET_FANOUT_FLAG_UNIQUEID } else { 0 };
        let mode = libc::PACKET_FANOUT_HASH | unique;
        set_packet(
            &self.socket,
            libc::PACKET_FANOUT,
            &(u32::from(group.unwrap_or(0)) | mode << 16),
        )?;
        let mut told: c_int = 0;
        get_option(&self.socket, libc::SOL_PACKET, libc::PACKET_FANOUT, &mut told)?;
        Ok((told & 0xffff) as u16)
    }

    /// The next block that the kernel has handed over, if there is one. Dropping it gives it back.
    #[inline]
    pub fn next_block(&mut self) -> Option<Block<'_>> {
        let at = self.next * self.block_bytes;
        self.is_ready().then(|| Block { ring: self, at })
    }

    /// Whether the kernel has handed over the next block.
    #[inline]
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let status = self.status(self.next * self.block_bytes);
        status.load(Ordering::Acquire) & libc::TP_STATUS_USER != 0
    }

    /// The word by which the block at `at` changes hands.
    #[inline]
    fn status(&self, at: usize) -> &AtomicU32 {
        const STATUS: usize =
            offset_of!(tpacket_block_desc, hdr) + offset_of!(tpacket_hdr_v1, block_status);
        // SAFETY: `at` is a multiple of the block size below the length of the mapping, so the word
        // lies in it, aligned; the mapping lives as long as `self`. The kernel writes the word
        // whenever it likes, so nothing but this atomic ever refers to it.
        unsafe { AtomicU32::from_ptr(self.memory.start.as_ptr().add(at + STATUS).cast()) }
    }

    /// Sleeps until the kernel has handed over a block, something happened to the interface, or
    /// `timeout` is over.
    ///
    /// # Errors
    /// When the system cannot wait; interruption by a signal is none.
    pub fn wait(&self, timeout: Duration) -> io::Result<()> {
        let timeout = Timespec {
            tv_sec: timeout.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        };
        let mut waiting = [PollFd::new(&self.socket, PollFlags::IN)];
        match poll(&mut waiting, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if waiting.iter().any(|fd| fd.revents().contains(PollFlags::ERR)) {
            // The interface went down or away. Who watches it will find out; here the note is only
            // taken down, as it would keep the next call from sleeping.
            let mut error: c_int = 0;
            get_option(&self.socket, libc::SOL_SOCKET, libc::SO_ERROR, &mut error)?;
        }
        Ok(())
    }

    /// Frames that the kernel dropped for want of room since the last call.
    #[must_use]
    pub fn take_drops(&self) -> u64 {
        let mut counts = libc::tpacket_stats_v3 { tp_packets: 0, tp_drops: 0, tp_freeze_q_cnt: 0 };
        match get_option(&self.socket, libc::SOL_PACKET, libc::PACKET_STATISTICS, &mut counts) {
            Ok(()) => counts.tp_drops.into(),
            Err(_) => 0,
        }
    }
}

/// A block that belongs to this process until it is dropped.
pub struct Block<'r> {
    ring: &'r mut Ring,
    at: usize,
}

impl Block<'_> {
    /// Its frames.
    #[inline]
    pub(super) fn frames(&mut self, stamps: Stamps) -> Frames<'_> {
        const BEHIND: usize = size_of::<tpacket_block_desc>();
        let start = self.ring.memory.start.as_ptr();
        // SAFETY: the descriptor lies at the start of the block, within the mapping and aligned to
        // the page. The kernel gave the block away (acquired in `next_block`) and does not touch it
        // before it gets it back; of the descriptor only these two words are read.
        let (count, first) = unsafe {
            let header = start.add(self.at + offset_of!(tpacket_block_desc, hdr));
            let header = header.cast::<tpacket_hdr_v1>();
            ((*header).num_pkts, (*header).offset_to_first_pkt as usize)
        };
        // SAFETY: the bytes from behind the descriptor to the end of the block lie in the mapping,
        // are initialised memory of the kernel's, and belong to us until the block is given back,
        // which takes the `&mut self` that the result borrows.
        let bytes = unsafe {
            let behind = start.add(self.at + BEHIND);
            std::slice::from_raw_parts_mut(behind, self.ring.block_bytes - BEHIND)
        };
        let rest = first.checked_sub(BEHIND).and_then(|at| bytes.get_mut(at..)).unwrap_or_default();
        Frames::new(rest, count, self.ring.link, stamps)
    }
}

impl Drop for Block<'_> {
    fn drop(&mut self) {
        self.ring.status(self.at).store(libc::TP_STATUS_KERNEL, Ordering::Release);
        self.ring.next = (self.ring.next + 1) % self.ring.blocks;
    }
}

/// A ring's memory, shared with the kernel.
struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the memory is reachable from any thread, and there is one owner.
unsafe impl Send for Mapping {}

impl Mapping {
    fn new(socket: &OwnedFd, len: usize) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice; nothing of ours is replaced.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                socket.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, len })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: exactly what was mapped, and no reference into it outlives the ring.
        unsafe { libc::munmap(self.start.as_ptr().cast::<c_void>(), self.len) };
    }
}

fn attach(socket: &OwnedFd, program: &[Instruction]) -> io::Result<()> {
    let mut filter: Vec<libc::sock_filter> = program
        .iter()
        .map(|of| libc::sock_filter { code: of.code, jt: of.jt, jf: of.jf, k: of.k })
        .collect();
    let len = u16::try_from(filter.len()).map_err(io::Error::other)?;
    let program = libc::sock_fprog { len, filter: filter.as_mut_ptr() };
    // The kernel copies the instructions during the call.
    set_option(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
}

fn bind(socket: &OwnedFd, interface: &Interface) -> io::Result<()> {
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: ALL_PROTOCOLS,
        sll_ifindex: interface.index.cast_signed(),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let len = size_of::<libc::sockaddr_ll>() as socklen_t;
    // SAFETY: the address is a live `sockaddr_ll` of the length told.
    let result = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), len) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Lasts as long as the socket.
fn promiscuous(socket: &OwnedFd, interface: &Interface) -> io::Result<()> {
    let request = libc::packet_mreq {
        mr_ifindex: interface.index.cast_signed(),
        mr_type: libc::PACKET_MR_PROMISC as u16,
        mr_alen: 0,
        mr_address: [0; 8],
    };
    set_packet(socket, libc::PACKET_ADD_MEMBERSHIP, &request)
}

fn set_packet<T>(socket: &OwnedFd, name: c_int, value: &T) -> io::Result<()> {
    set_option(socket, libc::SOL_PACKET, name, value)
}

fn set_option<T>(socket: &OwnedFd, level: c_int, name: c_int, value: &T) -> io::Result<()> {
    let len = size_of::<T>() as socklen_t;
    // SAFETY: the kernel reads `len` bytes from a live value of that size, and what a `sock_fprog`
    // points to, which its caller keeps alive.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const *value).cast(), len)
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Reads an option into `value`, a type for which any bytes are valid.
fn get_option<T: Copy>(
    socket: &OwnedFd,
    level: c_int,
    name: c_int,
    value: &mut T,
) -> io::Result<()> {
    let mut len = size_of::<T>() as socklen_t;
    // SAFETY: the kernel writes at most `len` bytes into a live value of that size; the values used
    // here are made of integers.
    let result = unsafe {
        libc::getsockopt(socket.as_raw_fd(), level, name, (&raw mut *value).cast(), &raw mut len)
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The flags (`IFF_…`) of the interface `name`, asked on any socket.
///
/// # Errors
/// When there is none of that name.
pub(super) fn interface_flags(socket: BorrowedFd<'_>, name: &str) -> io::Result<c_int> {
    let answer = interface_request(socket, name, libc::SIOCGIFFLAGS)?;
    // SAFETY: the request fills this member; any bytes are a valid number.
    Ok(unsafe { answer.ifr_ifru.ifru_flags }.into())
}

/// The hardware type (`ARPHRD_…`) of the interface `name`, asked on any socket.
///
/// # Errors
/// When there is none of that name.
pub(super) fn hardware_type(socket: BorrowedFd<'_>, name: &str) -> io::Result<u16> {
    let answer = interface_request(socket, name, libc::SIOCGIFHWADDR)?;
    // SAFETY: the request fills this member; any bytes are a valid number.
    Ok(unsafe { answer.ifr_ifru.ifru_hwaddr.sa_family })
}

fn interface_request(
    socket: BorrowedFd<'_>,
    name: &str,
    request: libc::Ioctl,
) -> io::Result<libc::ifreq> {
    // SAFETY: a structure of integers and bytes, for which all zero is valid.
    let mut asked: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays zero.
    let room = asked.ifr_name.len() - 1;
    if name.len() > room {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in asked.ifr_name.iter_mut().zip(name.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    // SAFETY: both requests read the name and write one member of the live structure.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), request, &raw mut asked) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(asked) }
}
