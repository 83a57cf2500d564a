//! Whole conversations in few words. A story is written on a [`Tape`] packet by packet, with the
//! numbers that both ends would keep; the tape is then played to the engine in any [`crate::play::Variant`].

use etherparse::TcpOptionElement;

pub(crate) const CLIENT: usize = 0;
pub(crate) const SERVER: usize = 1;

pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const PSH: u8 = 0x08;
pub(crate) const ACK: u8 = 0x10;

/// Microseconds in a millisecond and in a second: tapes count microseconds.
pub(crate) const MS: u64 = 1_000;
pub(crate) const S: u64 = 1_000_000;

/// How a host numbers its IPv4 packets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ids {
    /// Linux: SYN-ACK 0, then a counter that starts anywhere.
    Linux,
    /// One counter for all.
    Counter,
}

/// One end of a connection, and how its packets look at the tap.
#[derive(Clone)]
pub(crate) struct End {
    pub(crate) host: u8,
    pub(crate) port: u16,
    /// Time to live of the connection's packets.
    pub(crate) ttl: u8,
    /// Time to live of what the host sends without a connection.
    pub(crate) system_ttl: u8,
    pub(crate) tos: u8,
    pub(crate) df: bool,
    pub(crate) ids: Ids,
    pub(crate) id: u16,
    pub(crate) window: u16,
    pub(crate) timestamps: bool,
    /// What the peer sends does not arrive: the acknowledgement stays where it is.
    pub(crate) deaf: bool,
    /// Sequence number of the next byte, counted from the initial one.
    pub(crate) nxt: u32,
    /// The last acknowledgement.
    pub(crate) rcv: u32,
}

impl End {
    fn new(host: u8, port: u16, ttl: u8) -> Self {
        Self {
            host,
            port,
            ttl,
            system_ttl: ttl,
            tos: 0,
            df: true,
            ids: Ids::Linux,
            id: 0x1a00 + u16::from(host) * 77 + port,
            window: 502,
            timestamps: true,
            deaf: false,
            nxt: 0,
            rcv: 0,
        }
    }
}

/// A packet on a tape. Numbers count from the initial sequence numbers of their connection.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) talk: usize,
    pub(crate) side: usize,
    pub(crate) time_us: u64,
    pub(crate) flags: u8,
    pub(crate) seq: u32,
    /// The sequence number is 0 wherever the connection's numbers begin.
    pub(crate) seq_zero: bool,
    pub(crate) ack: u32,
    pub(crate) window: u16,
    pub(crate) ttl: u8,
    pub(crate) tos: u8,
    pub(crate) df: bool,
    pub(crate) id: u16,
    pub(crate) options: Vec<TcpOptionElement>,
    pub(crate) payload: Vec<u8>,
}

impl Packet {
    fn end(&self) -> u32 {
        let control = u32::from(self.flags & FIN != 0) + u32::from(self.flags & SYN != 0);
        self.seq.wrapping_add(u32::try_from(self.payload.len()).unwrap() + control)
    }
}

/// One connection: its two ends.
#[derive(Clone)]
pub(crate) struct Talk {
    pub(crate) ends: [End; 2],
}

/// A story: packets in the order of the tap.
#[derive(Clone)]
pub(crate) struct Tape {
    pub(crate) packets: Vec<Packet>,
    pub(crate) talks: Vec<Talk>,
    current: usize,
    now_us: u64,
    /// Time that passes before each packet.
    pub(crate) step_us: u64,
}

impl Tape {
    /// A tape with one connection: client to port 443 of a server two hops away.
    pub(crate) fn new() -> Self {
        let mut tape = Self { packets: vec![], talks: vec![], current: 0, now_us: 0, step_us: 200 };
        tape.connect((1, 40_000), (100, 443));
        tape
    }

    /// Begins another connection and makes it the current one.
    pub(crate) fn connect(&mut self, client: (u8, u16), server: (u8, u16)) -> usize {
        let ends = [End::new(client.0, client.1, 64), End::new(server.0, server.1, 62)];
        self.talks.push(Talk { ends });
        self.current = self.talks.len() - 1;
        self.current
    }

    /// Another connection of the same client to the same service.
    pub(crate) fn sibling(&mut self) -> usize {
        let port = 40_000 + u16::try_from(self.talks.len()).unwrap() * 7;
        self.connect((1, port), (100, 443))
    }

    /// Makes a connection the current one.
    pub(crate) fn on(&mut self, talk: usize) -> &mut Self {
        self.current = talk;
        self
    }

    pub(crate) fn wait(&mut self, us: u64) {
        self.now_us += us;
    }

    pub(crate) fn end(&mut self, side: usize) -> &mut End {
        &mut self.talks[self.current].ends[side]
    }

    /// Both ends as Windows writes packets: no timestamps, one identification counter, TTL 128.
    pub(crate) fn windows(&mut self) {
        for (side, ttl) in [(CLIENT, 128), (SERVER, 126)] {
            let end = self.end(side);
            (end.timestamps, end.ids, end.ttl, end.system_ttl) = (false, Ids::Counter, ttl, ttl);
        }
    }

    pub(crate) fn client(&mut self) -> Speaker<'_> {
        Speaker { tape: self, side: CLIENT }
    }

    pub(crate) fn server(&mut self) -> Speaker<'_> {
        Speaker { tape: self, side: SERVER }
    }

    pub(crate) fn handshake(&mut self) {
        self.client().syn();
        self.wait(900);
        self.server().syn_ack();
        self.client().ack();
    }

    /// A request and its answer, both acknowledged.
    pub(crate) fn exchange(&mut self, request: usize, response: usize) {
        self.client().data(request);
        self.wait(900);
        self.server().ack();
        self.server().data(response);
        self.client().ack();
    }

    /// Handshake and one exchange.
    pub(crate) fn established(&mut self) {
        self.handshake();
        self.exchange(300, 1200);
    }

    fn put(&mut self, packet: Packet) -> &mut Packet {
        self.packets.push(packet);
        self.packets.last_mut().unwrap()
    }

    /// The last packet but RSTs that `side` of the current connection sent.
    fn last_of(&self, side: usize) -> Packet {
        let of = |packet: &&Packet| {
            packet.talk == self.current && packet.side == side && packet.flags & RST == 0
        };
        self.packets.iter().rev().find(of).unwrap().clone()
    }
}

/// One side of the current connection, about to send.
pub(crate) struct Speaker<'a> {
    tape: &'a mut Tape,
    side: usize,
}

impl<'a> Speaker<'a> {
    /// Sends a packet of the connection and keeps the numbers.
    pub(crate) fn send(self, flags: u8, payload: &[u8]) -> &'a mut Packet {
        let Self { tape, side } = self;
        tape.now_us += tape.step_us;
        let (now_us, talk) = (tape.now_us, tape.current);
        let [a, b] = &mut tape.talks[talk].ends;
        let (me, peer) = if side == CLIENT { (a, b) } else { (b, a) };
        if flags & ACK != 0 && !me.deaf {
            me.rcv = peer.nxt;
        }
        let linux_syn_ack = me.ids == Ids::Linux && flags & (SYN | ACK) == SYN | ACK;
        if !linux_syn_ack {
            me.id = me.id.wrapping_add(1);
        }
        let packet = Packet {
            talk,
            side,
            time_us: now_us,
            flags,
            seq: me.nxt,
            seq_zero: false,
            ack: if flags & ACK != 0 { me.rcv } else { 0 },
            window: me.window,
            ttl: me.ttl,
            tos: me.tos,
            df: me.df,
            id: if linux_syn_ack { 0 } else { me.id },
            options: options(flags, me, peer, now_us),
            payload: payload.to_vec(),
        };
        if flags & RST == 0 {
            me.nxt = packet.end();
        }
        tape.put(packet)
    }

    pub(crate) fn syn(self) -> &'a mut Packet {
        let end = self.tape.end(self.side);
        end.nxt = 0;
        self.send(SYN, b"")
    }

    pub(crate) fn syn_ack(self) -> &'a mut Packet {
        let end = self.tape.end(self.side);
        end.nxt = 0;
        self.send(SYN | ACK, b"")
    }

    pub(crate) fn ack(self) -> &'a mut Packet {
        self.send(ACK, b"")
    }

    pub(crate) fn data(self, len: usize) -> &'a mut Packet {
        self.send(ACK | PSH, &vec![b'.'; len])
    }

    pub(crate) fn fin(self) -> &'a mut Packet {
        self.send(ACK | FIN, b"")
    }

    /// Sends the last `len` bytes again.
    pub(crate) fn again(self, len: usize) -> &'a mut Packet {
        let (tape, side) = (self.tape, self.side);
        let nxt = tape.end(side).nxt;
        tape.end(side).nxt = nxt.wrapping_sub(u32::try_from(len).unwrap());
        Speaker { tape, side }.data(len)
    }

    /// A keepalive probe.
    pub(crate) fn probe(self) -> &'a mut Packet {
        let (tape, side) = (self.tape, self.side);
        let nxt = tape.end(side).nxt;
        let packet = Speaker { tape, side }.ack();
        packet.seq = nxt.wrapping_sub(1);
        packet
    }

    /// The active form: a host that has the connection ends it.
    pub(crate) fn active(self) -> &'a mut Packet {
        self.send(RST | ACK, b"")
    }

    /// The active form as Windows writes it: window 0.
    pub(crate) fn active_windows(self) -> &'a mut Packet {
        let packet = self.active();
        packet.window = 0;
        packet
    }

    /// The reply form to the peer's last packet, as a Linux host without the connection writes it.
    pub(crate) fn reply(self) -> &'a mut Packet {
        let trigger = self.tape.last_of(self.side ^ 1);
        self.reply_to(&trigger)
    }

    /// The reply form to `trigger`.
    pub(crate) fn reply_to(self, trigger: &Packet) -> &'a mut Packet {
        let Self { tape, side } = self;
        tape.now_us += tape.step_us;
        let (time_us, talk) = (tape.now_us, tape.current);
        let bare = trigger.flags & ACK != 0;
        let end = tape.end(side);
        let packet = Packet {
            talk,
            side,
            time_us,
            flags: if bare { RST } else { RST | ACK },
            seq: if bare { trigger.ack } else { 0 },
            seq_zero: !bare,
            ack: if bare { 0 } else { trigger.end() },
            window: 0,
            ttl: end.system_ttl,
            tos: trigger.tos & 0xfc,
            df: true,
            id: 0,
            options: vec![],
            payload: vec![],
        };
        tape.put(packet)
    }

    /// What somebody else writes in this side's name: no options, window 0, its next number, and
    /// all of the peer acknowledged when `flags` have ACK.
    pub(crate) fn forged(self, flags: u8, ttl: u8) -> &'a mut Packet {
        let Self { tape, side } = self;
        tape.now_us += tape.step_us;
        let (time_us, talk) = (tape.now_us, tape.current);
        let peer_nxt = tape.end(side ^ 1).nxt;
        let packet = Packet {
            talk,
            side,
            time_us,
            flags,
            seq: tape.end(side).nxt,
            seq_zero: false,
            ack: if flags & ACK != 0 { peer_nxt } else { 0 },
            window: 0,
            ttl,
            tos: 0,
            df: true,
            id: 0,
            options: vec![],
            payload: vec![],
        };
        tape.put(packet)
    }
}

fn options(flags: u8, me: &End, peer: &End, now_us: u64) -> Vec<TcpOptionElement> {
    let mut options = vec![];
    if flags & SYN != 0 {
        options.push(TcpOptionElement::MaximumSegmentSize(1460));
        options.push(TcpOptionElement::SelectiveAcknowledgementPermitted);
        options.push(TcpOptionElement::WindowScale(7));
    }
    let agreed = me.timestamps && (peer.timestamps || flags & (SYN | ACK) == SYN);
    if agreed {
        options.push(TcpOptionElement::Noop);
        options.push(TcpOptionElement::Noop);
        let clock = u32::try_from((now_us / MS) & 0xffff_ffff).unwrap();
        options.push(TcpOptionElement::Timestamp(clock.wrapping_add(me.port.into()), 1));
    }
    options
}
