//! The parser of the pcap-parser crate as a second opinion.

use super::Seen;
use pcap_parser::{Block, LegacyPcapBlock, PcapBlockOwned, PcapError, create_reader};
use std::io::Cursor;

/// The frames that pcap-parser reads, up to the point where it gives up or meets what is not
/// compared here (obsolete packet blocks, time offsets, unusual resolutions); `None` when it does
/// not even begin.
pub(crate) fn oracle(bytes: Vec<u8>) -> Option<Vec<Seen>> {
    let mut reader = create_reader(2 << 20, Cursor::new(bytes)).ok()?;
    let mut state = Parsed::default();
    loop {
        match reader.next() {
            Ok((used, block)) => {
                if !state.take(&block) {
                    return Some(state.frames);
                }
                reader.consume(used);
            }
            Err(PcapError::Incomplete(_)) => {
                if reader.reader_exhausted() || reader.refill().is_err() {
                    return Some(state.frames);
                }
            }
            Err(_) => return Some(state.frames),
        }
    }
}

#[derive(Default)]
struct Parsed {
    frames: Vec<Seen>,
    link: u16,
    nano: bool,
    /// Link type and time resolution.
    interfaces: Vec<(u16, u8)>,
}

impl Parsed {
    /// Takes in a block; `false` when it makes no sense.
    fn take(&mut self, block: &PcapBlockOwned<'_>) -> bool {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                self.link = header.network.0 as u16;
                self.nano = header.is_nanosecond_precision();
            }
            PcapBlockOwned::Legacy(record) => self.frames.push(self.record(record)),
            PcapBlockOwned::NG(Block::SectionHeader(_)) => self.interfaces.clear(),
            PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                if interface.if_tsoffset != 0 {
                    return false;
                }
                self.interfaces.push((interface.linktype.0 as u16, interface.if_tsresol));
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                let Some(&(link, resolution)) = self.interfaces.get(packet.if_id as usize) else {
                    return false;
                };
                if resolution > 9 {
                    return false;
                }
                let units = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                let Some(bytes) = packet.data.get(..packet.caplen as usize) else { return false };
                self.frames.push(Seen {
                    time_ns: units.saturating_mul(10_u64.pow(9 - u32::from(resolution))),
                    link,
                    wire_len: packet.origlen.max(packet.caplen),
                    bytes: bytes.to_vec(),
                });
            }
            PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
                let Some(&(link, _)) = self.interfaces.first() else { return false };
                let held = packet.data.len().min(packet.origlen as usize);
                self.frames.push(Seen {
                    time_ns: self.frames.last().map_or(0, |frame| frame.time_ns),
                    link,
                    wire_len: packet.origlen,
                    bytes: packet.data[..held].to_vec(),
                });
            }
            PcapBlockOwned::NG(Block::Unknown(block)) => return block.block_type != 2,
            PcapBlockOwned::NG(_) => {}
        }
        true
    }

    fn record(&self, record: &LegacyPcapBlock<'_>) -> Seen {
        let unit_ns = if self.nano { 1 } else { 1_000 };
        Seen {
            time_ns: u64::from(record.ts_sec) * 1_000_000_000 + u64::from(record.ts_usec) * unit_ns,
            link: self.link,
            wire_len: record.origlen.max(record.caplen),
            bytes: record.data.to_vec(),
        }
    }
}
