//! Why the alternatives lost: the judge's readings of the evidence, compared.

use resetscope_core::judge::cause::{Claim, Subcause};
use resetscope_core::judge::event::Event;
use resetscope_core::judge::evidence::Fact;
use resetscope_core::judge::explain::reading::{self, Leaning, Reading};

/// One fact of an event with what it says.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    /// The fact.
    pub fact: Fact,
    /// Its value.
    pub value: i64,
    /// What it says.
    pub reading: Reading,
}

/// The event's evidence, read, in the order of reports.
#[must_use]
pub fn items(event: &Event) -> Vec<Item> {
    let read = |(fact, value)| Item { fact, value, reading: reading::of(event, fact, value) };
    event.evidence.iter().map(read).collect()
}

/// The text that a reset may carry: evidence too, though no number.
#[derive(Clone, Debug)]
pub struct Text {
    /// The text, in quotes.
    pub shown: String,
    /// It names the device that wrote the reset, which is what the verdict rests on.
    pub decides: bool,
}

impl Text {
    /// What it is.
    pub const WHAT: &str = "the reset's payload";
    /// What it says.
    pub const SAYS: &str = "Hosts send resets without payload; devices that explain themselves put \
                            the reason there, and some systems a piece of the connection's data.";
    /// Where that is known from.
    pub const SOURCE: &str = "RFC 9293 section 3.5.2; Wireshark tcp.reset_cause";

    /// The text of an event's first RST; `None` when it carried none.
    #[must_use]
    pub fn of(event: &Event) -> Option<Self> {
        let text = String::from_utf8_lossy(event.payload());
        let text = text.trim_end_matches('\0');
        (!text.is_empty()).then(|| Self {
            shown: format!("\"{}\"", text.escape_debug()),
            decides: event.verdict.claim.subcause == Subcause::SelfDeclared,
        })
    }
}

/// What separates an alternative from the verdict.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// Facts that argue against the alternative, and not against the verdict.
    pub against: Vec<Fact>,
    /// Facts that argue for the verdict and not for the alternative.
    pub only_verdict: Vec<Fact>,
    /// Facts that argue for the alternative and not for the verdict, or against the verdict alone.
    pub only_alternative: Vec<Fact>,
}

/// Compares `alternative` with `verdict`.
#[must_use]
pub fn compare(items: &[Item], verdict: Subcause, alternative: Subcause) -> Comparison {
    let mut comparison = Comparison::default();
    for item in items {
        let (own, other) = (item.reading.leaning(verdict), item.reading.leaning(alternative));
        let list = match (own, other) {
            (Leaning::Against, Leaning::Against) => continue,
            (_, Leaning::Against) => &mut comparison.against,
            (Leaning::For, Leaning::Neither) => &mut comparison.only_verdict,
            (Leaning::Against, _) | (Leaning::Neither, Leaning::For) => {
                &mut comparison.only_alternative
            }
            _ => continue,
        };
        list.push(item.fact);
    }
    comparison
}

impl Comparison {
    /// The comparison in sentences.
    #[must_use]
    pub fn words(&self, verdict: Claim) -> String {
        let id = verdict.subcause.id();
        let mut sentences = Vec::new();
        if !self.against.is_empty() {
            sentences.push(format!("Against it: {}.", names(&self.against)));
        }
        if !self.only_verdict.is_empty() {
            let names = names(&self.only_verdict);
            sentences.push(format!("For {id} and not for it: {names}."));
        }
        if !self.only_alternative.is_empty() {
            let names = names(&self.only_alternative);
            sentences.push(format!("For it rather than for {id}: {names}."));
        }
        if self.against.is_empty() && self.only_verdict.is_empty() {
            sentences.push(format!(
                "No single fact speaks against it; it is ranked lower because these packets mean \
                 {id} more often."
            ));
        }
        sentences.join(" ")
    }
}

fn names(facts: &[Fact]) -> String {
    let names: Vec<&str> = facts.iter().map(|fact| fact.name()).collect();
    names.join(", ")
}

/// Sub-causes in few words: those in `candidates` by name, the others by id, a whole cause as `4.x`.
#[must_use]
pub fn shortened(list: &[Subcause], candidates: &[Subcause]) -> String {
    let mut words = Vec::new();
    for subcause in candidates.iter().filter(|subcause| list.contains(subcause)) {
        words.push(format!("{} {}", subcause.id(), subcause.name()));
    }
    let mut ids: Vec<String> = Vec::new();
    let listed = |subcause: &&Subcause| list.contains(subcause) && !candidates.contains(subcause);
    for &subcause in Subcause::ALL.iter().filter(listed) {
        let mut siblings = Subcause::ALL.iter().filter(|other| other.cause() == subcause.cause());
        let whole = siblings.all(|other| list.contains(other));
        let id = if whole {
            format!("{}.x", subcause.id().split('.').next().unwrap_or_default())
        } else {
            subcause.id().to_owned()
        };
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    if !ids.is_empty() {
        let others = ids.join(" ");
        words.push(if words.is_empty() { others } else { format!("also {others}") });
    }
    words.join(", ")
}
