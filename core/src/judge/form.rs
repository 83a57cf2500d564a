//! The form of a RST: what its header says about the stack that wrote it.
//!
//! RFC 9293 section 3.5.2 leaves a host without a connection only two forms; a host that still has
//! one fills in its numbers. Linux keeps the two apart strictly (`tcp_v4_send_reset` against
//! `tcp_send_active_reset`).

use crate::flow::record::{FlowRecord, kind, seen};
use crate::segment::TcpFlags;

use super::open::Rst;

/// The form of a RST.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A bare RST whose sequence number is what the peer acknowledged: the answer of a host that
    /// knows no such connection.
    ReplyR,
    /// RST-ACK with sequence number 0 that acknowledges all the peer sent: the answer to a packet
    /// without ACK, such as a SYN.
    ReplyRa,
    /// RST-ACK with the connection's own numbers: the sender had the connection and ends it.
    ActiveRa,
    /// Anything else: a bare RST that answers nothing seen, or numbers that do not fit.
    Odd,
}

impl Form {
    /// Every form, in the order of its numbers.
    pub const ALL: [Self; 4] = [Self::ReplyR, Self::ReplyRa, Self::ActiveRa, Self::Odd];

    /// The form's name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReplyR => "reply_r",
            Self::ReplyRa => "reply_ra",
            Self::ActiveRa => "active_ra",
            Self::Odd => "odd",
        }
    }

    /// The form of `rst` against the flow as it was when it came.
    #[must_use]
    pub fn of(rst: &Rst, flow: &FlowRecord) -> Self {
        let me = &flow.dir[rst.side & 1];
        let peer = &flow.dir[(rst.side & 1) ^ 1];
        let peer_acked = flow.has_acked(rst.side ^ 1);
        if !rst.flags.any(TcpFlags::ACK) {
            // A packet that the peer sent before it saw our FIN, or the data before that,
            // acknowledges less.
            let behind = peer.ack.wrapping_sub(rst.seq);
            let before_fin = me.has(seen::FIN) && behind <= me.bytes.saturating_add(1);
            let answers = if peer_acked { rst.seq == peer.ack || before_fin } else { rst.seq == 0 };
            return if answers { Self::ReplyR } else { Self::Odd };
        }
        let silent = !me.has(!seen::RST);
        let asked_without_ack = flow.last_kind[(rst.side & 1) ^ 1] & kind::ACK == 0;
        if rst.seq == 0 && (silent || me.nxt != 0 || asked_without_ack) {
            return Self::ReplyRa;
        }
        let known = me.packets > 0;
        let only_syn = peer.has(seen::SYN) && !peer_acked;
        if !known && only_syn && rst.ack == peer.nxt {
            return Self::ReplyRa;
        }
        let offset = rst.seq.wrapping_sub(me.nxt).cast_signed();
        if !known || (-1..=0).contains(&offset) || offset.unsigned_abs() <= me.bytes.max(1 << 16) {
            Self::ActiveRa
        } else {
            Self::Odd
        }
    }

    /// Whether a host without the connection would write this form.
    #[must_use]
    pub const fn is_reply(self) -> bool {
        matches!(self, Self::ReplyR | Self::ReplyRa)
    }
}
