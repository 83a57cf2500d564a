//! Evidence: named facts with values, so that a person can check a verdict packet by packet.

macro_rules! evidence {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $shape:ident;)*) => {
        /// A named fact.
        #[repr(u8)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Fact {
            $($(#[$doc])* $variant,)*
        }

        impl Fact {
            /// Every fact, in the order in which reports list them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// How the value is to be read.
            #[must_use]
            pub const fn shape(self) -> Shape {
                match self { $(Self::$variant => Shape::$shape,)* }
            }
        }
    };
}

/// How the value of a fact is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A number.
    Number,
    /// 0 or 1.
    Flag,
    /// A [`super::form::Form`] as a number.
    Form,
    /// A [`crate::flow::record::IpIdClass`] as a number.
    IdClass,
}

evidence! {
    /// The reset's form: what it says about the stack that wrote it.
    Form = "form", Form;
    /// Microseconds since the peer's last packet.
    TriggerAgeUs = "trigger_age_us", Number;
    /// The reset's sequence number minus the next one expected from its claimed sender.
    SeqRelNxt = "seq_rel_nxt", Number;
    /// The reset's acknowledgement minus the highest byte its peer sent.
    AckRelPeer = "ack_rel_peer", Number;
    /// The reset's window field.
    Window = "window", Number;
    /// The reset's time to live minus the nearest one its claimed sender used.
    TtlDelta = "ttl_delta", Number;
    /// The reset clears DF although its claimed sender always set it.
    DfMismatch = "df_mismatch", Flag;
    /// How the claimed sender numbered its IP packets.
    IdClass = "id_class", IdClass;
    /// The reset's IP identification minus the claimed sender's last.
    IdStep = "id_step", Number;
    /// The reset lacks timestamps although the connection uses them and the form demands them.
    TsMissing = "ts_missing", Flag;
    /// The trigger's DSCP was not zero and a replying host would have copied it.
    DscpNotEchoed = "dscp_not_echoed", Flag;
    /// The reset repeats window and IP identification of the packet that it answers.
    Mirrored = "mirrored", Flag;
    /// Trigger age in percent of the shortest time in which that side ever answered.
    LatencyRatio = "latency_ratio", Number;
    /// The reset's time to live minus the nearest one in the SYN-ACKs of that host.
    HostTtlDelta = "host_ttl_delta", Number;
    /// The shortest time in which that host answered a SYN with SYN-ACK, in microseconds.
    HostResponseUs = "host_response_us", Number;
    /// A bare RST that answers no packet that was seen.
    NoTrigger = "no_trigger", Flag;
    /// Segments with new payload from the claimed sender after its reset.
    PostRstData = "post_rst_data", Number;
    /// Acknowledgements and retransmissions from the claimed sender after its reset.
    PostRstAck = "post_rst_ack", Number;
    /// A SYN-ACK from the claimed sender after it refused, without a new SYN to ask for it.
    PostRstSynAck = "post_rst_syn_ack", Flag;
    /// Packets of the other side after the reset.
    VictimAfter = "victim_after", Number;
    /// RST packets of this event in the direction of the first.
    RstsSameSide = "rsts_same_side", Number;
    /// RST packets of this event in the other direction.
    RstsOtherSide = "rsts_other_side", Number;
    /// Microseconds from the first reset to the first in the other direction.
    OtherSideAfterUs = "other_side_after_us", Number;
    /// Different sequence numbers among the resets of the first direction.
    TrainN = "train_n", Number;
    /// Step between the first two of them.
    TrainDelta = "train_delta", Number;
    /// Retransmissions by the resetting side since the last progress.
    RetxBefore = "retx_before", Number;
    /// Retransmissions by the other side since the last progress.
    PeerRetxBefore = "peer_retx_before", Number;
    /// Unanswered keepalive probes of the resetting side.
    ProbesBefore = "probes_before", Number;
    /// Milliseconds without any packet before the reset, or before the packet that triggered it.
    IdleMs = "idle_ms", Number;
    /// The known idle timer, in seconds, within 2 % of that.
    IdleTier = "idle_tier", Number;
    /// The initiator had sent a FIN. Where it is not known, it is the endpoint with the higher port,
    /// here and below.
    FinSeenC = "fin_seen_c", Flag;
    /// The responder had sent a FIN.
    FinSeenS = "fin_seen_s", Flag;
    /// The initiator, whose reset it is, had asked, and sent its FIN before the answer came.
    FinUnanswered = "fin_unanswered", Flag;
    /// The peer sent new data after it had acknowledged the resetting side's FIN.
    DataAfterFin = "data_after_fin", Flag;
    /// Payload bytes of the initiator.
    BytesC = "bytes_c", Number;
    /// Payload bytes of the responder.
    BytesS = "bytes_s", Number;
    /// Bytes of the initiator that were not acknowledged.
    UnackedC = "unacked_c", Number;
    /// Bytes of the responder that were not acknowledged.
    UnackedS = "unacked_s", Number;
    /// Milliseconds from SYN to the reset, or from the first packet seen.
    AgeMs = "age_ms", Number;
    /// The service accepted other connections within memory.
    SvcAlive = "svc_alive", Flag;
    /// The service accepted another connection soon after.
    AcceptedAfter = "accepted_after", Flag;
    /// The service refused another connection soon after.
    RefusedAfter = "refused_after", Flag;
    /// Different endpoints that refused the same source within a minute.
    SourceRefused = "source_refused", Number;
    /// Connections of the same service reset at the same time.
    CohortN = "cohort_n", Number;
    /// The capture began inside the connection.
    Midstream = "midstream", Flag;
    /// Only one direction was captured.
    OneWay = "oneway", Flag;
    /// The capture lacks bytes of the connection.
    Gap = "gap", Flag;
    /// The verdict was given before the race window ended: the ring of open events was full, or the
    /// capture's clock was set back.
    WindowCut = "window_cut", Flag;
}

const FACTS: usize = Fact::ALL.len();
const _: () = assert!(FACTS <= 64, "presence is a 64-bit set");

/// The facts known about one reset.
#[derive(Clone, Copy, Debug)]
pub struct Evidence {
    present: u64,
    values: [i64; FACTS],
}

impl Default for Evidence {
    fn default() -> Self {
        Self { present: 0, values: [0; FACTS] }
    }
}

impl Evidence {
    /// Records a fact.
    pub fn set(&mut self, fact: Fact, value: i64) {
        if let Some(slot) = self.values.get_mut(fact as usize) {
            *slot = value;
            self.present |= 1 << fact as u8;
        }
    }

    /// Records a flag when it holds; an absent flag does not.
    pub fn flag(&mut self, fact: Fact, holds: bool) {
        if holds {
            self.set(fact, 1);
        }
    }

    /// Records a count when it is not zero.
    pub fn count(&mut self, fact: Fact, value: impl Into<i64>) {
        let value = value.into();
        if value != 0 {
            self.set(fact, value);
        }
    }

    /// The value of a fact, when known.
    #[must_use]
    pub fn get(&self, fact: Fact) -> Option<i64> {
        if self.present >> fact as u8 & 1 == 1 {
            self.values.get(fact as usize).copied()
        } else {
            None
        }
    }

    /// All known facts in order.
    pub fn iter(&self) -> impl Iterator<Item = (Fact, i64)> + '_ {
        Fact::ALL.iter().filter_map(|&fact| self.get(fact).map(|value| (fact, value)))
    }
}
