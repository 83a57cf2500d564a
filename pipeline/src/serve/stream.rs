//! What a page is fed: server-sent events, as the HTML standard has them (section 9.2).
//!
//! `hello` comes first, then what was before, then whatever happens: `reset` and `summary` carry the
//! objects of `SCHEMA.md` unchanged, `tap` tells about the interface, `omitted` how many resets were
//! not sent since the summary before, and `bye` ends it.

use std::io::{self, Write};

use bytes::Bytes;
use resetscope_core::judge::cause::Subcause;
use serde::Serialize;

use super::hub::Hub;

/// Sent when there is nothing to say, so that both ends see whether the other is still there.
pub(super) const KEEP_ALIVE: Bytes = Bytes::from_static(b":\n\n");

/// The last message.
pub(super) const BYE: Bytes = Bytes::from_static(b"event: bye\ndata: {}\n\n");

/// A message whose data `write` writes as one line that ends with a line feed.
///
/// # Errors
/// Those of `write`.
pub(super) fn message(
    name: &str,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<Bytes> {
    let mut out = Vec::with_capacity(4096);
    write!(out, "event: {name}\ndata: ")?;
    write(&mut out)?;
    out.push(b'\n');
    Ok(out.into())
}

#[derive(Serialize)]
struct Hello<'a> {
    version: &'static str,
    interface: &'a str,
    interval_ms: u64,
    uptime_ms: u64,
    flows_max: u64,
    /// Id, cause and name of every sub-cause.
    subcauses: Vec<[&'static str; 3]>,
}

#[derive(Serialize)]
struct Tap<'a> {
    listening: bool,
    said: &'a str,
}

fn json(name: &str, value: &impl Serialize) -> Bytes {
    let written = message(name, |out| {
        serde_json::to_writer(&mut *out, value)?;
        out.write_all(b"\n")
    });
    // Plain fields can always be written to memory.
    written.unwrap_or_default()
}

/// What a page is told first, where `listening` and `said` are the hub's readiness.
pub(super) fn hello(hub: &Hub, listening: bool, said: &str) -> Bytes {
    let hello = Hello {
        version: env!("CARGO_PKG_VERSION"),
        interface: &hub.about.interface,
        interval_ms: millis(hub.about.interval),
        uptime_ms: millis(hub.uptime()),
        flows_max: hub.about.flows,
        subcauses: Subcause::ALL.iter().map(|of| [of.id(), of.cause().name(), of.name()]).collect(),
    };
    [json("hello", &hello), tap(listening, said)].concat().into()
}

/// How the interface is.
pub(super) fn tap(listening: bool, said: &str) -> Bytes {
    json("tap", &Tap { listening, said })
}

fn millis(of: std::time::Duration) -> u64 {
    u64::try_from(of.as_millis()).unwrap_or(u64::MAX)
}
