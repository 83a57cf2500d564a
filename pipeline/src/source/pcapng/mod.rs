//! The pcapng format: sections of blocks, each section with its own byte order and interfaces
//! (draft-ietf-opsawg-pcapng).
//!
//! Blocks that carry packets, interfaces, their statistics and sections are read; all others (name
//! resolution, decryption secrets, custom and unknown ones) are stepped over by their length.
//! Section lengths are not needed, blocks follow each other in any case.

mod enhanced;
mod interface;
mod losses;
mod options;
mod time;
pub(super) mod undescribed;

use super::batch::Slot;
use super::memory::RECORD_BYTES_MAX;
use super::walk::{Room, Stop, Walked, read_u16, read_u32};
pub(super) use enhanced::Packets;
use interface::Interface;
use losses::Losses;
pub(super) use undescribed::Undescribed;

/// The type of a section header block reads the same in both byte orders.
pub(super) const SECTION_TYPE: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
/// Bytes of a section header block without options.
pub(super) const SECTION_BYTES: usize = 28;
/// The byte-order magic, in file order of a big-endian section.
const BYTE_ORDER: [u8; 4] = [0x1a, 0x2b, 0x3c, 0x4d];

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
/// The obsolete packet block.
const PACKET_OLD: u32 = 2;
const PACKET_SIMPLE: u32 = 3;
const STATISTICS: u32 = 5;
const PACKET_ENHANCED: u32 = 6;

/// Type and length at the head, length at the tail.
const FRAMING_BYTES: usize = 12;
/// What stands before the bytes of a packet in an enhanced or obsolete packet block.
const PACKET_HEAD_BYTES: usize = 28;
/// What stands before the bytes of a packet in a simple packet block.
const SIMPLE_HEAD_BYTES: usize = 12;
/// The longest block that is looked into; longer ones that carry nothing for us are stepped over.
const BLOCK_BYTES_MAX: usize = RECORD_BYTES_MAX;
/// Interfaces of one section that are believed: the number must not decide about memory.
const INTERFACES_MAX: usize = 1 << 16;

/// The state of reading a pcapng stream.
#[derive(Debug, Default)]
pub(super) struct Sections {
    big: bool,
    interfaces: Vec<Interface>,
    losses: Losses,
    undescribed: Undescribed,
    /// Time of the packet before, for blocks that carry none.
    last_ns: u64,
    /// Packets that got their time so, if that was a time.
    borrowed: u64,
    /// Bytes of a block being stepped over that are still to come.
    skip: usize,
}

/// Whether a section header block with a known byte order begins here.
pub(super) fn is_section(bytes: &[u8]) -> bool {
    bytes.starts_with(&SECTION_TYPE) && byte_order(bytes).is_some()
}

/// Whether the section header block that begins here is big-endian.
fn byte_order(bytes: &[u8]) -> Option<bool> {
    let order = bytes.get(8..12)?;
    if order == BYTE_ORDER {
        return Some(true);
    }
    order.iter().eq(BYTE_ORDER.iter().rev()).then_some(false)
}

/// One block, framing checked.
struct Block<'a> {
    kind: u32,
    /// From the type to the trailing length, both included.
    bytes: &'a [u8],
}

/// What stands where a block should begin.
enum Next<'a> {
    Block(Block<'a>),
    /// A block of this many bytes that is too long to look into.
    Long(usize),
    Hungry,
    Broken(String),
}

/// A packet's place in its block.
struct Packet {
    slot: Slot,
    /// Where its bytes begin, counted from the block.
    data_at: usize,
    interface: u32,
    /// Packets that were lost before it.
    lost: u64,
}

impl Sections {
    /// Whether the section being read is big-endian.
    pub(super) const fn are_big(&self) -> bool {
        self.big
    }

    /// Describes the packets of the blocks that begin at `at`, as far as `room` and bytes go: runs
    /// of enhanced packet blocks at speed, everything else block by block.
    pub(super) fn walk(&mut self, bytes: &[u8], mut at: usize, room: Room<'_>) -> Walked {
        let Room { slots, memory, limit_ns, scouted } = room;
        let begin = at;
        let mut frames = 0;
        loop {
            if self.skip > 0 {
                let now = self.skip.min(bytes.len().saturating_sub(at));
                self.skip -= now;
                at += now;
            }
            let free = slots.get_mut(frames..).unwrap_or_default();
            let room = Room { slots: free, memory, limit_ns, scouted };
            let (run, after) = if self.big {
                enhanced::run::<true>(&self.interfaces, bytes, at, room)
            } else {
                enhanced::run::<false>(&self.interfaces, bytes, at, room)
            };
            (frames, at) = (frames + run, after);
            if let Some(last) = frames.checked_sub(1).and_then(|last| slots.get(last)) {
                self.last_ns = last.time_ns;
            }
            let Some(slot) = slots.get_mut(frames) else {
                return Walked { frames, at, stop: Stop::Full };
            };
            let rest = bytes.get(at..).unwrap_or_default();
            let block = match self.next(rest) {
                Next::Block(block) => block,
                Next::Long(total) => {
                    self.skip = total;
                    continue;
                }
                Next::Hungry => return Walked { frames, at, stop: Stop::Hungry },
                Next::Broken(what) => return Walked { frames, at, stop: Stop::Broken(what) },
            };
            let total = block.bytes.len();
            let packet = match self.read(&block) {
                Ok(packet) => packet,
                Err(what) => return Walked { frames, at, stop: Stop::Broken(what) },
            };
            if let Some(packet) = packet {
                if packet.slot.time_ns >= limit_ns {
                    return Walked { frames, at, stop: Stop::Limit(packet.slot.time_ns) };
                }
                let offset = (at + packet.data_at) as u64;
                *slot = Slot { offset, memory, ..packet.slot };
                frames += 1;
                // One that has 0 from the one before it shows by that.
                self.borrowed += u64::from(block.kind == PACKET_SIMPLE && packet.slot.time_ns > 0);
                match self.interfaces.get(packet.interface as usize) {
                    Some(_) => self.losses.before_packet(packet.interface, packet.lost),
                    None => {
                        let described = self.interfaces.len();
                        self.undescribed.skip(packet.interface, described, at - begin);
                    }
                }
            }
            at += total;
        }
    }

    /// Frames the next block: both lengths present, equal, and sane.
    #[inline]
    fn next<'a>(&self, rest: &'a [u8]) -> Next<'a> {
        if rest.len() < FRAMING_BYTES {
            return Next::Hungry;
        }
        let kind = read_u32(rest, 0, self.big);
        let big = if kind == SECTION {
            match byte_order(rest) {
                Some(big) => big,
                None => {
                    return Next::Broken("a section header has no valid byte-order mark".into());
                }
            }
        } else {
            self.big
        };
        let total = read_u32(rest, 4, big) as usize;
        if total < FRAMING_BYTES || !total.is_multiple_of(4) {
            return Next::Broken(format!("a block (type {kind}) says it is {total} bytes long"));
        }
        let ours =
            matches!(kind, SECTION | INTERFACE | PACKET_OLD | PACKET_SIMPLE | PACKET_ENHANCED);
        if total > BLOCK_BYTES_MAX {
            return if ours {
                Next::Broken(format!(
                    "a block (type {kind}) says it is {total} bytes long, more than the \
                     {BLOCK_BYTES_MAX} that are believed"
                ))
            } else {
                Next::Long(total)
            };
        }
        let Some(bytes) = rest.get(..total) else { return Next::Hungry };
        let tail = read_u32(bytes, total - 4, big) as usize;
        if tail != total {
            return Next::Broken(format!(
                "a block (type {kind}) says {total} bytes at its head and {tail} at its tail"
            ));
        }
        Next::Block(Block { kind, bytes })
    }

    /// Takes in what a block says; `Some` when it is a packet.
    #[inline]
    fn read(&mut self, block: &Block<'_>) -> Result<Option<Packet>, String> {
        match block.kind {
            PACKET_ENHANCED => self.enhanced_packet(block).map(Some),
            PACKET_OLD => self.old_packet(block).map(Some),
            PACKET_SIMPLE => self.simple_packet(block).map(Some),
            SECTION => self.section(block).map(|()| None),
            INTERFACE => self.interface(block).map(|()| None),
            STATISTICS => {
                self.losses.statistics(block.bytes, self.big);
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    fn section(&mut self, block: &Block<'_>) -> Result<(), String> {
        if block.bytes.len() < SECTION_BYTES {
            return Err("a section header block is shorter than its fixed fields".into());
        }
        self.big = byte_order(block.bytes).unwrap_or(self.big);
        let major = read_u16(block.bytes, 12, self.big);
        if major != 1 {
            let minor = read_u16(block.bytes, 14, self.big);
            return Err(format!("a section is of pcapng version {major}.{minor}, not 1.x"));
        }
        self.settle();
        self.interfaces.clear();
        Ok(())
    }

    fn interface(&mut self, block: &Block<'_>) -> Result<(), String> {
        if self.interfaces.len() >= INTERFACES_MAX {
            return Err(format!("a section describes more than {INTERFACES_MAX} interfaces"));
        }
        self.interfaces.push(Interface::parse(block.bytes, self.big)?);
        self.losses.describe();
        Ok(())
    }

    #[inline]
    fn enhanced_packet(&self, block: &Block<'_>) -> Result<Packet, String> {
        let packet = self.packet(block, read_u32(block.bytes, 8, self.big))?;
        let behind = PACKET_HEAD_BYTES + (packet.slot.cap_len as usize).next_multiple_of(4);
        let options = block.bytes.get(behind..block.bytes.len() - 4).unwrap_or_default();
        Ok(Packet { lost: losses::in_options(options, self.big), ..packet })
    }

    fn old_packet(&self, block: &Block<'_>) -> Result<Packet, String> {
        let packet = self.packet(block, read_u16(block.bytes, 8, self.big).into())?;
        let lost = losses::in_old_packet(read_u16(block.bytes, 10, self.big));
        Ok(Packet { lost, ..packet })
    }

    /// Reads what an enhanced packet block and an obsolete one have in the same places.
    #[inline]
    fn packet(&self, block: &Block<'_>, number: u32) -> Result<Packet, String> {
        let Some(held) = block.bytes.len().checked_sub(PACKET_HEAD_BYTES + 4) else {
            return Err("a packet block is shorter than its fixed fields".into());
        };
        let high = read_u32(block.bytes, 12, self.big);
        let low = read_u32(block.bytes, 16, self.big);
        let captured = read_u32(block.bytes, 20, self.big);
        let original = read_u32(block.bytes, 24, self.big);
        if captured as usize > held {
            return Err(format!(
                "a packet block has room for {held} bytes and says it holds {captured}"
            ));
        }
        let units = u64::from(high) << 32 | u64::from(low);
        let slot = Slot {
            offset: 0,
            cap_len: captured,
            wire_len: original.max(captured),
            memory: 0,
            ..match self.interfaces.get(number as usize) {
                Some(interface) => Slot {
                    time_ns: interface.clock.to_ns(units),
                    link: interface.link,
                    ..Slot::default()
                },
                None => self.of_undescribed(),
            }
        };
        Ok(Packet { slot, data_at: PACKET_HEAD_BYTES, interface: number, lost: 0 })
    }

    /// Reads a simple packet block: the section's first interface, no time, and a captured length
    /// that follows from the interface's snapshot length.
    fn simple_packet(&self, block: &Block<'_>) -> Result<Packet, String> {
        let Some(held) = block.bytes.len().checked_sub(SIMPLE_HEAD_BYTES + 4) else {
            return Err("a simple packet block is shorter than its fixed fields".into());
        };
        let original = read_u32(block.bytes, 8, self.big);
        let interface = self.interfaces.first();
        let link = interface.map_or(undescribed::LINK, |interface| interface.link);
        let snapshot = interface.map(|interface| interface.snap_len).filter(|length| *length > 0);
        let snapshot = snapshot.unwrap_or(u32::MAX);
        let held = u32::try_from(held).unwrap_or(u32::MAX);
        let slot = Slot {
            time_ns: self.last_ns,
            offset: 0,
            cap_len: original.min(snapshot).min(held),
            wire_len: original,
            link,
            memory: 0,
        };
        Ok(Packet { slot, data_at: SIMPLE_HEAD_BYTES, interface: 0, lost: 0 })
    }

    /// What stands for the time and the link type of a packet that lack a description.
    fn of_undescribed(&self) -> Slot {
        Slot { time_ns: self.last_ns, link: undescribed::LINK, ..Slot::default() }
    }

    /// Counts what the statistics of the section say: it has ended, or the input has.
    pub(super) fn settle(&mut self) {
        self.losses.settle();
    }

    /// Packets so far that have the time of the one before them for want of one of their own.
    pub(super) const fn borrowed(&self) -> u64 {
        self.borrowed
    }

    /// Packets of interfaces that no block describes.
    pub(super) const fn undescribed(&mut self) -> &mut Undescribed {
        &mut self.undescribed
    }

    /// Packets that the capture says it lost, since the last call.
    pub(super) fn take_lost(&mut self) -> u64 {
        self.losses.take()
    }

    /// Says what is missing when the input ends here, with these bytes of a block there; `None`
    /// when it may end here.
    pub(super) fn describe_cut(&self, rest: &[u8]) -> Option<String> {
        if self.skip > 0 {
            return Some(format!(
                "it is cut within a block, of which {} bytes are missing",
                self.skip
            ));
        }
        match rest.len() {
            0 => None,
            n @ 1..FRAMING_BYTES => {
                Some(format!("it is cut within a block, of which {n} bytes are there"))
            }
            n => {
                let kind = read_u32(rest, 0, self.big);
                let big =
                    if kind == SECTION { byte_order(rest).unwrap_or(self.big) } else { self.big };
                let total = read_u32(rest, 4, big);
                Some(format!(
                    "it is cut within a block (type {kind}) of {total} bytes, of which {n} are there"
                ))
            }
        }
    }
}
