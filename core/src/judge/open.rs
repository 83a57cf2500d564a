//! A reset event as the judge gets it: the flow as it was when the RST came, the RST itself, and what
//! followed until its race window ended.

use crate::flow::key::FlowKey;
use crate::flow::record::{FlowRecord, Micros, elapsed, micros};
use crate::segment::{RST_TEXT_LEN, Segment, TcpFlags};

use super::cause::Subcause;
use super::event::Finding;
use super::form::Form;

/// The first RST of an event.
#[derive(Clone, Copy, Debug, Default)]
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
    /// What it says of the device that wrote it is known.
    pub names_device: bool,
}

/// The beginning of a RST's payload; zeros behind its end.
pub type Text = [u8; RST_TEXT_LEN];

/// What a device writes into its resets that says what it is (RFC 9293 section 3.5.2 allows text; F5
/// uses it).
const DEVICE: &[u8] = b"BIG-IP";

impl Rst {
    /// Copies what the judge needs of a RST.
    #[must_use]
    pub fn new(segment: &Segment, text: Option<&Text>) -> Self {
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
            names_device: text.is_some_and(|text| text.starts_with(DEVICE)),
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
    pub(super) last_train_seq: u32,
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

impl After {
    /// Nothing but the first RST.
    #[inline]
    #[must_use]
    pub fn of(rst: &Rst) -> Self {
        Self { rsts_same_side: 1, train: 1, last_train_seq: rst.seq, ..Self::default() }
    }

    /// RSTs of both directions.
    #[must_use]
    pub const fn rsts(&self) -> u32 {
        self.rsts_same_side.saturating_add(self.rsts_other_side)
    }
}

/// A reset event, complete but for its text: four cache lines.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct OpenEvent {
    /// The flow as it was before the RST.
    pub flow: FlowRecord,
    /// The first RST.
    pub rst: Rst,
    /// What followed.
    pub after: After,
    /// The form of the first RST.
    pub form: Form,
    /// This event is the aftermath of an earlier reset of the same connection.
    pub aftermath: bool,
    /// What it was judged to be, by its own flow's packets; `None` before that.
    pub found: Option<Subcause>,
    /// Text came with the RST, and is kept beside the event.
    pub has_text: bool,
    /// See [`super::event::Finding::asks_memory`].
    pub asks_memory: bool,
    /// See [`super::event::Finding::refusal`].
    pub refusal: bool,
    /// See [`super::event::Finding::ending`].
    pub ending: bool,
}

const _: () = assert!(size_of::<OpenEvent>() == 256, "a reset is four cache lines");

impl OpenEvent {
    /// Nothing, to be written over.
    pub(crate) fn empty() -> Self {
        Self {
            flow: FlowRecord::default(),
            rst: Rst::default(),
            form: Form::Odd,
            aftermath: false,
            found: None,
            has_text: false,
            asks_memory: false,
            refusal: false,
            ending: false,
            after: After::default(),
        }
    }

    /// Keeps what the judge found.
    #[inline(always)]
    pub(crate) const fn conclude(&mut self, finding: &Finding) {
        self.found = Some(finding.subcause);
        self.asks_memory = finding.asks_memory;
        self.refusal = finding.refusal;
        self.ending = finding.ending;
    }

    /// Microseconds from `since` to the RST.
    #[must_use]
    pub fn age_us(&self, since: Micros) -> u64 {
        elapsed(since, micros(self.rst.time_ns))
    }

    /// Index of the responder in the flow's key: the service. Without a known initiator the endpoint
    /// with the lower port, as services have the lower numbers.
    #[must_use]
    pub fn service_side(&self) -> usize {
        service_side(&self.flow.key, self.flow.initiator())
    }

    /// RST packets in the event.
    #[must_use]
    pub fn packets(&self) -> u32 {
        self.after.rsts()
    }
}

/// Index of the service in `key`: see [`OpenEvent::service_side`].
pub(super) fn service_side(key: &FlowKey, initiator: Option<usize>) -> usize {
    match initiator {
        Some(initiator) => (initiator & 1) ^ 1,
        None => usize::from(key.port[1] < key.port[0]),
    }
}
