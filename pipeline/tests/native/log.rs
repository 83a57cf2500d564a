//! Remarks: which are printed, how, and with what priority under systemd.

use std::fs::File;
use std::os::unix::fs::MetadataExt;

use serde_json::Value;

use super::capture_writer::gzip;
use super::{Captures, resetscope, text};

#[test]
fn the_level_comes_from_the_command_line_or_else_quiet_or_else_the_environment() {
    let captures = Captures::new();
    // Damage is an error, and memory a thing for debugging.
    for (args, variable, damage, memory, why) in [
        (&[][..], "", true, false, "the default is info"),
        (&["--quiet"], "", true, false, "quiet keeps errors"),
        (&["--log-level", "error"], "", true, false, "errors are never kept away"),
        (&["--log-level", "debug"], "", true, true, "as asked for"),
        (&["--log-level", "trace"], "", true, true, "trace is more than debug"),
        (&[], "debug", true, true, "as asked for"),
        (&["--log-level", "info"], "debug", true, false, "the command line wins"),
        (&["--quiet"], "debug", true, false, "quiet is typed, the variable is not"),
        (&["--quiet", "--log-level", "debug"], "", true, true, "a level says more than quiet"),
    ] {
        let output = resetscope()
            .args(["analyze", "--flows", "4096"])
            .args(args)
            .arg(&captures.cut)
            .env("RESETSCOPE_LOG", variable)
            .output()
            .unwrap();
        let said = text(&output.stderr);
        let has = |word| said.lines().any(|line: &str| line.contains(word));
        assert!(said.lines().all(|line| line.starts_with("resetscope: ")), "{said}");
        assert_eq!(has("is damaged at byte"), damage, "{args:?} {variable}: {why}: {said}");
        assert_eq!(has("flow tables reserved"), memory, "{args:?} {variable}: {why}: {said}");
    }
}

#[test]
fn quiet_makes_nothing_louder() {
    let captures = Captures::new();
    let whole = std::fs::read(&captures.good).unwrap();
    let odd = captures.folder.path().join("odd.pcap.gz");
    std::fs::write(&odd, [&gzip(&whole)[..], b"tail"].concat()).unwrap();
    for (args, variable, warned, why) in [
        (&[][..], "error", false, "a warning is less than an error"),
        (&["--quiet"], "error", false, "quiet adds nothing"),
        (&["--quiet"], "warn", true, "as asked for"),
        (&["--quiet"], "", true, "quiet keeps warnings"),
        (&["--quiet", "--log-level", "warn"], "error", true, "the command line wins"),
    ] {
        let mut command = resetscope();
        command.args(["analyze", "--flows", "4096"]).args(args).arg(&odd);
        let said = text(&command.env("RESETSCOPE_LOG", variable).output().unwrap().stderr);
        assert_eq!(said.contains("trailing garbage"), warned, "{args:?} {variable}: {why}: {said}");
    }
}

#[test]
fn a_level_that_does_not_exist_is_refused_where_typed_and_told_where_inherited() {
    let captures = Captures::new();
    let run = |args: &[&str], variable| {
        let mut command = resetscope();
        command.args(["analyze", "--flows", "4096"]).args(args).arg(&captures.good);
        command.env("RESETSCOPE_LOG", variable).output().unwrap()
    };
    let typed = run(&["--log-level", "loud"], "");
    assert_eq!(typed.status.code(), Some(2));
    assert!(text(&typed.stderr).contains("error, warn, info, debug, trace"));
    let inherited = run(&[], "loud");
    assert_eq!(inherited.status.code(), Some(0));
    assert!(text(&inherited.stderr).contains("RESETSCOPE_LOG is \"loud\", which is none of error"));
}

#[test]
fn remarks_as_json_are_one_object_a_line() {
    let captures = Captures::new();
    let output = resetscope()
        .args(["--log-format", "json", "--log-level", "debug", "analyze", "--flows", "4096"])
        .arg(&captures.cut)
        .output()
        .unwrap();
    let lines: Vec<Value> =
        text(&output.stderr).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let with = |level: &str| lines.iter().find(|line| line["level"] == level).unwrap();
    assert!(with("ERROR")["message"].as_str().unwrap().contains("cut.pcap is damaged at byte"));
    let memory = lines.iter().find(|line| line["message"] == "flow tables reserved").unwrap();
    assert!(memory["bytes"].as_u64().unwrap() > 4096 * 128, "{memory}");
    assert_eq!(memory["level"], "DEBUG");
}

#[test]
fn the_journal_is_told_priorities_and_nobody_else_is() {
    let captures = Captures::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    for (is_journal, begins) in [(true, "<3>resetscope: "), (false, "resetscope: ")] {
        let file = File::create(&path).unwrap();
        let meta = file.metadata().unwrap();
        let inode = meta.ino() + u64::from(!is_journal);
        resetscope()
            .args(["analyze", "--flows", "4096"])
            .arg(&captures.cut)
            .env("JOURNAL_STREAM", format!("{}:{inode}", meta.dev()))
            .stderr(file)
            .output()
            .unwrap();
        let said = std::fs::read_to_string(&path).unwrap();
        assert!(said.starts_with(begins), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
