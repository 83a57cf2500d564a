//! What must hold whatever the accuracy: no invented injection, every real one seen, honest doubt
//! where two causes look the same, and one answer from both taps.

use std::collections::BTreeMap;

use resetscope_core::judge::cause::Cause;
use serde::Serialize;

use super::View;
use super::accuracy::Share;
use super::verdict::{Finding, Scored};

/// Scenarios of the lab in which a third party forges RSTs.
const INJECTED: std::ops::RangeInclusive<u32> = 32..=36;

/// Scenarios of the lab whose RSTs are bit for bit those of another cause: a reject rule on the
/// host itself (a closed port), and one killed socket (an application's abort).
const INDISTINGUISHABLE: [u32; 2] = [5, 30];

/// The most confidence, in percent, that a verdict may have where two causes look the same.
const CAP_PERCENT: u8 = 60;

/// What was kept and what was not.
#[derive(Debug, Serialize)]
pub struct Promises {
    /// `firewall` verdicts of confidence 0.8 or more although no device was involved.
    pub false_injections: Vec<Finding>,
    /// Forged RSTs of scenarios 32 to 36 whose event names a forger.
    pub injected: Share,
    /// Those that it does not.
    pub injected_missed: Vec<Finding>,
    /// First RSTs of scenarios 5 and 30 judged with confidence 0.6 at most.
    pub capped: Share,
    /// Those judged with more.
    pub not_capped: Vec<Finding>,
    /// RSTs that begin an event at both taps and have the same cause there.
    pub taps_agree: Share,
    /// The two verdicts on the others.
    pub taps_disagree: Vec<[Finding; 2]>,
}

impl Promises {
    /// Counts over `views`, whose scored events are `scored`.
    #[must_use]
    pub fn of(views: &[View], scored: &[Scored<'_>]) -> Self {
        let of_forged =
            |it: &Scored<'_>| INJECTED.contains(&it.reset.number) && it.reset.is_forged();
        let forged: Vec<Scored<'_>> = views.iter().flat_map(View::held).filter(of_forged).collect();
        let lost = views
            .iter()
            .flat_map(View::lost)
            .filter(|(reset, _)| INJECTED.contains(&reset.number) && reset.is_forged());
        let mut injected = Share::of(&forged, |it| it.names_a_forger());
        let mut injected_missed = super::findings(&forged, |it| !it.names_a_forger());
        for (_, finding) in lost {
            injected.add(false);
            injected_missed.push(finding);
        }
        let twins: Vec<Scored<'_>> = scored
            .iter()
            .copied()
            .filter(|it| INDISTINGUISHABLE.contains(&it.reset.number) && !it.reset.aftermath)
            .collect();
        let (taps_agree, taps_disagree) = compare_taps(views);
        Self {
            false_injections: super::findings(scored, Scored::is_false_injection),
            injected,
            injected_missed,
            capped: Share::of(&twins, |it| it.percent() <= CAP_PERCENT),
            not_capped: super::findings(&twins, |it| it.percent() > CAP_PERCENT),
            taps_agree,
            taps_disagree,
        }
    }
}

/// Compares the causes of RSTs that begin an event at more than one tap.
fn compare_taps(views: &[View]) -> (Share, Vec<[Finding; 2]>) {
    let mut first: BTreeMap<(&str, usize), Scored<'_>> = BTreeMap::new();
    let mut agree = Share::default();
    let mut disagree = Vec::new();
    for view in views {
        for it in view.scored() {
            let Some(other) = first.insert((&view.case, it.line), it) else { continue };
            let cause = |it: &Scored<'_>| -> Cause { it.verdict().cause() };
            let same = cause(&it) == cause(&other);
            agree.add(same);
            if !same {
                disagree.push([other.finding(), it.finding()]);
            }
        }
    }
    (agree, disagree)
}
