//! Masked addresses on the command line.

use anyhow::{Context, Result};
use clap::Args;

use crate::sink::mask::Mask;

/// Arguments about privacy.
#[derive(Args, Debug)]
pub struct Privacy {
    /// Mask the addresses in all output with this key: 64 hexadecimal digits, or better a file that
    /// holds them (openssl rand -hex 32 > FILE), for others can see what is typed. Prefixes are kept:
    /// the masks of neighbours are neighbours. Community IDs and display filters then name the
    /// masks, and texts that resets carried are left out.
    #[arg(long, value_name = "KEYFILE|KEY")]
    pub privacy: Option<String>,
}

/// The mask that is asked for, if one is.
pub(super) fn mask(given: Option<&str>) -> Result<Option<Mask>> {
    given.map(Mask::new).transpose().context("cannot mask addresses")
}
