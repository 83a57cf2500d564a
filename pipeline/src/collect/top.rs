//! Who was reset most: services and the hosts that sent the resets, counted exactly up to a bound.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::net::IpAddr;

use foldhash::fast::RandomState;
use resetscope_core::judge::cause::Cause;
use resetscope_core::judge::event::Event;

/// Different services, and different hosts, that are counted in one interval. Events of others are
/// counted together.
const KEYS_MAX: usize = 65_536;

/// Counts of one service or host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Reset events.
    pub events: u64,
    /// RST packets in them.
    pub packets: u64,
    /// Events by [`Cause`].
    pub by_cause: [u64; Cause::ALL.len()],
}

impl Tally {
    fn add(&mut self, event: &Event) {
        self.events += 1;
        self.packets += u64::from(event.packets);
        if let Some(count) = self.by_cause.get_mut(event.verdict.claim.subcause.cause() as usize) {
            *count += 1;
        }
    }
}

/// Tallies by what they are of.
type Tallies<K> = HashMap<K, Tally, RandomState>;

/// The tallies of one interval.
#[derive(Debug, Default)]
pub struct Top {
    services: Tallies<(IpAddr, u16)>,
    hosts: Tallies<IpAddr>,
    /// Events of services or hosts beyond the bound.
    pub uncounted: u64,
}

impl Top {
    /// Counts an event. The same events in the same order give the same tallies.
    pub fn add(&mut self, event: &Event) {
        let service = event.service_side();
        let key = (event.key.ip(service), event.key.port(service));
        let counted = bump(&mut self.services, key, event)
            && bump(&mut self.hosts, event.key.ip(event.side), event);
        self.uncounted += u64::from(!counted);
    }

    /// Every service that was counted, in no order.
    pub fn each_service(&self) -> impl Iterator<Item = ((IpAddr, u16), &Tally)> {
        self.services.iter().map(|(key, tally)| (*key, tally))
    }

    /// The same tallies under other addresses; `rename` must give each address one of its own.
    #[must_use]
    pub fn renamed(&self, rename: impl Fn(IpAddr) -> IpAddr) -> Self {
        let services = self.services.iter();
        let hosts = self.hosts.iter();
        Self {
            services: services
                .map(|(&(address, port), tally)| ((rename(address), port), tally.clone()))
                .collect(),
            hosts: hosts.map(|(&address, tally)| (rename(address), tally.clone())).collect(),
            uncounted: self.uncounted,
        }
    }

    /// The `n` services with the most events.
    #[must_use]
    pub fn services(&self, n: usize) -> Vec<((IpAddr, u16), &Tally)> {
        most(&self.services, n)
    }

    /// The `n` hosts that most events name as the sender of the reset.
    #[must_use]
    pub fn hosts(&self, n: usize) -> Vec<(IpAddr, &Tally)> {
        most(&self.hosts, n)
    }
}

fn bump<K: Hash + Eq>(tallies: &mut Tallies<K>, key: K, event: &Event) -> bool {
    let room = tallies.len() < KEYS_MAX;
    let tally = match tallies.entry(key) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(new) if room => new.insert(Tally::default()),
        Entry::Vacant(_) => return false,
    };
    tally.add(event);
    true
}

/// Most events first, then most packets, then by key: no two orders for one set of tallies.
fn most<K: Copy + Ord>(tallies: &Tallies<K>, n: usize) -> Vec<(K, &Tally)> {
    let mut all: Vec<(K, &Tally)> = tallies.iter().map(|(key, tally)| (*key, tally)).collect();
    all.sort_unstable_by(|(a, x), (b, y)| {
        (y.events, y.packets).cmp(&(x.events, x.packets)).then_with(|| a.cmp(b))
    });
    all.truncate(n);
    all
}
