//! A judged reset, ready to leave the engine: plain data, no borrow.

use crate::flow::key::FlowKey;
use crate::flow::record::{FlowRecord, History, elapsed, micros, seen, state};

use super::cause::{Subcause, Verdict};
use super::evidence::{Evidence, Fact};
use super::facts::{Facts, Stage};
use super::form::Form;
use super::open::{OpenEvent, Text, service_side};
use super::surroundings::Unknowns;

/// The state of the connection in Zeek's vocabulary (`conn_state` in conn.log), the reset included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnState {
    /// The responder refused the SYN.
    Rej,
    /// The initiator reset the established connection.
    Rsto,
    /// The responder reset the established connection.
    Rstr,
    /// The initiator sent SYN, then RST; no SYN-ACK was seen.
    Rstos0,
    /// The responder sent SYN-ACK, then RST; no SYN was seen.
    Rstrh,
    /// Both sides had closed.
    Sf,
    /// No SYN was seen: midstream traffic.
    Oth,
}

impl ConnState {
    /// Zeek's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rej => "REJ",
            Self::Rsto => "RSTO",
            Self::Rstr => "RSTR",
            Self::Rstos0 => "RSTOS0",
            Self::Rstrh => "RSTRH",
            Self::Sf => "SF",
            Self::Oth => "OTH",
        }
    }

    /// The state after `side` reset `flow`.
    #[must_use]
    pub fn of(flow: &FlowRecord, side: usize) -> Self {
        let Some(initiator) = flow.initiator() else { return Self::Oth };
        let responder = &flow.dir[(initiator & 1) ^ 1];
        let opener = &flow.dir[initiator & 1];
        if flow.both_fins() {
            return Self::Sf;
        }
        if !opener.has(seen::SYN) {
            return if side == initiator {
                Self::Oth
            } else if opener.packets == 0 {
                Self::Rstrh
            } else {
                Self::Rstr
            };
        }
        let answered = responder.has(seen::SYN_ACK) || flow.is(state::ESTABLISHED);
        match (side == initiator, answered) {
            (true, true) => Self::Rsto,
            (true, false) => Self::Rstos0,
            (false, true) => Self::Rstr,
            (false, false) => Self::Rej,
        }
    }
}

/// What a reset measured, for the distributions.
#[derive(Clone, Copy, Debug)]
pub struct Measures {
    /// Microseconds since the peer's last packet.
    pub trigger_age_us: Option<u64>,
    /// Milliseconds since the connection's first packet.
    pub age_ms: Option<u64>,
    /// Milliseconds of silence before the reset.
    pub idle_ms: Option<u64>,
    /// Payload bytes of both directions.
    pub bytes: u64,
    /// Unanswered retransmissions of the resetting side.
    pub retransmissions: u8,
    /// RST packets of the event.
    pub packets: u32,
}

impl Measures {
    /// The measures of a reset.
    #[inline(always)]
    #[must_use]
    pub fn of(facts: &Facts<'_>) -> Self {
        let seen = facts.packets_before() > 0;
        let age_us = elapsed(facts.flow.first(), micros(facts.rst.time_ns));
        Self {
            trigger_age_us: facts.trigger_age_us,
            age_ms: seen.then_some(age_us / 1000),
            idle_ms: seen.then_some(facts.idle_us / 1000),
            bytes: u64::from(facts.me.bytes) + u64::from(facts.peer.bytes),
            retransmissions: facts.me.retransmission_run(),
            packets: facts.after.rsts(),
        }
    }
}

/// What the judge finds in an event without knowledge of other flows.
#[derive(Clone, Copy, Debug)]
pub struct Finding {
    /// What the verdict claims.
    pub subcause: Subcause,
    /// Where in its life the connection was.
    pub stage: Stage,
    /// What it measured.
    pub measures: Measures,
    /// A rule asked what other flows showed, so knowing it may change the verdict.
    pub asks_memory: bool,
    /// A host that had said nothing refused to open the connection.
    pub refusal: bool,
    /// A host that had the connection ended it, and no packet had just asked for that.
    pub ending: bool,
}

/// A reset whose race window has ended, and all that is needed to judge it again.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Judged {
    /// The event. It is open no more.
    pub open: OpenEvent,
}

impl Judged {
    /// What it was found to be without knowledge of other flows.
    #[must_use]
    pub fn subcause(&self) -> Subcause {
        self.open.found.unwrap_or(Subcause::Tie)
    }
}

/// A judged reset.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// The flow.
    pub key: FlowKey,
    /// Endpoint of `key` that the first RST names as its sender.
    pub side: usize,
    /// Time of the first RST, in nanoseconds since 1970-01-01 UTC.
    pub time_ns: u64,
    /// Frame number of the first RST, from 1.
    pub frame: u64,
    /// RST packets of this event.
    pub packets: u32,
    /// The conclusion.
    pub verdict: Verdict,
    /// Where in its life the connection was.
    pub stage: Stage,
    /// Its state in Zeek's vocabulary.
    pub conn_state: ConnState,
    /// Endpoint of `key` that opened the connection, when known.
    pub initiator: Option<usize>,
    /// Its history in Zeek's letters.
    pub history: History,
    /// What the verdict rests on.
    pub evidence: Evidence,
    /// What the verdict could not know.
    pub unknowns: Unknowns,
    /// Bytes of `text` that hold payload.
    pub text_len: u8,
    /// The beginning of the RST's payload.
    pub text: Text,
}

impl Event {
    /// Index of the responder in `key`: see [`OpenEvent::service_side`].
    #[must_use]
    pub fn service_side(&self) -> usize {
        service_side(&self.key, self.initiator)
    }

    /// The form of the first RST.
    #[must_use]
    pub fn form(&self) -> Option<Form> {
        let value = self.evidence.get(Fact::Form)?;
        Form::ALL.into_iter().find(|form| *form as i64 == value)
    }

    /// The beginning of the RST's payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.text.get(..usize::from(self.text_len)).unwrap_or_default()
    }
}
