//! The stories that `resetscope explain` tells about the shipped demonstration capture.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test, both are its failure")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use assert_cmd::cargo::cargo_bin_cmd;
use resetscope::explain::choose::Target;
use resetscope::explain::timeline::Remark;
use resetscope::explain::{Request, Story};
use resetscope::run::Plan;
use resetscope::source::Options;
use resetscope_core::engine::Config;
use resetscope_core::judge::cause::{Cause, Subcause};
use resetscope_core::judge::evidence::Fact;
use resetscope_core::judge::explain::reading::{self, Leaning};
use serde_json::Value;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/corpus/six-causes.pcap.gz")
}

fn explain(args: &[&str]) -> Output {
    cargo_bin_cmd!("resetscope").arg("explain").arg(corpus()).args(args).output().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The sentence on stderr and the exit code of a run that could not do it.
fn refusal(output: &Output) -> (Option<i32>, String) {
    assert!(output.stdout.is_empty());
    (output.status.code(), String::from_utf8(output.stderr.clone()).unwrap())
}

/// All resets as the list names them, as event objects.
fn events() -> Vec<Value> {
    text(&explain(&["--format", "json"]))
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn story(frame: u64, packets: usize) -> Story {
    let files = [corpus()];
    let plan = Plan {
        workers: 1,
        interval_ns: None,
        engine: Config { flows: 1 << 14, ..Config::default() },
    };
    let options = Options::default();
    let request = Request { files: &files, options, plan, packets, mask: None };
    request.tell(&Target::Frame(frame), &|_| ()).unwrap()
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_else(|| panic!("{name} in {value}"))
}

#[test]
fn the_list_names_each_reset_once_in_the_order_of_frames() {
    let events = events();
    let frames: Vec<u64> = events.iter().map(|event| number(event, "frame")).collect();
    assert!(frames.is_sorted_by(|a, b| a < b));
    let list = text(&explain(&[]));
    let listed: Vec<u64> = list
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(listed, frames);
    for (line, event) in list.lines().skip(1).zip(&events) {
        let subcause = event["subcause"]["name"].as_str().unwrap();
        assert!(line.ends_with(subcause), "{line}");
        assert!(line.chars().count() <= 84, "{line}");
    }
}

/// The truth about the resets in the capture, by frame.
fn truth() -> BTreeMap<u64, Value> {
    let path = corpus().with_file_name("six-causes.truth.jsonl");
    let lines = std::fs::read_to_string(path).unwrap();
    let truth = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    truth.map(|line| (number(&line["frame"], "client"), line)).collect()
}

#[test]
fn one_reset_of_each_cause_is_told_with_the_right_frame_and_roles() {
    let truth = truth();
    for cause in Cause::ALL.into_iter().filter(|cause| *cause != Cause::Unknown) {
        let agrees = |event: &&Value| {
            let known = truth.get(&number(event, "frame"));
            event["cause"] == cause.name()
                && known.is_some_and(|known| known["cause"] == cause.name())
        };
        let events = events();
        let event = events.iter().find(agrees).unwrap_or_else(|| panic!("no {}", cause.name()));
        let frame = number(event, "frame");
        let known = &truth[&frame];
        let output = text(&explain(&["--frame", &frame.to_string(), "--format", "json"]));
        let story: Value = serde_json::from_str(&output).unwrap();
        assert_eq!(story["schema"], "resetscope.story/1");
        assert_eq!(&story["event"], event, "the verdict is that of the analysis");
        // The laboratory's client opens every connection.
        let client = story["client"].as_str().unwrap();
        let server = story["server"].as_str().unwrap();
        assert!(client.contains(".2:") || client.contains("::2]"), "{client}");
        let by = story["reset_by"].as_str().unwrap();
        let end = if by == "client" { client } else { server };
        let port = known["sport"].as_u64().unwrap();
        assert!(end.contains(known["src"].as_str().unwrap()) && end.ends_with(&format!(":{port}")));
        let packets = story["packets"].as_array().unwrap();
        let resets: Vec<&Value> = packets
            .iter()
            .filter(|packet| packet["remarks"].as_array().unwrap().contains(&"THE RESET".into()))
            .collect();
        assert_eq!(resets.len(), 1, "{}", cause.name());
        assert_eq!((number(resets[0], "frame"), resets[0]["from"].as_str()), (frame, Some(by)));
    }
}

#[test]
fn a_story_has_all_its_parts_and_fits_the_terminal() {
    let parts = [
        "Reset in frame ",
        "from ",
        "to   ",
        "Verdict: ",
        "Packets (",
        "frame ",
        "THE RESET",
        "Evidence (",
        "What ",
        "In Wireshark",
        ".addr == ",
        "frame.number == ",
        "tshark -r ",
    ];
    for event in events() {
        let frame = number(&event, "frame").to_string();
        let told = text(&explain(&["--frame", &frame]));
        let mut rest = told.as_str();
        for part in parts {
            let at = rest.find(part).unwrap_or_else(|| panic!("frame {frame} lacks {part:?}"));
            rest = &rest[at + part.len()..];
        }
        let (body, _) = told.split_once("In Wireshark").unwrap();
        for line in body.lines() {
            assert!(line.chars().count() <= 80 && line == line.trim_end(), "{frame}: {line:?}");
        }
        for alternative in event["alternatives"].as_array().unwrap() {
            let name = alternative["subcause"]["name"].as_str().unwrap();
            assert!(told.contains(&format!("{name} (")), "{frame} lacks {name}");
        }
        for fact in event["evidence"].as_object().unwrap().keys() {
            let listed =
                fact == "not_known" || fact == "text" || told.contains(&format!(" {fact} "));
            assert!(listed, "{frame} lacks {fact}");
        }
        assert_eq!(event["evidence"].get("not_known").is_some(), told.contains("could not know"));
    }
}

/// What tshark shows of the capture's TCP packets, by frame: relative numbers and header fields.
fn tshark() -> Option<BTreeMap<u64, Vec<u64>>> {
    let fields =
        ["frame.number", "tcp.seq", "tcp.ack", "tcp.len", "tcp.window_size_value", "tcp.flags"];
    let mut command = Command::new("tshark");
    command.arg("-r").arg(corpus()).args(["-Y", "tcp", "-T", "fields"]);
    fields.iter().for_each(|field| {
        command.args(["-e", field]);
    });
    let output =
        command.stderr(Stdio::null()).output().ok().filter(|output| output.status.success())?;
    let parse = |text: &str| match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).unwrap(),
        None => text.parse().unwrap(),
    };
    let rows = String::from_utf8(output.stdout).unwrap();
    let row = |line: &str| {
        let mut numbers = line.split('\t').map(parse);
        (numbers.next().unwrap(), numbers.collect())
    };
    Some(rows.lines().map(row).collect())
}

#[test]
fn timelines_agree_with_tshark() {
    let Some(shown) = tshark() else {
        println!("skipped: tshark is not installed");
        return;
    };
    let mut compared = 0;
    for event in events() {
        let story = story(number(&event, "frame"), 1000);
        for row in &story.timeline.rows {
            let wanted = &shown[&row.frame];
            // Without ACK the field means nothing, and no story shows it.
            let ack = row.ack.map_or(wanted[1], u64::from);
            let own = [
                u64::from(row.seq),
                ack,
                u64::from(row.len),
                u64::from(row.window),
                u64::from(row.flags.0),
            ];
            assert_eq!(own[..], wanted[..], "frame {} of {}", row.frame, story.event.frame);
            compared += 1;
        }
    }
    assert!(compared > 500, "{compared}");
}

#[test]
fn the_number_of_packets_is_kept_and_the_reset_is_always_among_them() {
    for event in events().iter().step_by(7) {
        let frame = number(event, "frame");
        let whole = story(frame, 10_000).timeline;
        assert_eq!((whole.earlier, whole.later), (0, false));
        for packets in [1, 2, 5, 20] {
            let part = story(frame, packets).timeline;
            assert_eq!(part.rows.len(), packets.min(whole.rows.len()), "{frame}");
            assert!(part.rows.iter().any(|row| row.frame == frame));
            let skipped = usize::try_from(part.earlier).unwrap();
            assert_eq!(part.rows[0].frame, whole.rows[skipped].frame, "{frame}");
            assert_eq!(part.later, skipped + part.rows.len() < whole.rows.len(), "{frame}");
        }
    }
}

#[test]
fn any_packet_of_a_flow_leads_to_its_reset() {
    for event in events().iter().step_by(5) {
        let frame = number(event, "frame");
        let told = story(frame, 10_000);
        assert_eq!(told.asked, None);
        for row in &told.timeline.rows {
            let other = story(row.frame, 1);
            assert_eq!(other.event.key, told.event.key, "frame {}", row.frame);
            let is_own = other.event.frame == row.frame;
            assert_eq!(other.asked, (!is_own).then_some(row.frame));
            if row.remarks.contains(&Remark::ResetAgain) {
                assert!(other.event.frame <= row.frame, "a RST belongs to what began before it");
            }
            if told.others.named.is_empty() {
                assert_eq!(other.event.frame, frame);
            }
        }
    }
}

#[test]
fn each_rst_is_told_as_part_of_the_event_that_counts_it() {
    let mut counted: BTreeMap<u64, u64> = BTreeMap::new();
    let mut rsts = Vec::new();
    for event in events() {
        let told = story(number(&event, "frame"), 10_000);
        let again =
            told.timeline.rows.iter().filter(|row| row.remarks.contains(&Remark::ResetAgain));
        rsts.extend(again.map(|row| row.frame).chain([told.event.frame]));
    }
    rsts.sort_unstable();
    rsts.dedup();
    for frame in rsts {
        *counted.entry(story(frame, 1).event.frame).or_default() += 1;
    }
    for event in events() {
        let frame = number(&event, "frame");
        assert_eq!(counted.get(&frame), Some(&number(&event, "packets")), "frame {frame}");
    }
}

#[test]
fn a_flow_is_found_from_either_end() {
    let told = text(&explain(&["--frame", "36"]));
    for flow in ["10.77.199.66:27799-10.77.199.2:59208", "10.77.199.2:59208-10.77.199.66:27799"] {
        assert_eq!(text(&explain(&["--flow", flow])), told);
    }
}

#[test]
fn what_cannot_be_told_is_refused_in_one_sentence() {
    for (args, code, words) in [
        (
            &["--frame", "999999"][..],
            1,
            "there is no frame 999999: the capture ends with frame 2211",
        ),
        (&["--flow", "10.0.0.1:1-10.0.0.2:2"], 1, "no reset was found on 10.0.0.1:1-10.0.0.2:2"),
        (&["-", "--frame", "3"], 1, "standard input can be read only once"),
        (&["--flow", "nonsense"], 2, "nonsense is no flow"),
        (&["--frame", "0"], 2, "--frame"),
        (&["--packets", "0"], 2, "--packets"),
        (&["--frame", "1", "--flow", "10.0.0.1:1-10.0.0.2:2"], 2, "cannot be used with"),
    ] {
        let (status, sentence) = refusal(&explain(args));
        assert_eq!(status, Some(code), "{args:?}: {sentence}");
        assert!(sentence.contains(words), "{args:?}: {sentence}");
        assert!(code == 2 || sentence.lines().count() == 1, "{sentence}");
    }
}

#[test]
fn a_damaged_capture_is_told_of_with_exit_code_3() {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let file = std::fs::File::open(corpus()).unwrap();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.pcap");
    std::fs::write(&path, &bytes[..bytes.len() - 7]).unwrap();
    for args in [&[][..], &["--frame", "36"]] {
        let output =
            cargo_bin_cmd!("resetscope").arg("explain").arg(&path).args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(3));
        assert!(String::from_utf8(output.stdout).unwrap().contains("1.1 no_listener"));
        assert!(String::from_utf8(output.stderr).unwrap().contains("cut.pcap"));
    }
}

#[test]
fn every_value_of_every_fact_can_be_read_and_no_form_belies_its_verdict() {
    let mut subcauses = Vec::new();
    for event in events() {
        let judged = story(number(&event, "frame"), 1).event;
        for &fact in Fact::ALL {
            for value in [-2_000_000, -16, -1, 0, 1, 2, 3, 40, 1000, 100_000, 90_000_000] {
                let read = reading::of(&judged, fact, value);
                assert!(read.says.ends_with('.'), "{fact:?} {value}");
                let both = read.favours.iter().find(|subcause| read.against.contains(subcause));
                assert_eq!(both, None, "{fact:?} {value} argues both ways");
            }
        }
        let claim = judged.verdict.claim.subcause;
        let form = judged.evidence.get(Fact::Form).unwrap();
        let leaning = reading::of(&judged, Fact::Form, form).leaning(claim);
        assert_ne!(leaning, Leaning::Against, "frame {}: {claim:?}", judged.frame);
        subcauses.push(claim);
    }
    subcauses.sort_unstable();
    subcauses.dedup();
    assert!(subcauses.len() > 15 && subcauses.len() <= Subcause::ALL.len());
}

#[test]
fn the_documentation_names_every_field_of_a_story() {
    let page = include_str!("../SCHEMA.md");
    let output = text(&explain(&["--frame", "36", "--format", "json"]));
    let story: Value = serde_json::from_str(&output).unwrap();
    let mut fields: Vec<String> = Vec::new();
    for (name, value) in story.as_object().unwrap() {
        fields.push(format!("`{name}`"));
        let inner = value.as_array().and_then(|array| array.first()).unwrap_or(value);
        if name != "event" && name != "meaning" {
            let names = inner.as_object().into_iter().flat_map(|object| object.keys());
            fields.extend(names.map(|inner| format!("`{name}.{inner}`")));
        }
    }
    for field in fields {
        assert!(page.contains(&field), "SCHEMA.md lacks {field}");
    }
}
