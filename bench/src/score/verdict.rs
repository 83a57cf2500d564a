//! One scored verdict: an event beside the truth about the RST that begins it.

use std::fmt;

use resetscope_core::judge::cause::{Cause, Subcause};
use resetscope_core::judge::event::Event;
use serde::Serialize;

use super::truth::Reset;

/// An event whose first RST the truth explains.
#[derive(Clone, Copy)]
pub struct Scored<'a> {
    /// Name of the capture file.
    pub capture: &'a str,
    /// Place of the RST in the truth, the same at all its taps.
    pub line: usize,
    /// The RST.
    pub reset: &'a Reset,
    /// What the truth says of it.
    pub truth: Subcause,
    /// The event.
    pub event: &'a Event,
}

impl Scored<'_> {
    /// The verdict's sub-cause.
    #[must_use]
    pub const fn verdict(&self) -> Subcause {
        self.event.verdict.claim.subcause
    }

    /// The verdict's confidence, in percent.
    #[must_use]
    pub const fn percent(&self) -> u8 {
        self.event.verdict.claim.percent
    }

    /// Whether the cause is right.
    #[must_use]
    pub fn cause_is_right(&self) -> bool {
        self.reset.allows_cause(self.verdict().cause())
    }

    /// Whether the sub-cause is right.
    #[must_use]
    pub fn subcause_is_right(&self) -> bool {
        self.reset.allows(self.verdict())
    }

    /// A verdict that makes an endpoint the victim of a third party, and is sure of it.
    #[must_use]
    pub fn is_false_injection(&self) -> bool {
        self.verdict().cause() == Cause::Firewall
            && self.percent() >= SURE_PERCENT
            && !self.reset.allows_cause(Cause::Firewall)
    }

    /// Whether the verdict sees that a third party forged the RST.
    #[must_use]
    pub fn names_a_forger(&self) -> bool {
        names_a_forger(self.verdict()) || self.subcause_is_right()
    }

    /// The verdict as a line of a list.
    #[must_use]
    pub fn finding(&self) -> Finding {
        Finding {
            capture: self.capture.to_owned(),
            frame: self.event.frame,
            scenario: self.reset.scenario.clone(),
            truth: self.truth.id(),
            verdict: Some(self.verdict().id()),
            confidence: Some(f64::from(self.percent()) / 100.0),
        }
    }
}

/// Confidence, in percent, from which a reader takes a verdict for a fact.
const SURE_PERCENT: u8 = 80;

/// Whether a sub-cause says that a third party forged the RST.
const fn names_a_forger(subcause: Subcause) -> bool {
    matches!(subcause.cause(), Cause::Firewall)
        || matches!(subcause, Subcause::Tcpkill | Subcause::Killcx | Subcause::IdleTimer)
}

/// One RST in a list of what went wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Name of the capture file.
    pub capture: String,
    /// Frame number, from 1.
    pub frame: u64,
    /// The lab's scenario and variant.
    pub scenario: String,
    /// The true sub-cause.
    pub truth: &'static str,
    /// The verdict's sub-cause; `None` when no event holds the RST.
    pub verdict: Option<&'static str>,
    /// The verdict's confidence.
    pub confidence: Option<f64>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} #{}: {} ", self.capture, self.frame, self.truth)?;
        match (self.verdict, self.confidence) {
            (Some(verdict), Some(confidence)) => write!(f, "judged {verdict} at {confidence:.2}"),
            _ => f.write_str("in no event"),
        }
    }
}
