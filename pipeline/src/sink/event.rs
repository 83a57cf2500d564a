//! Events as JSON lines: schema `resetscope.event/1`.

use std::io::{self, Write};
use std::net::IpAddr;

use resetscope_core::flow::record::IpIdClass;
use resetscope_core::judge::cause::Claim;
use resetscope_core::judge::event::Event;
use resetscope_core::judge::evidence::{Fact, Shape};
use resetscope_core::judge::form::Form;
use resetscope_core::judge::note::Note;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::community_id::community_id;
use super::kernel;

/// The schema's name and version.
pub const SCHEMA: &str = "resetscope.event/1";

#[derive(Serialize)]
struct Line<'a> {
    schema: &'static str,
    time_ns: u64,
    frame: u64,
    src: IpAddr,
    sport: u16,
    dst: IpAddr,
    dport: u16,
    packets: u32,
    cause: &'static str,
    subcause: SubcauseName,
    confidence: f64,
    evidence: EvidenceMap<'a>,
    alternatives: Vec<Alternative>,
    stage: &'static str,
    conn_state: &'static str,
    history: &'a str,
    community_id: String,
    note: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel: Option<kernel::Part>,
}

#[derive(Serialize)]
struct SubcauseName {
    id: &'static str,
    name: &'static str,
}

#[derive(Serialize)]
struct Alternative {
    cause: &'static str,
    subcause: SubcauseName,
    confidence: f64,
}

impl SubcauseName {
    const fn of(claim: Claim) -> Self {
        Self { id: claim.subcause.id(), name: claim.subcause.name() }
    }
}

/// What else it may have been, most likely first.
fn alternatives(event: &Event) -> Vec<Alternative> {
    event.verdict.alternatives.iter().flatten().map(|&claim| claim.into()).collect()
}

impl From<Claim> for Alternative {
    fn from(claim: Claim) -> Self {
        Self {
            cause: claim.subcause.cause().name(),
            subcause: SubcauseName::of(claim),
            confidence: confidence(claim),
        }
    }
}

/// The claim's confidence, from 0 to 1.
pub(super) fn confidence(claim: Claim) -> f64 {
    f64::from(claim.percent) / 100.0
}

/// The facts of an event under their names; flags as booleans, classes as words.
struct EvidenceMap<'a>(&'a Event);

impl Serialize for EvidenceMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let event = self.0;
        let mut map = serializer.serialize_map(None)?;
        for (fact, value) in event.evidence.iter() {
            match fact.shape() {
                Shape::Number => map.serialize_entry(fact.name(), &value)?,
                Shape::Flag => map.serialize_entry(fact.name(), &(value != 0))?,
                Shape::Form | Shape::IdClass => {
                    map.serialize_entry(fact.name(), word(fact, value))?;
                }
            }
        }
        if !event.payload().is_empty() {
            let text = String::from_utf8_lossy(event.payload());
            map.serialize_entry("text", text.trim_end_matches('\0'))?;
        }
        let unknowns: Vec<&str> = event.unknowns.names().collect();
        if !unknowns.is_empty() {
            map.serialize_entry("not_known", &unknowns)?;
        }
        map.end()
    }
}

fn word(fact: Fact, value: i64) -> &'static str {
    match fact.shape() {
        Shape::Form => {
            Form::ALL.into_iter().find(|form| *form as i64 == value).map_or("unknown", Form::name)
        }
        _ => [
            (IpIdClass::Zero, "zero"),
            (IpIdClass::Incrementing, "incrementing"),
            (IpIdClass::Random, "random"),
        ]
        .into_iter()
        .find(|(class, _)| *class as i64 == value)
        .map_or("unknown", |(_, word)| word),
    }
}

/// The object `evidence` of an event as text.
pub(super) fn evidence_text(event: &Event) -> io::Result<String> {
    Ok(serde_json::to_string(&EvidenceMap(event))?)
}

/// The list `alternatives` of an event as text.
pub(super) fn alternatives_text(event: &Event) -> io::Result<String> {
    Ok(serde_json::to_string(&alternatives(event))?)
}

/// Writes an event as one line.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(out: &mut dyn Write, event: &Event) -> io::Result<()> {
    write_with(out, event, None)
}

/// The same with what the kernel says of it.
pub(super) fn write_with(
    out: &mut dyn Write,
    event: &Event,
    kernel: Option<kernel::Part>,
) -> io::Result<()> {
    let (from, to) = (event.side, event.side ^ 1);
    let claim = event.verdict.claim;
    let line = Line {
        schema: SCHEMA,
        time_ns: event.time_ns,
        frame: event.frame,
        src: event.key.ip(from),
        sport: event.key.port(from),
        dst: event.key.ip(to),
        dport: event.key.port(to),
        packets: event.packets,
        cause: claim.subcause.cause().name(),
        subcause: SubcauseName::of(claim),
        confidence: confidence(claim),
        evidence: EvidenceMap(event),
        alternatives: alternatives(event),
        stage: event.stage.name(),
        conn_state: event.conn_state.name(),
        history: event.history.as_str(),
        community_id: community_id(&event.key),
        note: Note(event).to_string(),
        kernel,
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}
