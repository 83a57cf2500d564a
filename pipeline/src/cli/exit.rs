//! Exit codes, and how an error is told.

use std::fmt::Write as _;
use std::io;
use std::process::ExitCode;

use anyhow::Error;
use tracing::{error, warn};

use crate::run::Findings;
use crate::sink::file::FormatError;
use crate::source::{Damage, SourceError};

/// How a run ended that was not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Done.
    Done,
    /// Done, but an input was damaged.
    Damaged,
}

impl Outcome {
    /// Tells what was odd and what was damaged, and how the run ended by that.
    pub(super) fn of(findings: &Findings) -> Self {
        for oddity in &findings.oddities {
            warn!("{oddity}");
        }
        Self::of_damage(&findings.damage)
    }

    /// Tells what was damaged, and how the run ended by that.
    pub(super) fn of_damage(damage: &[Damage]) -> Self {
        for damage in damage {
            error!("{damage}");
        }
        if damage.is_empty() { Self::Done } else { Self::Damaged }
    }
}

/// Tells the error, if there is one, and gives the exit code: 0 done, 1 could not do it, 3 done with
/// damaged input; 2 for wrong usage, which is mostly found where arguments are parsed.
pub(super) fn code(result: Result<Outcome, Error>) -> ExitCode {
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Damaged) => ExitCode::from(3),
        // Whoever reads along has seen enough, as `head` does: that is success.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{}", sentence(&error));
            if is_usage(&error) { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

/// What was typed, or configured, makes no sense, whatever the input.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Usage(pub(super) String);

impl From<&str> for Usage {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

fn is_usage(error: &Error) -> bool {
    error.is::<Usage>()
        || matches!(error.downcast_ref(), Some(SourceError::StdinTwice))
        || matches!(error.downcast_ref(), Some(FormatError::SummariesAsParquet { .. }))
}

pub(super) fn is_broken_pipe(error: &Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}

/// The whole chain in one line.
pub(super) fn sentence(error: &Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.ends_with(&cause) {
            let _ = write!(text, ": {cause}");
        }
    }
    text
}
