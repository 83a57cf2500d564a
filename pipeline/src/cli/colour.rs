//! Whether there are colours: as asked for, or else as the environment and the terminal say.

use std::env;
use std::io::IsTerminal;

use clap::{Args, ColorChoice};

use crate::sink::palette::Palette;

/// Arguments about colours.
#[derive(Args, Clone, Copy, Debug)]
pub struct Colour {
    /// When summaries have colours. `auto` is on a terminal, unless NO_COLOR or CLICOLOR=0 is
    /// set; CLICOLOR_FORCE makes it always.
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = ColorChoice::Auto)]
    pub color: ColorChoice,
}

impl Colour {
    /// The colours for what goes to `out` (<https://no-color.org>, <https://bixense.com/clicolors>).
    pub(super) fn palette(self, out: &impl IsTerminal) -> Palette {
        let colour = match self.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                let set = |name| env::var_os(name).filter(|value| !value.is_empty());
                let forced = set("CLICOLOR_FORCE").is_some_and(|value| value != "0");
                let refused = set("CLICOLOR").is_some_and(|value| value == "0")
                    || set("TERM").is_none_or(|term| term == "dumb");
                set("NO_COLOR").is_none() && (forced || !refused && out.is_terminal())
            }
        };
        Palette { colour }
    }
}
