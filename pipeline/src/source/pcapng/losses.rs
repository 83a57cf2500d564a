//! Packets that a capture says it lost: told by interface statistics blocks, which count from the
//! beginning of the capture, and by packets, which count from the one before
//! (draft-ietf-opsawg-pcapng sections 4.3 and 4.6).
//!
//! Both may tell of the same losses, so for each interface the larger number counts. What packets
//! tell counts at once; what the statistics know beyond that counts at the end of the section, when
//! the last of them has come.
//!
//! Who lost them is not kept apart. The format has a counter for the interface and one for the
//! operating system, but dumpcap, which writes nearly all of these blocks, puts what the kernel
//! dropped into the former.

use super::options::Options;
use crate::source::walk::{read_u32, read_u64};

/// What stands before the options of a statistics block, the framing included.
const FIXED_BYTES: usize = 20;

/// `isb_ifdrop`, for want of resources of the interface.
const INTERFACE_DROPS: u16 = 5;
/// `isb_osdrop`, by the operating system.
const SYSTEM_DROPS: u16 = 7;
/// `epb_dropcount`, between a packet and the one before it on its interface.
const PACKET_DROPS: u16 = 4;

/// The value of a counter that was not available.
const UNKNOWN: u64 = u64::MAX;
/// The same in an obsolete packet block.
const UNKNOWN_OLD: u16 = u16::MAX;

/// What the interfaces of a section tell.
#[derive(Debug, Default)]
pub(super) struct Losses {
    interfaces: Vec<Told>,
    /// Not taken yet.
    pending: u64,
}

/// What is told of one interface.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    by_interface: u64,
    by_system: u64,
    /// The sum of what its packets tell.
    by_packets: u64,
}

impl Losses {
    /// One more interface is described.
    pub(super) fn describe(&mut self) {
        self.interfaces.push(Told::default());
    }

    /// A packet says that this many were lost before it.
    pub(super) fn before_packet(&mut self, interface: u32, packets: u64) {
        if let Some(told) = self.interfaces.get_mut(interface as usize) {
            told.by_packets = told.by_packets.saturating_add(packets);
            self.pending = self.pending.saturating_add(packets);
        }
    }

    /// Reads a framed statistics block. Options that it does not have leave what an earlier one
    /// said; what is wrong with it is no reason to stop reading packets.
    pub(super) fn statistics(&mut self, block: &[u8], big: bool) {
        let interface = read_u32(block, 8, big);
        let Some(told) = self.interfaces.get_mut(interface as usize) else { return };
        let options = block.get(FIXED_BYTES..block.len().saturating_sub(4)).unwrap_or_default();
        for (code, value) in Options::new(options, big).map_while(Result::ok) {
            match (code, counter(value, big)) {
                (INTERFACE_DROPS, Some(packets)) => told.by_interface = packets,
                (SYSTEM_DROPS, Some(packets)) => told.by_system = packets,
                _ => {}
            }
        }
    }

    /// The section has ended: what its statistics know beyond its packets counts now.
    pub(super) fn settle(&mut self) {
        for told in self.interfaces.drain(..) {
            let total = told.by_interface.saturating_add(told.by_system);
            let beyond = total.saturating_sub(told.by_packets);
            self.pending = self.pending.saturating_add(beyond);
        }
    }

    /// Packets lost that were not taken yet.
    pub(super) fn take(&mut self) -> u64 {
        std::mem::take(&mut self.pending)
    }
}

fn counter(value: &[u8], big: bool) -> Option<u64> {
    (value.len() == 8).then(|| read_u64(value, 0, big)).filter(|packets| *packets != UNKNOWN)
}

/// Packets that an enhanced packet block with these options says were lost before it.
#[inline]
pub(super) fn in_options(options: &[u8], big: bool) -> u64 {
    // Few packets have any.
    if options.is_empty() { 0 } else { find(options, big) }
}

#[inline(never)]
fn find(options: &[u8], big: bool) -> u64 {
    let mut options = Options::new(options, big).map_while(Result::ok);
    let found = options.find(|(code, _)| *code == PACKET_DROPS);
    found.and_then(|(_, value)| counter(value, big)).unwrap_or(0)
}

/// Packets that the drop counter of an obsolete packet block says were lost before it.
pub(super) const fn in_old_packet(drops: u16) -> u64 {
    if drops == UNKNOWN_OLD { 0 } else { drops as u64 }
}
