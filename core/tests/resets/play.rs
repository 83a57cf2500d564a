//! Plays a tape to the engine: the same story over IPv4 or IPv6, from any sequence numbers, with
//! either end as the lower one of the canonical key, and at any time.

use etherparse::{
    IpHeaders, IpNumber, Ipv4Extensions, Ipv4Header, Ipv6Extensions, Ipv6Header, PacketBuilder,
    TcpHeader, TcpOptions,
};
use resetscope_core::engine::{Config, Engine};
use resetscope_core::frame::{Frame, LinkType};
use resetscope_core::interval::Interval;
use resetscope_core::judge::event::{Event, Judged};
use resetscope_core::memory::Sighting;
use resetscope_core::memory::brief::Brief;
use resetscope_core::memory::settle::{Settled, Settler};

use crate::conversation::{ACK, FIN, PSH, Packet, RST, SYN, Tape};

/// How a story is played.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Variant {
    /// Initial sequence numbers of client and server.
    pub(crate) isn: [u32; 2],
    pub(crate) v6: bool,
    /// The client has the higher address.
    pub(crate) swapped: bool,
    /// Time at which the tape begins.
    pub(crate) start_ns: u64,
}

/// Numbers far from the wrap, IPv4, a day in 2026.
pub(crate) const PLAIN: Variant = Variant {
    isn: [0x1000_0000, 0x5000_0000],
    v6: false,
    swapped: false,
    start_ns: 1_770_000_000_000_000_000,
};

/// A frame with its time.
pub(crate) type Taken = (u64, Vec<u8>);

/// The packets of a tape as frames.
pub(crate) fn frames(tape: &Tape, variant: &Variant) -> Vec<Taken> {
    let encode = |packet: &Packet| {
        (variant.start_ns + packet.time_us * 1_000, ethernet(packet, tape, variant))
    };
    tape.packets.iter().map(encode).collect()
}

fn ethernet(packet: &Packet, tape: &Tape, variant: &Variant) -> Vec<u8> {
    let ends = &tape.talks[packet.talk].ends;
    let (me, peer) = (&ends[packet.side], &ends[packet.side ^ 1]);
    let host = |host: u8| if variant.swapped { 255 - host } else { host };
    let (own, other) = (host(me.host), host(peer.host));
    let isn = |side: usize| variant.isn[side].wrapping_add(tape_isn(packet.talk));
    let seq = if packet.seq_zero { 0 } else { packet.seq.wrapping_add(isn(packet.side)) };
    let mut tcp = TcpHeader::new(me.port, peer.port, seq, packet.window);
    if packet.flags & ACK != 0 {
        tcp.acknowledgment_number = packet.ack.wrapping_add(isn(packet.side ^ 1));
    }
    let has = |flag: u8| packet.flags & flag != 0;
    (tcp.fin, tcp.syn, tcp.rst, tcp.psh, tcp.ack) =
        (has(FIN), has(SYN), has(RST), has(PSH), has(ACK));
    tcp.options = TcpOptions::try_from_elements(&packet.options).unwrap();
    let ip = if variant.v6 { v6(packet, own, other) } else { v4(packet, own, other) };
    let mut bytes = Vec::new();
    PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
        .ip(ip)
        .tcp_header(tcp)
        .write(&mut bytes, &packet.payload)
        .unwrap();
    bytes
}

/// Connections begin anywhere, the first one exactly where the variant says.
const fn tape_isn(talk: usize) -> u32 {
    (talk as u32).wrapping_mul(0x9e37_79b1)
}

fn v4(packet: &Packet, own: u8, other: u8) -> IpHeaders {
    let (source, destination) = ([10, 0, 0, own], [10, 0, 0, other]);
    let mut header = Ipv4Header::new(0, packet.ttl, IpNumber::TCP, source, destination).unwrap();
    header.identification = packet.id;
    header.dont_fragment = packet.df;
    header.dscp = (packet.tos >> 2).try_into().unwrap();
    header.ecn = (packet.tos & 3).try_into().unwrap();
    IpHeaders::Ipv4(header, Ipv4Extensions::default())
}

fn v6(packet: &Packet, own: u8, other: u8) -> IpHeaders {
    let address = |host| [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host];
    let header = Ipv6Header {
        traffic_class: packet.tos,
        hop_limit: packet.ttl,
        source: address(own),
        destination: address(other),
        ..Ipv6Header::default()
    };
    IpHeaders::Ipv6(header, Ipv6Extensions::default())
}

/// What came of it.
pub(crate) struct Played {
    /// Events in the order of their frames.
    pub(crate) events: Vec<Event>,
    pub(crate) interval: Interval,
}

/// Feeds frames to an engine and hands out what it judged.
pub(crate) struct Run {
    pub(crate) engine: Engine,
    frames: u64,
    judged: Vec<Judged>,
    sightings: Vec<Sighting>,
}

impl Run {
    pub(crate) fn new(config: &Config) -> Self {
        let engine = Engine::new(config, 0, 1).unwrap();
        Self { engine, frames: 0, judged: vec![], sightings: vec![] }
    }

    /// Takes frames a few at a time, as a live source gives them.
    pub(crate) fn take(&mut self, frames: &[Taken]) {
        for chunk in frames.chunks(7) {
            self.engine.push(chunk.iter().map(frame), self.frames + 1);
            self.frames += chunk.len() as u64;
            self.collect();
        }
    }

    fn collect(&mut self) {
        self.judged.extend(self.engine.drain_events());
        self.sightings.extend(self.engine.drain_sightings());
    }

    /// Events judged so far.
    pub(crate) fn judged(&mut self) -> &[Judged] {
        self.collect();
        &self.judged
    }

    /// Services seen accepting so far.
    pub(crate) fn sightings(&mut self) -> &[Sighting] {
        self.collect();
        &self.sightings
    }

    /// Ends the capture and settles. Checks what holds for every capture.
    pub(crate) fn end(mut self) -> Played {
        self.engine.finish();
        self.collect();
        let interval = self.engine.take_interval();
        assert!(interval.frames.balances(), "every frame is in one bucket");
        let packets: u64 = self.judged.iter().map(|judged| u64::from(judged.open.packets())).sum();
        assert_eq!(packets, interval.resets.packets, "every RST is in one event");
        assert_eq!(self.judged.len() as u64, interval.resets.events);
        assert_eq!(interval.resets.by_cause.iter().sum::<u64>(), interval.resets.events);
        assert_eq!(interval.resets.by_stage.iter().sum::<u64>(), interval.resets.events);
        Played { events: settled(self.judged, self.sightings), interval }
    }
}

/// A frame as a source lends it.
pub(crate) fn frame((time_ns, bytes): &Taken) -> Frame<'_> {
    let wire_len = u32::try_from(bytes.len()).unwrap();
    Frame { bytes, wire_len, time_ns: *time_ns, link: LinkType::ETHERNET }
}

/// Settles reports in the order of their frames.
pub(crate) fn settled(mut judged: Vec<Judged>, mut sightings: Vec<Sighting>) -> Vec<Event> {
    judged.sort_by_key(|judged| judged.open.rst.frame);
    sightings.sort_by_key(|sighting| sighting.frame);
    let mut sightings = sightings.into_iter().peekable();
    let mut settler: Settler<(), Box<Judged>> = Settler::default();
    let mut events = vec![];
    for judged in judged {
        while let Some(sighting) = sightings.next_if(|next| next.frame < judged.open.rst.frame) {
            settler.sighting(&sighting);
            events.extend(std::iter::from_fn(|| settler.settled(false)));
        }
        settler.event(&Brief::of(&judged), Some(((), Box::new(judged))));
        events.extend(std::iter::from_fn(|| settler.settled(false)));
    }
    for sighting in sightings {
        settler.sighting(&sighting);
    }
    events.extend(std::iter::from_fn(|| settler.settled(true)));
    events.iter().map(told).collect()
}

/// A settled event, told in full; what is told in short must agree.
pub(crate) fn told<T>(settled: &Settled<T, Box<Judged>>) -> Event {
    let event = settled.event();
    assert_eq!(settled.subcause(), event.verdict.claim.subcause);
    event
}

/// Plays a tape from beginning to end.
pub(crate) fn play(tape: &Tape, variant: &Variant) -> Played {
    let mut run = Run::new(&Config { flows: 4096, ..Config::default() });
    run.take(&frames(tape, variant));
    run.end()
}
