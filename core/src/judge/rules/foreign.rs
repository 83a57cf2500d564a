//! Resets that somebody other than the named host wrote, and resets that had no effect.

use crate::flow::record::{ended, kind, seen, state};
use crate::judge::cause::{Subcause, Verdict};
use crate::judge::facts::{Facts, Stage};
use crate::judge::form::Form;
use crate::judge::origin::{Decisive, Families, Origin};
use crate::segment::{Payload, TcpFlags, quirk};

/// Two ends reset within this time were reset by one decision.
const TOGETHER_US_MAX: u32 = 200_000;

/// Silence after which a reset out of nothing is a timer's.
const IDLE_TIMER_US: u64 = 1_000_000;

/// 0.5: the receiver could not accept the number (RFC 5961 section 3.2) and both sides went on.
pub(super) fn ineffective(facts: &Facts<'_>, _: &Origin) -> Option<Verdict> {
    let after = facts.after;
    if facts.aftermath || facts.flow.both_fins() || facts.peer.packets == 0 || after.reopened {
        return None;
    }
    let sender_lives = after.sender_data > 0 || after.sender_repeats > 0 || after.sender_acks > 0;
    let victim_lives = after.victim_data > 0 || after.victim_acks > 1;
    let exact = facts.seq_rel == Some(0) || facts.rst.seq == facts.peer.ack;
    if !(sender_lives && victim_lives) || exact || facts.stage == Stage::PostSyn {
        return None;
    }
    Some(if after.train >= 3 {
        Verdict::new(Subcause::BlindInjection, 95).or(Subcause::Ineffective, 15)
    } else {
        Verdict::new(Subcause::Ineffective, 97).or(Subcause::BlindInjection, 10)
    })
}

/// 3.6: the payload names its author.
pub(super) fn self_declared(facts: &Facts<'_>, _: &Origin) -> Option<Verdict> {
    facts.rst.names_device.then(|| Verdict::new(Subcause::SelfDeclared, 98))
}

/// 6.2: tcpkill resets each packet it sniffs with several guesses, spaced by the packet's raw window.
pub(super) fn tcpkill(facts: &Facts<'_>, _: &Origin) -> Option<Verdict> {
    let after = facts.after;
    let [first, second] = after.steps;
    let windows = [i32::from(facts.peer.window), i32::from(facts.me.window)];
    let spaced = after.train >= 2
        && first > 0
        && windows.contains(&first)
        && (after.train < 3 || second == first.wrapping_mul(2) || second == first);
    let bare = !facts.rst.flags.any(TcpFlags::ACK) && facts.rst.window == 0;
    if !spaced || !bare {
        return None;
    }
    let no_df = facts.rst.quirks & (quirk::DF | quirk::IPV6) == 0;
    let percent = if no_df && after.train >= 3 { 97 } else { 85 };
    Some(Verdict::new(Subcause::Tcpkill, percent).or(Subcause::Injection, 8))
}

/// 6.3: a SYN that its claimed sender did not write, then a reset to both ends.
pub(super) fn killcx(facts: &Facts<'_>, _: &Origin) -> Option<Verdict> {
    let forged_syn = facts.flow.is(state::SYN_ON_LIVE) && facts.ended(ended::SYN_ON_LIVE_FOREIGN);
    let both = facts.after.rsts_other_side > 0 && facts.after.other_side_us < TOGETHER_US_MAX;
    let recent = facts.own_age_us.is_some_and(|age| age < 1_000_000)
        || facts.trigger_age_us.is_some_and(|age| age < 1_000_000);
    // Who goes on to open a connection with that SYN meant it: a port that is used again.
    if !forged_syn || !recent || facts.after.reopened {
        return None;
    }
    if both {
        Some(Verdict::new(Subcause::Killcx, 96).or(Subcause::Injection, 8))
    } else {
        Some(Verdict::new(Subcause::Killcx, 92).or(Subcause::PortReuse, 30))
    }
}

/// 6.4: after a silence, both ends are reset at once and no packet asked for it.
pub(super) fn idle_timer(facts: &Facts<'_>, _: &Origin) -> Option<Verdict> {
    let both = facts.after.rsts_other_side > 0 && facts.after.other_side_us < TOGETHER_US_MAX;
    let asked = facts.form == Form::ReplyR && facts.trigger_age_us.is_some_and(|us| us < 1_000_000);
    if !both || asked || facts.idle_us < IDLE_TIMER_US || facts.aftermath || facts.flow.both_fins()
    {
        return None;
    }
    let probed = facts.me.probe_run() > 0 || facts.peer.probe_run() > 0;
    let percent = match (facts.idle_tier_s(), probed) {
        (_, true) => return None,
        (Some(_), false) => 95,
        (None, false) => 92,
    };
    Some(Verdict::new(Subcause::IdleTimer, percent).or(Subcause::Injection, 100 - percent))
}

/// 3.1, 3.2, 3.3: proof that the named host did not write the reset.
pub(super) fn decisive(facts: &Facts<'_>, origin: &Origin) -> Option<Verdict> {
    let proof = origin.decisive?;
    if facts.flow.is(state::SYN_ON_LIVE) {
        return None;
    }
    let percent = if origin.supporting.count() > 0 || proof == Decisive::LivesOn { 98 } else { 94 };
    Some(foreign(facts, origin, percent))
}

/// 3.1, 3.2, 3.3 without proof: several independent hints. A host that answers without a connection
/// uses its system's defaults, so a reply needs one hint more.
pub(super) fn supported(facts: &Facts<'_>, origin: &Origin) -> Option<Verdict> {
    let hints = origin.supporting;
    if hints.count() == 0 {
        return None;
    }
    if facts.flow.both_fins() && facts.trigger_age_us.is_some_and(|us| us < 5_000_000) {
        return None;
    }
    let header = Families::TTL
        .and(Families::DF)
        .and(Families::ID)
        .and(Families::MIRROR)
        .and(Families::ACK_AHEAD)
        .and(Families::LATENCY)
        .and(Families::DSCP);
    let natural = facts.answers_trigger() || facts.peer.has(seen::FIN);
    // No stack clears DF and changes its TTL just because it has no connection.
    let never = hints.any(Families::DF) && hints.any(Families::TTL);
    let needed = if natural && !never { 3 } else { 2 };
    let refusal = facts.stage == Stage::PostSyn && hints.any(Families::MIRROR);
    if !(refusal || (hints.count() >= needed && hints.any(header))) {
        return None;
    }
    let percent = match hints.count() {
        0..=2 => 60,
        3 => 75,
        _ => 85,
    };
    let quiet = facts.idle_us >= IDLE_TIMER_US && !facts.answers_trigger();
    if quiet && facts.after.train == 1 && facts.stage != Stage::PostSyn {
        // Injectors react to what was said; a timer reacts to silence.
        return Some(
            Verdict::new(Subcause::IdleTimer, percent.max(92)).or(Subcause::Injection, 15),
        );
    }
    let verdict = foreign(facts, origin, percent);
    Some(if facts.answers_trigger() {
        verdict.or(Subcause::HalfOpen, (100 - percent) / 2)
    } else {
        verdict.or(Subcause::Abort, (100 - percent) / 2)
    })
}

/// Which kind of foreign reset it is.
fn foreign(facts: &Facts<'_>, origin: &Origin, percent: u8) -> Verdict {
    if facts.stage == Stage::PostSyn && facts.by_initiator != Some(true) {
        return Verdict::new(Subcause::SynRejected, percent).or(Subcause::Injection, 100 - percent);
    }
    let linux_like = facts.rst.window == 0
        && facts.rst.ip_id == 0
        && facts.rst.quirks & quirk::DF != 0
        && facts.form == Form::ReplyR;
    let one_sided = facts.after.rsts_other_side == 0 && facts.after.train == 1;
    let asked = facts.trigger_is(kind::DATA | kind::ACK | kind::FIN)
        && facts.trigger_age_us.is_some_and(|us| us < 50_000);
    if linux_like && one_sided && asked && origin.decisive != Some(Decisive::TrainAhead) {
        return Verdict::new(Subcause::MidstreamReject, percent)
            .or(Subcause::Injection, 100 - percent);
    }
    let content = facts.request_is(Payload::TlsClientHello)
        || facts.request_is(Payload::HttpRequest)
        || facts.after.rsts_other_side > 0
        || facts.after.train > 1;
    let verdict = Verdict::new(Subcause::Injection, percent);
    if content { verdict } else { verdict.or(Subcause::MidstreamReject, (100 - percent) / 2) }
}
