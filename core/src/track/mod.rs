//! Tracking: what each packet that is not a reset teaches about its flow.
//!
//! The tap is not an endpoint: it may have missed packets, see them twice or out of order, and an
//! attacker may show it bytes that no endpoint would accept. So nothing here rejects a packet; what
//! does not fit moves no edge and is noted ([`kind::OUT_OF_WINDOW`], [`state::GAP`]).

use crate::flow::record::{Direction, FlowRecord, Micros, elapsed, ended, kind, seen, state};
use crate::segment::{Segment, TcpFlags, closes_tls, option};
use crate::seq::Seq;

#[cfg(test)]
pub(crate) mod arbitrary;
pub mod steady;

/// Farthest that a segment may lie from the next expected byte before it counts as out of window,
/// unless the receiver advertised more. Generous, because scales are unknown midstream and because
/// the capture may have lost packets; a random forgery still misses it 999 times of 1,000.
const REACH_MIN: u32 = 4 << 20;

/// Copies of one packet, as captures on several interfaces hold them, follow each other within this
/// time; no retransmission timer is shorter (Linux: 5 ms in data centres, else 200 ms).
const COPY_US_MAX: u64 = 1_000;

/// What a SYN, or a SYN-ACK, means for a flow that is already known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// It belongs to the handshake or connection on record.
    Known,
    /// It opens a new connection on the same 5-tuple.
    New,
    /// A SYN on a connection that looks alive: the peer decides (RFC 5961 section 4).
    OnLive,
}

/// Decides what `segment`, which has SYN set and RST clear, means for `flow`.
#[must_use]
pub fn opening(flow: &FlowRecord, segment: &Segment) -> Opening {
    let side = usize::from(segment.direction & 1);
    let (me, peer) = sides(flow, side);
    if segment.flags.is_syn_ack() {
        let answers = peer.has(seen::SYN) && segment.ack == peer.nxt;
        let challenged =
            flow.is(state::SYN_ON_LIVE) && flow.is(state::SYN_ON_LIVE_BY) == (side ^ 1 == 1);
        // Refused, asked again, and now accepted: the second attempt is a connection of its own.
        let retried = answers
            && flow.ended & ended::REFUSED != 0
            && flow.last_kind[(side ^ 1) & 1] & kind::RETRANSMISSION != 0;
        return if challenged || retried || (!answers && (flow.was_reset() || flow.both_fins())) {
            Opening::New
        } else {
            Opening::Known
        };
    }
    let simultaneous = peer.has(seen::SYN) && !peer.has(seen::ACK | seen::DATA | seen::FIN);
    if me.packets == 0 && simultaneous && !flow.was_reset() {
        return Opening::Known;
    }
    let embryonic = !peer.has(seen::SYN_ACK) && !me.has(seen::DATA | seen::ACK | seen::FIN);
    if me.has(seen::SYN) && embryonic {
        return if me.nxt == segment.end() { Opening::Known } else { Opening::New };
    }
    if flow.was_reset() || flow.both_fins() || flow.last_packets() == 0 {
        return Opening::New;
    }
    let sent = me.nxt.wrapping_sub(segment.end());
    let duplicate = me.has(seen::SYN) && (sent == me.bytes || sent == me.bytes.wrapping_add(1));
    if duplicate { Opening::Known } else { Opening::OnLive }
}

const fn sides(flow: &FlowRecord, side: usize) -> (&Direction, &Direction) {
    (&flow.dir[side & 1], &flow.dir[(side & 1) ^ 1])
}

impl FlowRecord {
    /// Packets of both directions, saturating.
    #[must_use]
    pub const fn last_packets(&self) -> u16 {
        self.dir[0].packets as u16 + self.dir[1].packets as u16
    }
}

/// Updates `flow` with a packet that is not a RST, seen at `now`.
#[inline]
pub fn observe(flow: &mut FlowRecord, segment: &Segment, now: Micros) {
    let side = usize::from(segment.direction & 1);
    if segment.flags.any(TcpFlags::SYN) {
        handshake(flow, segment, now);
        // Before both sides have acknowledged something nothing is under way, and nothing was.
        if flow.has_acked(0) && flow.has_acked(1) {
            flow.note_under_way();
        }
        return;
    }
    let last_data = usize::from(flow.is(state::LAST_DATA));
    let peer_kind = flow.last_kind[side ^ 1];
    let [a, b] = &mut flow.dir;
    let (me, peer) = if side == 0 { (a, b) } else { (b, a) };
    // Read before what lies beside them is written: a wider load than that write would have to wait.
    let flags = me.flags;

    let mut step = place(me, peer, segment, now);
    if segment.flags.any(TcpFlags::ACK) {
        let first = flow.ended & ended::ACKED_BY << side == 0;
        acknowledge(me, peer, segment, first, &mut step);
        step.ended |= ended::ACKED_BY << side;
    }
    if segment.flags.any(TcpFlags::FIN) && step.kind & kind::OUT_OF_WINDOW == 0 {
        step.seen |= seen::FIN;
        step.kind |= kind::FIN;
        let unread = Seq(peer.nxt).since(Seq(me.ack)) > 1;
        let spoke_last = (me.flags | peer.flags) & seen::DATA != 0 && last_data == side;
        if (spoke_last || unread) && !me.has(seen::FIN) {
            step.seen |= seen::FIN_UNANSWERED;
        }
    }
    if segment.window == 0 {
        step.seen |= seen::ZERO_WINDOW | seen::WINDOW_CLOSED;
    } else {
        step.over = seen::WINDOW_CLOSED;
    }
    // What follows is hard to predict, so it is written without jumps or asks first for what is rare.
    step.seen |= u16::from(segment.has_option(option::TIMESTAMPS)) * seen::TIMESTAMPS;
    if me.answers_sooner(answered_after(peer_kind), peer.last(), now)
        && (me.packets == 0 || elapsed(me.last(), peer.last()) > 0)
    {
        me.note_response(elapsed(peer.last(), now));
    }
    me.window = segment.window;
    me.learn(segment, now, false);
    if me.probe_run() | peer.probe_run() != 0
        && step.kind & kind::PROBE == 0
        && segment.payload_len > 0
    {
        me.clear_probe_run();
        peer.clear_probe_run();
    }
    let established = segment.flags.any(TcpFlags::ACK) && peer.has(seen::SYN_ACK);
    finish(flow, segment, step, flags, established);
    flow.note_under_way();
}

/// What one packet did, before it is written into the record.
#[derive(Clone, Copy, Default)]
struct Step {
    seen: u16,
    /// Bits of [`seen`] that no longer hold.
    over: u16,
    kind: u8,
    state: u8,
    ended: u8,
    data: bool,
}

/// Places the segment in its sender's sequence space.
#[inline(always)]
fn place(me: &mut Direction, peer: &Direction, segment: &Segment, now: Micros) -> Step {
    let mut step = Step::default();
    let len = segment.sequence_len();
    let reach = peer.window_bytes().saturating_mul(2).max(REACH_MIN);
    let mut start = Seq(segment.seq).since(Seq(me.nxt));
    // Conditions of which one cannot tell beforehand whether they hold are no jumps, here and below.
    let begins = (me.packets == 0) & ((me.nxt == 0) | (start.unsigned_abs() > reach));
    me.nxt = if begins { segment.seq } else { me.nxt };
    start = if begins { 0 } else { start };
    if start.unsigned_abs() > reach {
        step.kind |= kind::OUT_OF_WINDOW;
        return step;
    }
    let end = Seq(segment.end());
    if end.after(Seq(me.nxt)) {
        if start > 0 {
            step.state |= state::GAP;
        }
        me.nxt = end.0;
        if segment.payload_len > 0 {
            new_payload(me, peer, segment, &mut step);
        }
    } else if len == 0 {
        if start == -1 && me.packets > 0 {
            probe(me, now, &mut step);
        } else if segment.flags.0 & (TcpFlags::ACK | TcpFlags::FIN) == TcpFlags::ACK {
            step.seen |= seen::ACK;
        }
    } else {
        match Repeat::of(me, peer.ack, segment, now) {
            Repeat::Probe => {
                probe(me, now, &mut step);
                step.kind |= kind::DATA;
            }
            Repeat::Unseen => new_payload(me, peer, segment, &mut step),
            again => {
                step.kind |= u8::from(segment.payload_len > 0) * kind::DATA;
                if again == Repeat::Retransmission {
                    step.kind |= kind::RETRANSMISSION;
                    step.seen |= seen::RETRANSMITTED;
                    me.count_retransmission();
                }
            }
        }
    }
    step
}

#[inline(always)]
fn new_payload(me: &mut Direction, peer: &Direction, segment: &Segment, step: &mut Step) {
    me.bytes = me.bytes.saturating_add(segment.payload_len);
    step.kind |= kind::DATA;
    step.seen |= if me.has(seen::DATA) { seen::MORE_DATA } else { seen::DATA };
    step.data = !closes_tls(segment);
    if !step.data {
        step.kind |= kind::ALERT;
    }
    // A goodbye asks for nothing: whoever had closed lost nothing by it.
    if step.data && peer.has(seen::FIN) {
        let knows = !Seq(peer.nxt).after(Seq(segment.ack));
        step.seen |= if knows { seen::DATA_AFTER_PEER_FIN } else { seen::DATA_CROSSED_PEER_FIN };
    }
}

/// What sequence space is that was seen before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeat {
    /// A keepalive probe with a byte in it.
    Probe,
    /// Acknowledged before it was captured: new all the same.
    Unseen,
    /// The same packet once more, as captures on several interfaces hold it.
    Copy,
    /// Sent again.
    Retransmission,
}

impl Repeat {
    /// Writes nothing: a step that was handed over to be written to would have to lie in memory for all
    /// that never come here.
    #[cold]
    fn of(me: &Direction, peer_ack: u32, segment: &Segment, now: Micros) -> Self {
        let start = Seq(segment.seq).since(Seq(me.nxt));
        if segment.payload_len == 1 && start == -1 && peer_ack == me.nxt {
            return Self::Probe;
        }
        if segment.payload_len > 0 && !me.has(seen::DATA) {
            return Self::Unseen;
        }
        let age = elapsed(me.last(), now);
        let same_id = segment.ip_id != 0 && segment.ip_id == me.ip_id;
        let is_copy = age < COPY_US_MAX && (same_id || age < COPY_US_MAX / 10);
        if is_copy { Self::Copy } else { Self::Retransmission }
    }
}

/// A keepalive probe, or the copy of one.
#[inline(always)]
fn probe(me: &mut Direction, now: Micros, step: &mut Step) {
    step.kind |= kind::PROBE;
    if elapsed(me.last(), now) >= COPY_US_MAX {
        me.count_probe();
    }
}

/// Applies the acknowledgement field; `first` when the sender had acknowledged nothing before.
#[inline(always)]
fn acknowledge(
    me: &mut Direction,
    peer: &mut Direction,
    segment: &Segment,
    first: bool,
    step: &mut Step,
) {
    step.kind |= kind::ACK;
    peer.nxt = if peer.packets == 0 { segment.ack } else { peer.nxt };
    let beyond = Seq(segment.ack).since(Seq(peer.nxt));
    // A SYN-ACK answers the SYN and nothing else: a higher number is for another one.
    if beyond > 0 && !segment.flags.any(TcpFlags::SYN) {
        let reach = me.window_bytes().saturating_mul(2).max(1 << 20);
        if beyond.unsigned_abs() <= reach {
            step.state |= state::GAP;
            peer.nxt = segment.ack;
        } else {
            step.ended |= ended::ACK_UNSENT;
        }
    }
    if peer.retransmission_run() != 0 && (first || Seq(segment.ack).after(Seq(me.ack))) {
        peer.clear_retransmission_run();
    }
    me.ack = segment.ack;
}

/// Writes what a packet did into the record; its sender's flags were `flags` before.
#[inline(always)]
fn finish(flow: &mut FlowRecord, segment: &Segment, step: Step, flags: u16, answers: bool) {
    let side = usize::from(segment.direction & 1);
    flow.last_kind[side] = step.kind;
    flow.ended |= step.ended;
    let mut state = flow.state | step.state;
    let initiates =
        state & (state::INITIATOR_KNOWN | state::INITIATOR) == state::INITIATOR_KNOWN | side as u8;
    state |= u8::from(answers & initiates) * state::ESTABLISHED;
    flow.state = state;
    let fresh = step.seen & !flags;
    if fresh & seen::LETTERS != 0 {
        flow.append_history(side, fresh);
        if fresh & seen::DATA != 0 {
            flow.first_payload[side] = segment.payload as u8;
        }
    }
    flow.dir[side].flags = flags & !step.over | step.seen;
    flow.note_last_data(step.data, side);
}

/// The least time in which the last packet, by its [`kind`], can have been answered: 0 if there was
/// something in it that an answer belongs to, and it was sent only once; else more than any.
///
/// A table, and no condition, as compilers make a jump of that: whether something was asked is as good
/// as random.
#[inline(always)]
const fn answered_after(last_kind: u8) -> i64 {
    const QUESTIONS: u8 = kind::DATA | kind::SYN | kind::FIN;
    const { assert!(kind::RETRANSMISSION > QUESTIONS, "whatever is above is a retransmission") };
    const KINDS: usize = kind::RETRANSMISSION as usize * 2;
    const AFTER: [i64; KINDS] = {
        let mut after = [i64::MAX; KINDS];
        let mut kinds = 0;
        while kinds < kind::RETRANSMISSION {
            if kinds & QUESTIONS != 0 {
                after[kinds as usize] = 0;
            }
            kinds += 1;
        }
        after
    };
    AFTER[last_kind as usize % KINDS]
}

/// A SYN or SYN-ACK: starts or confirms a direction's sequence space.
#[inline(never)]
fn handshake(flow: &mut FlowRecord, segment: &Segment, now: Micros) {
    let side = usize::from(segment.direction & 1);
    let syn_ack = segment.flags.any(TcpFlags::ACK);
    let bit = if syn_ack { seen::SYN_ACK } else { seen::SYN };
    let mut step = Step { seen: bit, kind: kind::SYN, ..Step::default() };
    let (own_kind, peer_kind) = (flow.last_kind[side], flow.last_kind[side ^ 1]);
    let [a, b] = &mut flow.dir;
    let (me, peer) = if side == 0 { (a, b) } else { (b, a) };
    let flags = me.flags;
    if me.has(bit) && elapsed(me.last(), now) >= COPY_US_MAX {
        step.kind |= kind::RETRANSMISSION;
        step.seen |= seen::HANDSHAKE_REPEATED;
        me.count_retransmission();
    } else if me.has(bit) {
        // A copy of a retransmission is one, too.
        step.kind |= own_kind & kind::RETRANSMISSION;
    }
    if !me.has(seen::SYN | seen::SYN_ACK) {
        me.nxt = segment.end();
        if segment.has_option(option::WINDOW_SCALE) {
            me.set_window_scale(segment.window_scale);
        }
        if segment.payload_len > 0 {
            new_payload(me, peer, segment, &mut step);
        }
    }
    if syn_ack {
        let first = flow.ended & ended::ACKED_BY << side == 0;
        acknowledge(me, peer, segment, first, &mut step);
        step.ended |= ended::ACKED_BY << side;
        if peer_kind & kind::SYN != 0 && !me.has(seen::SYN_ACK) {
            me.note_response(elapsed(peer.last(), now));
        }
    }
    if segment.has_option(option::TIMESTAMPS) {
        step.seen |= seen::TIMESTAMPS;
    }
    me.window = segment.window;
    me.learn(segment, now, true);
    if flow.initiator().is_none() {
        flow.set_initiator(if syn_ack { side ^ 1 } else { side });
    }
    finish(flow, segment, step, flags, false);
}

/// Notes a SYN on a connection that looks alive, without touching its sequence space.
#[cold]
pub fn observe_syn_on_live(flow: &mut FlowRecord, segment: &Segment, now: Micros) {
    let side = usize::from(segment.direction & 1);
    flow.state |= state::SYN_ON_LIVE;
    flow.state &= !state::SYN_ON_LIVE_BY;
    if side == 1 {
        flow.state |= state::SYN_ON_LIVE_BY;
    }
    let me = &mut flow.dir[side & 1];
    let usual = me.packets == 0
        || (me.ttl_min().saturating_sub(1)..=me.ttl_max().saturating_add(1)).contains(&segment.ttl);
    if !usual {
        flow.ended |= ended::SYN_ON_LIVE_FOREIGN;
    }
    flow.last_kind[side & 1] = kind::SYN | kind::OUT_OF_WINDOW;
    me.set_last(now);
}

/// The record of a new connection that `segment` opens or that the tap joins with it.
#[must_use]
pub fn begin(segment: &Segment, now: Micros) -> FlowRecord {
    let mut flow = FlowRecord::new(segment.key, now);
    let side = usize::from(segment.direction & 1);
    if segment.flags.is_syn_ack() {
        flow.dir[(side ^ 1) & 1].nxt = segment.ack;
    }
    if !segment.flags.is_syn() {
        flow.state |= state::MIDSTREAM;
    }
    flow
}

/// The record of a new connection on a 5-tuple that `old` knew. When a SYN-ACK opens it, the SYN
/// that it answers was the last packet of the other side.
#[must_use]
pub fn begin_again(segment: &Segment, old: &FlowRecord, now: Micros) -> FlowRecord {
    if !segment.flags.is_syn_ack() {
        return begin(segment, now);
    }
    let opener = usize::from(segment.direction & 1) ^ 1;
    let before = &old.dir[opener & 1];
    let mut flow = FlowRecord::new(segment.key, before.last());
    flow.append_history(opener, seen::SYN);
    flow.set_initiator(opener);
    flow.last_kind[opener & 1] = kind::SYN;
    flow.dir[opener & 1] = before.with_syn_only(segment.ack);
    flow
}

#[cfg(test)]
mod tests;
