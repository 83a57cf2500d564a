//! The kernel's account beside the verdict: the `kernel` object of an event, and the line of a
//! summary that says how the two get along.

use std::io::{self, Write};
use std::sync::Arc;

use resetscope_core::judge::event::Event;
use resetscope_core::judge::kernel::contradicts;
use serde::Serialize;

use crate::live::tracepoint::accounts::{Account, Accounts};

/// Looks up accounts, and counts.
pub struct Kernel {
    accounts: Arc<Accounts>,
    /// Events since the last line.
    events: u64,
    /// Those among them of which the kernel gave an account.
    accounted: u64,
    /// Those whose verdict it contradicts.
    contradicted: u64,
}

/// What the kernel says of an event.
#[derive(Serialize)]
pub(super) struct Part {
    reason: Box<str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    state: Box<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    contradicts: bool,
}

impl Kernel {
    /// With the accounts of a tracepoint.
    #[must_use]
    pub fn new(accounts: Arc<Accounts>) -> Self {
        Self { accounts, events: 0, accounted: 0, contradicted: 0 }
    }

    pub(super) fn say(&mut self, event: &Event) -> Option<Part> {
        self.events += 1;
        let Account { reason, state, process } = self.accounts.of(event)?;
        let contradicts = contradicts(&reason, event.verdict.claim.subcause);
        self.accounted += 1;
        self.contradicted += u64::from(contradicts);
        let (process, pid) = process.map(|process| (process.name, process.number)).unzip();
        Some(Part { reason, state, process, pid, contradicts })
    }

    /// Writes the line about the events since the last one, if there were any.
    pub(super) fn sum_up(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let Self { events, accounted, contradicted, .. } = *self;
        (self.events, self.accounted, self.contradicted) = (0, 0, 0);
        if events == 0 {
            return Ok(());
        }
        write!(out, "kernel: sent {accounted} of {events} itself")?;
        match contradicted {
            0 => writeln!(out),
            1 => writeln!(out, "; its reason contradicts 1 verdict"),
            _ => writeln!(out, "; its reasons contradict {contradicted} verdicts"),
        }
    }
}
