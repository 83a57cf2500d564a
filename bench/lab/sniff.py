"""What an on-path device does: look at frames as they pass, and put forged ones on a link."""
from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable
from dataclasses import replace

from .conn import Flow
from .packets import ACK, FIN, SYN, Segment, build, parse
from .topology import CLIENT_TAP, SERVER_TAP, Host, Topology

_ETH_P_ALL = 3


class Sniffer:
    """Reads the segments that cross one interface."""

    def __init__(self, host: Host, interface: str) -> None:
        with host.ns.enter():
            self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
            self._sock.bind((interface, _ETH_P_ALL))

    def wait(self, wanted: Callable[[Segment], bool], timeout: float = 5.0) -> Segment:
        """The next segment that `wanted` accepts."""
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            if not select.select([self._sock], [], [], left)[0]:
                break
            segment = parse(self._sock.recv(65535))
            if segment is not None and wanted(segment):
                return segment
        raise TimeoutError("the awaited segment did not pass")

    def drain(self) -> list[Segment]:
        """All segments that have passed and were not yet looked at."""
        seen = []
        while select.select([self._sock], [], [], 0)[0]:
            segment = parse(self._sock.recv(65535))
            if segment is not None:
                seen.append(segment)
        return seen

    def close(self) -> None:
        """Stop looking."""
        self._sock.close()


class Injector:
    """Puts raw segments on the links and remembers the RSTs among them."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self.sent: list[Segment] = []

    def _transmit(self, host: Host, interface: str, frame: bytes) -> None:
        with host.ns.enter(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
            sock.bind((interface, 0))
            sock.send(frame)

    def to_client(self, segment: Segment, client: Host | None = None) -> None:
        """Send from the firewall on to the client link."""
        target = client or self._topology.client
        self.sent.append(segment)
        self._transmit(self._topology.fw, CLIENT_TAP, build(segment, self._topology.fw.mac, target.mac))

    def to_server(self, segment: Segment) -> None:
        """Send from the firewall on to the server link."""
        self.sent.append(segment)
        frame = build(segment, self._topology.fw_server_mac, self._topology.server.mac)
        self._transmit(self._topology.fw, SERVER_TAP, frame)

    def from_client(self, segment: Segment) -> None:
        """Send out of the client's own interface, past its TCP stack."""
        self.sent.append(segment)
        frame = build(segment, self._topology.client.mac, self._topology.fw.mac)
        self._transmit(self._topology.client, "c0", frame)

    def from_server(self, segment: Segment) -> None:
        """Send out of the server's own interface, past its TCP stack."""
        self.sent.append(segment)
        frame = build(segment, self._topology.server.mac, self._topology.fw_server_mac)
        self._transmit(self._topology.server, "s0", frame)


class FlowView:
    """What a device on the path knows of a flow: both ends' next sequence numbers."""

    def __init__(self, sniffer: Sniffer, flow: Flow) -> None:
        self._sniffer, self.flow = sniffer, flow
        self.next: dict[str, int] = {}
        self.last: dict[str, Segment] = {}

    def side(self, segment: Segment) -> str | None:
        """Which end of the flow sent the segment."""
        ends = (segment.src, segment.sport, segment.dst, segment.dport)
        if ends == self.flow:
            return "client"
        if ends == self.flow[2:] + self.flow[:2]:
            return "server"
        return None

    def learn(self, segment: Segment) -> None:
        """Take a segment into account."""
        side = self.side(segment)
        if side is None:
            return
        length = len(segment.payload) + bool(segment.flags & SYN) + bool(segment.flags & FIN)
        end = (segment.seq + length) & 0xFFFFFFFF
        known = self.next.get(side)
        if known is None or (end - known) & 0xFFFFFFFF < 1 << 31:
            self.next[side] = end
        self.last[side] = segment

    def catch_up(self) -> FlowView:
        """Take into account everything that has passed so far."""
        for segment in self._sniffer.drain():
            self.learn(segment)
        return self

    def await_payload(self, side: str) -> Segment:
        """Wait until `side` sends data."""
        def wanted(segment: Segment) -> bool:
            self.learn(segment)
            return self.side(segment) == side and bool(segment.payload)
        return self._sniffer.wait(wanted)

    def await_bare(self, side: str) -> Segment:
        """Wait until `side` sends a segment without data."""
        return self._sniffer.wait(lambda segment: self.side(segment) == side and not segment.payload)

    def forge(self, side: str, flags: int, **changes: object) -> Segment:
        """A segment that claims to come from `side`, in sequence, with a forger's plain header."""
        src, sport, dst, dport = self.flow if side == "client" else self.flow[2:] + self.flow[:2]
        other = "server" if side == "client" else "client"
        ack = self.next[other] if flags & ACK else 0
        plain = Segment(src, dst, sport, dport, self.next[side], ack, flags, 0, b"", b"", 64, 0, True, 0)
        return replace(plain, **changes)  # type: ignore[arg-type]
