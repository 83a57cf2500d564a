//! Files of results while a tap goes on.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use crate::live::net::Net;
use crate::live::program::{Program, number};
use crate::{ONE, traffic};

#[test]
fn a_file_that_cannot_be_written_is_warned_of_once_and_stops_no_other_output() {
    let Some(net) = Net::new() else { return };
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("s.jsonl");
    let tap = Program::listening(
        &net,
        &[ONE[0], ONE[1], "--events", "/dev/full", "--summaries", copy.to_str().unwrap()],
    );
    let resets = traffic::connections(&net, 2);
    let mut summaries = Vec::new();
    while summaries.iter().map(|of: &Value| number(of, "/resets/events")).sum::<u64>() < resets {
        tap.signal(Signal::HUP);
        summaries.push(tap.summary());
    }
    let ended = tap.stop();
    assert!(ended.status.success(), "{}", ended.said);
    let warnings = ended.said.matches("trying again").count();
    assert_eq!(warnings, 1, "{}", ended.said);
    let missing = format!("cannot write events to /dev/full ({resets} are missing)");
    assert!(ended.said.contains(&missing), "{}", ended.said);
    let lines = ended.lines.iter().map(|line| serde_json::from_str(line).unwrap());
    summaries.extend(lines);
    let written = fs::read_to_string(copy).unwrap();
    let written: Vec<Value> =
        written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(written, summaries);
}

#[test]
fn a_series_of_masked_events_is_complete_when_the_tap_ends() {
    let Some(net) = Net::new() else { return };
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("monitor.toml");
    let key = "00112233445566778899aabbccddeeff".repeat(2);
    let path = folder.path().join("x.csv");
    let text = format!(
        "events = {path:?}\nprivacy = \"{key}\"\n[files]\nrotate_size = \"1kB\"\nrotate_keep = 100\n"
    );
    fs::write(&config, text).unwrap();
    let tap = Program::listening(&net, &[ONE[0], ONE[1], "--config", config.to_str().unwrap()]);
    let resets = traffic::connections(&net, 2);
    let ended = tap.stop();
    assert!(ended.status.success(), "{}", ended.said);
    let (mut rows, mut files) = (0, 0);
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path == config {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(name.starts_with("x.2") && name.ends_with(".csv"), "{name}");
        let content = fs::read_to_string(&path).unwrap();
        for address in [crate::live::net::CLIENT, crate::live::net::SERVER] {
            let address = std::net::Ipv4Addr::from(address).to_string();
            assert!(!content.contains(&address), "{address} in {content}");
        }
        rows += content.lines().count() as u64 - 1;
        files += 1;
    }
    assert_eq!(rows, resets);
    assert!(files > 1, "one kilobyte holds less than all");
}
