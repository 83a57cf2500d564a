//! The packet that nearly every packet is: the next one of a connection that both sides are in,
//! with data or an acknowledgement, and nothing that has not happened in its direction before.
//!
//! Two comparisons of sequence numbers, one of what is [`usual`](crate::flow::usual) and one each of
//! time to live and IP identification tell such packets from all others, and what they change is
//! written without a jump that depends on which side sends, whether there is data, or whether it
//! answers: those are as good as random from packet to packet, and a processor that guesses wrong
//! waits longer than all the arithmetic takes. In cache this is nothing but the number of
//! instructions: 440 a packet when all was worked out here from the record and the segment, 250 since
//! each works out its part when it changes.
//!
//! What is done is exactly what [`super::observe`] does; tests hold the two together, here for the
//! record and in the shard for all the rest.

use super::answered_after;
use crate::flow::record::{FlowRecord, Micros, elapsed, kind};
use crate::segment::Segment;

/// The sign of a difference of sequence numbers.
const SIGN: u32 = 1 << 31;

/// Updates `flow` if `segment` is such a packet, seen at `now` (whose bits above those of [`Micros`] do
/// not matter), else leaves it as it is and returns false. Neither the flow's
/// [`crate::flow::table::Class`] nor anything that an interval counts of flows and resets changes.
#[inline(always)]
pub fn observe(flow: &mut FlowRecord, segment: &Segment, now: Micros) -> bool {
    let side = usize::from(segment.direction & 1);
    let (me, peer) = (&flow.dir[side], &flow.dir[side ^ 1]);
    // Not a chain of conditions: each of them nearly always holds, and one jump on all of them costs
    // less than the jumps between them.
    let elsewhere = segment.seq ^ me.nxt;
    let acks_unseen = peer.nxt.wrapping_sub(segment.ack) & SIGN;
    if elsewhere | acks_unseen | me.surprises(segment) != 0 {
        return false;
    }
    apply(flow, segment, now);
    true
}

/// Writes what such a packet changes. Not inlined: what it reads was just read to be compared, and
/// keeping it from then takes more registers than there are.
#[inline(never)]
fn apply(flow: &mut FlowRecord, segment: &Segment, now: Micros) {
    let side = usize::from(segment.direction & 1);
    let peer_last = flow.dir[side ^ 1].last();
    let at_least = answered_after(flow.last_kind[side ^ 1]);
    let me = &mut flow.dir[side];
    if me.answers_sooner(at_least, peer_last, now) && elapsed(me.last(), peer_last) > 0 {
        me.note_response(elapsed(peer_last, now));
    }
    me.nxt = me.nxt.wrapping_add(segment.payload_len);
    me.bytes = me.bytes.saturating_add(segment.payload_len);
    me.ack = segment.ack;
    me.window = segment.window;
    me.ip_id = segment.ip_id;
    me.count_packet();
    me.stamp_again(segment.tos, now);

    let data = segment.payload_len > 0;
    flow.last_kind[side] = kind::ACK | (u8::from(data) * kind::DATA);
    flow.note_last_data(data, side);
}

#[cfg(test)]
mod tests {
    use crate::flow::record::{FlowRecord, micros, seen};
    use crate::segment::{Segment, TcpFlags, option};
    use crate::track;
    use crate::track::arbitrary::{Packet, packet, segment};
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn a_steady_packet_changes_what_it_changes_case_by_case(packets in vec(packet(), 1..60)) {
            let mut flow = FlowRecord::default();
            let mut time_ns = 1_700_000_000_000_000_000_u64;
            for packet in packets {
                time_ns = time_ns.wrapping_add(packet.after_us.wrapping_mul(1000));
                let segment = segment(packet, &flow, time_ns);
                let now = micros(time_ns);
                let mut quickly = flow;
                let was_steady = super::observe(&mut quickly, &segment, now);
                let before = format!("{flow:?}");
                track::observe(&mut flow, &segment, now);
                let want = if was_steady { format!("{flow:?}") } else { before };
                prop_assert_eq!(format!("{quickly:?}"), want, "{:?}", segment);
            }
        }
    }

    #[test]
    fn a_segment_of_which_nothing_is_said_is_never_steady() {
        let mut flow = FlowRecord::default();
        let side = &mut flow.dir[0];
        for _ in 0..15 {
            side.count_retransmission();
            side.count_probe();
        }
        side.flags |= seen::ACK;
        let segment = Segment { flags: TcpFlags(TcpFlags::SYN), ..Segment::default() };
        // So that its identification and its time to live are no reason either.
        side.learn(&segment, 0, false);
        assert!(!super::observe(&mut flow, &segment, 0));
    }

    #[test]
    fn a_connection_under_way_is_steady() {
        let mut flow = FlowRecord::default();
        let mut steady = 0;
        for n in 0..100_u32 {
            let packet = Packet {
                direction: (n % 2) as u8,
                flags: TcpFlags::ACK,
                payload_len: 100 * (n / 2 % 2),
                window: 100,
                options: option::TIMESTAMPS,
                ip_id_step: 1,
                ttl: 64,
                ..Packet::default()
            };
            let segment = segment(packet, &flow, u64::from(n) * 1000);
            let quickly = super::observe(&mut flow, &segment, micros(segment.time_ns));
            steady += u32::from(quickly);
            if !quickly {
                track::observe(&mut flow, &segment, micros(segment.time_ns));
            }
        }
        assert_eq!(steady, 94, "all but the first acknowledgement and two with data of each side");
    }
}
