//! Captures that others recorded, through the whole program: every frame accounted for, every RST
//! counted, intervals that add up, and verdicts that agree with what a person read from the packets.
//!
//! The captures are not part of the project; without them these tests say so and pass.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test, both are its failure")]

mod analysis;
mod capture_writer;
mod traffic;

use std::collections::{BTreeMap, HashMap};

use analysis::{Outcome, Row, analyse_file, plan, shared};
use resetscope::sink::community_id::community_id;
use resetscope::source::{Batch, Fill, Input, Options, SourceError, open};
use resetscope_core::segment::{RstTexts, Segment};
use resetscope_core::wire::dissect;
use serde_json::Value;

/// Labels that a person gave and the verdicts share, at least.
const AGREEING_MIN: usize = 120;

/// Captures whose RST packets are not those that tshark counts, and why.
const RSTS_DIFFER: &[(&str, u64, &str)] = &[];

/// Link types that are not read; the frames of such captures are counted as skipped.
const LINKS_UNREAD: &[&str] = &["RADIOTAP", "ARCNET_LINUX", "IPOIB", "NFLOG", "FDDI"];

fn count(summary: &Value, path: &str) -> u64 {
    summary.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("{path}: {summary}"))
}

fn sum(summary: &Value, path: &str) -> u64 {
    let parts = summary.pointer(path).and_then(Value::as_object).unwrap();
    parts.values().map(|part| part.as_u64().unwrap()).sum()
}

/// Reads a capture; `None` for one in a format that is refused.
fn read(row: &Row, interval_ns: Option<u64>) -> Option<Outcome> {
    match analyse_file(&row.path(), &plan(2, interval_ns)) {
        Ok(outcome) => Some(outcome),
        Err(SourceError::Foreign { what, .. }) => {
            assert_eq!((row.get("format"), what), ("snoop", "a Solaris snoop file"));
            None
        }
        Err(error) => panic!("{}: {error}", row.get("file")),
    }
}

#[test]
fn every_frame_is_in_one_bucket_and_every_rst_that_tshark_counts_is_counted() {
    let Some(rows) = shared("index.tsv") else { return };
    let mut wrong = Vec::new();
    let mut refused = 0;
    for row in &rows {
        let name = row.get("file");
        let Some(outcome) = read(row, None) else {
            refused += 1;
            continue;
        };
        let [summary] = &outcome.summaries()[..] else { panic!("{name}: not one summary") };
        let received = count(summary, "/frames/received");
        let analysed = count(summary, "/frames/analysed");
        let skipped = sum(summary, "/frames/skipped");
        assert_eq!(received, analysed + skipped + sum(summary, "/frames/shed"), "{name}");
        if LINKS_UNREAD.contains(&row.get("linktype")) {
            assert_eq!(count(summary, "/frames/skipped/link_type"), received, "{name}");
            assert!(received > 0, "{name}");
        }
        let exception = RSTS_DIFFER.iter().find(|(file, ..)| *file == name);
        let want = exception.map_or_else(|| row.number("rsts"), |(_, rsts, _)| *rsts);
        let found = count(summary, "/resets/packets");
        if found != want {
            wrong.push(format!("{name}: {found} RST packets, not {want}"));
        }
        let listed: u64 = outcome.events().iter().map(|event| count(event, "/packets")).sum();
        if count(summary, "/resets/unlisted") == 0 && sum(summary, "/frames/shed") == 0 {
            assert_eq!(listed, found, "{name}: RST packets of all events");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(refused, rows.iter().filter(|row| row.get("format") == "snoop").count());
}

/// Adds counts and maps of counts; whatever else is in a summary does not add up.
fn add(to: &mut Value, from: &Value) {
    match (to, from) {
        (Value::Object(to), Value::Object(from)) => {
            for (name, value) in from {
                add(
                    to.entry(name).or_insert(if value.is_object() {
                        Value::Object(Default::default())
                    } else {
                        0.into()
                    }),
                    value,
                );
            }
        }
        (to, from) => {
            if let (Some(a), Some(b)) = (to.as_u64(), from.as_u64()) {
                *to = (a + b).into();
            }
        }
    }
}

/// The parts of a summary that add up.
fn additive(summary: &Value) -> Value {
    let mut parts = Value::Object(Default::default());
    for path in ["frames", "resets"] {
        parts[path] = summary[path].clone();
    }
    parts["opened"] = summary["flows"]["opened"].clone();
    parts["evicted"] = summary["flows"]["evicted"].clone();
    for (name, histogram) in summary["histograms"].as_object().unwrap() {
        parts["histograms"][name] = histogram["count"].clone();
    }
    parts
}

#[test]
fn the_summaries_of_intervals_add_up_to_the_summary_of_all() {
    let Some(rows) = shared("index.tsv") else { return };
    let mut wrong = Vec::new();
    for row in &rows {
        let name = row.get("file");
        let Some(whole) = read(row, None) else { continue };
        let all = &whole.summaries()[0];
        let begin_ns = count(all, "/interval/start_ns");
        let lasted_ns = count(all, "/interval/end_ns") - begin_ns;
        for length_ns in [lasted_ns / 7, lasted_ns / 50].map(|length| length.max(1_000_000)) {
            let Some(cut) = read(row, Some(length_ns)) else { continue };
            let summaries = cut.summaries();
            let mut total = Value::Object(Default::default());
            let (mut first, mut before) = ((0, begin_ns), None);
            for summary in &summaries {
                add(&mut total, &additive(summary));
                let [seq, start_ns, end_ns] = ["seq", "start_ns", "end_ns"]
                    .map(|name| count(summary, &format!("/interval/{name}")));
                if let Some((last_seq, last_end_ns)) = before {
                    assert!(seq > last_seq, "{name}");
                    if start_ns < last_end_ns {
                        // The clock was set back: the rhythm begins anew.
                        first = (seq, start_ns);
                    }
                }
                assert_eq!(start_ns, first.1 + (seq - first.0) * length_ns, "{name}");
                before = Some((seq, end_ns));
            }
            if total != additive(all) {
                wrong.push(format!("{name}, {length_ns} ns: {total} is not {}", additive(all)));
            }
            let last = summaries.last().unwrap();
            if last["flows"]["active"] != all["flows"]["active"] {
                wrong.push(format!(
                    "{name}, {length_ns} ns: active {} and {}",
                    last["flows"]["active"], all["flows"]["active"]
                ));
            }
            if cut.events != whole.events {
                wrong.push(format!("{name}, {length_ns} ns: other events"));
            }
            assert_eq!(cut.damage, whole.damage, "{name}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A label and the event that explains its reset.
struct Pair<'a> {
    label: &'a Row,
    event: Value,
}

impl Pair<'_> {
    fn describe(&self) -> String {
        let (label, event) = (self.label, &self.event);
        format!(
            "{} frame {}: {} by a person ({}), {} {} at {} here (frame {}): {}",
            label.get("file"),
            label.get("frame"),
            label.get("cause"),
            label.get("evidence"),
            event["cause"],
            event["subcause"]["id"],
            event["confidence"],
            event["frame"],
            event["note"]
        )
    }

    /// The person's cause, or one that the person found as likely.
    fn agrees(&self) -> bool {
        let cause = self.event["cause"].as_str().unwrap();
        let or = self.label.get("alternatives");
        cause == self.label.get("cause") || or.split([',', ' ', ';', '/']).any(|or| or == cause)
    }
}

/// The Community ID of the frame of each label of one capture.
fn flows_of(labels: &[&Row]) -> HashMap<u64, String> {
    let wanted: Vec<u64> = labels.iter().map(|label| label.number("frame")).collect();
    let mut source = open([Input::from(labels[0].path())], &Options::default()).unwrap();
    let (mut batch, mut flows) = (Batch::new(1024), HashMap::new());
    let (mut segment, mut texts) = (Segment::default(), RstTexts::new(1));
    while source.fill(&mut batch, u64::MAX).unwrap() != Fill::End {
        for (number, frame) in (batch.first_number()..).zip(batch.frames()) {
            if wanted.contains(&number) {
                dissect(&frame, &mut segment, &mut texts).unwrap();
                flows.insert(number, community_id(&segment.key));
            }
        }
    }
    flows
}

/// The event that a label means: the one of its frame, or the latest earlier one of its flow, as
/// several RSTs of one death are one event.
fn event_of(frame: u64, flow: &str, events: &[Value]) -> Option<Value> {
    let earlier = |event: &&Value| {
        event["community_id"] == flow && event["frame"].as_u64().is_some_and(|at| at <= frame)
    };
    events.iter().rfind(earlier).cloned()
}

/// Pairs every label with its event.
fn pairs(labels: &[Row]) -> Vec<Pair<'_>> {
    let mut by_file: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for label in labels {
        by_file.entry(label.get("file")).or_default().push(label);
    }
    let mut pairs = Vec::new();
    for (file, labels) in by_file {
        let (flows, events) = (flows_of(&labels), read(labels[0], None).unwrap().events());
        for label in labels {
            let frame = label.number("frame");
            let event = event_of(frame, &flows[&frame], &events);
            let event = event.unwrap_or_else(|| panic!("{file}: no event for frame {frame}"));
            pairs.push(Pair { label, event });
        }
    }
    pairs
}

#[test]
fn verdicts_agree_with_what_a_person_read_from_the_packets() {
    let Some(labels) = shared("labels.tsv") else { return };
    let pairs = pairs(&labels);
    let (agreeing, others): (Vec<_>, Vec<_>) = pairs.iter().partition(|pair| pair.agrees());
    println!("{} of {} agree; these do not:", agreeing.len(), pairs.len());
    others.iter().for_each(|pair| println!("{}", pair.describe()));
    assert!(agreeing.len() >= AGREEING_MIN, "{} of {}", agreeing.len(), pairs.len());
}

#[test]
fn no_verdict_calls_a_firewall_with_confidence_where_a_person_did_not() {
    let Some(labels) = shared("labels.tsv") else { return };
    let pairs = pairs(&labels);
    let sure =
        |event: &Value| event["cause"] == "firewall" && event["confidence"].as_f64() >= Some(0.8);
    let wrong: Vec<String> = pairs
        .iter()
        .filter(|pair| pair.label.get("cause") != "firewall" && sure(&pair.event))
        .map(Pair::describe)
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn notes_say_nothing_that_the_evidence_denies() {
    let Some(rows) = shared("index.tsv") else { return };
    let mut looked_at = [0; 4];
    for row in &rows {
        let Some(outcome) = read(row, None) else { continue };
        for event in &outcome.events() {
            let (note, evidence) = (event["note"].as_str().unwrap(), &event["evidence"]);
            let fact = |name: &str| evidence[name].as_i64();
            let form = evidence["form"].as_str().unwrap();
            let told = format!("{} frame {}: {note} {evidence}", row.get("file"), event["frame"]);
            if note.contains("Everything sent had been acknowledged") {
                looked_at[0] += 1;
                let by_client = &event["src"] == event_client(event);
                let own = fact(if by_client { "unacked_c" } else { "unacked_s" });
                assert!(own.unwrap_or(0) <= 1, "{told}");
            }
            if note.contains("A bare RST whose number") {
                looked_at[1] += 1;
                assert_eq!(form, "reply_r", "{told}");
            }
            if note.contains("only answers") {
                looked_at[2] += 1;
                assert!(form.starts_with("reply"), "{told}");
                assert_eq!(fact("no_trigger"), None, "{told}");
            }
            if note.contains("does not look like the host") {
                looked_at[3] += 1;
                assert!(note.contains(": "), "it says in what: {told}");
                assert!(!note.contains("+0") && !note.contains(" 0 RSTs"), "{told}");
            }
        }
    }
    assert!(looked_at.iter().all(|&notes| notes > 0), "{looked_at:?}");
}

/// The address that `bytes_c` and its like are of, as far as the ports say.
fn event_client(event: &Value) -> &Value {
    &event[if event["sport"].as_u64() > event["dport"].as_u64() { "src" } else { "dst" }]
}
