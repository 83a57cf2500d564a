//! The network faces of a running tap: what they say of real connections, to a real Prometheus too,
//! and what they do when something is in the way.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};
use serde_json::Value;

use crate::http_client::{Response, connect, get};
use crate::live::net::Net;
use crate::live::program::{Program, number, wait_for};
use crate::live::thread::threads;
use crate::{assert_balanced, traffic};

/// A tap with both faces on one free port, and that port.
fn served(net: &Net, arguments: &[&str]) -> (Program, SocketAddr) {
    net.ip_server(&["link", "set", "lo", "up"]);
    let faces = ["--metrics", "127.0.0.1:0", "--http", ":0"];
    let mut tap = Program::monitor(net, &[&faces[..], arguments].concat());
    tap.says("live page at http://");
    let address = tap.said.last().and_then(|line| line.split_once("http://")?.1.strip_suffix('/'));
    let address = address.unwrap().parse().unwrap();
    tap.says("listening on tap");
    (tap, address)
}

fn ask(net: &Net, address: SocketAddr, path: &str) -> Response {
    net.on_server(|| get(address, path))
}

/// The value of a series.
fn sample(text: &str, series: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    line.parse::<f64>().ok().map(|value| value as u64)
}

#[test]
fn metrics_and_page_tell_what_the_summaries_tell() {
    let Some(net) = Net::new() else { return };
    let (tap, address) = served(&net, &["--interval", "200ms"]);
    let mut stream = net.on_server(|| connect(address));
    write!(stream, "GET /events HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let resets = traffic::connections(&net, 3);
    let mut summaries: Vec<Value> = Vec::new();
    let sum = |of: &[Value], path: &str| -> u64 { of.iter().map(|one| number(one, path)).sum() };
    while sum(&summaries, "/resets/events") < resets {
        summaries.push(tap.summary());
    }
    let text = wait_for("the counts", || {
        let text = ask(&net, address, "/metrics").body;
        (sample(&text, "resetscope_intervals_total") >= Some(summaries.len() as u64))
            .then_some(text)
    });
    for (series, path) in [
        ("rst_packets_total", "/resets/packets"),
        ("flows_opened_total", "/flows/opened"),
        ("frames_received_total", "/frames/received"),
    ] {
        let got = sample(&text, &format!("resetscope_{series}"));
        assert_eq!(got, Some(sum(&summaries, path)), "{series}\n{text}");
    }
    let ended = tap.stop();
    assert!(ended.status.success(), "{}", ended.said);
    summaries.extend(ended.lines.iter().map(|line| serde_json::from_str(line).unwrap()));
    summaries.iter().for_each(assert_balanced);
    // The stream had the same lines, and its end.
    let mut told = String::new();
    stream.read_to_string(&mut told).unwrap();
    let data = |kind: &str| -> Vec<Value> {
        let events = told.split("event: ").filter_map(|event| event.strip_prefix(kind));
        let lines = events.filter_map(|event| event.strip_prefix("\ndata: ")?.lines().next());
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    assert_eq!(data("summary"), summaries);
    assert_eq!(data("reset").len() as u64, resets);
    assert_eq!(data("bye").len(), 1);
}

#[test]
fn readiness_follows_the_interface_and_no_thread_keeps_privileges() {
    let Some(net) = Net::new() else { return };
    let (mut tap, address) = served(&net, &["--interval", "1h"]);
    assert_eq!(ask(&net, address, "/health").status, 200);
    assert_eq!(ask(&net, address, "/ready").status, 200);
    threads(&tap).iter().for_each(|thread| thread.assert_only(0));
    net.ip_server(&["link", "set", "tap", "down"]);
    tap.says("tap is down");
    let response = wait_for("the news", || {
        Some(ask(&net, address, "/ready")).filter(|response| response.status != 200)
    });
    assert_eq!(
        (response.status, response.body.as_str()),
        (503, "tap is down; waiting for it to come up\n")
    );
    assert_eq!(ask(&net, address, "/health").status, 200);
    let text = ask(&net, address, "/metrics").body;
    assert_eq!(sample(&text, "resetscope_tap_listening"), Some(0));
    assert!(tap.stop().status.success());
    assert!(net.on_server(|| std::net::TcpStream::connect(address)).is_err(), "the port is free");
}

#[test]
fn a_real_prometheus_scrapes_a_running_tap() {
    if Command::new("prometheus").arg("--version").output().is_err() {
        return println!("skipped: no prometheus; apt-get install prometheus");
    }
    let Some(net) = Net::new() else { return };
    let (tap, address) = served(&net, &["--interval", "200ms"]);
    let folder = tempfile::tempdir().unwrap();
    let configuration = include_str!("../../../configs/prometheus.yml")
        .replace("127.0.0.1:9184", &address.to_string())
        .replace("10s", "1s");
    fs::write(folder.path().join("prometheus.yml"), configuration).unwrap();
    let alerts = include_str!("../../../configs/alerts.yml");
    fs::write(folder.path().join("alerts.yml"), alerts).unwrap();
    let mut command = Command::new("prometheus");
    // Nothing else listens in this namespace.
    let own = SocketAddr::from(([127, 0, 0, 1], 9090));
    command.arg(format!("--web.listen-address={own}"));
    command.args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
    let mut prometheus = Program::start(&net, command.current_dir(folder.path()));
    prometheus.says("Server is ready to receive web requests");
    let resets = traffic::connections(&net, 2);
    let query = |text: &str| -> Option<String> {
        let answer = ask(&net, own, &format!("/api/v1/query?query={text}")).json();
        Some(answer.pointer("/data/result/0/value/1")?.as_str()?.to_owned())
    };
    let want = Some(resets.to_string());
    wait_for("the resets", || (query("sum(resetscope_resets_total)") == want).then_some(()));
    assert_eq!(query("sum(resetscope_rst_latency_seconds_count)"), want);
    assert_eq!(query("up"), Some("1".to_owned()));
    assert!(query("resetscope_build_info").is_some());
    let rules = ask(&net, own, "/api/v1/rules").json();
    let groups = rules.pointer("/data/groups").and_then(Value::as_array).unwrap();
    assert_eq!(groups.len(), 2, "{rules}");
    let targets = ask(&net, own, "/api/v1/targets").json();
    let error = targets.pointer("/data/activeTargets/0/lastError").and_then(Value::as_str);
    assert_eq!(error, Some(""), "every scrape was understood");
    assert!(prometheus.stop().status.success());
    assert!(tap.stop().status.success());
}

#[test]
fn what_cannot_be_served_is_told_in_one_sentence_with_a_remedy() {
    let Some(net) = Net::new() else { return };
    net.ip_server(&["link", "set", "lo", "up"]);
    let taken = net.on_server(|| TcpListener::bind("127.0.0.1:8484").unwrap());
    for (address, want) in [
        ("8484", "another program does; take another port"),
        ("192.0.2.77:8484", "this machine has no such address"),
        ("80", "ports below 1024 take CAP_NET_BIND_SERVICE"),
    ] {
        let output = net.on_server(|| {
            remove_capability_from_bounding_set(CapabilitySet::NET_BIND_SERVICE).unwrap();
            let mut command = Command::new(env!("CARGO_BIN_EXE_resetscope"));
            command.args(["monitor", "-i", "tap", "--http", address]).output().unwrap()
        });
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{address}: {said}");
        assert!(said.contains(want), "{address}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    drop(taken);
    let mut open = Program::monitor(&net, &["--quiet", "--metrics", "0.0.0.0:0"]);
    open.says("there is no authentication");
    assert!(open.stop().status.success());
}
