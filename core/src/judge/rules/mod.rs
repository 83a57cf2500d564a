//! The rules, in order of precedence. Each is a function from facts to a verdict or nothing; the
//! first that answers decides.
//!
//! A confidence belongs to the sub-cause that is claimed. They are constants, set by how often
//! verdicts of that kind are right in the kernel lab, and lower where the lab has seen few or people
//! who labelled other captures disagree. Where two causes cannot be told apart on the wire (a
//! service that is down, or a rule on its host; one connection closed by a reset, or killed), it
//! stays at 60 % or below.
//!
//! Precedence: what a third party wrote, then what closed or reset connections leave behind, then
//! lost paths, then hosts without the connection, then hosts that ended it, then honest ignorance.

mod absent;
mod foreign;
mod present;

use super::cause::{Subcause, Verdict};
use super::facts::Facts;
use super::origin::Origin;

/// The verdict of the first rule that has one. Written out, not walked: most resets are explained by
/// one of the last, and a call through a table costs more than most rules do.
macro_rules! first_of {
    ($facts:ident, $origin:ident, $($module:ident::$rule:ident,)*) => {{
        $(if let Some(verdict) = $module::$rule($facts, $origin) {
            verdict
        } else)* {
            Verdict::new(Subcause::Tie, 40)
        }
    }};
}

/// Applies the rules to the facts.
#[must_use]
pub(super) fn decide(facts: &Facts<'_>, origin: &Origin) -> Verdict {
    let verdict = claim(facts, origin);
    let verdict = if facts.gap() && !facts.form.is_reply() { verdict.at_most(70) } else { verdict };
    verdict.within_whole()
}

/// What the rules claim, before the confidences are balanced.
#[must_use]
pub(super) fn claim(facts: &Facts<'_>, origin: &Origin) -> Verdict {
    first_of![
        facts,
        origin,
        absent::nat_bypass,
        foreign::ineffective,
        foreign::self_declared,
        absent::after_reset,
        foreign::tcpkill,
        foreign::killcx,
        foreign::idle_timer,
        foreign::decisive,
        absent::device_after_end,
        absent::after_close,
        absent::port_reuse,
        present::keepalive_expired,
        absent::silent_give_up,
        present::retransmission_gave_up,
        foreign::supported,
        absent::refused,
        absent::handshake,
        absent::no_other_packet,
        absent::too_little,
        absent::after_own_fin,
        absent::stateless,
        present::no_payload,
        present::together,
        present::after_fin,
        present::during_loss,
        present::unfinished,
        present::finished,
    ]
}
