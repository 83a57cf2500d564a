//! Packets of a connection in relation to how it stands, for property tests.

use crate::flow::record::FlowRecord;
use crate::flow::usual::Usual;
use crate::segment::{Payload, Segment, TcpFlags, option, quirk};
use proptest::prelude::*;

/// What a packet is to be like, in relation to the connection as it stands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Packet {
    pub(crate) direction: u8,
    pub(crate) flags: u8,
    pub(crate) ahead: i32,
    pub(crate) acked: i32,
    pub(crate) payload_len: u32,
    pub(crate) payload: Payload,
    pub(crate) window: u16,
    pub(crate) options: u8,
    pub(crate) ip_id_step: u16,
    pub(crate) ttl: u8,
    pub(crate) tos: u8,
    pub(crate) quirks: u8,
    pub(crate) after_us: u64,
}

/// Packets of which most are what comes next, in every way in which one can be something else.
pub(crate) fn packet() -> impl Strategy<Value = Packet> {
    const ACK: u8 = TcpFlags::ACK;
    let flags = prop_oneof![
        20 => Just(ACK), 8 => Just(ACK | TcpFlags::PSH), 1 => Just(ACK | TcpFlags::FIN),
        1 => Just(TcpFlags::SYN), 1 => Just(TcpFlags::SYN | ACK), 1 => any::<u8>(),
    ];
    let near = || prop_oneof![40 => Just(0), 2 => -3..=3, 1 => any::<i32>()];
    let lens = prop_oneof![6 => Just(0u32), 6 => 1u32..3000, 1 => any::<u32>()];
    let payloads = prop_oneof![
        9 => Just(Payload::Other), 1 => Just(Payload::TlsData), 1 => Just(Payload::TlsAlert)
    ];
    let window = prop_oneof![20 => 1u16.., 1 => Just(0)];
    let ip_id_step = prop_oneof![12 => 1u16..3, 2 => Just(0), 1 => 63u16..67, 1 => any::<u16>()];
    let ttl = prop_oneof![60 => Just(64u8), 1 => 60u8..70];
    let options = prop_oneof![12 => Just(0), 1 => any::<u8>()];
    let quirks = prop_oneof![12 => Just(quirk::DF), 1 => any::<u8>()];
    let ip = (ip_id_step, ttl, prop_oneof![8 => Just(0), 1 => any::<u8>()], quirks);
    let rest = (window, prop_oneof![0u64..2000, any::<u64>()], options);
    (0u8..2, flags, near(), near(), lens, payloads, ip, rest).prop_map(
        |(direction, flags, ahead, acked, payload_len, payload, ip, rest)| Packet {
            direction,
            flags: flags & !TcpFlags::RST,
            ahead,
            acked,
            payload_len,
            payload,
            window: rest.0,
            options: rest.2 & (option::TIMESTAMPS | option::SACK),
            ip_id_step: ip.0,
            ttl: ip.1,
            tos: ip.2,
            quirks: ip.3,
            after_us: rest.1,
        },
    )
}

/// The packet in numbers, as the connection stands at `time_ns`.
pub(crate) fn segment(packet: Packet, flow: &FlowRecord, time_ns: u64) -> Segment {
    let side = usize::from(packet.direction);
    let (me, peer) = (&flow.dir[side], &flow.dir[side ^ 1]);
    let mut segment = Segment {
        time_ns,
        seq: me.nxt.wrapping_add_signed(packet.ahead),
        ack: peer.nxt.wrapping_add_signed(packet.acked),
        payload_len: packet.payload_len,
        window: packet.window,
        ip_id: me.ip_id.wrapping_add(packet.ip_id_step),
        flags: TcpFlags(packet.flags),
        ttl: packet.ttl,
        tos: packet.tos,
        quirks: packet.quirks,
        options: packet.options,
        payload: packet.payload,
        direction: packet.direction,
        ..Segment::default()
    };
    segment.usual = Usual::of(&segment);
    segment
}
