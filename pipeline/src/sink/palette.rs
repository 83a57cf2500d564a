//! Colours for people: few, from the sixteen that every terminal has in its owner's shades.

use resetscope_core::judge::cause::Cause;

/// Colours, or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Palette {
    /// Whether there are colours.
    pub colour: bool,
}

/// The number of a cause's colour in ECMA-48 (SGR): red for what somebody did on purpose, green for
/// what is no failure.
#[must_use]
pub const fn colour_of(cause: Cause) -> u8 {
    match cause {
        Cause::ClosedPort => 33,
        Cause::NoConnection => 36,
        Cause::Firewall => 35,
        Cause::Application => 34,
        Cause::Network => 93,
        Cause::ExplicitKill => 31,
        Cause::Benign => 32,
        Cause::Unknown => 90,
    }
}

impl Palette {
    /// What the eye should find first.
    #[must_use]
    pub fn strong(self, text: &str) -> String {
        self.paint(1, text)
    }

    /// What is there to be looked up.
    #[must_use]
    pub fn faint(self, text: &str) -> String {
        self.paint(2, text)
    }

    /// What should not be.
    #[must_use]
    pub fn warning(self, text: &str) -> String {
        self.paint(31, text)
    }

    /// A cause's name, wherever it first stands in the line.
    #[must_use]
    pub fn cause(self, cause: Cause, line: &str) -> String {
        line.replacen(cause.name(), &self.paint(colour_of(cause), cause.name()), 1)
    }

    fn paint(self, code: u8, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
