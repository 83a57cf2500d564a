//! `resetscope man` and `resetscope completions`: made from the definitions that arguments are
//! parsed by, so that they cannot tell of anything else.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use roff::{Roff, roman};

use super::args::Cli;
use super::exit::Outcome;

/// What a block of the help behind the options begins with, and the section that it becomes.
const SECTIONS: [(&str, &str); 3] =
    [("Examples:", "EXAMPLES"), ("Environment:", "ENVIRONMENT"), ("Exit codes:", "EXIT STATUS")];

pub(super) const MAN: &str = "Writes the manual pages: one of the program, and one of each command.\n\n\
        Without a folder it prints that of the program.";

pub(super) const MAN_EXAMPLES: &str = "Examples:\n  \
        resetscope man | man -l -\n  \
        resetscope man /usr/local/share/man/man1";

pub(super) const COMPLETIONS: &str = "Prints what makes a shell complete commands and options.";

pub(super) const COMPLETIONS_EXAMPLES: &str = "Examples:\n  \
        resetscope completions bash >~/.local/share/bash-completion/completions/resetscope\n  \
        resetscope completions zsh >~/.zfunc/_resetscope\n  \
        resetscope completions fish >~/.config/fish/completions/resetscope.fish";

/// Arguments of `man`.
#[derive(Args, Debug)]
pub struct ManArgs {
    /// Where to write the pages; made if it is not there.
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

/// Arguments of `completions`.
#[derive(Args, Debug)]
pub struct Completions {
    /// The shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Runs `man`.
pub(super) fn man(args: &ManArgs) -> Result<Outcome> {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let Some(folder) = &args.folder else {
        page(&program, &mut io::stdout()).context("cannot write the page")?;
        return Ok(Outcome::Done);
    };
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for command in shown(&program) {
        let path = folder.join(format!("{}.1", name(command)));
        let mut text = Vec::new();
        page(command, &mut text)
            .and_then(|()| fs::write(&path, text))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(Outcome::Done)
}

/// Runs `completions`.
pub(super) fn completions(args: &Completions) -> Result<Outcome> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "resetscope", &mut text);
    io::stdout().write_all(&text).context("cannot write the completions")?;
    Ok(Outcome::Done)
}

/// Writes the page of one command.
fn page(command: &Command, out: &mut dyn Write) -> io::Result<()> {
    let man = Man::new(command.clone());
    let (name, version) = (name(command).to_uppercase(), env!("CARGO_PKG_VERSION"));
    // Without a date: the same program gives the same page.
    writeln!(out, r#".TH "{name}" 1 "" "resetscope {version}" "User Commands""#)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    if command.has_subcommands() {
        man.render_subcommands_section(out)?;
    }
    let behind = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    sections(&behind).to_writer(out)
}

/// The program and its commands, but for those that are not for people.
fn shown(program: &Command) -> impl Iterator<Item = &Command> {
    let commands = program.get_subcommands().filter(|command| !command.is_hide_set());
    std::iter::once(program).chain(commands)
}

fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

/// The help behind the options as sections: a block that begins like none of them belongs to the
/// section before it. Indented lines stay lines.
fn sections(text: &str) -> Roff {
    let mut roff = Roff::new();
    for block in text.split("\n\n") {
        let named =
            SECTIONS.iter().find_map(|(head, section)| Some((section, block.strip_prefix(head)?)));
        let block = match named {
            Some((section, rest)) => {
                roff.control("SH", [*section]);
                rest
            }
            None => {
                roff.control("PP", []);
                block
            }
        };
        let listed = block.trim_start_matches('\n').starts_with("  ");
        if listed {
            roff.control("nf", []);
        }
        for line in block.lines().map(str::trim_start).filter(|line| !line.is_empty()) {
            roff.text([roman(line)]);
        }
        if listed {
            roff.control("fi", []);
        }
    }
    roff
}
