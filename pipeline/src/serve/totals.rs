//! What all intervals so far add up to: numbers that only grow, as Prometheus wants them.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use resetscope_core::interval::histogram::Metric;
use resetscope_core::interval::{Flows, Ledger, Resets};
use resetscope_core::judge::cause::Cause;

use super::buckets::Buckets;
use crate::collect::Summary;

/// Services whose resets are remembered; beyond it, the half with the fewest is forgotten.
const SERVICES_MAX: usize = 16_384;

/// Events by [`Cause`].
pub type ByCause = [u64; Cause::ALL.len()];

/// Everything since the start that metrics tell, as of the end of an interval.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Intervals so far.
    pub intervals: u64,
    /// End of the last, in nanoseconds since 1970-01-01 UTC; 0 before the first.
    pub end_ns: u64,
    /// The packet ledger.
    pub frames: Ledger,
    /// Flows opened and evicted so far, and those remembered at the end of the last interval.
    pub flows: Flows,
    /// Resets by cause, sub-cause and stage.
    pub resets: Resets,
    /// The distributions, in the order of [`Metric::ALL`].
    pub histograms: Vec<Buckets>,
    /// The services with the most events, most first.
    pub services: Vec<(SocketAddr, ByCause)>,
}

impl Default for Snapshot {
    fn default() -> Self {
        Self {
            intervals: 0,
            end_ns: 0,
            frames: Ledger::default(),
            flows: Flows::default(),
            resets: Resets::default(),
            histograms: Metric::ALL.iter().map(|&metric| Buckets::new(metric)).collect(),
            services: Vec::new(),
        }
    }
}

/// The running sums.
#[derive(Debug)]
pub struct Totals {
    sums: Snapshot,
    services: HashMap<(IpAddr, u16), ByCause>,
    named: usize,
}

impl Totals {
    /// Sums of nothing, for snapshots that name so many services.
    #[must_use]
    pub fn new(services: usize) -> Self {
        Self { sums: Snapshot::default(), services: HashMap::new(), named: services }
    }

    /// Adds an interval.
    pub fn add(&mut self, summary: &Summary) {
        let (sums, interval) = (&mut self.sums, &summary.interval);
        sums.intervals += 1;
        sums.end_ns = summary.span.end_ns;
        sums.frames.merge(&interval.frames);
        sums.flows.merge(&interval.flows);
        sums.flows.active = interval.flows.active;
        sums.resets.merge(&interval.resets);
        for buckets in &mut sums.histograms {
            if let Some(histogram) = interval.histograms.get(buckets.metric()) {
                buckets.add(histogram);
            }
        }
        for (service, tally) in summary.top.each_service() {
            let counts = self.services.entry(service).or_default();
            counts.iter_mut().zip(&tally.by_cause).for_each(|(sum, count)| *sum += count);
        }
        self.forget();
    }

    /// Keeps the memory bounded. A service that comes back begins anew, which readers of counters
    /// take for a restart.
    fn forget(&mut self) {
        if self.services.len() > SERVICES_MAX {
            let keep = most(&self.services, SERVICES_MAX / 2);
            self.services = keep.into_iter().collect();
        }
    }

    /// The sums as they are.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let services = most(&self.services, self.named)
            .into_iter()
            .map(|((addr, port), counts)| (SocketAddr::new(addr, port), counts));
        Snapshot { services: services.collect(), ..self.sums.clone() }
    }
}

/// The `n` services with the most events, most first, then by address: no two orders for one map.
fn most(services: &HashMap<(IpAddr, u16), ByCause>, n: usize) -> Vec<((IpAddr, u16), ByCause)> {
    let mut all: Vec<_> = services.iter().map(|(key, counts)| (*key, *counts)).collect();
    let events = |counts: &ByCause| counts.iter().sum::<u64>();
    all.sort_unstable_by(|(a, x), (b, y)| events(y).cmp(&events(x)).then_with(|| a.cmp(b)));
    all.truncate(n);
    all
}
