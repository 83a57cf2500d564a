//! The kernel's account beside the verdict: the `kernel` object of an event, and the line of a
//! summary that says how the two get along.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::Arc;

use resetscope_core::judge::event::Event;
use resetscope_core::judge::kernel::contradicts;
use serde::Serialize;

use crate::collect::{Sink, Summary};
use crate::live::tracepoint::accounts::{Account, Accounts};

/// Looks up accounts, and counts.
pub struct Kernel {
    accounts: Arc<Accounts>,
    /// Of the event that the sinks are being given.
    said: Option<Part>,
    /// Events since the last line.
    events: u64,
    /// Those among them of which the kernel gave an account.
    accounted: u64,
    /// Those whose verdict it contradicts.
    contradicted: u64,
}

/// One that several sinks read.
pub type Shared = Rc<RefCell<Kernel>>;

/// What was said of the event that the sinks are being given.
pub(super) fn said(kernel: Option<&Shared>) -> Option<Part> {
    kernel.and_then(|kernel| kernel.borrow().said.clone())
}

/// Asks for the account of each event before `sink`, and all that stand behind it, get it: an account
/// is given out once, and by the true addresses.
pub struct Asked<S> {
    kernel: Shared,
    sink: S,
}

impl<S> Asked<S> {
    /// Asks `kernel`.
    pub const fn new(kernel: Shared, sink: S) -> Self {
        Self { kernel, sink }
    }
}

impl<S: Sink> Sink for Asked<S> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.kernel.borrow_mut().ask(event);
        self.sink.event(event)
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        self.sink.summary(summary)
    }
}

/// What the kernel says of an event.
#[derive(Clone, Serialize)]
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
        Self { accounts, said: None, events: 0, accounted: 0, contradicted: 0 }
    }

    fn ask(&mut self, event: &Event) {
        self.said = self.account(event);
    }

    fn account(&mut self, event: &Event) -> Option<Part> {
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
        write!(out, "kernel: reason known for {accounted} of {events}")?;
        match contradicted {
            0 => writeln!(out),
            1 => writeln!(out, "; it contradicts 1 verdict"),
            _ => writeln!(out, "; it contradicts {contradicted} verdicts"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::tracepoint::accounts::Record;
    use resetscope_core::engine::{Config, Engine};
    use resetscope_core::frame::{Frame, LinkType};
    use resetscope_core::judge::event_of;
    use resetscope_core::judge::surroundings::Surroundings;

    /// A connection that is refused: the SYN and its answer, as plain IP.
    fn refused() -> Event {
        let mut syn = vec![0x45, 0, 0, 40, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        syn.extend([0x1b, 0x59, 0, 80, 0, 0, 0, 9, 0, 0, 0, 0, 0x50, 0x02, 1, 0, 0, 0, 0, 0]);
        let mut answer = vec![0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1];
        answer.extend([0, 80, 0x1b, 0x59, 0, 0, 0, 0, 0, 0, 0, 10, 0x50, 0x14, 0, 0, 0, 0, 0, 0]);
        let mut engine = Engine::new(&Config { flows: 4096, ..Config::default() }, 0, 1).unwrap();
        for (frame, bytes) in [(1, &syn), (2, &answer)] {
            let frame = Frame { bytes, wire_len: 40, time_ns: 1_000 * frame, link: LinkType::RAW };
            engine.push([frame], frame.time_ns / 1_000);
        }
        engine.finish();
        let judged = engine.drain_events().next().unwrap();
        event_of(&judged.open, &Surroundings::default())
    }

    #[test]
    fn a_reason_that_rules_the_verdict_out_is_shown_as_such() {
        let event = refused();
        assert_eq!(event.verdict.claim.subcause.id(), "1.1");
        for (reason, want, line) in [
            (
                Some("NO_SOCKET"),
                Some(r#"{"reason":"NO_SOCKET"}"#),
                "kernel: reason known for 1 of 1\n",
            ),
            (
                Some("TCP_STATE"),
                Some(r#"{"reason":"TCP_STATE","contradicts":true}"#),
                "kernel: reason known for 1 of 1; it contradicts 1 verdict\n",
            ),
            (None, None, "kernel: reason known for 0 of 1\n"),
        ] {
            let accounts = Arc::new(Accounts::default());
            if let Some(reason) = reason {
                accounts.add(Record {
                    time_ns: event.time_ns,
                    from: "10.0.0.2:80".parse().unwrap(),
                    to: "10.0.0.1:7001".parse().unwrap(),
                    account: Account { reason: reason.into(), state: "".into(), process: None },
                });
            }
            accounts.end();
            let mut kernel = Kernel::new(accounts);
            let said = kernel.account(&event).map(|part| serde_json::to_string(&part).unwrap());
            assert_eq!(said.as_deref(), want);
            let mut text = Vec::new();
            kernel.sum_up(&mut text).unwrap();
            kernel.sum_up(&mut text).unwrap();
            assert_eq!(String::from_utf8(text).unwrap(), line, "once, and not without events");
        }
    }
}
