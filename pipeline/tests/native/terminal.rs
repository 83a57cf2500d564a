//! Summaries for a person: 80 columns, and colours only where they are wanted.

use std::path::Path;
use std::process::Command;

use super::{Captures, resetscope, screen::Terminal, text};

const ESCAPE: char = '\x1b';

fn corpus() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/corpus/six-causes.pcap.gz")
}

#[test]
fn no_line_of_a_summary_is_longer_than_80_columns() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/captures/files");
    let mut files = vec![corpus()];
    match std::fs::read_dir(&folder) {
        Ok(entries) => files.extend(entries.map(|entry| entry.unwrap().path())),
        Err(_) => println!("only the shipped capture: there is no {}", folder.display()),
    }
    for file in files {
        let output =
            resetscope().args(["analyze", "-q", "--flows", "8192"]).arg(&file).output().unwrap();
        for line in text(&output.stdout).lines() {
            assert!(line.chars().count() <= 80, "{}: {line}", file.display());
        }
    }
}

#[test]
fn colours_come_by_option_environment_and_terminal_in_this_order() {
    for (terminal, args, environment, want, why) in [
        (false, &[][..], &[][..], false, "a pipe has no colours"),
        (true, &[], &[], true, "a terminal has"),
        (false, &["--color", "always"], &[], true, "as asked for"),
        (true, &["--color", "never"], &[], false, "as asked for"),
        (true, &[], &[("NO_COLOR", "1")], false, "no-color.org"),
        (true, &[], &[("NO_COLOR", "")], true, "no-color.org: not when empty"),
        (true, &["--color", "always"], &[("NO_COLOR", "1")], true, "no-color.org: options win"),
        (true, &[], &[("CLICOLOR", "0")], false, "bixense.com/clicolors"),
        (false, &[], &[("CLICOLOR_FORCE", "1")], true, "bixense.com/clicolors"),
        (true, &[], &[("TERM", "dumb")], false, "it could not show them"),
    ] {
        let mut command = resetscope();
        command.args(["analyze", "--flows", "8192"]).args(args).arg(corpus());
        command.env("TERM", "xterm-256color").envs(environment.iter().copied());
        let shown = if terminal {
            let mut screen = Terminal::new(80, 24);
            command.stdout(screen.end()).status().unwrap();
            screen.shows("shed").to_owned()
        } else {
            text(&command.output().unwrap().stdout)
        };
        assert!(shown.contains("61") && shown.contains("no_connection"), "{shown}");
        assert_eq!(shown.contains(ESCAPE), want, "{args:?} {environment:?}: {why}: {shown:?}");
    }
}

/// What is left of text without what begins with an escape.
fn plain(text: &str) -> String {
    let mut parts = text.split(ESCAPE);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + part.split_once('m').map_or("", |(_, rest)| rest))
}

#[test]
fn colours_change_nothing_but_colours() {
    let captures = Captures::new();
    for file in [&captures.good, &corpus()] {
        let run = |when: &str| {
            let mut command: Command = resetscope();
            command.args(["analyze", "--flows", "8192", "--color", when]).arg(file);
            text(&command.output().unwrap().stdout)
        };
        assert_eq!(plain(&run("always")), run("never"));
    }
}

/// Lines as a terminal is left with after all that was written to it: `\r` goes back to the
/// beginning of the line, and ESC `[2K` clears it.
fn left(written: &str) -> Vec<String> {
    let line = |line: &str| line.rsplit("\x1b[2K").next().unwrap_or(line).replace('\r', "");
    written.split("\r\n").map(line).collect()
}

#[test]
fn a_progress_bar_steps_aside_for_results() {
    // A pipe has no known length, so that there is a bar however short it is.
    for interval in ["1h", "100ms"] {
        let mut screen = Terminal::new(80, 24);
        let mut command = resetscope();
        command.args(["analyze", "--flows", "8192", "--color", "never", "--interval", interval]);
        let mut child = command
            .arg("-")
            .env("TERM", "xterm-256color")
            .stdin(std::process::Stdio::piped())
            .stdout(screen.end())
            .stderr(screen.end())
            .spawn()
            .unwrap();
        let bytes = std::fs::read(corpus()).unwrap();
        let mut input = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut input, &bytes).unwrap();
        // Drawn before the end is known.
        screen.shows("B 0");
        drop(input);
        assert!(child.wait().unwrap().success());
        // It has ends of the terminal, too.
        drop(command);
        let written = screen.rest();
        let lines = left(&written);
        assert!(lines.iter().any(|line| line.starts_with("frames: ")), "{lines:?}");
        for line in &lines {
            assert!(!line.contains("iB"), "the bar is left in {line:?}");
        }
    }
}
