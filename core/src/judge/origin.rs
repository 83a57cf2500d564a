//! The origin test: did the host that a RST names write it?
//!
//! One decisive observation is enough; otherwise several supporting ones from different families
//! are needed. A time to live or an identification that differs is never enough alone: hosts answer
//! for dead connections with other defaults than their live ones used.

use super::facts::{Facts, Stage};
use super::form::Form;
use crate::flow::record::{IP_ID_STEP_MAX, IpIdClass};
use crate::segment::TcpFlags;

/// What proves that a RST was not written by the host it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decisive {
    /// The host lived on: it sent new data or retransmissions, or answered the SYN it had refused.
    LivesOn,
    /// A train of RSTs guesses sequence numbers beyond all that the host had sent.
    TrainAhead,
}

/// Families of supporting observations. Bits of a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Families(u16);

impl Families {
    /// Time to live off a stable baseline by two or more.
    pub const TTL: Self = Self(0x001);
    /// DF cleared by a host that always sets it.
    pub const DF: Self = Self(0x002);
    /// IP identification off the host's counter.
    pub const ID: Self = Self(0x004);
    /// A form no host of the known stacks writes there.
    pub const FORM: Self = Self(0x008);
    /// Timestamps missing from an active reset.
    pub const TIMESTAMPS: Self = Self(0x010);
    /// DSCP not copied.
    pub const DSCP: Self = Self(0x020);
    /// Acknowledges bytes that nobody sent.
    pub const ACK_AHEAD: Self = Self(0x040);
    /// Window and identification copied from the packet answered.
    pub const MIRROR: Self = Self(0x080);
    /// Faster than the host can be.
    pub const LATENCY: Self = Self(0x100);
    /// Both ends were reset at once.
    pub const TWO_SIDED: Self = Self(0x200);

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// How many families support.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether any family of `other` is among them.
    #[must_use]
    pub const fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    fn add(&mut self, family: Self, holds: bool) {
        if holds {
            self.0 |= family.0;
        }
    }
}

/// The outcome of the origin test.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// Proof that somebody else wrote the RST.
    pub decisive: Option<Decisive>,
    /// Hints that somebody else did.
    pub supporting: Families,
}

impl Origin {
    /// Tests the origin of a reset.
    #[must_use]
    pub fn of(facts: &Facts<'_>) -> Self {
        Self { decisive: decisive(facts), supporting: supporting(facts) }
    }
}

fn decisive(facts: &Facts<'_>) -> Option<Decisive> {
    let after = facts.after;
    if facts.flow.both_fins() || facts.aftermath {
        return None;
    }
    // A program that opens connections by raw packets lives on beside the kernel of its own host,
    // which resets what it does not know.
    let own_kernel = facts.stage == Stage::PostSyn
        && facts.by_initiator == Some(true)
        && facts.form == Form::ReplyR;
    // Refused, asked again, answered: the second answer does not belie the first.
    let asked_again = facts.stage == Stage::PostSyn && after.victim_syns > 0;
    if own_kernel || asked_again {
        return None;
    }
    let spoke = after.sender_data > 0
        || after.sender_repeats > 0
        || after.sender_acks > 1
        || after.sender_syn_acks > 0;
    // A reset that continues the host's own counter, at its distance and with its numbers, is its
    // own; acknowledgements alone do not belie that, they may be copies that came late.
    let own_hand = facts.form == Form::ActiveRa
        && facts.ttl_delta == Some(0)
        && facts.me.ip_id_class() == IpIdClass::Incrementing
        && facts.ip_id_step().is_some_and(|step| (1..=IP_ID_STEP_MAX).contains(&step));
    let acks_only =
        after.sender_data == 0 && after.sender_repeats == 0 && after.sender_syn_acks == 0;
    let belied = spoke && !(own_hand && acks_only);
    if belied && after.sender_usual_ttl > 0 && !after.reopened {
        return Some(Decisive::LivesOn);
    }
    let guesses = after.train > 1 && after.train_ahead > 2 && !facts.gap();
    (guesses && after.replies == 0 && after.victim_syns == 0).then_some(Decisive::TrainAhead)
}

fn supporting(facts: &Facts<'_>) -> Families {
    let mut families = Families::default();
    let (rst, me, peer) = (facts.rst, facts.me, facts.peer);
    let stable = me.ttl_max() - me.ttl_min() <= 1;
    // One packet is no baseline, unless the distance is more than routes ever differ.
    // A host that still has the connection sends the RST through the same socket: not even one hop
    // may differ. One without it answers with its system's defaults.
    let least = match me.packets {
        3.. if facts.form == Form::ActiveRa && me.ttl_min() == me.ttl_max() => 1,
        3.. => 2,
        _ => 16,
    };
    families.add(Families::TTL, stable && facts.ttl_delta.is_some_and(|by| by.abs() >= least));
    families.add(Families::DF, facts.df_mismatch());
    families.add(Families::ID, facts.ip_id_foreign());
    let bare = !rst.flags.any(TcpFlags::ACK);
    families.add(Families::FORM, bare && (rst.window != 0 || no_trigger(facts)));
    families.add(
        Families::TIMESTAMPS,
        facts.form == Form::ActiveRa && facts.uses_timestamps() && !facts.has_timestamps(),
    );
    let model = if facts.form.is_reply() { peer.tos() } else { me.tos() };
    families.add(Families::DSCP, rst.tos >> 2 == 0 && model >> 2 != 0);
    families.add(Families::ACK_AHEAD, !facts.gap() && facts.ack_rel.is_some_and(|by| by > 0));
    families.add(Families::MIRROR, mirrored(facts));
    families.add(Families::LATENCY, latency_percent(facts).is_some_and(|percent| percent < 50));
    let both = facts.after.rsts_other_side > 0 && facts.after.other_side_us < 200_000;
    families.add(Families::TWO_SIDED, both && !facts.flow.both_fins());
    families
}

/// A bare RST that answers no packet seen, on a flow whose peer was seen.
#[must_use]
pub fn no_trigger(facts: &Facts<'_>) -> bool {
    let bare = !facts.rst.flags.any(TcpFlags::ACK);
    let asked = facts.answers_trigger() || facts.after.trigger_overtaken;
    bare && facts.peer.packets > 0 && !facts.gap() && !asked
}

/// The RST repeats window and identification of the packet it answers.
#[must_use]
pub fn mirrored(facts: &Facts<'_>) -> bool {
    let (rst, peer) = (facts.rst, facts.peer);
    rst.ip_id != 0 && rst.window != 0 && rst.ip_id == peer.ip_id && rst.window == peer.window
}

/// Age of the packet that the RST acknowledges, in percent of the shortest time in which this host
/// ever answered.
///
/// A RST that acknowledges the peer's latest bytes cannot have been written before they arrived, nor
/// can the answer to the one packet that broke a silence. Others cannot be compared: they may answer
/// an earlier packet. A margin of 300 µs allows for jitter.
#[must_use]
pub fn latency_percent(facts: &Facts<'_>) -> Option<u64> {
    let acknowledges = facts.ack_rel == Some(0) && facts.trigger_is_new_data();
    let usual = u64::from(facts.me.min_response_us()?);
    let age = facts.trigger_age_us?;
    let broke_silence = facts.form == Form::ReplyR && facts.idle_us > 2 * usual;
    if !(acknowledges || broke_silence) || facts.midstream() {
        return None;
    }
    (usual >= age + 300).then(|| age * 100 / usual.max(1))
}
