//! One reset, told whole: who, why, by what evidence, and how to find it in Wireshark.

use std::net::SocketAddr;

use resetscope_core::judge::event::Event;
use resetscope_core::judge::evidence::Fact;
use resetscope_core::judge::explain::reading::Leaning;
use resetscope_core::judge::note::Note;

use super::words::{self, exact, many, offset};
use crate::explain::reasons::{self, Item};
use crate::explain::text::value;
use crate::explain::wireshark::flow_filter;
use crate::sink::community_id::community_id;

/// One reset.
pub(super) struct Told {
    /// Its number in the report, from 1.
    pub(super) number: usize,
    /// Frame of its first RST.
    pub(super) frame: u64,
    /// Seconds since the traffic began.
    pub(super) offset: String,
    /// Date and time.
    pub(super) time: String,
    /// Who sent it, by its addresses.
    pub(super) from: String,
    /// To whom.
    pub(super) to: String,
    /// The cause's style.
    pub(super) class: &'static str,
    /// The cause in words.
    pub(super) cause: String,
    /// The sub-cause.
    pub(super) id: &'static str,
    /// Its name in words.
    pub(super) name: String,
    /// Confidence in percent.
    pub(super) percent: u8,
    /// The reason in a sentence.
    pub(super) note: String,
    /// RST packets.
    pub(super) packets: String,
    /// Stage, connection state and history.
    pub(super) about: String,
    /// The flow's name in other tools.
    pub(super) community: String,
    /// The display filter.
    pub(super) filter: String,
    /// Facts that bear on the verdict.
    pub(super) facts: Vec<Shown>,
    /// The other facts, name and value.
    pub(super) plain: Vec<(&'static str, String)>,
    /// What else it may have been.
    pub(super) alternatives: Vec<String>,
    /// The reset's payload, made harmless.
    pub(super) text: Option<String>,
    /// Questions left open.
    pub(super) questions: Vec<&'static str>,
}

/// A fact and how it stands to the verdict.
pub(super) struct Shown {
    /// `for` or `against`.
    pub(super) leaning: &'static str,
    /// The fact.
    pub(super) name: &'static str,
    /// Its value.
    pub(super) value: String,
    /// What it says.
    pub(super) says: &'static str,
}

/// Tells an event of traffic that began at `start_ns`.
pub(super) fn tell(number: usize, event: &Event, start_ns: u64) -> Told {
    let claim = event.verdict.claim;
    let (from, to) = (event.side & 1, (event.side & 1) ^ 1);
    let end = |side| SocketAddr::new(event.key.ip(side), event.key.port(side)).to_string();
    let (facts, plain) = evidence(event);
    let alternatives = event.verdict.alternatives.iter().flatten().map(|other| {
        let subcause = other.subcause;
        format!("{} {} ({} %)", subcause.id(), subcause.name().replace('_', " "), other.percent)
    });
    Told {
        number,
        frame: event.frame,
        offset: offset(event.time_ns, start_ns),
        time: exact(event.time_ns),
        from: end(from),
        to: end(to),
        class: claim.subcause.cause().name(),
        cause: words::cause(claim.subcause.cause()),
        id: claim.subcause.id(),
        name: claim.subcause.name().replace('_', " "),
        percent: claim.percent,
        note: Note(event).to_string(),
        packets: many(event.packets.into(), "RST", "RSTs"),
        about: format!(
            "{}; Zeek {} {}",
            words::stage(event.stage),
            event.conn_state.name(),
            event.history.as_str()
        ),
        community: community_id(&event.key),
        filter: flow_filter(&event.key),
        facts,
        plain,
        alternatives: alternatives.collect(),
        text: payload(event),
        questions: event.unknowns.names().collect(),
    }
}

fn evidence(event: &Event) -> (Vec<Shown>, Vec<(&'static str, String)>) {
    let claim = event.verdict.claim.subcause;
    let (mut facts, mut plain) = (Vec::new(), Vec::new());
    for Item { fact, value: number, reading } in reasons::items(event) {
        let (name, value) = (fact.name(), value(fact, number));
        let leaning = match reading.leaning(claim) {
            Leaning::For => "for",
            Leaning::Against => "against",
            Leaning::Neither => {
                plain.push((name, value));
                continue;
            }
        };
        facts.push(Shown { leaning, name, value, says: reading.says });
    }
    // What speaks for the verdict first; the sort keeps the order otherwise.
    facts.sort_by_key(|shown| shown.leaning != "for");
    (facts, plain)
}

/// Control characters are shown as what they are: the template takes care of markup only.
fn payload(event: &Event) -> Option<String> {
    let text = String::from_utf8_lossy(event.payload());
    let text = text.trim_end_matches('\0');
    (!text.is_empty()).then(|| text.escape_debug().to_string())
}

/// The facts that occur in `events`, each with what it measures and where that knowledge comes from.
pub(super) fn glossary(events: &[Event]) -> Vec<(&'static str, &'static str, &'static str)> {
    let occurs = |fact: &&Fact| events.iter().any(|event| event.evidence.get(**fact).is_some());
    let about = |&fact: &Fact| {
        let about = resetscope_core::judge::explain::fact::of(fact);
        (fact.name(), about.what, about.source)
    };
    Fact::ALL.iter().filter(occurs).map(about).collect()
}
