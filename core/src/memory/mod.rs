//! Cross-flow memory: what other flows showed of a service, a host, a source.
//!
//! Shards don't share it. They report [`Sighting`]s and open verdicts; the collector puts both into
//! the order of the capture and lets [`settle::Settler`] judge again with what is remembered here.
//! Everything is bounded, and forgets the longest known first.

pub mod brief;
mod endings;
pub mod settle;
mod store;

use crate::flow::key::FlowKey;
use crate::limits::{MEMORY_HOSTS, MEMORY_SERVICES, MEMORY_SOURCES, SCAN_TARGETS};

use store::Store;

/// How long an accepted connection counts as a sign of life, in nanoseconds of packet time.
const ALIVE_NS: u64 = 600_000_000_000;

/// Time over which the refusals of one source add up to a scan, in nanoseconds of packet time.
const SCAN_NS: u64 = 60_000_000_000;

/// One endpoint of a flow: address, port, overlay network.
pub(crate) type Endpoint = (u128, u16, u32);

/// One host: address, overlay network. Addresses are numbers: those are hashed and compared at once.
pub(crate) type HostKey = (u128, u32);

/// The endpoint `side` of a key.
pub(crate) const fn endpoint(key: &FlowKey, side: usize) -> Endpoint {
    (u128::from_be_bytes(key.addr[side & 1]), key.port[side & 1], key.domain)
}

/// The host of endpoint `side`.
pub(crate) const fn host(key: &FlowKey, side: usize) -> HostKey {
    (u128::from_be_bytes(key.addr[side & 1]), key.domain)
}

/// A service accepted a connection: a SYN-ACK was seen.
#[derive(Clone, Copy, Debug)]
pub struct Sighting {
    /// Frame number of the SYN-ACK.
    pub frame: u64,
    /// Its time, in nanoseconds since 1970-01-01 UTC.
    pub time_ns: u64,
    /// The flow.
    pub key: FlowKey,
    /// Endpoint of `key` that accepted.
    pub side: u8,
    /// Time to live of the SYN-ACK.
    pub ttl: u8,
    /// Microseconds from the SYN to the SYN-ACK; `u32::MAX` when the SYN was not seen, or repeated.
    pub response_us: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Host {
    ttl_min: u8,
    ttl_max: u8,
    response_us: u32,
    samples: u8,
}

/// What one source was refused lately: distinct targets, up to [`SCAN_TARGETS`].
#[derive(Clone, Copy, Debug, Default)]
struct Source {
    since_ns: u64,
    targets: [u64; SCAN_TARGETS],
    count: u8,
}

/// What is remembered of services, hosts and sources.
#[derive(Debug)]
pub(crate) struct Memory {
    /// When each service accepted last.
    accepted: Store<Endpoint, u64>,
    /// When each endpoint refused last: apart, so that a scan of closed ports displaces no service.
    refused: Store<Endpoint, u64>,
    hosts: Store<HostKey, Host>,
    sources: Store<HostKey, Source>,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self {
            accepted: Store::new(MEMORY_SERVICES),
            refused: Store::new(MEMORY_SERVICES),
            hosts: Store::new(MEMORY_HOSTS),
            sources: Store::new(MEMORY_SOURCES),
        }
    }

    /// Remembers that a service accepted.
    pub(crate) fn accepted(&mut self, sighting: &Sighting) {
        let side = usize::from(sighting.side);
        let accepted_ns = self.accepted.entry(endpoint(&sighting.key, side));
        *accepted_ns = sighting.time_ns.max(*accepted_ns);
        let host = self.hosts.entry(host(&sighting.key, side));
        if host.samples == 0 {
            (host.ttl_min, host.ttl_max, host.response_us) =
                (sighting.ttl, sighting.ttl, sighting.response_us);
        }
        host.ttl_min = host.ttl_min.min(sighting.ttl);
        host.ttl_max = host.ttl_max.max(sighting.ttl);
        host.response_us = host.response_us.min(sighting.response_us);
        host.samples = host.samples.saturating_add(1);
    }

    /// Remembers that endpoint `side` refused a SYN of the other.
    pub(crate) fn refused(&mut self, key: &FlowKey, side: usize, time_ns: u64) {
        let target = endpoint(key, side);
        let refused_ns = self.refused.entry(target);
        *refused_ns = time_ns.max(*refused_ns);
        let source = self.sources.entry(host(key, side ^ 1));
        if time_ns.saturating_sub(source.since_ns) > SCAN_NS {
            *source = Source { since_ns: time_ns, ..Source::default() };
        }
        let mark = mark(&target);
        let count = usize::from(source.count);
        if source.targets.iter().take(count).any(|known| *known == mark) {
            return;
        }
        if let Some(free) = source.targets.get_mut(count) {
            *free = mark;
            source.count += 1;
        }
    }

    /// Whether the service accepted within memory before `time_ns`, or after it; and whether it
    /// accepted after it.
    pub(crate) fn alive(&self, service: &Endpoint, time_ns: u64) -> (bool, bool) {
        self.accepted.get(service).map_or((false, false), |&accepted_ns| {
            (time_ns.saturating_sub(accepted_ns) <= ALIVE_NS, accepted_ns > time_ns)
        })
    }

    /// Whether the service refused after `time_ns`.
    pub(crate) fn refused_after(&self, service: &Endpoint, time_ns: u64) -> bool {
        self.refused.get(service).is_some_and(|refused_ns| *refused_ns > time_ns)
    }

    /// The range of time to live on the host's SYN-ACKs, and its shortest answer to a SYN in
    /// microseconds, when known.
    pub(crate) fn baseline(&self, host: &HostKey) -> Option<(u8, u8, Option<u32>)> {
        let host = self.hosts.get(host).filter(|host| host.samples > 0)?;
        let response = (host.response_us != u32::MAX).then_some(host.response_us);
        Some((host.ttl_min, host.ttl_max, response))
    }

    /// Distinct endpoints that refused `source` lately, up to [`SCAN_TARGETS`].
    pub(crate) fn refusals(&self, source: &HostKey, time_ns: u64) -> u16 {
        self.sources
            .get(source)
            .filter(|source| time_ns.saturating_sub(source.since_ns) <= SCAN_NS)
            .map_or(0, |source| source.count.into())
    }
}

/// A number that stands for an endpoint.
fn mark(endpoint: &Endpoint) -> u64 {
    let (addr, port, domain) = endpoint;
    let (key, _) = FlowKey::new((addr.to_be_bytes(), *port), ([0; 16], 0), *domain);
    crate::flow::hash::hash(&key)
}
