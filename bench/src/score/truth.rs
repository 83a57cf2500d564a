//! Truth lines: what the kernel lab knows about each RST (fields: `bench/lab/README.md`).

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use resetscope_core::flow::key::{FlowKey, mapped};
use resetscope_core::judge::cause::{Cause, Subcause};
use serde::Deserialize;

use super::ScoreError;

/// One RST of the truth.
#[derive(Clone, Debug)]
pub struct Reset {
    /// The lab's scenario and variant, such as `01-closed-port-v6`.
    pub scenario: String,
    /// The number that `scenario` begins with; 0 if it has none.
    pub number: u32,
    /// The flow.
    pub key: FlowKey,
    /// Who sent it, in the lab's words.
    pub sender: String,
    /// Frame number, from 1, at each tap that saw it.
    pub frames: BTreeMap<String, u64>,
    /// The expected sub-cause; `None` when the lab could not explain the RST.
    pub subcause: Option<Subcause>,
    /// Sub-causes that are as right, because a passive tap cannot know better.
    pub also_right: Vec<Subcause>,
    /// A further RST of an event that another one began.
    pub aftermath: bool,
}

impl Reset {
    /// Whether a verdict of this cause is right.
    #[must_use]
    pub fn allows_cause(&self, cause: Cause) -> bool {
        self.right().any(|right| right.cause() == cause)
    }

    /// Whether a verdict of this sub-cause is right.
    #[must_use]
    pub fn allows(&self, subcause: Subcause) -> bool {
        self.right().any(|right| right == subcause)
    }

    /// Whether a third party forged it.
    #[must_use]
    pub fn is_forged(&self) -> bool {
        matches!(self.sender.as_str(), "injector" | "tcpkill")
    }

    fn right(&self) -> impl Iterator<Item = Subcause> {
        self.subcause.into_iter().chain(self.also_right.iter().copied())
    }
}

#[derive(Deserialize)]
struct Line {
    scenario: String,
    src: IpAddr,
    sport: u16,
    dst: IpAddr,
    dport: u16,
    sender: String,
    frame: BTreeMap<String, u64>,
    subcause: Option<String>,
    also_right: Vec<Alternative>,
    role: Role,
}

#[derive(Deserialize)]
struct Alternative {
    subcause: String,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Role {
    Primary,
    Aftermath,
}

impl TryFrom<Line> for Reset {
    type Error = String;

    fn try_from(line: Line) -> Result<Self, String> {
        let digits = line.scenario.split('-').next().unwrap_or_default();
        let ends = [(line.src, line.sport), (line.dst, line.dport)];
        let [source, destination] = ends.map(|(address, port)| (octets(address), port));
        let also = line.also_right.iter().map(|other| subcause_of(&other.subcause));
        Ok(Self {
            number: digits.parse().unwrap_or(0),
            scenario: line.scenario,
            key: FlowKey::new(source, destination, 0).0,
            sender: line.sender,
            frames: line.frame,
            subcause: line.subcause.as_deref().map(subcause_of).transpose()?,
            also_right: also.collect::<Result<_, _>>()?,
            aftermath: line.role == Role::Aftermath,
        })
    }
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => mapped(v4.octets()),
        IpAddr::V6(v6) => v6.octets(),
    }
}

fn subcause_of(id: &str) -> Result<Subcause, String> {
    let found = Subcause::ALL.iter().find(|subcause| subcause.id() == id);
    found.copied().ok_or_else(|| format!("there is no sub-cause {id:?}"))
}

/// Reads a truth file.
///
/// # Errors
/// When it cannot be read, or a line is not a truth line.
pub fn read(path: &Path) -> Result<Vec<Reset>, ScoreError> {
    let text = fs::read_to_string(path)
        .map_err(|cause| ScoreError::Read { path: path.to_owned(), cause })?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(index, line)| parse(line).map_err(|what| wrong(path, index, what))).collect()
}

fn wrong(path: &Path, index: usize, what: String) -> ScoreError {
    ScoreError::Truth { path: path.to_owned(), line: index + 1, what }
}

fn parse(line: &str) -> Result<Reset, String> {
    serde_json::from_str::<Line>(line).map_err(|error| error.to_string())?.try_into()
}

#[cfg(test)]
mod tests {
    use super::parse;
    use resetscope_core::judge::cause::{Cause, Subcause};

    const LINE: &str = r#"{"scenario": "33-killcx-v6", "time_ns": 1, "src": "fd77::2", "sport": 2,
        "dst": "fd77::1", "dport": 1, "seq": 9, "sender": "injector", "frame": {"client": 51},
        "cause": "explicit_kill", "subcause": "6.3", "role": "primary",
        "also_right": [{"cause": "firewall", "subcause": "3.3"}]}"#;

    #[test]
    fn a_line_says_which_verdicts_are_right() {
        let reset = parse(LINE).unwrap();
        assert_eq!((reset.number, reset.frames["client"]), (33, 51));
        assert!(reset.is_forged() && !reset.aftermath);
        for (subcause, right, cause_right) in [
            (Subcause::Killcx, true, true),
            (Subcause::Injection, true, true),
            // Another sub-cause of a right cause.
            (Subcause::Tcpkill, false, true),
            (Subcause::Abort, false, false),
        ] {
            assert_eq!(reset.allows(subcause), right, "{subcause:?}");
            assert_eq!(reset.allows_cause(subcause.cause()), cause_right, "{subcause:?}");
        }
    }

    #[test]
    fn a_reset_that_the_lab_cannot_explain_allows_nothing() {
        let reset = parse(
            &LINE
                .replace(r#""6.3""#, "null")
                .replace(r#"{"cause": "firewall", "subcause": "3.3"}"#, ""),
        );
        let reset = reset.unwrap();
        assert!(Cause::ALL.iter().all(|cause| !reset.allows_cause(*cause)));
    }

    #[test]
    fn an_unknown_subcause_is_an_error_that_names_it() {
        assert!(parse(&LINE.replace("6.3", "6.9")).unwrap_err().contains("6.9"));
    }
}
