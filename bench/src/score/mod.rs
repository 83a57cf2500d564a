//! Accuracy: verdicts of the library against truth.
//!
//! In order: [`find`] (captures and their truth files) → [`truth`] and [`tap`] (what is known, what
//! is judged) → [`join`] (which event holds which RST) → [`verdict`] (one event beside its truth) →
//! [`accuracy`], [`calibration`], [`promises`] (the numbers) → [`text`]. [`labels`] does the same
//! for captures that a person judged.

pub mod accuracy;
pub mod calibration;
pub mod find;
pub mod join;
pub mod labels;
pub mod promises;
pub mod tap;
pub mod text;
pub mod truth;
pub mod verdict;

use std::io;
use std::path::{Path, PathBuf};

use resetscope::run::RunError;
use resetscope_core::judge::cause::{Cause, Subcause};
use serde::Serialize;

use accuracy::Accuracy;
use calibration::{Calibration, Constant, constants};
use find::Case;
use join::Joined;
use labels::Labels;
use promises::Promises;
use tap::Tap;
use truth::Reset;
use verdict::{Finding, Scored};

/// The schema's name and version.
pub const SCHEMA: &str = "resetscope.score/1";

/// Why there is no score.
#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    /// A file or directory cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// A capture without truth.
    #[error("{} has no NAME.truth.jsonl beside it or in a --truth-dir", path.display())]
    NoTruth {
        /// The capture.
        path: PathBuf,
    },
    /// A line that is not what it should be.
    #[error("{} line {line}: {what}", path.display())]
    Truth {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// A capture that cannot be analysed.
    #[error("cannot analyse {}", path.display())]
    Analysis {
        /// The capture.
        path: PathBuf,
        /// Why.
        #[source]
        cause: RunError,
    },
}

/// Everything measured.
#[derive(Debug, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// Against truth of the lab; `None` when no such capture was given.
    pub lab: Option<Lab>,
    /// Against a person's labels; `None` when none were given.
    pub labels: Option<Labels>,
}

impl Report {
    /// Analyses all captures and compares.
    ///
    /// # Errors
    /// When a truth file is wrong or a capture cannot be analysed.
    pub fn measure(cases: &[Case], labels: Option<&Path>) -> Result<Self, ScoreError> {
        let views = cases.iter().map(View::of_case).collect::<Result<Vec<_>, _>>()?;
        let views: Vec<View> = views.into_iter().flatten().collect();
        Ok(Self {
            schema: SCHEMA,
            lab: (!views.is_empty()).then(|| Lab::of(&views)),
            labels: labels.map(Labels::measure).transpose()?,
        })
    }
}

/// One capture beside its truth.
pub struct View {
    /// Name of the capture file.
    pub capture: String,
    /// Name of the case; equal for the taps of one truth.
    pub case: String,
    /// The tap, as the truth calls it.
    pub tap_name: String,
    /// The truth.
    pub resets: Vec<Reset>,
    /// What was analysed.
    pub tap: Tap,
    /// Which event holds which RST.
    pub joined: Joined,
}

impl View {
    fn of_case(case: &Case) -> Result<Vec<Self>, ScoreError> {
        let resets = truth::read(&case.truth)?;
        case.captures
            .iter()
            .map(|(tap, path)| Self::new(case, tap.as_deref(), path, &resets))
            .collect()
    }

    fn new(
        case: &Case,
        tap: Option<&str>,
        path: &Path,
        resets: &[Reset],
    ) -> Result<Self, ScoreError> {
        let name = tap.unwrap_or_else(|| only_tap(resets));
        let tap = Tap::analyse(path)?;
        Ok(Self {
            capture: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            case: case.truth.display().to_string(),
            tap_name: name.to_owned(),
            resets: resets.to_vec(),
            joined: Joined::new(resets, name, &tap),
            tap,
        })
    }

    /// The events whose first RST the truth explains.
    pub fn scored(&self) -> impl Iterator<Item = Scored<'_>> {
        self.joined.first.iter().filter_map(|&(line, index)| self.pair(line, index))
    }

    /// Every RST that an event holds, with that event.
    pub fn held(&self) -> impl Iterator<Item = Scored<'_>> {
        let all = self.joined.first.iter().chain(&self.joined.held);
        all.filter_map(|&(line, index)| self.pair(line, index))
    }

    fn pair(&self, line: usize, index: usize) -> Option<Scored<'_>> {
        let reset = self.resets.get(line)?;
        let event = self.tap.events.get(index)?;
        Some(Scored { capture: &self.capture, line, reset, truth: reset.subcause?, event })
    }

    /// The RSTs that no event holds.
    fn lost(&self) -> impl Iterator<Item = (&Reset, Finding)> {
        self.joined.uncovered.iter().filter_map(|&line| {
            let reset = self.resets.get(line)?;
            let finding = Finding {
                capture: self.capture.clone(),
                frame: reset.frames.get(&self.tap_name).copied().unwrap_or(0),
                scenario: reset.scenario.clone(),
                truth: reset.subcause.map_or("?", Subcause::id),
                verdict: None,
                confidence: None,
            };
            Some((reset, finding))
        })
    }
}

/// The tap that a truth with one tap speaks of.
fn only_tap(resets: &[Reset]) -> &str {
    let mut taps = resets.iter().flat_map(|reset| reset.frames.keys());
    let first = taps.next().map_or("client", String::as_str);
    if taps.all(|tap| tap == first) { first } else { "client" }
}

/// Verdicts against the lab's truth.
#[derive(Debug, Serialize)]
pub struct Lab {
    /// Captures analysed.
    pub captures: usize,
    /// RSTs in them that the truth knows, each tap counted.
    pub rsts: usize,
    /// Events scored: those whose first RST the truth explains.
    pub events: usize,
    /// Of those, events that follow from an earlier one.
    pub aftermaths: usize,
    /// Further RSTs of an event, scored with its first.
    pub held: usize,
    /// RSTs that the lab itself could not explain; not scored.
    pub unexplained: usize,
    /// Events that begin with a RST the truth does not know.
    pub unknown_events: usize,
    /// RSTs of the truth that no event holds.
    pub uncovered: Vec<Finding>,
    /// How right the verdicts are.
    #[serde(flatten)]
    pub accuracy: Accuracy,
    /// Calibration, a verdict being right when its cause is.
    pub calibration: Calibration,
    /// Calibration, a verdict being right when its sub-cause is.
    pub calibration_of_subcauses: Calibration,
    /// The same for each sub-cause and confidence.
    pub constants: Vec<Constant>,
    /// Verdicts that say `unknown` although the cause was to be seen.
    pub unknown_verdicts: usize,
    /// What must never fail.
    #[serde(flatten)]
    pub promises: Promises,
    /// Verdicts with a wrong cause, by scenario.
    pub misses: Vec<Finding>,
    /// Verdicts with the right cause and a wrong sub-cause, by scenario.
    pub subcause_misses: Vec<Finding>,
}

impl Lab {
    /// Counts over `views`.
    #[must_use]
    pub fn of(views: &[View]) -> Self {
        let scored: Vec<Scored<'_>> = views.iter().flat_map(View::scored).collect();
        let sum = |count: &dyn Fn(&View) -> usize| views.iter().map(count).sum();
        let first_unexplained = |view: &View| view.joined.first.len() - view.scored().count();
        Self {
            captures: views.len(),
            rsts: sum(&|view| {
                view.joined.first.len() + view.joined.held.len() + view.joined.uncovered.len()
            }),
            events: scored.len(),
            aftermaths: scored.iter().filter(|it| it.reset.aftermath).count(),
            held: sum(&|view| view.joined.held.len()),
            unexplained: sum(&first_unexplained),
            unknown_events: sum(&|view| view.joined.unknown.len()),
            uncovered: views.iter().flat_map(View::lost).map(|(_, finding)| finding).collect(),
            accuracy: Accuracy::of(&scored),
            calibration: calibration(&scored, Scored::cause_is_right),
            calibration_of_subcauses: calibration(&scored, Scored::subcause_is_right),
            constants: constants(&scored),
            unknown_verdicts: scored
                .iter()
                .filter(|it| it.verdict().cause() == Cause::Unknown && !it.cause_is_right())
                .count(),
            promises: Promises::of(views, &scored),
            misses: findings(&scored, |it| !it.cause_is_right()),
            subcause_misses: findings(&scored, |it| it.cause_is_right() && !it.subcause_is_right()),
        }
    }
}

fn calibration<'a>(scored: &[Scored<'a>], right: impl Fn(&Scored<'a>) -> bool) -> Calibration {
    Calibration::of(scored.iter().map(|it| (it.percent(), right(it))))
}

/// Those of `scored` that `wanted` is true of, by scenario, capture and frame.
fn findings<'a>(scored: &[Scored<'a>], wanted: impl Fn(&Scored<'a>) -> bool) -> Vec<Finding> {
    let mut found: Vec<Finding> =
        scored.iter().filter(|it| wanted(it)).map(Scored::finding).collect();
    found.sort_by(|a, b| {
        (&a.scenario, &a.capture, a.frame).cmp(&(&b.scenario, &b.capture, b.frame))
    });
    found
}
