//! An event whose race window is open, as the shard keeps it.
//!
//! The verdict waits for the race window because the strongest evidence against a reset comes after
//! it: a host that has reset a connection sends nothing more on it (Weaver et al., NDSS 2009).

use crate::flow::record::{Direction, FlowRecord, IP_ID_STEP_MAX, IpIdClass};
use crate::flow::record::{elapsed, micros, seen};
use crate::flow::table::Slot;
use crate::segment::{Segment, TcpFlags, quirk};
use crate::seq::Seq;

use super::form::Form;
use super::open::{After, OpenEvent, Rst, Text};

/// Retransmissions that follow within this may have been overtaken: no life after death.
const REORDER_US_MAX: u64 = 3_000;

/// New data that follows within this may have been overtaken, unless the reset's own number says
/// that its sender had not sent it.
const OVERTAKEN_US_MAX: u64 = 1_000;

/// Pure acknowledgements of the claimed sender count as life only after this time: until then they
/// may have been on their way.
const LATE_ACK_US_MIN: u64 = 20_000;

/// What a further RST is to an open event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Belongs {
    /// Part of the same death.
    Same,
    /// The answer to a packet that came after the death.
    Aftermath,
    /// The connection had lived on, and this is another death.
    NewDeath,
}

/// What is kept of an event while its window is open: four cache lines.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Watch {
    /// The flow as it was before the RST.
    flow: FlowRecord,
    rst: Rst,
    pub(crate) after: After,
    /// When the verdict falls due, on the shard's clock.
    pub(crate) deadline_ns: u64,
    /// Place of the event of this one's own aftermath; 0 for none (see [`crate::ring::Ring`]).
    pub(crate) next: u32,
    /// Slot of the flow in the shard's table.
    pub(crate) slot: Slot,
    form: Form,
    aftermath: bool,
    /// Not yet judged.
    pub(crate) is_open: bool,
    /// Neither the flow's record nor another event leads here any more.
    pub(crate) is_alone: bool,
    /// The RST carried text.
    pub(crate) has_text: bool,
}

const _: () = assert!(size_of::<Watch>() == 256, "an open event is four cache lines");

impl Watch {
    /// Writes what is known when the first RST comes over all that was here; `flow` does not know of
    /// the RST yet.
    #[inline(always)]
    pub(crate) fn begin(
        &mut self,
        flow: &FlowRecord,
        segment: &Segment,
        text: Option<&Text>,
        deadline_ns: u64,
        aftermath: bool,
        slot: Slot,
    ) {
        self.flow = *flow;
        self.flow.event = 0;
        self.rst = Rst::new(segment, text);
        self.form = Form::of(&self.rst, flow);
        self.after = After::of(&self.rst);
        self.deadline_ns = deadline_ns;
        self.next = 0;
        self.slot = slot;
        self.aftermath = aftermath;
        self.is_open = true;
        self.is_alone = false;
        self.has_text = text.is_some();
    }

    /// Nothing, to be written over.
    pub(crate) fn empty() -> Self {
        Self {
            flow: FlowRecord::default(),
            rst: Rst::default(),
            after: After::default(),
            deadline_ns: 0,
            next: 0,
            slot: Slot::default(),
            form: Form::Odd,
            aftermath: false,
            is_open: false,
            is_alone: false,
            has_text: false,
        }
    }

    /// The first RST.
    pub(crate) const fn rst(&self) -> &Rst {
        &self.rst
    }

    /// Writes the event, complete but for its text, over all that `event` was.
    #[inline(always)]
    pub(crate) fn complete(&self, event: &mut OpenEvent) {
        event.flow = self.flow;
        event.rst = self.rst;
        event.after = self.after;
        event.form = self.form;
        event.aftermath = self.aftermath;
        event.found = None;
        event.has_text = self.has_text;
    }

    fn since_rst(&self, time_ns: u64) -> u64 {
        elapsed(micros(self.rst.time_ns), micros(time_ns))
    }

    /// What a further RST on the same flow is to this event; `now` is the flow's present state.
    pub(crate) fn relation(&self, segment: &Segment, now: &FlowRecord) -> Belongs {
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
    pub(crate) fn add_rst(&mut self, segment: &Segment, now: &FlowRecord) {
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
    pub(crate) fn observe(&mut self, segment: &Segment, now: &FlowRecord) {
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
        if written_before(&self.rst, before, segment) {
            return;
        }
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
}

/// Whether the IP identifications say that a segment of the reset's claimed sender was written before
/// the reset, however late it was captured: a copy of one from another tap, or one that the reset
/// overtook. `before` is what that side had sent before the reset.
fn written_before(rst: &Rst, before: &Direction, segment: &Segment) -> bool {
    let back = |later: u16, earlier: u16| later.wrapping_sub(earlier).cast_signed();
    let copy = before.ip_id_class() == IpIdClass::Incrementing
        && back(segment.ip_id, before.ip_id) <= 0
        && !Seq(segment.end()).after(Seq(before.nxt))
        && !segment.has_quirk(quirk::IPV6);
    let overtaken = rst.flags.any(TcpFlags::ACK)
        && !Seq(segment.end()).after(Seq(rst.seq))
        && (1..=IP_ID_STEP_MAX.cast_signed()).contains(&back(rst.ip_id, segment.ip_id));
    copy || overtaken
}
