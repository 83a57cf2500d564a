//! Sizes of files.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Units and what they stand for.
const UNITS: [(&str, u64); 9] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1000),
    ("KB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

/// Smaller files than this would hold a few records each.
const SIZE_MIN: u64 = 1000;

/// A size in bytes, written as `100MB` (millions of bytes), `64MiB` (2^20) or a bare number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Size(u64);

impl Size {
    /// It, in bytes.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a size; write it as 100MB, 64MiB or 1GB");
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at_checked(digits).ok_or_else(wrong)?;
        let factor = match unit.trim() {
            "" | "B" => 1,
            unit => UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?.1,
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let bytes = number.checked_mul(factor).ok_or_else(wrong)?;
        if bytes < SIZE_MIN {
            return Err(format!("{text} is less than {SIZE_MIN} bytes"));
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Size {
    /// In the largest unit that leaves a whole number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, factor): &&(&str, u64)| self.0.is_multiple_of(*factor);
        match UNITS.iter().filter(fits).max_by_key(|(_, factor)| *factor) {
            Some((name, factor)) => write!(f, "{}{name}", self.0 / factor),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl From<Size> for String {
    fn from(size: Size) -> Self {
        size.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::Size;

    #[test]
    fn sizes_have_decimal_or_binary_units() {
        for (text, want) in [
            ("100MB", Some((100_000_000, "100MB"))),
            ("64 MiB", Some((64 << 20, "64MiB"))),
            ("1048576", Some((1 << 20, "1MiB"))),
            ("2000kB", Some((2_000_000, "2MB"))),
            ("1025B", Some((1025, "1025B"))),
            ("999", None),
            ("", None),
            ("MB", None),
            ("1.5GB", None),
            ("-1MB", None),
            ("1mb", None),
            ("99999999999TB", None),
        ] {
            let got = text.parse::<Size>().ok();
            let got = got.map(|size| (size.get(), size.to_string()));
            assert_eq!(got, want.map(|(bytes, shown)| (bytes, shown.to_owned())), "{text}");
        }
    }
}
