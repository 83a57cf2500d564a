//! What the tool could not know, and what this page leaves out. Everything that weakens a verdict is
//! said here.

use resetscope_core::interval::Shed;
use resetscope_core::judge::cause::{Cause, Subcause};
use resetscope_core::judge::evidence::Fact;
use resetscope_core::judge::explain;

use super::Ending;
use super::gathered::{EVENTS_MAX, GAPS, Gathered};
use super::words::many;
use crate::source::{About, Oddity};

/// One limit.
pub(super) struct Limit {
    /// How much is concerned.
    pub(super) head: String,
    /// What that means.
    pub(super) text: String,
    /// It is about the input, and shows as a warning.
    pub(super) warning: bool,
}

fn resets(number: u64) -> String {
    many(number, "reset", "resets")
}

/// Every limit that this run met.
pub(super) fn all(gathered: &Gathered, ending: &Ending<'_>) -> Vec<Limit> {
    let mut limits = Vec::new();
    input(&mut limits, gathered, ending);
    capture(&mut limits, gathered);
    verdicts(&mut limits, gathered);
    page(&mut limits, gathered);
    limits
}

fn input(limits: &mut Vec<Limit>, gathered: &Gathered, ending: &Ending<'_>) {
    let mut warn = |head: String, text: String| limits.push(Limit { head, text, warning: true });
    for damage in ending.damage {
        let covered = if damage.read_on { "All else" } else { "What comes before that" };
        let text = format!("{damage}. {covered} is in this report.");
        warn("Damaged input".to_owned(), text);
    }
    for oddity in ending.oddities {
        warn(odd(oddity).to_owned(), format!("{oddity}."));
    }
    if ending.stopped {
        let text = "A signal ended the analysis; the report covers what was read until then.";
        warn("Stopped early".to_owned(), text.to_owned());
    }
    let shed = gathered.sums.frames.shed.get(Shed::TableFull as usize).copied().unwrap_or(0);
    if shed > 0 {
        let text = "They were received and not analysed, for want of room.".to_owned();
        warn(many(shed, "frame shed", "frames shed"), text);
    }
    let evicted: u64 = gathered.sums.flows.evicted.iter().sum();
    if evicted > 0 {
        let text = "They had to give way while the table of connections was full, so later resets \
                    of theirs are judged without their past. A higher --flows remembers more.";
        warn(many(evicted, "connection forgotten", "connections forgotten"), text.to_owned());
    }
    if !gathered.sums.frames.balances() {
        let text = "Not every frame received is in exactly one bucket of the ledger.";
        warn("The ledger does not balance".to_owned(), text.to_owned());
    }
}

const fn odd(oddity: &Oddity) -> &'static str {
    match oddity.about {
        About::Foreign { .. } => "Nothing of an input was analysed",
        About::Garbage => "Trailing garbage",
        About::Lost { .. } => "Lost while recording",
        About::Timeless { .. } => "Packets without times",
        About::Backwards { .. } => "Time runs backwards",
    }
}

/// What the capture shows too little of.
fn capture(limits: &mut Vec<Limit>, gathered: &Gathered) {
    for fact in GAPS {
        if let Some(&events) = gathered.gaps.get(fact.name()) {
            let (what, text) = gap(fact);
            let head = format!("{}: {what}", resets(events));
            limits.push(Limit { head, text: text.to_owned(), warning: false });
        }
    }
}

const fn gap(fact: Fact) -> (&'static str, &'static str) {
    match fact {
        Fact::Midstream => (
            "connection begun before the capture",
            "How it was opened, and what was said until then, was not seen.",
        ),
        Fact::OneWay => {
            ("one direction only", "What the other side sent was not captured, or it sent nothing.")
        }
        Fact::Gap => (
            "packets missing in the capture",
            "Sequence numbers tell of bytes that the capture lacks.",
        ),
        _ => (
            "judged early",
            "Too many resets were open at once to wait for what follows each of them.",
        ),
    }
}

fn verdicts(limits: &mut Vec<Limit>, gathered: &Gathered) {
    let mut limit = |head: String, text: String| limits.push(Limit { head, text, warning: false });
    let by_subcause = Subcause::ALL.iter().zip(gathered.sums.resets.by_subcause);
    for (&subcause, events) in by_subcause {
        if subcause.cause() == Cause::Unknown && events > 0 {
            let head =
                format!("{}: unknown, {}", resets(events), subcause.name().replace('_', " "));
            limit(head, explain::subcause::of(subcause).meaning.to_owned());
        }
    }
    for (name, &events) in &gathered.questions {
        let head = format!("{} left open: {}", resets(events), name.replace('_', " "));
        limit(head, explain::unknown(name).unwrap_or_default().to_owned());
    }
}

/// What was counted and is not told.
fn page(limits: &mut Vec<Limit>, gathered: &Gathered) {
    let mut limit = |head: String, text: &str| {
        limits.push(Limit { head, text: text.to_owned(), warning: false });
    };
    let omitted = gathered.came.saturating_sub(EVENTS_MAX as u64);
    if omitted > 0 {
        let text = "This page tells the first 2,000 one by one; the others are in its counts, \
                    charts and distributions. `--events` writes every one of them.";
        limit(format!("{} not told one by one", resets(omitted)), text);
    }
    if gathered.sums.resets.unlisted > 0 {
        let text = "Too many came at once to keep their details. They are in the counts by cause \
                    and in the distributions, and neither in the time line nor among the services \
                    and hosts.";
        limit(format!("{} without details", resets(gathered.sums.resets.unlisted)), text);
    }
    if gathered.top.uncounted > 0 {
        let text = "More services or hosts were reset than are counted apart.";
        limit(format!("{} of services or hosts not named", resets(gathered.top.uncounted)), text);
    }
}
