//! Manual pages and completions: complete, and as the tools that show them like them.

use std::process::Command;

use clap::CommandFactory;
use resetscope::cli::args::Cli;

use super::{resetscope, text};

/// Commands with their names as pages have them, and the long names of their options.
fn commands() -> Vec<(String, Vec<String>)> {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let options = |command: &clap::Command| {
        command.get_arguments().filter_map(|arg| arg.get_long().map(ToOwned::to_owned)).collect()
    };
    let mut all = vec![("resetscope".to_owned(), options(&program))];
    for command in program.get_subcommands().filter(|command| !command.is_hide_set()) {
        all.push((format!("resetscope-{}", command.get_name()), options(command)));
    }
    all
}

#[test]
fn every_command_has_a_page_that_names_every_option_and_renders_without_warnings() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    let output = resetscope().arg("man").arg(&pages).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let commands = commands();
    assert_eq!(std::fs::read_dir(&pages).unwrap().count(), commands.len());
    for (name, options) in commands {
        let path = pages.join(format!("{name}.1"));
        let page = std::fs::read_to_string(&path).unwrap();
        assert!(page.contains(".SH NAME") && page.contains(".SH SYNOPSIS"), "{name}");
        for option in options {
            let written = format!("\\-\\-{}", option.replace('-', "\\-"));
            assert!(page.contains(&written), "{name}.1 lacks --{option}");
        }
        let Ok(groff) =
            Command::new("groff").args(["-Kutf8", "-ww", "-man", "-Tutf8"]).arg(&path).output()
        else {
            println!("not rendered: groff is not installed");
            continue;
        };
        assert!(groff.status.success() && groff.stderr.is_empty(), "{}", text(&groff.stderr));
        assert!(groff.stdout.len() > 500, "{name}");
    }
    for (page, section) in [
        ("resetscope", ".SH ENVIRONMENT"),
        ("resetscope", ".SH \"EXIT STATUS\""),
        ("resetscope-analyze", ".SH EXAMPLES"),
    ] {
        let page = std::fs::read_to_string(pages.join(format!("{page}.1"))).unwrap();
        assert!(page.contains(section), "{section}");
    }
    let alone = resetscope().arg("man").output().unwrap();
    assert_eq!(alone.stdout, std::fs::read(pages.join("resetscope.1")).unwrap());
}

#[test]
fn completions_know_every_command_and_option_and_are_what_the_shell_reads() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = resetscope().args(["completions", shell]).output().unwrap();
        let script = text(&output.stdout);
        for (name, options) in commands() {
            let command = name.trim_start_matches("resetscope-");
            assert!(script.contains(command), "{shell}: {command}");
            // Elvish, fish and PowerShell scripts may name an option without its dashes.
            options.iter().for_each(|name| assert!(script.contains(name), "{shell}: --{name}"));
        }
        let file = folder.path().join(shell);
        std::fs::write(&file, script).unwrap();
        let check = if shell == "fish" { "--no-execute" } else { "-n" };
        match Command::new(shell).arg(check).arg(&file).output() {
            Ok(read) => assert!(read.status.success(), "{shell}: {}", text(&read.stderr)),
            Err(_) => println!("not read: {shell} is not installed"),
        }
    }
}
