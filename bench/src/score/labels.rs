//! Agreement with what a person judged about real captures.

use std::fs;
use std::path::Path;

use resetscope_core::judge::cause::Cause;
use resetscope_core::judge::event::Event;
use serde::Serialize;

use super::ScoreError;
use super::accuracy::{Class, Matrix, Share, macro_f1};
use super::calibration::Calibration;
use super::tap::Tap;

/// Columns of `labels.tsv` that are used: file, frame, cause, alternatives.
const COLUMNS: [&str; 4] = ["file", "frame", "cause", "alternatives"];

/// One row of `labels.tsv`.
struct Label {
    file: String,
    frame: u64,
    cause: Cause,
    also_right: Vec<Cause>,
}

/// A label that the verdict does not agree with.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The capture.
    pub file: String,
    /// Frame number, from 1.
    pub frame: u64,
    /// The person's cause.
    pub label: &'static str,
    /// The verdict's cause; `None` when no event holds the frame.
    pub verdict: Option<&'static str>,
    /// The verdict's sub-cause.
    pub subcause: Option<&'static str>,
    /// The verdict's confidence.
    pub confidence: Option<f64>,
}

/// How far verdicts and a person's labels agree.
#[derive(Debug, Serialize)]
pub struct Labels {
    /// Labels compared.
    pub labels: usize,
    /// Labels whose frame begins an event; the others belong to an earlier one of their flow.
    pub first: usize,
    /// Captures that could not be analysed, and why.
    pub skipped: Vec<String>,
    /// Labels with which the verdict agrees.
    pub cause: Share,
    /// Verdicts for labels. A label's alternatives count as it.
    pub matrix: Matrix,
    /// Precision and recall of each cause.
    pub classes: Vec<Class>,
    /// Mean F1 of the causes that occur.
    pub macro_f1: f64,
    /// Whether confidence tells the chance of agreement.
    pub calibration: Calibration,
    /// Where they differ.
    pub differences: Vec<Difference>,
}

impl Labels {
    /// Compares the labels in `folder` with verdicts on the captures in `folder/files`.
    ///
    /// # Errors
    /// When the labels cannot be read. A capture that cannot be analysed is skipped and named.
    pub fn measure(folder: &Path) -> Result<Self, ScoreError> {
        let labels = read(&folder.join("labels.tsv"))?;
        let mut compared = Compared::default();
        for of_file in labels.chunk_by(|a, b| a.file == b.file) {
            let Some(file) = of_file.first().map(|label| &label.file) else { continue };
            match Tap::analyse(&folder.join("files").join(file)) {
                Ok(tap) => of_file.iter().for_each(|label| compared.add(label, &tap)),
                Err(error) => compared.skipped.push(sentence(&error)),
            }
        }
        Ok(compared.finish())
    }
}

#[derive(Default)]
struct Compared {
    first: usize,
    cause: Share,
    pairs: Vec<(Cause, Cause)>,
    confidences: Vec<(u8, bool)>,
    skipped: Vec<String>,
    differences: Vec<Difference>,
}

impl Compared {
    fn add(&mut self, label: &Label, tap: &Tap) {
        let event = event_of(tap, label.frame);
        self.first += usize::from(event.is_some_and(|event| event.frame == label.frame));
        let claim = event.map(|event| event.verdict.claim);
        let verdict = claim.map(|claim| claim.subcause.cause());
        let agrees =
            verdict.is_some_and(|cause| cause == label.cause || label.also_right.contains(&cause));
        self.cause.add(agrees);
        if let (Some(claim), Some(verdict)) = (claim, verdict) {
            self.pairs.push((label.cause, if agrees { label.cause } else { verdict }));
            self.confidences.push((claim.percent, agrees));
        }
        if !agrees {
            self.differences.push(Difference {
                file: label.file.clone(),
                frame: label.frame,
                label: label.cause.name(),
                verdict: verdict.map(Cause::name),
                subcause: claim.map(|claim| claim.subcause.id()),
                confidence: claim.map(|claim| f64::from(claim.percent) / 100.0),
            });
        }
    }

    fn finish(self) -> Labels {
        let matrix = Matrix::of(self.pairs);
        let classes = matrix.classes();
        Labels {
            labels: self.cause.of,
            first: self.first,
            skipped: self.skipped,
            cause: self.cause,
            macro_f1: macro_f1(&classes),
            classes,
            matrix,
            calibration: Calibration::of(self.confidences),
            differences: self.differences,
        }
    }
}

/// The event that begins with the frame, else the latest earlier one of its flow.
fn event_of(tap: &Tap, frame: u64) -> Option<&Event> {
    let key = tap.rsts.get(&frame)?.key;
    tap.events.iter().rfind(|event| event.key == key && event.frame <= frame)
}

fn read(path: &Path) -> Result<Vec<Label>, ScoreError> {
    let text = fs::read_to_string(path)
        .map_err(|cause| ScoreError::Read { path: path.to_owned(), cause })?;
    let wrong = |line, what| ScoreError::Truth { path: path.to_owned(), line, what };
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    let mut places = [0; COLUMNS.len()];
    for (place, name) in places.iter_mut().zip(COLUMNS) {
        *place = head
            .iter()
            .position(|column| *column == name)
            .ok_or_else(|| wrong(1, format!("there is no column {name:?}")))?;
    }
    lines
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
        .map(|(index, line)| parse(line, places).map_err(|what| wrong(index + 2, what)))
        .collect()
}

fn parse(line: &str, places: [usize; COLUMNS.len()]) -> Result<Label, String> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [file, frame, cause, also] =
        places.map(|place| fields.get(place).copied().unwrap_or_default());
    let named = |name: &str| Cause::ALL.into_iter().find(|cause| cause.name() == name);
    Ok(Label {
        file: file.to_owned(),
        frame: frame.parse().map_err(|error| format!("frame {frame:?}: {error}"))?,
        cause: named(cause).ok_or_else(|| format!("there is no cause {cause:?}"))?,
        // What is no cause, such as a question mark, names no alternative.
        also_right: also.split([',', ';', '/', ' ']).filter_map(named).collect(),
    })
}

fn sentence(error: &ScoreError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::parse;
    use resetscope_core::judge::cause::Cause;

    #[test]
    fn a_label_may_name_alternatives_or_doubt() {
        for (also, want) in [
            ("", &[][..]),
            ("?", &[]),
            ("benign", &[Cause::Benign]),
            ("benign, network", &[Cause::Benign, Cause::Network]),
        ] {
            let label = parse(&format!("x.pcap\t7\tapplication\t{also}"), [0, 1, 2, 3]).unwrap();
            assert_eq!((label.frame, label.cause), (7, Cause::Application));
            assert_eq!(label.also_right, want, "{also:?}");
        }
    }
}
