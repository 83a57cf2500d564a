//! By whom and of whom: the services reset most, and the hosts that most resets name as sender.

use std::net::SocketAddr;

use resetscope_core::judge::cause::Cause;

use super::authors::percent;
use super::gathered::Gathered;
use super::words::{self, count};
use crate::collect::top::Tally;

/// Services and hosts that are named.
const NAMED: usize = 10;

/// A service or host.
pub(super) struct Row {
    /// Its address, with a port if it is a service.
    pub(super) name: String,
    /// Resets.
    pub(super) events: String,
    /// RST packets.
    pub(super) packets: String,
    /// Causes: style, percent of the longest bar.
    pub(super) bar: Vec<(&'static str, String)>,
    /// The causes in words.
    pub(super) causes: String,
}

/// The services with the most resets.
pub(super) fn services(gathered: &Gathered) -> Vec<Row> {
    let most = gathered.top.services(NAMED);
    rows(
        most.into_iter()
            .map(|((addr, port), tally)| (SocketAddr::new(addr, port).to_string(), tally)),
    )
}

/// The hosts that the most resets name as their sender.
pub(super) fn hosts(gathered: &Gathered) -> Vec<Row> {
    rows(gathered.top.hosts(NAMED).into_iter().map(|(addr, tally)| (addr.to_string(), tally)))
}

fn rows<'a>(most: impl Iterator<Item = (String, &'a Tally)>) -> Vec<Row> {
    let most: Vec<_> = most.collect();
    let longest = most.first().map_or(0, |(_, tally)| tally.events);
    most.into_iter().map(|(name, tally)| row(name, tally, longest)).collect()
}

fn row(name: String, tally: &Tally, longest: u64) -> Row {
    let mut causes: Vec<(Cause, u64)> =
        Cause::ALL.into_iter().zip(tally.by_cause).filter(|(_, count)| *count > 0).collect();
    causes.sort_by_key(|(cause, count)| (std::cmp::Reverse(*count), *cause));
    let named: Vec<String> =
        causes.iter().map(|(cause, n)| format!("{} {}", words::cause(*cause), count(*n))).collect();
    Row {
        name,
        events: count(tally.events),
        packets: count(tally.packets),
        bar: causes.iter().map(|(cause, n)| (cause.name(), percent(*n, longest))).collect(),
        causes: named.join(", "),
    }
}
