"""The stage of one scenario: network, random choices, connections, and what is expected to be seen."""
from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from dataclasses import dataclass, field

from .conn import Conn, Flow, Listener
from .sniff import FlowView, Injector, Sniffer
from .taxonomy import cause_of
from .topology import CLIENT_TAP, SERVER_TAP, Host, Topology

PORT_STRIDE = 200
"""Service ports are kept apart modulo this number: a trace event of a listener names nothing but its port."""


@dataclass
class Expectation:
    """What one RST of a flow means, told by the script that provoked it."""

    flow: Flow
    side: str
    by: str
    subcause: str
    also: tuple[str, ...]
    role: str
    reasons: tuple[str, ...]
    form: str | None
    minimum: int
    maximum: int
    act: str
    seen: int = field(default=0)

    def __post_init__(self) -> None:
        for subcause in (self.subcause, *self.also):
            cause_of(subcause)


class Rule:
    """An nftables rule in a table of its own."""

    def __init__(self, host: Host, table: str, hook: str, rule: str) -> None:
        self._host, self._table = host, table
        host.ns.nft(f"table inet {table} {{\nchain c {{\ntype filter hook {hook} priority 0;\n{rule}\n}}\n}}\n")

    def remove(self) -> None:
        """Take the rule away again."""
        self._host.ns.nft(f"delete table inet {self._table}")


class Scene:
    """Handed to each scenario; everything random comes from its seed."""

    def __init__(self, topology: Topology, family: int, rtt_ms: float, seed: int, act: str) -> None:
        self.topology, self.family, self.rtt_ms, self.seed = topology, family, rtt_ms, seed
        self.act = act
        self.dice = random.Random(seed)
        self.injector = Injector(topology)
        self.expectations: list[Expectation] = []
        self.nat: dict[tuple[str, int], tuple[str, int]] = {}
        self.tool: str | None = None
        self.view_cut: str | None = None
        self.rough = False
        self.notes: list[str] = []
        self._ports: set[int] = set()
        self._rules = 0
        self._open: list[socket.socket] = []
        self._background: threading.Thread | None = None
        self._stop = threading.Event()

    # -- names and numbers ---------------------------------------------------------------
    @property
    def client(self) -> Host:
        """The first client."""
        return self.topology.client

    @property
    def client2(self) -> Host:
        """The second client, on the same link."""
        return self.topology.client2

    @property
    def server(self) -> Host:
        """The server."""
        return self.topology.server

    @property
    def fw(self) -> Host:
        """The router between them."""
        return self.topology.fw

    def address(self, host: Host) -> str:
        """The host's address in the scene's IP version."""
        return host.addresses[self.family]

    @property
    def ip(self) -> str:
        """nftables' word for the scene's IP version."""
        return "ip6" if self.family == 6 else "ip"

    def _fresh(self, choices: range) -> int:
        """A port that this scene has not used yet."""
        for _ in range(10_000):
            port = self.dice.choice(choices)
            if port not in self._ports:
                self._ports.add(port)
                return port
        raise RuntimeError("no port left")

    def port(self) -> int:
        """A service port no other scene uses at this moment."""
        return self._fresh(range(1000 + self.topology.index % PORT_STRIDE, 30_000, PORT_STRIDE))

    def client_port(self) -> int:
        """An ephemeral port."""
        return self._fresh(range(32_768, 61_000))

    def pause(self, low: float, high: float) -> None:
        """Wait a random time in seconds."""
        time.sleep(self.dice.uniform(low, high))

    def settle(self) -> None:
        """Wait until whatever is under way has arrived and been answered."""
        time.sleep(0.03 + 2.2 * self.rtt_ms / 1000 + (0.8 if self.rough else 0.0))

    # -- connections ---------------------------------------------------------------------
    def listen(self, port: int | None = None, backlog: int = 64, host: Host | None = None) -> Listener:
        """A listening service on the server (or on `host`)."""
        where = host or self.server
        listener = Listener(where.socket(self.family), self.address(where), port or self.port(), backlog)
        self._open.append(listener.sock)
        return listener

    def client_socket(self, host: Host | None = None, port: int | None = None) -> tuple[socket.socket, Flow]:
        """An unconnected client socket bound to a fresh port, and the first half of its flow."""
        where = host or self.client
        sock = where.socket(self.family)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound = port or self.client_port()
        sock.bind((self.address(where), bound))
        self._open.append(sock)
        return sock, (self.address(where), bound, "", 0)

    def connect(self, listener: Listener, host: Host | None = None, port: int | None = None,
                to: tuple[str, int] | None = None, window: int | None = None) -> Conn:
        """A connection to `listener` (through the virtual address `to` if given)."""
        sock, half = self.client_socket(host, port)
        if window:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        target = to or (listener.address, listener.port)
        sock.connect(target)
        accepted = listener.accept(half[1])
        self._open.append(accepted)
        return Conn(sock, accepted, half[:2] + target, self.dice)

    def attempt(self, port: int, host: Host | None = None, address: str | None = None, tos: int | None = None) -> Flow:
        """Try to connect where nobody will accept; the refusal is swallowed."""
        sock, half = self.client_socket(host)
        if tos is not None:
            if self.family == 4:
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
            else:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, tos)
        target = (address or self.address(self.server), port)
        with contextlib.suppress(ConnectionError, TimeoutError):
            sock.connect(target)
        sock.close()
        return half[:2] + target

    def baseline(self, listener: Listener, count: int = 2, host: Host | None = None) -> None:
        """Ordinary exchanges with the service, each closed by FINs."""
        for _ in range(count):
            conn = self.connect(listener, host)
            for _ in range(self.dice.randint(1, 2)):
                conn.exchange()
            conn.fin_close(server_first=self.dice.random() < 0.6)

    def start_background(self, count: int = 40, low: float = 0.02, high: float = 0.2) -> None:
        """Other people's ordinary traffic, `low` to `high` seconds apart, until the scene ends."""
        listener = self.listen()
        dice = random.Random(self.seed ^ 0x5EED)
        ports = [self.client_port() for _ in range(count)]

        def chatter() -> None:
            for port in ports:
                if self._stop.wait(dice.uniform(low, high)):
                    return
                with contextlib.suppress(OSError, EOFError):
                    conn = self.connect(listener, dice.choice((self.client, self.client2)), port)
                    conn.dice = dice
                    conn.exchange()
                    conn.fin_close()

        self._background = threading.Thread(target=chatter, daemon=True)
        self._background.start()

    # -- devices on the path -------------------------------------------------------------
    def sniff(self, link: str = "client") -> Sniffer:
        """Look at the segments on one of the firewall's links from now on."""
        return Sniffer(self.fw, CLIENT_TAP if link == "client" else SERVER_TAP)

    def view(self, flow: Flow, sniffer: Sniffer) -> FlowView:
        """Follow the sequence numbers of a flow."""
        return FlowView(sniffer, flow)

    def rule(self, host: Host, hook: str, rule: str) -> Rule:
        """Put one nftables rule on a hook (prerouting, input, forward, output) of a host."""
        self._rules += 1
        return Rule(host, f"t{self._rules}", hook, rule)

    # -- expectations --------------------------------------------------------------------
    def expect(self, flow: Flow | Conn, side: str, subcause: str, *, also: tuple[str, ...] = (), by: str = "kernel",
               role: str = "primary", reasons: tuple[str, ...] = (), form: str | None = None,
               minimum: int = 1, maximum: int = 1) -> None:
        """Say what a RST that claims to come from `side` of `flow` means; port 0 stands for any.

        Expectations of one flow and side are used up in the order in which they were stated.
        """
        key = flow.flow if isinstance(flow, Conn) else flow
        self.expectations.append(
            Expectation(key, side, by, subcause, also, role, reasons, form, minimum, maximum, self.act))

    def aftermath(self, flow: Flow | Conn, side: str, subcause: str, *, also: tuple[str, ...] = (), by: str = "kernel",
                  minimum: int = 0, maximum: int = 1000) -> None:
        """Any further RSTs from `side` of `flow` are echoes with this meaning."""
        self.expect(flow, side, subcause, also=also, by=by, role="aftermath", minimum=minimum, maximum=maximum)

    def close(self) -> None:
        """End the background traffic. Sockets stay open until the captures have ended."""
        self._stop.set()
        if self._background:
            self._background.join(timeout=15)

    def drop_sockets(self) -> None:
        """Close what the scenario left open, unheard by the taps."""
        for sock in self._open:
            sock.close()
