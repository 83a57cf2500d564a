//! One packet before it is bytes: what differs between packets of a connection.

use super::payload::Payload;

/// TCP flags, as in the header.
pub(super) mod flag {
    /// No more data from the sender.
    pub(crate) const FIN: u8 = 1;
    /// Synchronise.
    pub(crate) const SYN: u8 = 2;
    /// Reset.
    pub(crate) const RST: u8 = 4;
    /// Push.
    pub(crate) const PSH: u8 = 8;
    /// The acknowledgement is valid.
    pub(crate) const ACK: u8 = 16;
}

/// A packet that bears no truth.
pub(super) const NO_TRUTH: u32 = u32::MAX;

/// TCP options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Options {
    /// None.
    None,
    /// Maximum segment size alone, as port scanners send.
    Mss,
    /// Those of a SYN: what the sender's stack offers.
    Syn {
        /// Maximum segment size.
        mss: u16,
        /// Window scale.
        scale: u8,
        /// With timestamps.
        timestamps: bool,
    },
    /// Timestamps.
    Timestamps,
    /// One SACK block, with or without timestamps.
    Sack {
        /// The block: first sequence number and the one after the last.
        block: [u32; 2],
        /// With timestamps.
        timestamps: bool,
    },
}

/// What the packet's IP payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP echo: request from the client, reply from the server.
    Echo,
}

/// A packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet {
    /// What it is.
    pub(super) kind: Kind,
    /// The end that it claims to come from.
    pub(super) side: u8,
    /// TCP flags.
    pub(super) flags: u8,
    /// Time to live at the tap.
    pub(super) ttl: u8,
    /// Differentiated services byte.
    pub(super) tos: u8,
    /// Do not fragment.
    pub(super) df: bool,
    /// IP identification.
    pub(super) ip_id: u16,
    /// Window, as on the wire.
    pub(super) window: u16,
    /// Sequence number.
    pub(super) seq: u32,
    /// Acknowledgement.
    pub(super) ack: u32,
    /// Timestamp: value and echo reply.
    pub(super) time: [u32; 2],
    /// TCP options.
    pub(super) options: Options,
    /// What it carries.
    pub(super) payload: Payload,
    /// Number of what is known about it; [`NO_TRUTH`] for packets that are no RST.
    pub(super) truth: u32,
}

impl Packet {
    /// A TCP packet that has no more than it must: no flags, window, options, or identification.
    pub(super) fn bare(side: usize) -> Self {
        Self {
            kind: Kind::Tcp,
            side: side as u8,
            flags: 0,
            ttl: 64,
            tos: 0,
            df: true,
            ip_id: 0,
            window: 0,
            seq: 0,
            ack: 0,
            time: [0; 2],
            options: Options::None,
            payload: Payload::default(),
            truth: NO_TRUTH,
        }
    }

    /// Whether any of `flags` is set.
    pub(super) const fn has(&self, flags: u8) -> bool {
        self.flags & flags != 0
    }

    /// The sequence number after it.
    pub(super) fn end(&self) -> u32 {
        let control = u32::from(self.has(flag::SYN)) + u32::from(self.has(flag::FIN));
        self.seq.wrapping_add(u32::from(self.payload.len) + control)
    }
}
