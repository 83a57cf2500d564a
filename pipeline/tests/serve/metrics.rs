//! The metrics against the summaries that they were fed from, and against what is built on them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::fed::{SERVICES, feed, server};
use crate::http_client::{get, request};

const OPENMETRICS: &str = "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n";

/// Samples by name and labels, as they are written.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.parse().unwrap())
        })
        .collect()
}

fn total(summaries: &[Value], path: &str) -> f64 {
    summaries
        .iter()
        .map(|summary| summary.pointer(path).and_then(Value::as_f64).unwrap_or(0.0))
        .sum()
}

#[test]
fn metrics_are_the_sums_of_the_summaries() {
    let (server, address) = server();
    let outcome = feed(&server);
    let all = outcome.summaries();
    let response =
        request(address, "GET /metrics", &format!("Host: {address}\r\n{OPENMETRICS}"), "");
    assert!(response.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    assert!(response.body.ends_with("\n# EOF\n"));
    let got = samples(&response.body);
    let is = |series: &str, want: f64| {
        let name = format!("resetscope_{series}");
        assert_eq!(got.get(&name), Some(&want), "{name}");
    };
    is("intervals_total", all.len() as f64);
    is("frames_received_total", total(&all, "/frames/received"));
    is("received_bytes_total", total(&all, "/frames/bytes"));
    is("rst_packets_total", total(&all, "/resets/packets"));
    is("flows_opened_total", total(&all, "/flows/opened"));
    is("flows", all.last().unwrap()["flows"]["active"].as_f64().unwrap());
    is(r#"frames_total{bucket="analysed",reason=""}"#, total(&all, "/frames/analysed"));
    is(
        r#"frames_total{bucket="skipped",reason="not_tcp"}"#,
        total(&all, "/frames/skipped/not_tcp"),
    );
    is(r#"resets_by_stage_total{stage="post_syn"}"#, total(&all, "/resets/by_stage/post_syn"));
    let injected = r#"resets_total{cause="firewall",subcause="injection",id="3.3"}"#;
    is(injected, total(&all, "/resets/by_subcause/3.3"));
    assert!(got[&format!("resetscope_{injected}")] > 0.0, "the capture has some");
    for (name, part) in
        [("rst_latency_seconds", "rst_latency"), ("payload_at_reset_bytes", "bytes_at_reset")]
    {
        is(&format!("{name}_count"), total(&all, &format!("/histograms/{part}/count")));
    }
    let sum = |prefix: &str| -> f64 {
        got.iter().filter(|(series, _)| series.starts_with(prefix)).map(|(_, value)| value).sum()
    };
    assert_eq!(sum("resetscope_frames_total{"), total(&all, "/frames/received"));
    assert_eq!(sum("resetscope_resets_total{"), total(&all, "/resets/events"));
    let services: BTreeSet<&str> = got
        .keys()
        .filter_map(|series| {
            series.strip_prefix("resetscope_service_resets_total{service=\"")?.split('"').next()
        })
        .collect();
    assert_eq!(services.len(), SERVICES, "no more than asked for: {services:?}");
    assert!(services.contains("10.77.199.66:10199"), "that with the most");
}

#[test]
fn counters_never_fall_and_readers_of_the_older_format_are_served() {
    let (server, address) = server();
    let before = get(address, "/metrics");
    assert_eq!(before.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    feed(&server);
    let after = get(address, "/metrics");
    let (before, now) = (samples(&before.body), samples(&after.body));
    for (series, was) in before.iter().filter(|(series, _)| series.contains("_total")) {
        assert!(now[series] >= *was, "{series}");
    }
    let Ok(mut promtool) = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
    else {
        return println!("not checked by promtool: apt-get install prometheus");
    };
    promtool.stdin.take().unwrap().write_all(after.body.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

/// Every metric of ours that a text names, without the suffixes of its samples.
fn named(text: &str) -> BTreeSet<String> {
    let parts = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    parts.filter(|part| part.starts_with("resetscope_")).map(str::to_owned).collect()
}

#[test]
fn alerts_and_dashboard_use_metrics_that_exist() {
    let (server, address) = server();
    feed(&server);
    let exported = named(&get(address, "/metrics").body);
    for (file, text) in [
        ("alerts.yml", include_str!("../../../configs/alerts.yml")),
        ("alerts-test.yml", include_str!("../../../configs/alerts-test.yml")),
        ("grafana-dashboard.json", include_str!("../../../configs/grafana-dashboard.json")),
    ] {
        let used = named(text);
        assert!(used.len() > 5, "{file} uses {used:?}");
        let unknown: Vec<_> = used.difference(&exported).collect();
        assert!(unknown.is_empty(), "{file} uses {unknown:?}, which nobody exports");
    }
}

#[test]
fn the_documentation_names_every_metric_with_its_type() {
    let (_server, address) = server();
    let response =
        request(address, "GET /metrics", &format!("Host: {address}\r\n{OPENMETRICS}"), "");
    let page = include_str!("../../SCHEMA.md");
    let mut documented = 0;
    for family in response.body.lines().filter_map(|line| line.strip_prefix("# TYPE resetscope_")) {
        let (name, kind) = family.split_once(' ').unwrap();
        let name = if kind == "info" { format!("{name}_info") } else { name.to_owned() };
        assert!(page.contains(&format!("| `{name}` | {kind} |")), "SCHEMA.md lacks {name}, {kind}");
        documented += 1;
    }
    let (_, section) = page.split_once("## Metrics").unwrap();
    let rows =
        section.lines().filter(|line| line.starts_with("| `") && line.matches('|').count() == 5);
    assert_eq!(rows.count(), documented, "and no other");
}

#[test]
fn the_dashboard_is_one_that_grafana_takes() {
    let text = include_str!("../../../configs/grafana-dashboard.json");
    let dashboard: Value = serde_json::from_str(text).unwrap();
    assert!(dashboard["schemaVersion"].as_u64() >= Some(36), "as of Grafana 9");
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "ids are unique: {panel}");
        let place = &panel["gridPos"];
        assert!(place["x"].as_u64().unwrap() + place["w"].as_u64().unwrap() <= 24, "{panel}");
        assert!(panel["title"].as_str().is_some_and(|title| !title.is_empty()));
        for target in panel["targets"].as_array().unwrap() {
            assert!(target["expr"].as_str().unwrap().contains("resetscope_"), "{panel}");
        }
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../configs");
    for arguments in [
        ["check", "rules", "alerts.yml"],
        ["check", "config", "prometheus.yml"],
        ["test", "rules", "alerts-test.yml"],
    ] {
        match Command::new("promtool").args(arguments).current_dir(folder).output() {
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stdout).into_owned()
                    + &String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{arguments:?}: {said}");
            }
            Err(_) => println!("not checked by promtool: apt-get install prometheus"),
        }
    }
}
