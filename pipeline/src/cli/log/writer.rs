//! Where lines go: to stderr, or into a list while somebody else has the screen.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::fstat;
use tracing_subscriber::fmt::MakeWriter;

/// Lines that are kept while the screen is somebody else's.
const KEPT: usize = 64;

/// Where lines go.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines {
    /// `None` for straight to stderr.
    held: Arc<Mutex<Option<VecDeque<String>>>>,
}

#[cfg_attr(not(feature = "tui"), expect(dead_code, reason = "only a dashboard takes the screen"))]
impl Lines {
    /// Keeps lines from now on: the last [`KEPT`].
    pub(crate) fn hold(&self) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(VecDeque::new());
    }

    /// Writes to stderr again, first what was kept.
    pub(crate) fn release(&self) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        for line in held.into_iter().flatten() {
            eprint!("{line}");
        }
    }

    /// The last line that was kept.
    pub(crate) fn last(&self) -> Option<String> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.as_ref()?.back().map(|line| line.trim_end().to_owned())
    }
}

impl Write for &Lines {
    /// Takes a whole line: it comes in one piece.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match self.held.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            None => io::stderr().lock().write_all(line)?,
            Some(held) => {
                if held.len() == KEPT {
                    held.pop_front();
                }
                held.push_back(String::from_utf8_lossy(line).into_owned());
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

/// Whether stderr is connected to the journal: the variable names its device and inode, and is
/// inherited by programs whose stderr is something else (systemd.exec(5)).
pub(super) fn is_journal() -> bool {
    let Ok(journal) = std::env::var("JOURNAL_STREAM") else { return false };
    fstat(io::stderr()).is_ok_and(|stat| journal == format!("{}:{}", stat.st_dev, stat.st_ino))
}
