//! Short ways into a record hold to the long one.

use super::arbitrary::{packet, segment};
use super::{begin, observe};
use crate::flow::record::{FlowRecord, micros};
use crate::segment::{Segment, TcpFlags};
use proptest::prelude::*;

proptest! {
    #[test]
    fn a_syn_without_data_opens_the_record_that_it_would_leave_in_an_empty_one(
        packet in packet(), flags: u8, options: u8, window_scale: u8, seq: u32, time_ns: u64
    ) {
        let flags = flags & !(TcpFlags::ACK | TcpFlags::RST) | TcpFlags::SYN;
        let segment = Segment {
            flags: TcpFlags(flags),
            payload_len: 0,
            options,
            window_scale,
            seq,
            ..segment(packet, &FlowRecord::default(), time_ns)
        };
        let now = micros(time_ns);
        let mut want = begin(&segment, now);
        observe(&mut want, &segment, now);
        let got = FlowRecord::opened_by_syn(&segment, now);
        prop_assert_eq!(format!("{got:?}"), format!("{want:?}"), "{:?}", segment);
    }
}
