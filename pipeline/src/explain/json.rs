//! The story as one JSON object: schema `resetscope.story/1`.

use std::io::{self, Write};

use resetscope_core::judge::cause::Subcause;
use resetscope_core::judge::explain;
use resetscope_core::judge::explain::reading::Leaning;
use resetscope_core::segment::option;
use serde::Serialize;
use serde_json::Value;

use crate::sink::event;

use super::Story;
use super::reasons::{self, Item};
use super::roles::Roles;
use super::text::value;
use super::timeline::Row;
use super::wireshark;

/// The schema's name and version.
pub const SCHEMA: &str = "resetscope.story/1";

#[derive(Serialize)]
struct Object {
    schema: &'static str,
    /// The event as `resetscope analyze --events` writes it.
    event: Value,
    asked_frame: Option<u64>,
    other_resets: Vec<OtherReset>,
    other_resets_unnamed: u64,
    client: String,
    server: String,
    roles_known: bool,
    reset_by: &'static str,
    meaning: Meaning,
    packets_earlier: u64,
    packets_later: bool,
    packets: Vec<Packet>,
    evidence: Vec<Fact>,
    alternatives: Vec<Alternative>,
    not_known: Vec<&'static str>,
    wireshark: Wireshark,
}

#[derive(Serialize)]
struct OtherReset {
    frame: u64,
    subcause: &'static str,
}

#[derive(Serialize)]
struct Meaning {
    meaning: &'static str,
    shows_by: &'static str,
    source: &'static str,
}

#[derive(Serialize)]
struct Packet {
    frame: u64,
    time_ns: u64,
    from: &'static str,
    flags: u8,
    seq: u32,
    ack: Option<u32>,
    len: u32,
    window: u16,
    ttl: u8,
    ip_id: Option<u16>,
    sack: bool,
    ts_val: Option<u32>,
    ts_ecr: Option<u32>,
    remarks: Vec<&'static str>,
}

#[derive(Serialize)]
struct Fact {
    fact: &'static str,
    /// Null for a text.
    value: Option<i64>,
    shown: String,
    what: &'static str,
    says: &'static str,
    verdict: &'static str,
    #[serde(rename = "for")]
    favours: Vec<&'static str>,
    against: Vec<&'static str>,
    source: &'static str,
}

#[derive(Serialize)]
struct Alternative {
    subcause: &'static str,
    name: &'static str,
    confidence: f64,
    meaning: Meaning,
    against: Vec<&'static str>,
    only_verdict: Vec<&'static str>,
    only_alternative: Vec<&'static str>,
    why: String,
}

#[derive(Serialize)]
struct Wireshark {
    flow: String,
    frame: String,
    commands: Vec<String>,
}

fn meaning(subcause: Subcause) -> Meaning {
    let words = explain::subcause::of(subcause);
    Meaning { meaning: words.meaning, shows_by: words.shows, source: words.source }
}

fn packet(row: &Row, roles: &Roles) -> Packet {
    Packet {
        frame: row.frame,
        time_ns: row.time_ns,
        from: roles.name(row.side),
        flags: row.flags.0,
        seq: row.seq,
        ack: row.ack,
        len: row.len,
        window: row.window,
        ttl: row.ttl,
        ip_id: row.ip_id,
        sack: row.options & option::SACK != 0,
        ts_val: row.timestamps.map(|[value, _]| value),
        ts_ecr: row.timestamps.map(|[_, echo]| echo),
        remarks: row.remarks.iter().map(|remark| remark.words()).collect(),
    }
}

fn fact(item: &Item, verdict: Subcause) -> Fact {
    let about = explain::fact::of(item.fact);
    let ids = |list: &[Subcause]| list.iter().map(|subcause| subcause.id()).collect();
    Fact {
        fact: item.fact.name(),
        value: Some(item.value),
        shown: value(item.fact, item.value),
        what: about.what,
        says: item.reading.says,
        verdict: match item.reading.leaning(verdict) {
            Leaning::For => "for",
            Leaning::Against => "against",
            Leaning::Neither => "neither",
        },
        favours: ids(item.reading.favours),
        against: ids(item.reading.against),
        source: about.source,
    }
}

fn text_fact(text: reasons::Text) -> Fact {
    let (verdict, favours) = match text.decides {
        true => ("for", vec![Subcause::SelfDeclared.id()]),
        false => ("neither", Vec::new()),
    };
    Fact {
        fact: "text",
        value: None,
        shown: text.shown,
        what: reasons::Text::WHAT,
        says: reasons::Text::SAYS,
        verdict,
        favours,
        against: Vec::new(),
        source: reasons::Text::SOURCE,
    }
}

fn alternatives(story: &Story, items: &[Item]) -> Vec<Alternative> {
    let verdict = &story.event.verdict;
    let names = |facts: &[resetscope_core::judge::evidence::Fact]| {
        facts.iter().map(|fact| fact.name()).collect()
    };
    let tell = |other: &resetscope_core::judge::cause::Claim| {
        let comparison = reasons::compare(items, verdict.claim.subcause, other.subcause);
        Alternative {
            subcause: other.subcause.id(),
            name: other.subcause.name(),
            confidence: f64::from(other.percent) / 100.0,
            meaning: meaning(other.subcause),
            against: names(&comparison.against),
            only_verdict: names(&comparison.only_verdict),
            only_alternative: names(&comparison.only_alternative),
            why: comparison.words(verdict.claim),
        }
    };
    verdict.alternatives.iter().flatten().map(tell).collect()
}

/// Writes a story as one line.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(out: &mut dyn Write, story: &Story) -> io::Result<()> {
    let judged = &story.event;
    let mut line = Vec::new();
    event::write(&mut line, judged)?;
    let roles = Roles::of(judged);
    let client = usize::from(roles.name(0) != "client");
    let subcause = judged.verdict.claim.subcause;
    let items = reasons::items(judged);
    let others = story.others.named.iter();
    let object = Object {
        schema: SCHEMA,
        event: serde_json::from_slice(&line)?,
        asked_frame: story.asked,
        other_resets: others
            .map(|(frame, subcause)| OtherReset { frame: *frame, subcause: subcause.id() })
            .collect(),
        other_resets_unnamed: story.others.more,
        client: roles.end(client).to_string(),
        server: roles.end(client ^ 1).to_string(),
        roles_known: roles.known,
        reset_by: roles.name(judged.side),
        meaning: meaning(subcause),
        packets_earlier: story.timeline.earlier,
        packets_later: story.timeline.later,
        packets: story.timeline.rows.iter().map(|row| packet(row, &roles)).collect(),
        evidence: items
            .iter()
            .map(|item| fact(item, subcause))
            .chain(reasons::Text::of(judged).map(text_fact))
            .collect(),
        alternatives: alternatives(story, &items),
        not_known: judged.unknowns.names().filter_map(explain::unknown).collect(),
        wireshark: Wireshark {
            flow: wireshark::flow_filter(&judged.key),
            frame: wireshark::frame_filter(judged.frame),
            commands: wireshark::commands(&story.files, &judged.key),
        },
    };
    serde_json::to_writer(&mut *out, &object)?;
    out.write_all(b"\n")
}
