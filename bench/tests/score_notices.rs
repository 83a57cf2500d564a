//! The measurement itself: truth that is changed on purpose must show in the numbers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test, both are its failure")]

use std::fs;
use std::path::{Path, PathBuf};

use resetscope_bench::score::join::Joined;
use resetscope_bench::score::tap::Tap;
use resetscope_bench::score::truth::{self, Reset};
use resetscope_bench::score::{Lab, Report, find};

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name)
}

fn truth_text() -> String {
    fs::read_to_string(corpus("six-causes.truth.jsonl")).unwrap()
}

/// Scores the demonstration capture against `truth`.
fn score_against(truth: &str) -> Lab {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("six-causes.pcap.gz");
    fs::copy(corpus("six-causes.pcap.gz"), &capture).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("six-causes.truth.jsonl"), truth).unwrap();
    let cases = find::cases(&[capture], &[elsewhere.path().to_owned()]).unwrap();
    Report::measure(&cases, None).unwrap().lab.unwrap()
}

#[test]
fn truth_that_calls_every_closed_port_something_else_costs_as_many_points() {
    let honest = score_against(&truth_text());
    let other = truth_text()
        .replace(r#""closed_port", "subcause": "1.1""#, r#""benign", "subcause": "0.1""#);
    let changed = score_against(&other);
    let lost = honest.accuracy.cause.count - changed.accuracy.cause.count;
    let cell = |lab: &Lab, row: &str, column: &str| {
        let place = |name| lab.accuracy.matrix.causes.iter().position(|it| *it == name).unwrap();
        lab.accuracy.matrix.rows[place(row)][place(column)]
    };
    assert!(lost > 0);
    assert_eq!(cell(&changed, "benign", "closed_port"), lost);
    assert_eq!(cell(&honest, "benign", "closed_port"), 0);
    assert_eq!(changed.misses.len() - honest.misses.len(), lost);
    assert!(changed.accuracy.macro_f1 < honest.accuracy.macro_f1);
}

#[test]
fn a_device_where_the_truth_knows_none_is_a_false_injection() {
    let honest = score_against(&truth_text());
    assert_eq!(honest.promises.false_injections, []);
    let other = truth_text()
        .replace(r#""firewall", "subcause": "3.1""#, r#""closed_port", "subcause": "1.1""#);
    assert!(!score_against(&other).promises.false_injections.is_empty());
}

#[test]
fn an_alternative_that_is_as_good_lies_on_the_diagonal() {
    let text = truth_text();
    let swapped = text.replace(
        r#""subcause": "1.1", "also_right": []"#,
        r#""subcause": "5.1", "also_right": [{"cause": "closed_port", "subcause": "1.1"}]"#,
    );
    assert_ne!(swapped, text);
    let (before, after) = (score_against(&text), score_against(&swapped));
    assert_eq!(before.accuracy.cause, after.accuracy.cause);
    let network = after.accuracy.classes.iter().find(|class| class.cause == "network").unwrap();
    assert!(network.recall.count > 0);
    assert_eq!(network.precision.count, network.precision.of);
}

fn demonstration() -> (Vec<Reset>, Tap) {
    let resets = truth::read(&corpus("six-causes.truth.jsonl")).unwrap();
    (resets, Tap::analyse(&corpus("six-causes.pcap.gz")).unwrap())
}

#[test]
fn a_reset_is_in_an_event_or_reported() {
    let (resets, mut tap) = demonstration();
    let whole = Joined::new(&resets, "client", &tap);
    assert!(whole.uncovered.is_empty());
    assert_eq!(whole.first.len() + whole.held.len(), resets.len());
    assert!(!whole.held.is_empty(), "no event with several RSTs: nothing is shown here");

    // Without its event a RST has none, nor have those that came with it.
    let (line, index) = whole.held[0];
    let alone = tap.events.remove(index);
    let without = Joined::new(&resets, "client", &tap);
    assert!(without.uncovered.contains(&line));
    assert_eq!(without.uncovered.len(), alone.packets as usize);
}

#[test]
fn an_event_has_room_for_the_resets_it_counted_and_no_more() {
    let (resets, mut tap) = demonstration();
    let whole = Joined::new(&resets, "client", &tap);
    let (_, index) = whole.held[0];
    tap.events[index].packets -= 1;
    assert_eq!(Joined::new(&resets, "client", &tap).uncovered.len(), 1);
}

#[test]
fn an_event_that_the_truth_lacks_is_reported() {
    let (mut resets, tap) = demonstration();
    let (line, index) = Joined::new(&resets, "client", &tap).first[0];
    resets.remove(line);
    assert_eq!(Joined::new(&resets, "client", &tap).unknown, [index]);
}

#[test]
fn truth_that_is_none_is_an_error_that_names_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.truth.jsonl");
    let first = truth_text().lines().next().unwrap().to_owned();
    fs::write(&path, format!("{first}\n{{}}\n")).unwrap();
    let error = truth::read(&path).unwrap_err().to_string();
    assert!(error.contains("x.truth.jsonl line 2"), "{error}");
}

#[test]
fn the_report_as_json_has_its_schema_and_no_number_that_json_lacks() {
    let cases = find::cases(&[corpus("six-causes.pcap.gz")], &[]).unwrap();
    let report = Report::measure(&cases, None).unwrap();
    let json: serde_json::Value =
        serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
    assert_eq!(json["schema"], "resetscope.score/1");
    assert!(json["lab"]["cause"]["share"].as_f64().unwrap() > 0.5);
    assert_eq!(json["lab"]["matrix"]["rows"].as_array().unwrap().len(), 8);
    // One tap only: there is nothing to agree with.
    assert!(json["lab"]["taps_agree"]["share"].is_null());
    assert!(json["labels"].is_null());
}
