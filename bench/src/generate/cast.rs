//! Casting: who takes part in what begins now.

use super::dice::Dice;
use super::flow::{Flow, Step};
use super::host::{Parties, Population};
use super::packet::Kind;

/// The first ephemeral port, and how many there are (Linux).
const EPHEMERAL: (u16, u16) = (32_768, 28_232);

/// The first port that behaviours take for a service of their own.
const OWN_PORT: u16 = 7_000;

/// Ports of each client in turn, so that a 5-tuple comes back late.
pub(super) struct Ports {
    next: Vec<u16>,
    own: u16,
}

impl Ports {
    /// Ports of `clients` clients.
    pub(super) fn new(clients: u64, dice: &mut Dice) -> Self {
        let next = (0..clients).map(|_| dice.below(u64::from(EPHEMERAL.1)) as u16).collect();
        Self { next, own: 0 }
    }
}

/// What a behaviour begins with: parties, ports and the flows that it starts.
pub(super) struct Cast<'a> {
    /// The hosts.
    pub(super) population: &'a Population,
    /// The clients' ports.
    pub(super) ports: &'a mut Ports,
    /// The choices.
    pub(super) dice: &'a mut Dice,
    /// The present, in nanoseconds of the capture.
    pub(super) now: u64,
    /// The flows started.
    pub(super) born: Vec<Flow>,
}

impl Cast<'_> {
    /// A client and a server that it would connect to.
    pub(super) fn pair(&mut self) -> Parties {
        self.population.pair(self.dice)
    }

    /// Another client of the same service.
    pub(super) fn another(&mut self, service: &Parties) -> Parties {
        self.population.another_client(service, self.dice)
    }

    /// A service that nobody else uses.
    pub(super) fn own_service(&mut self) -> Parties {
        let parties = self.pair();
        Parties { port: self.own_port(), ..parties }
    }

    /// A port that nobody else uses.
    pub(super) fn own_port(&mut self) -> u16 {
        self.ports.own = (self.ports.own + 1) % 20_000;
        OWN_PORT + self.ports.own
    }

    /// The next port of a client.
    pub(super) fn client_port(&mut self, parties: &Parties) -> u16 {
        let step = self.dice.between(1, 3) as u16;
        let number = parties.hosts[0].number as usize;
        let Some(next) = self.ports.next.get_mut(number) else { return EPHEMERAL.0 };
        *next = (*next + step) % EPHEMERAL.1;
        EPHEMERAL.0 + *next
    }

    /// A TCP flow that begins `after` nanoseconds from now.
    pub(super) fn tcp(&mut self, after: u64, parties: &Parties, steps: &[Step]) {
        self.start(Kind::Tcp, after, parties, steps);
    }

    /// A flow that begins `after` nanoseconds from now.
    pub(super) fn start(&mut self, kind: Kind, after: u64, parties: &Parties, steps: &[Step]) {
        let port = self.client_port(parties);
        self.start_from(port, kind, after, parties, steps);
    }

    /// The same, from a port of the caller's choice.
    pub(super) fn start_from(
        &mut self,
        port: u16,
        kind: Kind,
        after: u64,
        parties: &Parties,
        steps: &[Step],
    ) {
        let steps = steps.iter().rev().copied().collect();
        let flow = Flow::new(kind, parties, port, steps, self.now + after, self.dice);
        self.born.push(flow);
    }
}
