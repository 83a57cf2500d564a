//! An open reset event: the flow as it was when the RST came, the RST itself, and what has followed.
//!
//! The verdict waits for the race window because the strongest evidence against a reset comes after
//! it: a host that has reset a connection sends nothing more on it (Weaver et al., NDSS 2009).

use crate::flow::record::{Direction, FlowRecord, IP_ID_STEP_MAX, Micros, elapsed, micros, seen};
use crate::flow::table::Slot;
use crate::segment::{RST_TEXT_LEN, Segment, TcpFlags};
use crate::seq::Seq;

use super::form::Form;

/// Retransmissions that follow within this may have been overtaken: no life after death.
const REORDER_US_MAX: u64 = 3_000;

/// New data that follows within this may have been overtaken, unless the reset's own number says
/// that its sender had not sent it.
const OVERTAKEN_US_MAX: u64 = 1_000;

/// Pure acknowledgements of the claimed sender count as life only after this time: until then they
/// may have been on their way.
const LATE_ACK_US_MIN: u64 = 20_000;

/// The first RST of an event.
#[derive(Clone, Copy, Debug)]
pub struct Rst {
    /// Nanoseconds since 1970-01-01 UTC.
    pub time_ns: u64,
    /// Number of the frame in the capture, from 1.
    pub frame: u64,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement field, whether or not ACK is set.
    pub ack: u32,
    /// Payload bytes.
    pub payload_len: u32,
    /// Window field.
    pub window: u16,
    /// IPv4 identification.
    pub ip_id: u16,
    /// Endpoint that sent it, as far as its addresses say.
    pub side: usize,
    /// Control bits.
    pub flags: TcpFlags,
    /// Time to live or hop limit.
    pub ttl: u8,
    /// Type of service or traffic class.
    pub tos: u8,
    /// Options present, see [`crate::segment::option`].
    pub options: u8,
    /// See [`crate::segment::quirk`].
    pub quirks: u8,
    /// The first bytes of its payload.
    pub text: [u8; RST_TEXT_LEN],
}

impl Rst {
    /// Copies what the judge needs of a RST.
    #[must_use]
    pub fn new(segment: &Segment, text: Option<&[u8; RST_TEXT_LEN]>) -> Self {
        Self {
            time_ns: segment.time_ns,
            frame: segment.frame,
            seq: segment.seq,
            ack: segment.ack,
            payload_len: segment.payload_len,
            window: segment.window,
            ip_id: segment.ip_id,
            side: usize::from(segment.direction & 1),
            flags: segment.flags,
            ttl: segment.ttl,
            tos: segment.tos,
            options: segment.options,
            quirks: segment.quirks,
            text: text.copied().unwrap_or([0; RST_TEXT_LEN]),
        }
    }
}

/// What followed the first RST, until the race window ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct After {
    /// RSTs in the direction of the first, itself included.
    pub rsts_same_side: u32,
    /// RSTs in the other direction.
    pub rsts_other_side: u32,
    /// Microseconds from the first RST to the first in the other direction.
    pub other_side_us: u32,
    /// Different sequence numbers among the RSTs of the first direction.
    pub train: u8,
    /// Steps between the first, second and third of them.
    pub steps: [i32; 2],
    last_train_seq: u32,
    /// How far the highest of them lies beyond all that their claimed sender had sent.
    pub train_ahead: i32,
    /// Later RSTs of the first direction that answer a packet of the peer.
    pub replies: u16,
    /// Claimed sender: segments with new payload or FIN.
    pub sender_data: u8,
    /// Claimed sender: retransmissions, too late to be reordering.
    pub sender_repeats: u8,
    /// Claimed sender: acknowledgements, too late to have been on their way.
    pub sender_acks: u8,
    /// Claimed sender: SYN-ACKs while no new SYN had asked for one.
    pub sender_syn_acks: u8,
    /// Of those, packets with a time to live the sender had used before.
    pub sender_usual_ttl: u8,
    /// Other side: SYNs.
    pub victim_syns: u8,
    /// Other side: segments with new payload or FIN.
    pub victim_data: u8,
    /// Other side: everything else.
    pub victim_acks: u8,
    /// A packet of the other side that the reset may answer was captured behind it.
    pub trigger_overtaken: bool,
    /// A handshake on the same 5-tuple followed.
    pub reopened: bool,
    /// The verdict could not wait for the end of the window.
    pub window_cut: bool,
}

/// What a further RST is to an open event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belongs {
    /// Part of the same death.
    Same,
    /// The answer to a packet that came after the death.
    Aftermath,
    /// The connection had lived on, and this is another death.
    NewDeath,
}

/// An open reset event.
#[derive(Clone, Copy, Debug)]
pub struct OpenEvent {
    /// The flow as it was before the RST.
    pub flow: FlowRecord,
    /// The first RST.
    pub rst: Rst,
    /// Its form.
    pub form: Form,
    /// What followed.
    pub after: After,
    /// When the verdict falls due, on the shard's clock.
    pub deadline_ns: u64,
    /// This event is the aftermath of an earlier reset of the same connection.
    pub aftermath: bool,
    /// 1 + place in the shard's ring of the event of this one's own aftermath; 0 for none.
    pub next: u32,
    /// Slot of the flow in the shard's table.
    pub slot: Slot,
    /// Not yet judged.
    pub open: bool,
}

impl OpenEvent {
    /// Opens an event with its first RST.
    #[must_use]
    pub fn new(flow: &FlowRecord, rst: Rst, deadline_ns: u64, aftermath: bool, slot: Slot) -> Self {
        let form = Form::of(&rst, flow);
        let after =
            After { rsts_same_side: 1, train: 1, last_train_seq: rst.seq, ..After::default() };
        Self { flow: *flow, rst, form, after, deadline_ns, aftermath, next: 0, slot, open: true }
    }

    fn since_rst(&self, time_ns: u64) -> u64 {
        elapsed(micros(self.rst.time_ns), micros(time_ns))
    }

    /// What a further RST on the same flow is to this event; `now` is the flow's present state.
    #[must_use]
    pub fn relation(&self, segment: &Segment, now: &FlowRecord) -> Belongs {
        if self.flow.both_fins() || self.aftermath {
            return Belongs::Same;
        }
        let side = usize::from(segment.direction & 1);
        let bare = !segment.flags.any(TcpFlags::ACK);
        let answers = bare && segment.seq == now.dir[side ^ 1].ack;
        if side == self.rst.side {
            let lived = self.after.sender_data > 0 || self.after.sender_syn_acks > 0;
            if lived && segment.seq == now.dir[side].nxt && segment.seq != self.rst.seq {
                return Belongs::NewDeath;
            }
            let victim_spoke = self.after.victim_data > 0 || self.after.victim_acks > 0;
            if answers && victim_spoke && self.form == Form::ActiveRa {
                return Belongs::Aftermath;
            }
            return Belongs::Same;
        }
        let sender_spoke = self.spoke_since(&now.dir[side ^ 1], side ^ 1);
        if answers && sender_spoke { Belongs::Aftermath } else { Belongs::Same }
    }

    fn spoke_since(&self, present: &Direction, side: usize) -> bool {
        let then = &self.flow.dir[side & 1];
        present.packets != then.packets || present.last() != then.last()
    }

    /// Adds a further RST of the same death.
    pub fn add_rst(&mut self, segment: &Segment, now: &FlowRecord) {
        let side = usize::from(segment.direction & 1);
        let victim = &now.dir[side ^ 1];
        let bare = !segment.flags.any(TcpFlags::ACK);
        let answers = bare && segment.seq == victim.ack && self.spoke_since(victim, side ^ 1);
        let after = &mut self.after;
        if side != self.rst.side {
            if after.rsts_other_side == 0 {
                let us = elapsed(micros(self.rst.time_ns), micros(segment.time_ns));
                after.other_side_us = u32::try_from(us).unwrap_or(u32::MAX);
            }
            after.rsts_other_side = after.rsts_other_side.saturating_add(1);
            return;
        }
        after.rsts_same_side = after.rsts_same_side.saturating_add(1);
        if answers {
            after.replies = after.replies.saturating_add(1);
            return;
        }
        if segment.seq == after.last_train_seq {
            return;
        }
        let step = Seq(segment.seq).since(Seq(after.last_train_seq));
        if let Some(slot) = after.steps.get_mut(usize::from(after.train) - 1) {
            *slot = step;
        }
        after.train = after.train.saturating_add(1);
        after.last_train_seq = segment.seq;
        let sender = &self.flow.dir[side];
        if sender.packets > 0 {
            after.train_ahead = after.train_ahead.max(Seq(segment.seq).since(Seq(sender.nxt)));
        }
    }

    /// Notes a packet other than a RST that came after the reset. `now` is the flow before it.
    pub fn observe(&mut self, segment: &Segment, now: &FlowRecord) {
        let side = usize::from(segment.direction & 1);
        let age_us = self.since_rst(segment.time_ns);
        let me = &now.dir[side];
        let advances = me.packets == 0 || Seq(segment.end()).after(Seq(me.nxt));
        let carries = segment.payload_len > 0 || segment.flags.any(TcpFlags::FIN);
        let shuffled = age_us < OVERTAKEN_US_MAX;
        let overtaken = shuffled && self.may_follow(segment, me);
        let after = &mut self.after;
        if side != self.rst.side {
            let asks = segment.flags.any(TcpFlags::ACK) && segment.ack == self.rst.seq;
            after.trigger_overtaken |= shuffled && asks;
            let count = if segment.flags.is_syn() {
                &mut after.victim_syns
            } else if carries && advances {
                &mut after.victim_data
            } else {
                &mut after.victim_acks
            };
            *count = count.saturating_add(1);
            return;
        }
        let before = &self.flow.dir[side];
        let beyond_rst = before.packets == 0 || Seq(segment.end()).after(Seq(before.nxt));
        let counted = if segment.flags.is_syn_ack() {
            if after.victim_syns > 0 || me.has(seen::SYN_ACK) || overtaken {
                return;
            }
            &mut after.sender_syn_acks
        } else if segment.flags.any(TcpFlags::SYN) {
            return;
        } else if carries && advances && beyond_rst {
            if overtaken {
                return;
            }
            &mut after.sender_data
        } else if carries && age_us >= REORDER_US_MAX {
            &mut after.sender_repeats
        } else if !carries && age_us >= LATE_ACK_US_MIN {
            &mut after.sender_acks
        } else {
            return;
        };
        *counted = counted.saturating_add(1);
        let usual = before.packets == 0
            || (before.ttl_min().saturating_sub(1)..=before.ttl_max().saturating_add(1))
                .contains(&segment.ttl);
        if usual {
            after.sender_usual_ttl = after.sender_usual_ttl.saturating_add(1);
        }
    }

    /// Whether the reset may have been written after `segment`, which its claimed sender `me` sent
    /// and the capture holds behind it.
    fn may_follow(&self, segment: &Segment, me: &Direction) -> bool {
        // Some stacks reset with the number of their FIN instead of the next.
        let end = Seq(segment.seq).plus(segment.payload_len);
        let covers = if segment.flags.any(TcpFlags::SYN) {
            self.rst.seq == segment.end()
        } else {
            !end.after(Seq(self.rst.seq))
        };
        if self.form != Form::ReplyR {
            return covers;
        }
        // A host without the connection repeats an old number. Its counter of IP identifications
        // tells the order, if it has one and used it.
        let counts =
            |later: u16, earlier: u16| (1..=IP_ID_STEP_MAX).contains(&later.wrapping_sub(earlier));
        let (rst_id, own_id) = (self.rst.ip_id, segment.ip_id);
        rst_id == 0 || !counts(own_id, me.ip_id) || counts(rst_id, own_id)
    }

    /// Microseconds from the event's last packet of `side` to the RST.
    #[must_use]
    pub fn age_us(&self, since: Micros) -> u64 {
        elapsed(since, micros(self.rst.time_ns))
    }

    /// RST packets in the event.
    #[must_use]
    pub fn packets(&self) -> u32 {
        self.after.rsts_same_side.saturating_add(self.after.rsts_other_side)
    }
}
