//! The report as text for a person.

use std::io::{self, Write};

use super::accuracy::{Accuracy, Class, Matrix, Share};
use super::calibration::Calibration;
use super::labels::{Difference, Labels};
use super::verdict::Finding;
use super::{Lab, Report};

/// Writes the report.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    if let Some(lab) = &report.lab {
        write_lab(out, lab)?;
    }
    if let Some(labels) = &report.labels {
        if report.lab.is_some() {
            writeln!(out)?;
        }
        write_labels(out, labels)?;
    }
    Ok(())
}

fn write_lab(out: &mut dyn Write, lab: &Lab) -> io::Result<()> {
    writeln!(
        out,
        "{} captures, {} RSTs: {} events scored ({} of them aftermath), {} further RSTs within \
         them",
        lab.captures, lab.rsts, lab.events, lab.aftermaths, lab.held
    )?;
    let Accuracy { cause, subcause, matrix, classes, macro_f1, mistakes } = &lab.accuracy;
    line(out, "cause right", &share(*cause))?;
    line(out, "sub-cause right", &share(*subcause))?;
    line(out, "macro-F1, six causes and benign", &format!("{macro_f1:.4}"))?;
    line(out, "calibration error, causes", &errors(&lab.calibration))?;
    line(out, "calibration error, sub-causes", &errors(&lab.calibration_of_subcauses))?;
    line(out, "unknown, though there to be seen", &lab.unknown_verdicts.to_string())?;
    line(out, "false injection verdicts", &lab.promises.false_injections.len().to_string())?;
    line(out, "forged RSTs recognised (32-36)", &share(lab.promises.injected))?;
    line(out, "indistinguishable pairs capped", &share(lab.promises.capped))?;
    line(out, "both taps agree on the cause", &share(lab.promises.taps_agree))?;
    line(out, "RSTs in no event", &lab.uncovered.len().to_string())?;
    line(out, "events that the truth lacks", &lab.unknown_events.to_string())?;
    line(out, "RSTs that the truth cannot explain", &lab.unexplained.to_string())?;
    write_matrix(out, matrix, classes)?;
    write_calibration(out, "causes", &lab.calibration)?;
    write_calibration(out, "sub-causes", &lab.calibration_of_subcauses)?;
    if !mistakes.is_empty() {
        writeln!(out, "\nwrong sub-causes (* wrong cause too)")?;
    }
    for row in mistakes.chunks(6) {
        let cells = row.iter().map(|it| {
            let mark = if it.same_cause { ' ' } else { '*' };
            format!("{:>4} x {} for {}{mark}", it.count, it.verdict, it.truth)
        });
        writeln!(out, "{}", cells.collect::<Vec<_>>().join(" ").trim_end())?;
    }
    list(out, "false injection verdicts", &lab.promises.false_injections)?;
    list(out, "forged RSTs not recognised", &lab.promises.injected_missed)?;
    list(out, "indistinguishable, yet judged with confidence", &lab.promises.not_capped)?;
    list(out, "RSTs in no event", &lab.uncovered)?;
    list(out, "wrong causes", &lab.misses)?;
    list(out, "right cause, wrong sub-cause", &lab.subcause_misses)?;
    if !lab.promises.taps_disagree.is_empty() {
        writeln!(out, "\ntaps disagree")?;
    }
    for [one, other] in &lab.promises.taps_disagree {
        writeln!(out, "  {one}; {other}")?;
    }
    Ok(())
}

fn write_labels(out: &mut dyn Write, labels: &Labels) -> io::Result<()> {
    writeln!(
        out,
        "{} labels of a person, {} of them on the first RST of an event",
        labels.labels, labels.first
    )?;
    line(out, "verdict agrees with the label", &share(labels.cause))?;
    line(out, "macro-F1 of the causes that occur", &format!("{:.4}", labels.macro_f1))?;
    line(out, "calibration error", &errors(&labels.calibration))?;
    write_matrix(out, &labels.matrix, &labels.classes)?;
    write_calibration(out, "labels", &labels.calibration)?;
    if !labels.differences.is_empty() {
        writeln!(out, "\ndifferences")?;
    }
    for Difference { file, frame, label, verdict, subcause, confidence } in &labels.differences {
        let judged = match (verdict, subcause, confidence) {
            (Some(verdict), Some(subcause), Some(confidence)) => {
                format!("judged {verdict} ({subcause}) at {confidence:.2}")
            }
            _ => "in no event".to_owned(),
        };
        writeln!(out, "  {file} #{frame}: {label}, {judged}")?;
    }
    for skipped in &labels.skipped {
        writeln!(out, "  skipped: {skipped}")?;
    }
    Ok(())
}

fn line(out: &mut dyn Write, name: &str, value: &str) -> io::Result<()> {
    writeln!(out, "  {name:36} {value}")
}

fn share(share: Share) -> String {
    let Share { count, of } = share;
    if of == 0 { "none there".to_owned() } else { format!("{} ({count} of {of})", percent(share)) }
}

fn percent(share: Share) -> String {
    if share.of == 0 { "-".to_owned() } else { format!("{:.1} %", share.value() * 100.0) }
}

fn errors(calibration: &Calibration) -> String {
    let Calibration { error, overconfidence, .. } = calibration;
    format!("{error:.3}, of which too sure {overconfidence:.3}")
}

/// Rows are truth, columns verdicts.
fn write_matrix(out: &mut dyn Write, matrix: &Matrix, classes: &[Class]) -> io::Result<()> {
    write!(out, "\n{:14}", "truth \\ verdict")?;
    for cause in matrix.causes {
        write!(out, "{:>9}", short(cause))?;
    }
    writeln!(out, "{:>11}{:>9}{:>7}", "precision", "recall", "F1")?;
    for (cause, row) in matrix.causes.iter().zip(&matrix.rows) {
        write!(out, "{cause:15}")?;
        for count in row {
            let count = if *count == 0 { ".".to_owned() } else { count.to_string() };
            write!(out, "{count:>9}")?;
        }
        match classes.iter().find(|class| class.cause == *cause) {
            Some(class) => {
                let (precision, recall) = (percent(class.precision), percent(class.recall));
                writeln!(out, "{precision:>11}{recall:>9}{:>7.3}", class.f1)?;
            }
            None => writeln!(out)?,
        }
    }
    Ok(())
}

/// A cause's name in a column of nine.
fn short(cause: &str) -> &str {
    match cause {
        "closed_port" => "closed",
        "no_connection" => "no_conn",
        "application" => "appl",
        "explicit_kill" => "kill",
        other => other,
    }
}

fn write_calibration(out: &mut dyn Write, of: &str, calibration: &Calibration) -> io::Result<()> {
    writeln!(
        out,
        "\n{:26}{:>8}{:>12}{:>9}",
        format!("calibration, {of}"),
        "verdicts",
        "confidence",
        "right"
    )?;
    for bin in &calibration.bins {
        let range = format!("  {:.1} and more", bin.from as f64 / 100.0);
        writeln!(out, "{range:26}{:>8}{:>12.3}{:>9.3}", bin.count, bin.confidence, bin.right)?;
    }
    Ok(())
}

fn list(out: &mut dyn Write, title: &str, findings: &[Finding]) -> io::Result<()> {
    if !findings.is_empty() {
        writeln!(out, "\n{title}")?;
    }
    for finding in findings {
        writeln!(out, "  {finding}")?;
    }
    Ok(())
}
