//! The judge: from an open reset event to a verdict that a person can check.
//!
//! [`open`] holds what the verdict needs, [`facts`] derives the circumstances, [`origin`] asks who
//! wrote the RST, the rules decide in a fixed order, [`event`] carries the result out;
//! [`explain`] says in plain words what it means.

pub mod cause;
pub mod event;
pub mod evidence;
pub mod explain;
pub mod facts;
pub mod form;
pub mod kernel;
pub mod note;
pub mod open;
pub mod origin;
mod rules;
pub mod surroundings;
pub(crate) mod watch;

use crate::flow::record::{elapsed, micros, seen};
use crate::limits::ENDING_IDLE_US;

use cause::Subcause;
use event::{ConnState, Event, Finding, Measures};
use evidence::{Evidence, Fact};
use facts::{Facts, Stage};
use form::Form;
use open::{OpenEvent, service_side};
use origin::{Families, Origin};
use surroundings::{Surroundings, Unknowns};

/// Judges an event whose race window has ended, from its own flow's packets alone.
#[inline]
#[must_use]
pub fn judge(open: &OpenEvent) -> Finding {
    let around = Surroundings::default();
    let facts = Facts::new(open, &around);
    let (stage, measures) = (facts.stage, Measures::of(&facts));
    let subcause = rules::claim(&facts, &Origin::of(&facts)).claim.subcause;
    let refusal = stage == Stage::PostSyn && facts.by_initiator == Some(false) && !facts.me.has(!0);
    let ending = facts.form == Form::ActiveRa
        && !facts.aftermath
        && !facts.flow.both_fins()
        && unasked(&facts);
    let asks_memory = facts.asked_around();
    Finding { subcause, stage, measures, asks_memory, refusal, ending }
}

/// No packet had just asked for the reset.
#[inline(always)]
fn unasked(facts: &Facts<'_>) -> bool {
    match facts.idle_us {
        // Or days have passed since one side's last packet, which nobody can tell from no time.
        0 => later_unasked(facts),
        us => us >= ENDING_IDLE_US,
    }
}

#[cold]
fn later_unasked(facts: &Facts<'_>) -> bool {
    elapsed(facts.flow.last(), micros(facts.rst.time_ns)) >= ENDING_IDLE_US
}

/// Whether what other flows showed is evidence.
#[must_use]
pub(crate) fn is_settled_by_memory(open: &OpenEvent) -> bool {
    open.form != Form::ReplyR
}

/// What an event is with its surroundings: the claim of [`event_of`], without all else.
#[must_use]
pub fn subcause_of(open: &OpenEvent, around: &Surroundings) -> Subcause {
    let facts = Facts::new(open, around);
    rules::claim(&facts, &Origin::of(&facts)).claim.subcause
}

/// Judges an event with its surroundings, and collects the evidence. The text that came with the RST,
/// if any did, is kept beside the event: see [`Event::text`].
#[must_use]
pub fn event_of(open: &OpenEvent, around: &Surroundings) -> Event {
    let facts = Facts::new(open, around);
    let origin = Origin::of(&facts);
    let verdict = rules::decide(&facts, &origin);
    let mut flow = open.flow;
    flow.append_history(open.rst.side, seen::RST & !flow.dir[open.rst.side & 1].flags);
    flow.dir[open.rst.side & 1].flags |= seen::RST;
    Event {
        key: open.flow.key,
        side: open.rst.side & 1,
        time_ns: open.rst.time_ns,
        frame: open.rst.frame,
        packets: open.packets(),
        verdict,
        stage: facts.stage,
        conn_state: ConnState::of(&open.flow, open.rst.side),
        initiator: open.flow.initiator(),
        history: flow.history(),
        evidence: evidence_of(&facts, &origin),
        unknowns: unknowns(verdict.claim.subcause, around),
        text_len: open.rst.payload_len.min(crate::segment::RST_TEXT_LEN as u32) as u8,
        text: [0; crate::segment::RST_TEXT_LEN],
    }
}

/// The questions that the verdict had to leave open.
fn unknowns(subcause: Subcause, around: &Surroundings) -> Unknowns {
    let mut open = Unknowns::default();
    let mut ask = |question: Unknowns, answered: bool| {
        if !answered {
            open = open.and(question);
        }
    };
    match subcause.id().as_bytes().first() {
        Some(b'1' | b'3') => {
            ask(Unknowns::SERVICE, around.service_alive.is_some());
            ask(Unknowns::HOST, around.host_baseline.is_some());
            ask(Unknowns::SOURCE, around.source_refused.is_some());
        }
        Some(b'2') => ask(Unknowns::HOST, around.host_baseline.is_some()),
        Some(b'0' | b'4' | b'6') => ask(Unknowns::COHORT, around.cohort.is_some()),
        _ => {}
    }
    open
}

/// Collects the facts that a person would look up to check the verdict.
fn evidence_of(facts: &Facts<'_>, origin: &Origin) -> Evidence {
    let mut evidence = Evidence::default();
    let to_i64 = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    evidence.set(Fact::Form, facts.form as i64);
    if let Some(us) = facts.trigger_age_us {
        evidence.set(Fact::TriggerAgeUs, to_i64(us));
    }
    if let Some(by) = facts.seq_rel {
        evidence.set(Fact::SeqRelNxt, by.into());
    }
    if let Some(by) = facts.ack_rel {
        evidence.set(Fact::AckRelPeer, by.into());
    }
    evidence.set(Fact::Window, facts.rst.window.into());
    origin_evidence(facts, origin, &mut evidence);
    after_evidence(facts, &mut evidence);
    evidence.count(Fact::RetxBefore, facts.me.retransmission_run());
    evidence.count(Fact::PeerRetxBefore, facts.peer.retransmission_run());
    evidence.count(Fact::ProbesBefore, facts.me.probe_run());
    if facts.packets_before() > 0 {
        evidence.set(Fact::IdleMs, to_i64(facts.idle_us / 1000));
        let first = elapsed(facts.flow.first(), micros(facts.rst.time_ns));
        evidence.set(Fact::AgeMs, to_i64(first / 1000));
    }
    if let Some(tier) = facts.idle_tier_s() {
        evidence.set(Fact::IdleTier, to_i64(tier));
    }
    volume_evidence(facts, &mut evidence);
    if let Some(alive) = facts.around().service_alive {
        evidence.set(Fact::SvcAlive, alive.into());
    }
    evidence.flag(Fact::AcceptedAfter, facts.around().accepted_after);
    evidence.flag(Fact::RefusedAfter, facts.around().refused_after);
    if let Some(n) = facts.around().cohort {
        evidence.set(Fact::CohortN, n.into());
    }
    evidence.count(Fact::SourceRefused, facts.around().source_refused.unwrap_or(0));
    evidence.flag(Fact::Midstream, facts.midstream());
    evidence.flag(Fact::OneWay, facts.one_way());
    evidence.flag(Fact::Gap, facts.gap());
    evidence.flag(Fact::WindowCut, facts.after.window_cut);
    evidence
}

fn origin_evidence(facts: &Facts<'_>, origin: &Origin, evidence: &mut Evidence) {
    if let Some(by) = facts.ttl_delta {
        evidence.set(Fact::TtlDelta, by.into());
    }
    evidence.flag(Fact::DfMismatch, facts.df_mismatch());
    if let Some(step) = facts.ip_id_step() {
        evidence.set(Fact::IdClass, facts.me.ip_id_class() as i64);
        evidence.set(Fact::IdStep, step.cast_signed().into());
    }
    evidence.flag(Fact::TsMissing, origin.supporting.any(Families::TIMESTAMPS));
    evidence.flag(Fact::DscpNotEchoed, origin.supporting.any(Families::DSCP));
    evidence.flag(Fact::Mirrored, origin.supporting.any(Families::MIRROR));
    evidence.flag(Fact::NoTrigger, origin::no_trigger(facts));
    if let Some(percent) = origin::latency_percent(facts) {
        evidence.set(Fact::LatencyRatio, i64::try_from(percent).unwrap_or(i64::MAX));
    }
    if let Some((low, high, response_us)) = facts.around().host_baseline {
        let ttl = facts.rst.ttl;
        evidence.set(Fact::HostTtlDelta, i64::from(ttl) - i64::from(ttl.clamp(low, high.max(low))));
        if let Some(us) = response_us {
            evidence.set(Fact::HostResponseUs, us.into());
        }
    }
}

fn after_evidence(facts: &Facts<'_>, evidence: &mut Evidence) {
    let after = facts.after;
    evidence.count(Fact::PostRstData, after.sender_data);
    evidence
        .count(Fact::PostRstAck, i64::from(after.sender_acks) + i64::from(after.sender_repeats));
    evidence.flag(Fact::PostRstSynAck, after.sender_syn_acks > 0);
    let victim = [after.victim_syns, after.victim_data, after.victim_acks];
    evidence.count(Fact::VictimAfter, victim.into_iter().map(i64::from).sum::<i64>());
    evidence.set(Fact::RstsSameSide, after.rsts_same_side.into());
    if after.rsts_other_side > 0 {
        evidence.set(Fact::RstsOtherSide, after.rsts_other_side.into());
        evidence.set(Fact::OtherSideAfterUs, after.other_side_us.into());
    }
    if after.train > 1 {
        evidence.set(Fact::TrainN, after.train.into());
        evidence.set(Fact::TrainDelta, after.steps[0].into());
    }
}

fn volume_evidence(facts: &Facts<'_>, evidence: &mut Evidence) {
    if facts.packets_before() == 0 {
        return;
    }
    let initiator = (service_side(&facts.flow.key, facts.flow.initiator()) ^ 1) & 1;
    let (client, server) = (&facts.flow.dir[initiator], &facts.flow.dir[initiator ^ 1]);
    evidence.flag(Fact::FinSeenC, client.has(seen::FIN));
    evidence.flag(Fact::FinSeenS, server.has(seen::FIN));
    let by_client = facts.by_initiator == Some(true);
    evidence.flag(Fact::FinUnanswered, by_client && facts.me.has(seen::FIN_UNANSWERED));
    evidence.flag(Fact::DataAfterFin, facts.peer.has(seen::DATA_AFTER_PEER_FIN));
    evidence.set(Fact::BytesC, client.bytes.into());
    evidence.set(Fact::BytesS, server.bytes.into());
    if let Some(bytes) = facts.flow.unacked(initiator) {
        evidence.set(Fact::UnackedC, bytes.into());
    }
    if let Some(bytes) = facts.flow.unacked(initiator ^ 1) {
        evidence.set(Fact::UnackedS, bytes.into());
    }
}
