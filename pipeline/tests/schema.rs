//! Both JSON schemas, field by field, on real output; and that `SCHEMA.md` names all that is in them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test, both are its failure")]

mod analysis;
mod capture_writer;
mod traffic;

use std::net::IpAddr;

use analysis::{Outcome, analyse, analyse_file, corpus, plan, shared, source_of};
use capture_writer::{Flavour, Order, pcap};
use resetscope_core::interval::Shed;
use resetscope_core::interval::histogram::Metric;
use resetscope_core::judge::cause::{Cause, Subcause};
use resetscope_core::judge::evidence::{Fact, Shape};
use resetscope_core::judge::facts::Stage;
use resetscope_core::judge::form::Form;
use resetscope_core::skip::Skip;
use serde_json::Value;
use traffic::{Mix, mix};

const CONN_STATES: [&str; 7] = ["REJ", "RSTO", "RSTR", "RSTOS0", "RSTRH", "SF", "OTH"];
const ID_CLASSES: [&str; 4] = ["zero", "incrementing", "random", "unknown"];
const QUESTIONS: [&str; 4] = ["service_alive", "host_baseline", "cohort", "source_scan"];

/// The object has these fields, no other, and no less.
#[track_caller]
fn assert_fields(value: &Value, fields: &[&str]) {
    let mut found: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    let mut wanted = fields.to_vec();
    found.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(found, wanted, "{value}");
}

#[track_caller]
fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("not a count: {value}"))
}

#[track_caller]
fn word<'a>(value: &'a Value, allowed: &[&str]) -> &'a str {
    let word = value.as_str().unwrap_or_else(|| panic!("not a word: {value}"));
    assert!(allowed.contains(&word), "{word} is none of {allowed:?}");
    word
}

fn sum(counts: &Value) -> u64 {
    counts.as_object().unwrap().values().map(number).sum()
}

fn cause_names() -> Vec<&'static str> {
    Cause::ALL.map(Cause::name).to_vec()
}

fn assert_tally(tally: &Value) {
    let by_cause = tally["by_cause"].as_object().unwrap();
    assert!(
        by_cause
            .iter()
            .all(|(cause, count)| { cause_names().contains(&cause.as_str()) && number(count) > 0 })
    );
    assert_eq!(sum(&tally["by_cause"]), number(&tally["events"]));
    assert!(number(&tally["packets"]) >= number(&tally["events"]));
    tally["addr"].as_str().unwrap().parse::<IpAddr>().unwrap();
}

fn assert_histograms(histograms: &Value, events: u64) {
    assert_fields(histograms, &Metric::ALL.iter().map(|metric| metric.name()).collect::<Vec<_>>());
    for &metric in Metric::ALL {
        let histogram = &histograms[metric.name()];
        assert_fields(histogram, &["unit", "count", "p50", "p90", "p99", "p999", "max"]);
        assert_eq!(histogram["unit"], metric.unit());
        let rising = ["p50", "p90", "p99", "p999", "max"].map(|name| number(&histogram[name]));
        assert!(rising.is_sorted(), "{}: {histogram}", metric.name());
        let count = number(&histogram["count"]);
        assert!(count > 0 || rising == [0; 5], "{}: {histogram}", metric.name());
        match metric {
            Metric::HandshakeRtt => {}
            Metric::PacketsPerEvent | Metric::RetransmissionsBefore => assert_eq!(count, events),
            _ => assert!(count <= events, "{}: {histogram}", metric.name()),
        }
    }
}

/// Holds a summary against `resetscope.summary/1`.
fn assert_summary(summary: &Value) {
    assert_fields(
        summary,
        &["schema", "interval", "frames", "flows", "resets", "histograms", "top"],
    );
    assert_eq!(summary["schema"], "resetscope.summary/1");
    let interval = &summary["interval"];
    assert_fields(interval, &["seq", "start_ns", "end_ns"]);
    number(&interval["seq"]);
    assert!(number(&interval["start_ns"]) <= number(&interval["end_ns"]));

    let frames = &summary["frames"];
    assert_fields(frames, &["received", "bytes", "analysed", "skipped", "shed"]);
    assert_fields(&frames["skipped"], &Skip::ALL.map(Skip::name));
    assert_fields(&frames["shed"], &Shed::ALL.map(Shed::name));
    number(&frames["bytes"]);
    let used = number(&frames["analysed"]) + sum(&frames["skipped"]) + sum(&frames["shed"]);
    assert_eq!(number(&frames["received"]), used);

    let flows = &summary["flows"];
    assert_fields(flows, &["opened", "active", "evicted"]);
    assert_fields(&flows["evicted"], &["embryonic", "closing", "established"]);
    assert!(sum(&flows["evicted"]) + number(&flows["opened"]) + number(&flows["active"]) < 1 << 40);

    let resets = &summary["resets"];
    assert_fields(
        resets,
        &["packets", "events", "unlisted", "by_cause", "by_subcause", "by_stage"],
    );
    let events = number(&resets["events"]);
    assert_fields(&resets["by_cause"], &cause_names());
    assert_fields(&resets["by_stage"], &Stage::ALL.map(Stage::name));
    for counts in ["by_cause", "by_subcause", "by_stage"] {
        assert_eq!(sum(&resets[counts]), events, "{counts}");
    }
    assert!(number(&resets["unlisted"]) <= events);
    for (id, count) in resets["by_subcause"].as_object().unwrap() {
        assert!(Subcause::ALL.iter().any(|subcause| subcause.id() == id), "{id}");
        assert!(number(count) > 0, "{id}");
    }
    for cause in Cause::ALL {
        let of_cause = Subcause::ALL.iter().filter(|subcause| subcause.cause() == cause);
        let by_id: u64 =
            of_cause.filter_map(|subcause| resets["by_subcause"][subcause.id()].as_u64()).sum();
        assert_eq!(number(&resets["by_cause"][cause.name()]), by_id, "{cause:?}");
    }
    assert_histograms(&summary["histograms"], events);

    assert_fields(&summary["top"], &["services", "hosts"]);
    for service in summary["top"]["services"].as_array().unwrap() {
        assert_fields(service, &["addr", "port", "events", "packets", "by_cause"]);
        assert!(number(&service["port"]) <= 65_535);
        assert_tally(service);
    }
    for host in summary["top"]["hosts"].as_array().unwrap() {
        assert_fields(host, &["addr", "events", "packets", "by_cause"]);
        assert_tally(host);
    }
}

/// Checks a verdict or an alternative and returns its confidence in percent.
fn claim(value: &Value) -> u64 {
    assert_fields(&value["subcause"], &["id", "name"]);
    let id = value["subcause"]["id"].as_str().unwrap();
    let subcause = Subcause::ALL.iter().find(|subcause| subcause.id() == id).unwrap();
    assert_eq!(value["subcause"]["name"], subcause.name());
    assert_eq!(value["cause"], subcause.cause().name());
    let confidence = value["confidence"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&confidence), "{value}");
    (confidence * 100.0).round() as u64
}

fn assert_evidence(evidence: &Value) {
    for (name, value) in evidence.as_object().unwrap() {
        match name.as_str() {
            "text" => assert!(value.as_str().is_some_and(|text| text.chars().count() <= 64)),
            "not_known" => {
                let open = value.as_array().unwrap();
                assert!(!open.is_empty());
                open.iter().for_each(|question| {
                    word(question, &QUESTIONS);
                });
            }
            _ => {
                let fact = Fact::ALL.iter().find(|fact| fact.name() == name);
                match fact.unwrap_or_else(|| panic!("no such evidence: {name}")).shape() {
                    Shape::Number => assert!(value.is_i64() || value.is_u64(), "{name}: {value}"),
                    Shape::Flag => assert!(value.is_boolean(), "{name}: {value}"),
                    Shape::Form => {
                        word(value, &Form::ALL.map(Form::name));
                    }
                    Shape::IdClass => {
                        word(value, &ID_CLASSES);
                    }
                }
            }
        }
    }
    assert!(evidence["form"].is_string(), "{evidence}");
}

/// Holds an event against `resetscope.event/1`.
fn assert_event(event: &Value) {
    assert_fields(
        event,
        &[
            "schema",
            "time_ns",
            "frame",
            "src",
            "sport",
            "dst",
            "dport",
            "packets",
            "cause",
            "subcause",
            "confidence",
            "evidence",
            "alternatives",
            "stage",
            "conn_state",
            "history",
            "community_id",
            "note",
        ],
    );
    assert_eq!(event["schema"], "resetscope.event/1");
    assert!(number(&event["frame"]) > 0 && number(&event["packets"]) > 0);
    number(&event["time_ns"]);
    for (addr, port) in [("src", "sport"), ("dst", "dport")] {
        event[addr].as_str().unwrap().parse::<IpAddr>().unwrap();
        assert!(number(&event[port]) <= 65_535);
    }
    let alternatives = event["alternatives"].as_array().unwrap();
    assert!(alternatives.len() <= 3, "{event}");
    let mut percent = claim(event);
    for alternative in alternatives {
        assert_fields(alternative, &["cause", "subcause", "confidence"]);
        assert_ne!(alternative["subcause"], event["subcause"], "{event}");
        percent += claim(alternative);
    }
    // Every one of them may be rounded up.
    assert!(percent <= 100 + alternatives.len() as u64, "{percent} %: {event}");
    assert_evidence(&event["evidence"]);
    word(&event["stage"], &Stage::ALL.map(Stage::name));
    word(&event["conn_state"], &CONN_STATES);
    let history = event["history"].as_str().unwrap();
    assert!(history.chars().all(|letter| "shadfrtwSHADFRTW".contains(letter)), "{history}");
    assert!(history.contains(['r', 'R']), "{event}");
    let id = event["community_id"].as_str().unwrap();
    assert!(id.starts_with("1:") && id.len() == 30, "{id}");
    let note = event["note"].as_str().unwrap();
    assert!(note.ends_with('.') && note.len() > 20, "{event}");
}

/// Holds everything of one run against the schemas, and the sums across them.
fn assert_outcome(outcome: &Outcome, name: &str) {
    println!("{name}");
    let (summaries, events) = (outcome.summaries(), outcome.events());
    summaries.iter().for_each(assert_summary);
    events.iter().for_each(assert_event);
    assert!(events.windows(2).all(|two| number(&two[0]["frame"]) <= number(&two[1]["frame"])));
    let total = |path: &str| -> u64 {
        summaries.iter().map(|summary| number(summary.pointer(path).unwrap())).sum()
    };
    let unlisted = total("/resets/unlisted");
    assert_eq!(events.len() as u64 + unlisted, total("/resets/events"), "{name}");
    if unlisted == 0 && total("/frames/shed/table_full") == 0 {
        let listed: u64 = events.iter().map(|event| number(&event["packets"])).sum();
        assert_eq!(listed, total("/resets/packets"), "{name}");
        for cause in Cause::ALL {
            let of_cause = events.iter().filter(|event| event["cause"] == cause.name());
            let counted = total(&format!("/resets/by_cause/{}", cause.name()));
            assert_eq!(of_cause.count() as u64, counted, "{name}: {cause:?}");
        }
    }
}

#[test]
fn the_shipped_capture_keeps_to_the_schemas() {
    for (workers, interval) in [(1, None), (2, Some(1_000_000_000)), (3, Some(50_000_000))] {
        let outcome = analyse_file(&corpus(), &plan(workers, interval)).unwrap();
        assert_outcome(&outcome, &format!("{workers} workers, {interval:?}"));
        assert!(outcome.events().len() > 40);
    }
}

#[test]
fn random_traffic_keeps_to_the_schemas() {
    for seed in 0..4 {
        let backwards_once_in = 30 * (seed % 2);
        let frames = mix(Mix { seed, frames: 20_000, flows: 900, backwards_once_in });
        let bytes = pcap(Order::Little, Flavour::Nano, &frames);
        let mut plan = plan(2, Some(2_000_000_000));
        for flows in [1_024, 1 << 15] {
            plan.engine.flows = flows;
            let outcome = analyse(source_of(&bytes).unwrap(), &plan);
            assert_outcome(&outcome, &format!("seed {seed}, {flows} flows"));
        }
    }
}

#[test]
fn others_captures_keep_to_the_schemas() {
    let Some(rows) = shared("index.tsv") else { return };
    for row in rows.iter().filter(|row| row.get("format") != "snoop") {
        let outcome = analyse_file(&row.path(), &plan(2, None)).unwrap();
        assert_outcome(&outcome, row.get("file"));
    }
}

#[test]
fn the_documentation_names_every_field_value_and_fact() {
    let page = include_str!("../SCHEMA.md");
    let row = |start: String| {
        assert!(page.lines().any(|line| line.starts_with(&start)), "SCHEMA.md lacks {start}");
    };
    Fact::ALL.iter().for_each(|fact| row(format!("| `{}` |", fact.name())));
    Metric::ALL
        .iter()
        .for_each(|metric| row(format!("| `{}` | `{}` |", metric.name(), metric.unit())));
    for subcause in Subcause::ALL {
        let cause = subcause.cause().name();
        row(format!("| `{cause}` | {} | `{}` |", subcause.id(), subcause.name()));
    }
    Skip::ALL.iter().for_each(|skip| row(format!("| `{}` |", skip.name())));
    Stage::ALL.iter().for_each(|stage| row(format!("| `{}` |", stage.name())));
    CONN_STATES.iter().for_each(|state| row(format!("| `{state}` |")));
    let words = Shed::ALL
        .map(Shed::name)
        .into_iter()
        .chain(QUESTIONS)
        .chain(ID_CLASSES)
        .chain(Form::ALL.map(Form::name));
    words.for_each(|word| assert!(page.contains(&format!("`{word}`")), "SCHEMA.md lacks {word}"));
}

#[test]
fn the_documentation_names_every_field_of_real_output() {
    let page = include_str!("../SCHEMA.md");
    let outcome = analyse_file(&corpus(), &plan(1, None)).unwrap();
    let summary = &outcome.summaries()[0];
    let mut fields: Vec<String> = Vec::new();
    for (name, value) in summary.as_object().unwrap() {
        let parts = value.as_object().filter(|_| name != "histograms");
        match parts {
            Some(parts) => fields.extend(parts.keys().map(|part| format!("`{name}.{part}`"))),
            None => fields.push(format!("`{name}`")),
        }
    }
    let event = &outcome.events()[0];
    for (name, value) in event.as_object().unwrap() {
        let parts = value.as_object().filter(|_| name != "evidence");
        match parts {
            Some(parts) => fields.extend(parts.keys().map(|part| format!("`{name}.{part}`"))),
            None => fields.push(format!("`{name}`")),
        }
    }
    for field in fields {
        assert!(page.contains(&field), "SCHEMA.md lacks {field}");
    }
}
