//! The list of all resets, one line each, so that one can be picked.

use std::io::{self, Write};

use resetscope_core::judge::event::Event;

use crate::collect::{Sink, Summary};
use crate::sink::event;

use super::roles::Roles;

/// Writes one line for each reset, in the order of their frames.
pub struct List<'a> {
    out: &'a mut dyn Write,
    json: bool,
    count: u64,
}

impl<'a> List<'a> {
    /// A list to `out`: as text, or as JSON objects of schema `resetscope.event/1`.
    pub fn new(out: &'a mut dyn Write, json: bool) -> Self {
        Self { out, json, count: 0 }
    }

    /// Says so when there was nothing to list.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn end(self) -> io::Result<()> {
        if self.count == 0 && !self.json {
            writeln!(self.out, "No connection was reset.")?;
        }
        self.out.flush()
    }

    fn line(&mut self, event: &Event) -> io::Result<()> {
        if self.count == 0 {
            let flow = "from → to";
            writeln!(self.out, "{:>5}  {flow:<38}  conf  verdict", "frame")?;
        }
        let roles = Roles::of(event);
        let flow = format!("{} → {}", roles.end(event.side), roles.end(event.side ^ 1));
        let claim = event.verdict.claim;
        writeln!(
            self.out,
            "{:>5}  {flow:<38}  {:>3}%  {} {}",
            event.frame,
            claim.percent,
            claim.subcause.id(),
            claim.subcause.name()
        )
    }
}

impl Sink for List<'_> {
    fn event(&mut self, judged: &Event) -> io::Result<()> {
        if self.json {
            event::write(self.out, judged)?;
        } else {
            self.line(judged)?;
        }
        self.count += 1;
        Ok(())
    }

    fn summary(&mut self, _: &Summary) -> io::Result<()> {
        Ok(())
    }
}
