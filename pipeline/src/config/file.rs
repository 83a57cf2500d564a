//! Configuration files: TOML, and what is wrong with one, by line and column.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::Config;

/// Names of all keys; those of a table behind its name and a dot.
const KEYS: &[&str] = &[
    "interface",
    "interval",
    "duration",
    "format",
    "events",
    "top",
    "quiet",
    "workers",
    "cores",
    "flows",
    "user",
    "kernel_reasons",
    "privacy",
    "files",
    "files.summaries",
    "files.histograms",
    "files.rotate_size",
    "files.rotate_every",
    "files.rotate_keep",
    "af_packet",
    "af_packet.filter",
    "af_packet.snaplen",
    "af_packet.promiscuous",
    "af_packet.ring_mib",
    "af_packet.block_kib",
    "af_packet.block_timeout_ms",
    "af_packet.busy_poll_us",
    "serve",
    "serve.metrics",
    "serve.http",
    "serve.services",
    "dpdk",
    "dpdk.devices",
    "dpdk.main_core",
    "dpdk.steering",
    "dpdk.buffers",
    "dpdk.buffer_cache",
    "dpdk.rx_descriptors",
    "dpdk.bursts",
    "dpdk.mtu",
    "dpdk.promiscuous",
    "dpdk.device_time",
    "dpdk.huge_pages",
    "dpdk.memory_mib",
    "dpdk.link_wait_s",
    "dpdk.eal_args",
];

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot read the configuration {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// Its contents are wrong.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What is wrong, as a sentence.
        message: String,
    },
}

/// Reads a configuration file over the defaults.
///
/// # Errors
/// When it cannot be read, is not TOML, has a key that does not exist or a value out of range.
pub fn read(path: &Path) -> Result<Config, ConfigError> {
    let text = fs::read_to_string(path)
        .map_err(|cause| ConfigError::Read { path: path.to_owned(), cause })?;
    parse(&text).map_err(|(at, message)| {
        let (line, column) = place(&text, at);
        ConfigError::Content { path: path.to_owned(), line, column, message }
    })
}

/// The configuration as such a file.
#[must_use]
pub fn text(config: &Config) -> String {
    // All keys are names and all values plain, which TOML can always write.
    toml::to_string(config).unwrap_or_default()
}

/// What is wrong, and where.
type Fault = (usize, String);

fn parse(text: &str) -> Result<Config, Fault> {
    let fault = |error: toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start);
        // One line, however many the parser would like.
        (at, error.message().trim().replace('\n', "; "))
    };
    let table = DeTable::parse(text).map_err(fault)?;
    check_keys(table.get_ref(), "")?;
    toml::from_str(text).map_err(fault)
}

fn check_keys(table: &DeTable<'_>, prefix: &str) -> Result<(), Fault> {
    for (key, value) in table {
        let name = format!("{prefix}{}", key.get_ref());
        if !KEYS.contains(&name.as_str()) {
            let Range { start, .. } = key.span();
            return Err((start, unknown(&name)));
        }
        if let DeValue::Table(inner) = value.get_ref() {
            check_keys(inner, &format!("{name}."))?;
        }
    }
    Ok(())
}

/// A sentence about a key that does not exist, with the nearest that does, if one is near.
fn unknown(name: &str) -> String {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let nearest = KEYS
        .iter()
        .map(|key| {
            let whole = strsim::damerau_levenshtein(key, name);
            // A good name in the wrong table is near, too.
            (whole.min(1 + strsim::damerau_levenshtein(&last(key), &last(name))), *key)
        })
        .min()
        .filter(|(distance, _)| *distance <= 1 + name.len() / 3);
    match nearest {
        Some((_, key)) => format!("there is no key `{name}`; the nearest is `{key}`"),
        None => format!("there is no key `{name}`"),
    }
}

/// Line and column of a byte offset, from 1.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Dpdk;

    const AF_PACKET: &str = include_str!("../../../configs/af-packet.toml");
    const DPDK: &str = include_str!("../../../configs/dpdk-nic.toml");

    /// An annotated file with every commented key in force.
    fn uncommented(annotated: &str) -> String {
        let key = |line: &str| {
            let name = line.split(" =").next().unwrap_or_default();
            KEYS.iter().any(|key| key.rsplit('.').next() == Some(name))
        };
        annotated
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(rest) if rest.contains(" = ") && key(rest) => rest,
                _ => line,
            })
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn the_annotated_files_are_the_default() {
        let interface = Some("eth0".to_owned());
        assert_eq!(parse(AF_PACKET), Ok(Config { interface, ..Config::default() }));
        let device = Dpdk { devices: vec!["0000:03:00.0".to_owned()], ..Dpdk::default() };
        assert_eq!(parse(DPDK), Ok(Config { dpdk: Some(device), ..Config::default() }));
    }

    #[test]
    fn each_annotated_file_names_every_key_of_its_kind_and_no_other() {
        for (annotated, not_there) in
            [(AF_PACKET, &["dpdk"][..]), (DPDK, &["af_packet", "interface"])]
        {
            let text = uncommented(annotated);
            let table = DeTable::parse(&text).unwrap();
            let mut names = Vec::new();
            for (key, value) in table.get_ref() {
                names.push(key.get_ref().to_string());
                if let DeValue::Table(inner) = value.get_ref() {
                    let inner =
                        inner.keys().map(|of| format!("{}.{}", key.get_ref(), of.get_ref()));
                    names.extend(inner);
                }
            }
            names.sort();
            let mut want = KEYS.to_vec();
            want.retain(|key| !not_there.contains(&key.split('.').next().unwrap()));
            want.sort_unstable();
            assert_eq!(names, want);
            let full = parse(&text).unwrap();
            assert_eq!(parse(&super::text(&full)), Ok(full), "what is printed can be read again");
        }
    }

    #[test]
    fn the_shorter_files_can_be_read() {
        for text in [
            include_str!("../../../configs/dpdk-af-packet.toml"),
            include_str!("../../../configs/dpdk-af-xdp.toml"),
            include_str!("../../../configs/dpdk-pcap.toml"),
        ] {
            assert!(parse(text).is_ok_and(|config| config.dpdk.is_some()), "{text}");
        }
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        for (text, want) in [
            ("intervall = \"1s\"", "1:1: there is no key `intervall`; the nearest is `interval`"),
            (
                "top = 3\n[af_packet]\n  snap_len = 9",
                "3:3: there is no key `af_packet.snap_len`; the nearest is `af_packet.snaplen`",
            ),
            ("snaplen = 96", "1:1: there is no key `snaplen`; the nearest is `af_packet.snaplen`"),
            ("colour = 1", "1:1: there is no key `colour`"),
            ("[af_packet]\nsnaplen = 9", "2:11: 9 is not between 64 and 262144"),
            (
                "[dpdk]\nbuffer = 1",
                "2:1: there is no key `dpdk.buffer`; the nearest is `dpdk.buffers`",
            ),
            ("[dpdk]\nbursts = 33", "2:10: 33 is not between 1 and 32"),
            ("workers = 0", "1:11: 0 is not between 1 and 64"),
            ("flows = -1", "1:9: "),
            ("interval = \"5\"", "1:12: "),
            ("top = ", "1:7: "),
            ("top = 1\ntop = 2", "2:1: "),
            ("format = \"xml\"", "1:10: "),
        ] {
            let got = parse(text).map_err(|(at, message)| {
                let (line, column) = place(text, at);
                format!("{line}:{column}: {message}")
            });
            let got = got.unwrap_err();
            assert!(got.starts_with(want), "{text:?}\n got {got}\nwant {want}");
            assert!(!got.contains('\n'), "{got}");
        }
    }
}
