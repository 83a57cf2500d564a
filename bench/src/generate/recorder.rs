//! The tap: frames into a pcap file, RSTs into a truth file, both counted, until a limit is reached.

use std::io::Write;

use super::packet::{Packet, flag};
use super::payload::Pool;
use super::summary::Summary;
use super::truth::{self, Told};
use super::wire::{self, Address};
use super::{Config, GenerateError, Limit};

/// When captures begin: 2026-01-01 00:00 UTC, in nanoseconds since 1970.
pub(super) const EPOCH_NS: u64 = 1_767_225_600_000_000_000;

/// Bytes that are collected before they are written.
const BUFFER: usize = 1 << 20;

/// Room for one record: its header and the longest frame.
const RECORD: usize = 16 + 2_048;

const NANOSECONDS: u64 = 1_000_000_000;

/// Writes what passes.
pub(super) struct Recorder<'a> {
    capture: &'a mut dyn Write,
    truth: Option<&'a mut dyn Write>,
    pool: Pool,
    buffer: Vec<u8>,
    limit: Limit,
    snaplen: usize,
    first_ns: Option<u64>,
    /// What has passed.
    pub(super) summary: Summary,
}

impl<'a> Recorder<'a> {
    /// Begins a capture (classic pcap, nanoseconds, Ethernet).
    pub(super) fn new(
        config: &Config,
        pool: Pool,
        capture: &'a mut dyn Write,
        truth: Option<&'a mut dyn Write>,
    ) -> Self {
        let mut buffer = Vec::with_capacity(BUFFER + RECORD);
        buffer.extend(0xa1b2_3c4d_u32.to_le_bytes());
        buffer.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        buffer.extend(config.snaplen.to_le_bytes());
        buffer.extend(1u32.to_le_bytes());
        let summary = Summary { file_bytes: buffer.len() as u64, ..Summary::default() };
        Self {
            capture,
            truth,
            pool,
            buffer,
            limit: config.limit,
            snaplen: config.snaplen as usize,
            first_ns: None,
            summary,
        }
    }

    /// A packet passes at `at` nanoseconds of the capture. False when the capture is complete; the
    /// packet is not in it then.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(super) fn record(
        &mut self,
        at: u64,
        address: &Address,
        packet: &Packet,
        told: Option<&Told>,
    ) -> Result<bool, GenerateError> {
        let first = *self.first_ns.get_or_insert(at);
        let over = self.limit.packets.is_some_and(|most| self.summary.packets >= most)
            || self.limit.duration_ns.is_some_and(|most| at - first > most);
        if over {
            return Ok(false);
        }
        let begin = self.buffer.len();
        let time_ns = EPOCH_NS + at;
        self.buffer.extend(((time_ns / NANOSECONDS) as u32).to_le_bytes());
        self.buffer.extend(((time_ns % NANOSECONDS) as u32).to_le_bytes());
        self.buffer.extend([0; 8]);
        let wire_len = wire::write(&mut self.buffer, address, packet, &self.pool, self.snaplen);
        let captured = self.buffer.len() - begin - 16;
        for (place, len) in [(8, captured), (12, wire_len)] {
            if let Some(room) = self.buffer.get_mut(begin + place..begin + place + 4) {
                room.copy_from_slice(&(len as u32).to_le_bytes());
            }
        }
        let bytes = self.summary.file_bytes + 16 + captured as u64;
        if self.limit.bytes.is_some_and(|most| bytes > most) {
            self.buffer.truncate(begin);
            return Ok(false);
        }
        self.summary.file_bytes = bytes;
        self.summary.duration_ns = at - first;
        self.summary.packet(packet, wire_len, address.v6, address.vlan != 0);
        if packet.has(flag::RST) {
            self.summary.rsts += 1;
        }
        if let Some(told) = told {
            self.tell(time_ns, address, packet, told)?;
        }
        if self.buffer.len() >= BUFFER {
            self.flush()?;
        }
        Ok(true)
    }

    fn tell(
        &mut self,
        time_ns: u64,
        address: &Address,
        packet: &Packet,
        told: &Told,
    ) -> Result<(), GenerateError> {
        if !told.aftermath {
            self.summary.event(told.label.subcause.cause());
        }
        let Some(out) = &mut self.truth else { return Ok(()) };
        truth::write(*out, address, packet, told, self.summary.packets, [time_ns, EPOCH_NS])
            .map_err(GenerateError::Truth)
    }

    fn flush(&mut self) -> Result<(), GenerateError> {
        self.capture.write_all(&self.buffer).map_err(GenerateError::Capture)?;
        self.buffer.clear();
        Ok(())
    }

    /// Ends the capture.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(super) fn finish(mut self) -> Result<Summary, GenerateError> {
        self.flush()?;
        self.capture.flush().map_err(GenerateError::Capture)?;
        if let Some(out) = self.truth {
            out.flush().map_err(GenerateError::Truth)?;
        }
        Ok(self.summary)
    }
}
