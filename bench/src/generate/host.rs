//! Who talks: hosts with their stacks, and the paths between them and the tap.
//!
//! Nothing is kept of a host: its properties are functions of its number and the seed.

use super::dice::{Dice, scatter, unit};

/// Nanoseconds in a microsecond.
pub(super) const US: u64 = 1_000;
/// Nanoseconds in a millisecond.
pub(super) const MS: u64 = 1_000_000;
/// Nanoseconds in a second.
pub(super) const S: u64 = 1_000_000_000;

/// Which side of a connection: the one that opens it.
pub(super) const CLIENT: usize = 0;
/// The side that is connected to.
pub(super) const SERVER: usize = 1;

/// A TCP stack and what it does differently.
///
/// Linux is written after measurements of kernel 6.18; Windows after captures of Windows hosts: RSTs
/// with window 0, no options and the host's next IP identification, whatever their form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stack {
    /// Linux, Android.
    Linux,
    /// Windows 10 and later.
    Windows,
}

/// A host.
#[derive(Clone, Copy, Debug)]
pub(super) struct Host {
    /// Its number in its population.
    pub(super) number: u32,
    /// Its address; of IPv4 the first four bytes.
    pub(super) address: [u8; 16],
    /// Its stack.
    pub(super) stack: Stack,
    /// Time to live of what it sends, when it passes the tap.
    pub(super) ttl: u8,
    /// How far the window is scaled.
    pub(super) window_scale: u8,
    /// Whether it offers timestamps.
    pub(super) timestamps: bool,
    /// Time from it to the tap, and back, in nanoseconds.
    pub(super) delay: u64,
}

/// The two ends of a connection, and what lies between.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parties {
    /// Client and server.
    pub(super) hosts: [Host; 2],
    /// The server's port.
    pub(super) port: u16,
    /// IPv6 rather than IPv4.
    pub(super) v6: bool,
    /// IEEE 802.1Q tag; 0 for none.
    pub(super) vlan: u16,
    /// The differentiated services byte of both ends.
    pub(super) tos: u8,
    /// How much of the packets is lost.
    pub(super) loss: f64,
    /// Time that a full frame takes on the slowest link, in nanoseconds.
    pub(super) gap: u64,
}

/// How many hosts there are, and of which kinds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Population {
    seed: u64,
    clients: u64,
    servers: u64,
    v6: f64,
    vlan: f64,
}

/// Ports of services, the frequent ones several times.
const PORTS: [u16; 16] =
    [443, 443, 443, 443, 443, 443, 443, 80, 80, 8080, 22, 25, 993, 3306, 5432, 6379];

impl Population {
    /// Hosts enough for `flows` connections at a time, `v6` and `vlan` of them with IPv6 and tags.
    pub(super) fn new(seed: u64, flows: u64, v6: f64, vlan: f64) -> Self {
        let clients = (flows / 6).clamp(120, 1 << 18);
        let servers = (flows / 20).clamp(30, 1 << 13);
        Self { seed, clients, servers, v6, vlan }
    }

    /// How many clients there are.
    pub(super) const fn clients(&self) -> u64 {
        self.clients
    }

    fn hash(&self, number: u64, salt: u64) -> u64 {
        scatter(number ^ self.seed.wrapping_mul(0x2545_f491_4f6c_dd1d), salt)
    }

    fn part(&self, number: u64, salt: u64) -> f64 {
        unit(self.hash(number, salt))
    }

    /// A client and a server that it would connect to; few servers are asked by many.
    pub(super) fn pair(&self, dice: &mut Dice) -> Parties {
        let skewed = dice.unit();
        let server = (skewed * skewed * self.servers as f64) as u64;
        let client = dice.below(self.clients);
        self.parties(client, server, None)
    }

    /// Another client of the same service, over the same version of IP.
    pub(super) fn another_client(&self, service: &Parties, dice: &mut Dice) -> Parties {
        let server = u64::from(service.hosts[SERVER].number);
        let client = dice.below(self.clients);
        let parties = self.parties(client, server, Some(service.v6));
        Parties { port: service.port, vlan: service.vlan, ..parties }
    }

    /// The parties of client number `client` and server number `server`.
    pub(super) fn parties(&self, client: u64, server: u64, v6: Option<bool>) -> Parties {
        // The tap is at the border of a site: of a connection one end is near, the other far.
        let inbound = self.part(server, 10) < 0.4;
        let v6 = v6.unwrap_or(self.part(client, 11) < self.v6);
        let pair = client << 20 | server;
        let hosts = [
            self.host(CLIENT, client, pair, !inbound, v6),
            self.host(SERVER, server, pair, inbound, v6),
        ];
        let tagged = self.part(client, 12) < self.vlan;
        let lossy = self.part(pair, 13);
        Parties {
            hosts,
            port: PORTS.get((self.hash(server, 14) % 16) as usize).copied().unwrap_or(443),
            v6,
            vlan: if tagged { 100 + (self.hash(server, 15) % 16) as u16 } else { 0 },
            tos: if self.part(pair, 16) < 0.08 { 0x28 } else { 0 },
            loss: match lossy {
                ..0.80 => 0.0,
                ..0.95 => 0.001,
                ..0.99 => 0.008,
                _ => 0.025,
            },
            gap: [12 * US, 12 * US, 60 * US, 120 * US][(self.hash(client, 17) % 4) as usize],
        }
    }

    fn host(&self, side: usize, number: u64, pair: u64, near: bool, v6: bool) -> Host {
        let salt = 100 * (side as u64 + 1);
        let windows = self.part(number, salt) < [0.45, 0.10][side & 1];
        let stack = if windows { Stack::Windows } else { Stack::Linux };
        let custom_ttl = self.part(number, salt + 1) < 0.06;
        let initial: u8 = match stack {
            Stack::Windows => 128,
            Stack::Linux if custom_ttl => 255,
            Stack::Linux => 64,
        };
        let hops = match near {
            true => self.hash(number, salt + 2) % 3,
            false => 5 + self.hash(number, salt + 2) % 14,
        };
        let address = if v6 { self.v6(side, number) } else { self.v4(side, number, near) };
        Host {
            number: number as u32,
            address,
            stack,
            ttl: initial - hops as u8,
            window_scale: match stack {
                Stack::Windows => 8,
                Stack::Linux => [7, 7, 10][(self.hash(number, salt + 3) % 3) as usize],
            },
            timestamps: stack == Stack::Linux && self.part(number, salt + 4) < 0.95,
            delay: self.delay(number, pair, near, salt + 5),
        }
    }

    /// One way from a host to the tap: tens of microseconds in the site, milliseconds beyond it.
    fn delay(&self, number: u64, pair: u64, near: bool, salt: u64) -> u64 {
        if near {
            return 20 * US + self.hash(number, salt) % (250 * US);
        }
        let mut dice = Dice::new(self.hash(pair, salt));
        (dice.lognormal(9.0 * MS as f64, 0.9) as u64).clamp(1_100 * US, 140 * MS)
    }

    /// Private addresses in the site; beyond it clients behind a carrier (RFC 6598) and servers of the
    /// benchmarking range (RFC 2544).
    fn v4(&self, side: usize, number: u64, near: bool) -> [u8; 16] {
        let place = number as u32 + 1;
        let base: u32 = match (side, near) {
            (CLIENT, true) => 0x0a10_0000,
            (CLIENT, false) => 0x6440_0000,
            (_, true) => 0x0a01_0000,
            (_, false) => 0xc613_0000,
        };
        let mut address = [0; 16];
        address[..4].copy_from_slice(&base.wrapping_add(place).to_be_bytes());
        address
    }

    /// Addresses of the documentation range (RFC 3849).
    fn v6(&self, side: usize, number: u64) -> [u8; 16] {
        let interface = self.hash(number, 200 + side as u64);
        let high = 0x2001_0db8_0000_0000u64 | (side as u64) << 16 | number >> 8;
        (u128::from(high) << 64 | u128::from(interface)).to_be_bytes()
    }
}

/// A device on the path that answers or forges in the name of others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Device {
    /// Time to live of what it sends, when it passes the tap.
    pub(super) ttl: u8,
    /// Time from it to the tap, in nanoseconds.
    pub(super) delay: u64,
}

impl Device {
    /// The site's own firewall, next to the tap.
    pub(super) fn near(dice: &mut Dice) -> Self {
        Self { ttl: dice.choose(&[64, 64, 63, 255], 64), delay: dice.between(8 * US, 60 * US) }
    }

    /// Something between the tap and a host that is `delay` away: nearer than that, other hops.
    pub(super) fn far(dice: &mut Dice, delay: u64, ttl: u8) -> Self {
        let part = dice.between(20, 70);
        let hops = dice.between(3, 9) as u8;
        let base: u8 = if ttl > 64 { 64 } else { 128 };
        let ttl = if dice.chance(0.5) { ttl.saturating_add(hops) } else { base - 2 * hops };
        Self { ttl, delay: delay * part / 100 }
    }
}
