//! Who was reset most: services and the hosts that sent the resets, counted exactly up to a bound.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};

use foldhash::fast::RandomState;
use resetscope_core::flow::key::FlowKey;
use resetscope_core::judge::cause::Cause;
use resetscope_core::judge::event::Event;
use resetscope_core::memory::brief::Brief;

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

/// An address as flows are keyed by, IPv4 mapped: as a number, it is hashed and compared at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Address(u128);

impl Address {
    const fn of(key: &FlowKey, side: usize) -> Self {
        Self(u128::from_ne_bytes(key.addr[side & 1]))
    }

    /// As people know it.
    fn ip(self) -> IpAddr {
        Ipv6Addr::from(self.0.to_ne_bytes()).to_canonical()
    }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        let mapped = match address {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        Self(u128::from_ne_bytes(mapped.octets()))
    }
}

/// What is counted of an event.
#[derive(Clone, Copy, Debug)]
pub struct Reset {
    service: (Address, u16),
    host: Address,
    packets: u32,
    cause: Cause,
}

impl Reset {
    /// Of an event as its own flow's packets explain it.
    #[inline]
    #[must_use]
    pub fn of(brief: &Brief) -> Self {
        let (key, service) = (&brief.key, usize::from(brief.service_side));
        Self {
            service: (Address::of(key, service), key.port(service)),
            host: Address::of(key, usize::from(brief.side)),
            packets: brief.packets,
            cause: brief.found.cause(),
        }
    }
}

impl From<&Event> for Reset {
    fn from(event: &Event) -> Self {
        let (key, service) = (&event.key, event.service_side());
        Self {
            service: (Address::of(key, service), key.port(service)),
            host: Address::of(key, event.side),
            packets: event.packets,
            cause: event.verdict.claim.subcause.cause(),
        }
    }
}

impl Tally {
    fn add(&mut self, reset: &Reset) {
        self.events += 1;
        self.packets += u64::from(reset.packets);
        if let Some(count) = self.by_cause.get_mut(reset.cause as usize) {
            *count += 1;
        }
    }

    /// Counts an event of the cause `from` under `to` instead.
    fn recount(&mut self, from: Cause, to: Cause) {
        if let Some(count) = self.by_cause.get_mut(from as usize) {
            *count = count.saturating_sub(1);
        }
        if let Some(count) = self.by_cause.get_mut(to as usize) {
            *count += 1;
        }
    }
}

/// Tallies by what they are of.
type Tallies<K> = HashMap<K, Tally, RandomState>;

/// The tallies of one interval.
#[derive(Debug, Default)]
pub struct Top {
    services: Tallies<(Address, u16)>,
    hosts: Tallies<Address>,
    /// Events of services or hosts beyond the bound.
    pub uncounted: u64,
}

impl Top {
    /// Counts an event. The same events in the same order give the same tallies.
    pub fn add(&mut self, reset: &Reset) {
        let service = bump(&mut self.services, reset.service, reset);
        let host = bump(&mut self.hosts, reset.host, reset);
        self.uncounted += u64::from(!(service && host));
    }

    /// Counts an event that was added, and turned out to be of another cause, under that.
    pub fn recount(&mut self, reset: &Reset, to: Cause) {
        // Who had no room when it was added has none now.
        if let Some(service) = self.services.get_mut(&reset.service) {
            service.recount(reset.cause, to);
        }
        if let Some(host) = self.hosts.get_mut(&reset.host) {
            host.recount(reset.cause, to);
        }
    }

    /// Every service that was counted, in no order.
    pub fn each_service(&self) -> impl Iterator<Item = ((IpAddr, u16), &Tally)> {
        self.services.iter().map(|(&key, tally)| (service_of(key), tally))
    }

    /// The same tallies under other addresses; `rename` must give each address one of its own.
    #[must_use]
    pub fn renamed(&self, rename: impl Fn(IpAddr) -> IpAddr) -> Self {
        let renamed = |address: Address| Address::from(rename(address.ip()));
        let services = self.services.iter();
        let hosts = self.hosts.iter();
        Self {
            services: services
                .map(|(&(address, port), tally)| ((renamed(address), port), tally.clone()))
                .collect(),
            hosts: hosts.map(|(&address, tally)| (renamed(address), tally.clone())).collect(),
            uncounted: self.uncounted,
        }
    }

    /// The `n` services with the most events.
    #[must_use]
    pub fn services(&self, n: usize) -> Vec<((IpAddr, u16), &Tally)> {
        most(self.each_service(), n)
    }

    /// The `n` hosts that most events name as the sender of the reset.
    #[must_use]
    pub fn hosts(&self, n: usize) -> Vec<(IpAddr, &Tally)> {
        most(self.hosts.iter().map(|(address, tally)| (address.ip(), tally)), n)
    }
}

fn service_of((address, port): (Address, u16)) -> (IpAddr, u16) {
    (address.ip(), port)
}

fn bump<K: Hash + Eq>(tallies: &mut Tallies<K>, key: K, reset: &Reset) -> bool {
    let room = tallies.len() < KEYS_MAX;
    let tally = match tallies.entry(key) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(new) if room => new.insert(Tally::default()),
        Entry::Vacant(_) => return false,
    };
    tally.add(reset);
    true
}

/// Most events first, then most packets, then by key: no two orders for one set of tallies.
fn most<'a, K: Ord>(
    tallies: impl Iterator<Item = (K, &'a Tally)>,
    n: usize,
) -> Vec<(K, &'a Tally)> {
    let mut all: Vec<(K, &Tally)> = tallies.collect();
    all.sort_unstable_by(|(a, x), (b, y)| {
        (y.events, y.packets).cmp(&(x.events, x.packets)).then_with(|| a.cmp(b))
    });
    all.truncate(n);
    all
}

#[cfg(test)]
mod tests {
    use super::{Address, Cause, KEYS_MAX, Reset, Top};

    /// An event at a service of its own host.
    fn reset(host: u128, cause: Cause) -> Reset {
        Reset { service: (Address(host), 443), host: Address(host), packets: 2, cause }
    }

    fn shown(top: &Top) -> String {
        format!("{:?} {:?} {}", top.services(9), top.hosts(9), top.uncounted)
    }

    #[test]
    fn an_event_that_turns_out_to_be_of_another_cause_counts_as_if_it_had_been_so_at_once() {
        let (mut corrected, mut want) = (Top::default(), Top::default());
        for (host, taken_for, is) in [
            (1, Cause::ClosedPort, Cause::Firewall),
            (1, Cause::ClosedPort, Cause::ClosedPort),
            (2, Cause::Application, Cause::ExplicitKill),
        ] {
            corrected.add(&reset(host, taken_for));
            corrected.recount(&reset(host, taken_for), is);
            want.add(&reset(host, is));
        }
        assert_eq!(shown(&corrected), shown(&want));
    }

    #[test]
    fn a_host_is_counted_and_corrected_also_where_its_service_has_no_room() {
        let mut top = Top::default();
        let at = |port| Reset { service: (Address(1), port), ..reset(1, Cause::Network) };
        for port in 0..=u16::MAX {
            top.add(&at(port));
        }
        let late = Reset { service: (Address(2), 443), ..at(0) };
        top.add(&late);
        top.recount(&late, Cause::ExplicitKill);
        let [(_, host)] = top.hosts(2)[..] else { panic!("{:?}", top.hosts(2)) };
        assert_eq!(host.events, KEYS_MAX as u64 + 1);
        assert_eq!(host.by_cause[Cause::ExplicitKill as usize], 1);
        assert_eq!((top.services.len(), top.uncounted), (KEYS_MAX, 1));
    }

    #[test]
    fn who_had_no_room_is_not_corrected() {
        let mut top = Top::default();
        for host in 0..KEYS_MAX as u128 {
            top.add(&reset(host, Cause::Network));
        }
        let late = reset(u128::MAX, Cause::Network);
        top.add(&late);
        let before = shown(&top);
        top.recount(&late, Cause::ExplicitKill);
        assert_eq!(shown(&top), before);
        assert_eq!(top.uncounted, 1);
    }
}
