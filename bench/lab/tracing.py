"""The kernel's own account: tcp_send_reset and tcp_receive_reset from a private tracefs instance."""
from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from .netns import CLONE_NEWNS, mount, unshare

TRACEFS = Path("/sys/kernel/tracing")
PREFIX = "resetscope-lab-"
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000
_LINE = re.compile(r"\]\s+\S+\s+(\d+)\.(\d+): (tcp_\w+): (.*)$")
_FIELD = re.compile(r"(\w+)=(\S+)")


@dataclass
class SentReset:
    """One tcp_send_reset event. `src` is the sender of the RST."""

    time_ns: int
    src: str
    sport: int
    dst: str
    dport: int
    active: bool
    state: str
    reason: str
    uses_left: int = 1

    @property
    def anonymous(self) -> bool:
        """True if the kernel had no addresses to print (listener or request socket)."""
        return self.dport == 0


@dataclass
class ReceivedReset:
    """One tcp_receive_reset event: a socket accepted a RST. `dst` is that socket's end."""

    time_ns: int
    src: str
    sport: int
    dst: str
    dport: int
    uses_left: int = 1


def ensure_tracefs() -> None:
    """Make tracefs visible at its usual place, in a private mount namespace if it is not there."""
    if (TRACEFS / "instances").is_dir():
        return
    unshare(CLONE_NEWNS)
    mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    mount("tracefs", str(TRACEFS), "tracefs", 0)


def _endpoint(text: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":")
    return address.strip("[]"), int(port)


def wall_minus_mono_ns() -> int:
    """Offset from the trace clock to the capture clock, taken between two close readings."""
    best = None
    for _ in range(5):
        before = time.monotonic_ns()
        wall = time.time_ns()
        after = time.monotonic_ns()
        if best is None or after - before < best[0]:
            best = (after - before, wall - (before + after) // 2)
    assert best is not None
    return best[1]


class Trace:
    """A tracefs instance of our own with the two events switched on."""

    def __init__(self, owner_pid: int, label: str) -> None:
        self.path = TRACEFS / "instances" / f"{PREFIX}{owner_pid}-{label}"
        os.mkdir(self.path)
        self._write("trace_clock", "mono")
        self._write("events/tcp/tcp_send_reset/enable", "1")
        self._write("events/tcp/tcp_receive_reset/enable", "1")
        self._write("tracing_on", "1")

    def _write(self, name: str, value: str) -> None:
        (self.path / name).write_text(value, encoding="ascii")

    def read(self) -> tuple[list[SentReset], list[ReceivedReset]]:
        """All events so far, in time order, on the wall clock."""
        offset = wall_minus_mono_ns()
        sent: list[SentReset] = []
        received: list[ReceivedReset] = []
        for line in (self.path / "trace").read_text(encoding="utf-8", errors="replace").splitlines():
            match = _LINE.search(line)
            if not match:
                continue
            seconds, fraction, event, rest = match.groups()
            when = int(seconds) * 10**9 + int(fraction.ljust(9, "0")) + offset
            fields = dict(_FIELD.findall(rest))
            if event == "tcp_send_reset":
                src, sport = _endpoint(fields["src"])
                dst, dport = _endpoint(fields["dest"])
                active = fields["skbaddr"] == "(nil)" or set(fields["skbaddr"]) <= set("0x")
                sent.append(SentReset(when, src, sport, dst, dport, active,
                                      fields["state"].removeprefix("TCP_"), fields["reason"]))
            elif event == "tcp_receive_reset":
                six = fields["family"] == "AF_INET6"
                received.append(ReceivedReset(when, fields["daddrv6" if six else "daddr"], int(fields["dport"]),
                                              fields["saddrv6" if six else "saddr"], int(fields["sport"])))
        sent.sort(key=lambda event: event.time_ns)
        return sent, received

    def close(self) -> None:
        """Switch off and remove the instance."""
        if self.path.is_dir():
            self._write("tracing_on", "0")
            self.path.rmdir()
