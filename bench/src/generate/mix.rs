//! The mix: connections of every kind, born when others end or as often as a rate demands.

use super::behaviour::{self, ENDINGS, ordinary};
use super::cast::{Cast, Ports};
use super::dice::Dice;
use super::flow::{Flow, Step};
use super::host::{CLIENT, MS, Population, S};
use super::packet::{Kind, flag};
use super::payload::Opening;
use super::recorder::Recorder;
use super::schedule::{Happening, Schedule};
use super::talk::{Net, Talk};
use super::truth::Ledger;
use super::{Config, GenerateError};

/// Share of flows that are TCP connections.
const TCP_SHARE: f64 = 0.85;

/// Packets that a flow has on average; only where a rate's births begin from.
const PACKETS_A_FLOW: f64 = 55.0;

/// Share of the first flows that began before the capture.
const RUNNING: f64 = 0.55;

/// How often births are looked at when a rate decides them, and the background is.
const TICK: u64 = 10 * MS;

/// Share of frames that the tap copies twice.
const TWICE: f64 = 0.0003;

/// Not a flow: the ticks.
const CLOCK: u32 = (1 << 31) - 1;

struct Mix<'a> {
    config: &'a Config,
    population: Population,
    ports: Ports,
    lots: Lots,
    net: Net,
    flows: Vec<Option<Flow>>,
    free: Vec<u32>,
    live: u64,
    /// Births that are due but not a whole one yet.
    due: f64,
    /// Packets recorded at the last tick.
    ticked: u64,
}

/// Makes the mix.
pub(super) fn run(
    config: &Config,
    mut dice: Dice,
    recorder: &mut Recorder<'_>,
) -> Result<(), GenerateError> {
    let rate_flows = config.rate.map(|rate| (rate as f64 / PACKETS_A_FLOW * 12.0) as u64);
    let flows = rate_flows.unwrap_or(config.flows).max(1);
    let population = Population::new(config.seed, flows, config.ipv6, config.vlan);
    let mut mix = Mix {
        config,
        population,
        ports: Ports::new(population.clients(), &mut dice),
        lots: Lots::new(config.resets, &mut dice),
        net: Net { schedule: Schedule::default(), dice, ledger: Ledger::default(), twice: TWICE },
        flows: Vec::new(),
        free: Vec::new(),
        live: 0,
        due: 0.0,
        ticked: 0,
    };
    mix.begin(flows);
    while let Some((time, happening)) = mix.net.schedule.next() {
        match happening {
            Happening::Passes(number, packet) => {
                let told = mix.net.ledger.take(packet.truth);
                let Some(Some(flow)) = mix.flows.get_mut(number as usize) else { continue };
                if !recorder.record(time, &flow.address(), &packet, told.as_ref())? {
                    break;
                }
                let tcp = packet.kind == Kind::Tcp;
                let reset = tcp && packet.has(flag::RST);
                recorder.summary.connections += u64::from(tcp && !flow.seen);
                recorder.summary.reset += u64::from(reset && !flow.reset);
                flow.seen = true;
                flow.reset |= reset;
            }
            Happening::Wakes(CLOCK) => mix.tick(recorder.summary.packets),
            Happening::Wakes(number) => mix.wake(number),
        }
        recorder.summary.flows_most = recorder.summary.flows_most.max(mix.live);
    }
    Ok(())
}

impl Mix<'_> {
    fn begin(&mut self, flows: u64) {
        let running = (flows as f64 * RUNNING) as u64;
        let new = if self.config.rate.is_some() { 0 } else { flows - running };
        for _ in 0..running {
            self.bear(0, |cast| ordinary::any(cast, true));
        }
        while self.live < running + new {
            let after = self.net.dice.below(4 * S);
            self.birth(after);
        }
        let ticks = self.config.with_scans || self.config.with_flood || self.config.rate.is_some();
        if ticks {
            self.net.schedule.wake(TICK, CLOCK);
        }
    }

    /// Something begins, `after` nanoseconds from now.
    fn birth(&mut self, after: u64) {
        match self.lots.draw(&mut self.net.dice) {
            Some(ending) => self.bear(after, ENDINGS[ending].begin),
            None => self.bear(after, |cast| ordinary::any(cast, false)),
        }
    }

    fn bear(&mut self, after: u64, begin: impl FnOnce(&mut Cast<'_>)) {
        let mut cast = Cast {
            population: &self.population,
            ports: &mut self.ports,
            dice: &mut self.net.dice,
            now: self.net.schedule.now() + after,
            born: Vec::new(),
        };
        begin(&mut cast);
        for flow in cast.born {
            let time = flow.now;
            let number = match self.free.pop() {
                Some(number) => {
                    if let Some(slot) = self.flows.get_mut(number as usize) {
                        *slot = Some(flow);
                    }
                    number
                }
                None => {
                    self.flows.push(Some(flow));
                    self.flows.len() as u32 - 1
                }
            };
            self.live += 1;
            self.net.schedule.wake(time, number);
        }
    }

    fn wake(&mut self, number: u32) {
        let Some(Some(flow)) = self.flows.get_mut(number as usize) else { return };
        if (Talk { flow, number, net: &mut self.net }).advance() {
            return;
        }
        if let Some(slot) = self.flows.get_mut(number as usize) {
            *slot = None;
        }
        self.free.push(number);
        self.live -= 1;
        while self.config.rate.is_none() && self.live < self.config.flows {
            let after = self.net.dice.exponential(20 * MS);
            self.birth(after);
        }
    }

    /// Births that a rate demands, and the background.
    fn tick(&mut self, packets: u64) {
        let now = self.net.schedule.now();
        if let Some(rate) = self.config.rate {
            let rate = rate as f64;
            // What was missed is made up for within some ten seconds.
            let missed = rate * now as f64 / 1e9 - packets as f64;
            let wanted = (rate + missed / 10.0).clamp(rate * 0.2, rate * 3.0);
            self.due += wanted / PACKETS_A_FLOW * TICK as f64 / 1e9;
            while self.due >= 1.0 {
                self.due -= 1.0;
                let after = self.net.dice.below(TICK);
                self.birth(after);
            }
        }
        if self.config.with_scans && self.net.dice.chance(TICK as f64 / S as f64 / 2.0) {
            self.bear(0, behaviour::port_scan);
        }
        if self.config.with_flood {
            for _ in 0..(packets - self.ticked) / 4 {
                self.bear(0, flood);
            }
        }
        self.ticked = packets;
        self.net.schedule.wake(now + TICK, CLOCK);
    }
}

/// A SYN from a forged address to the one service that is attacked.
fn flood(cast: &mut Cast<'_>) {
    fn syn(t: &mut Talk<'_>) {
        let flood = t.say(CLIENT, flag::SYN, Opening::Plain, 0);
        t.flow.now = flood.taps_at;
    }
    let mut parties = cast.population.parties(0, 1, Some(false));
    let forged = (cast.dice.word() | 0x1000_0000) & 0x5fff_ffff;
    parties.hosts[CLIENT].address[..4].copy_from_slice(&forged.to_be_bytes());
    parties.hosts[CLIENT].ttl = cast.dice.between(30, 250) as u8;
    let port = cast.dice.between(1_024, 65_535) as u16;
    let after = cast.dice.below(TICK);
    cast.start_from(port, Kind::Tcp, after, &parties, &[Step::End(syn)]);
}

/// Draws how connections end: in a share of all cases by a reset, and then in turns that keep to the
/// weights even when few are drawn.
struct Lots {
    share: f64,
    chances: [u64; ENDINGS.len()],
    credit: [u64; ENDINGS.len()],
    total: u64,
}

impl Lots {
    fn new(resets: f64, dice: &mut Dice) -> Self {
        let chances = std::array::from_fn(|place| {
            let ending = &ENDINGS[place];
            u64::from(ending.weight) * 1_000 / u64::from(ending.group)
        });
        let total: u64 = chances.iter().sum();
        let weights: u64 = ENDINGS.iter().map(|it| u64::from(it.weight) * 1_000).sum();
        let group = weights as f64 / total as f64;
        let resets = resets.clamp(0.0, 1.0);
        let share = TCP_SHARE * resets / (group * (1.0 - resets) + TCP_SHARE * resets);
        Self { share, chances, credit: std::array::from_fn(|_| dice.below(total)), total }
    }

    /// The place of an ending in [`ENDINGS`]; `None` for no reset.
    fn draw(&mut self, dice: &mut Dice) -> Option<usize> {
        if !dice.chance(self.share) {
            return None;
        }
        for (credit, chance) in self.credit.iter_mut().zip(self.chances) {
            *credit += chance;
        }
        let (place, _) = self.credit.iter().enumerate().max_by_key(|(_, credit)| **credit)?;
        let credit = self.credit.get_mut(place)?;
        *credit = credit.saturating_sub(self.total);
        Some(place)
    }
}
