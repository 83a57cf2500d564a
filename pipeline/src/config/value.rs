//! Values that check themselves, the same way in a file and on the command line.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The shortest length of time that can be asked for.
const LENGTH_MIN: Duration = Duration::from_millis(100);

/// The longest: beyond any run, and within what all clocks can count.
const LENGTH_MAX: Duration = Duration::from_secs(100 * 31_557_600);

/// Cores that a list may name, at most: as many as the kernel's own sets hold.
const CORES_MAX: usize = 1024;

/// A whole number from `LOW` to `HIGH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Within<const LOW: u64, const HIGH: u64>(u64);

impl<const LOW: u64, const HIGH: u64> Within<LOW, HIGH> {
    /// A number that is known when the program is built.
    #[must_use]
    pub const fn constant<const N: u64>() -> Self {
        const { assert!(N >= LOW && N <= HIGH, "the number is out of its range") };
        Self(N)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number, as far as it fits.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    /// The number, as far as it fits.
    #[must_use]
    pub fn as_u32(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }
}

impl<const LOW: u64, const HIGH: u64> TryFrom<u64> for Within<LOW, HIGH> {
    type Error = String;

    fn try_from(number: u64) -> Result<Self, String> {
        if (LOW..=HIGH).contains(&number) {
            Ok(Self(number))
        } else {
            Err(format!("{number} is not between {LOW} and {HIGH}"))
        }
    }
}

impl<const LOW: u64, const HIGH: u64> From<Within<LOW, HIGH>> for u64 {
    fn from(number: Within<LOW, HIGH>) -> Self {
        number.0
    }
}

impl<const LOW: u64, const HIGH: u64> FromStr for Within<LOW, HIGH> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number: u64 =
            text.parse().map_err(|_| format!("`{text}` is not a number from {LOW} to {HIGH}"))?;
        number.try_into()
    }
}

/// A length of time from 100 ms to 100 years, written as `500ms`, `10s`, `5m` or `1h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Length(Duration);

impl Length {
    /// So many seconds, as far as that is a length.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(match seconds {
            0 => 1,
            more if more > LENGTH_MAX.as_secs() => LENGTH_MAX.as_secs(),
            fits => fits,
        }))
    }

    /// It.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl FromStr for Length {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let length = humantime::parse_duration(text)
            .map_err(|error| format!("{error}; write it as 500ms, 10s, 5m or 1h"))?;
        if length < LENGTH_MIN {
            return Err(format!("{text} is shorter than 100ms"));
        }
        if length > LENGTH_MAX {
            return Err(format!("{text} is longer than 100years"));
        }
        Ok(Self(length))
    }
}

impl TryFrom<String> for Length {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl From<Length> for String {
    fn from(length: Length) -> Self {
        length.to_string()
    }
}

/// Processor cores by number, written as `0,2-5`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cores(Vec<usize>);

impl Cores {
    /// Their numbers, in the order in which they were written.
    #[must_use]
    pub fn list(&self) -> &[usize] {
        &self.0
    }
}

impl FromStr for Cores {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a list of cores such as 0,2-5");
        let mut cores = Vec::new();
        for part in text.split(',').map(str::trim) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let number = |text: &str| {
                let number = text.trim().parse().map_err(|_| wrong())?;
                if number < CORES_MAX { Ok(number) } else { Err(format!("no core {number}")) }
            };
            let (first, last): (usize, usize) = (number(first)?, number(last)?);
            if last < first {
                return Err(wrong());
            }
            cores.extend(first..=last);
        }
        Ok(Self(cores))
    }
}

impl TryFrom<String> for Cores {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&numbers.join(","))
    }
}

impl From<Cores> for String {
    fn from(cores: Cores) -> Self {
        cores.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn core_lists_keep_their_order() {
        for (text, want) in [
            ("0", Some(vec![0])),
            ("3,1", Some(vec![3, 1])),
            ("0, 2-4", Some(vec![0, 2, 3, 4])),
            ("", None),
            ("4-2", None),
            ("1,", None),
            ("0-99999999", None),
            ("-1", None),
        ] {
            assert_eq!(text.parse::<Cores>().ok().map(|cores| cores.0), want, "{text}");
        }
    }

    #[test]
    fn lengths_have_a_unit_and_bounds() {
        for (text, want) in [
            ("100years", Some(3_155_760_000_000)),
            ("101years", None),
            ("300000000000y", None),
            ("100ms", Some(100)),
            ("10s", Some(10_000)),
            ("1m 30s", Some(90_000)),
            ("99ms", None),
            ("0s", None),
            ("10", None),
            ("ten", None),
        ] {
            let got = text.parse::<Length>().ok().map(|length| length.get().as_millis());
            assert_eq!(got, want, "{text}");
        }
    }
}
