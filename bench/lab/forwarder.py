"""A wire with delay, jitter, loss and reordering, in user space.

Two interfaces of a namespace without addresses are joined frame by frame; it
stands in for netem, which many small kernels are built without. It runs as a
process of its own so that its timing does not depend on the scenario's script.
"""
from __future__ import annotations

import heapq
import json
import os
import random
import select
import signal
import socket
import time
from dataclasses import asdict, dataclass

from .netns import Namespace, die_with_parent

_ETH_P_ALL = 3
_PACKET_OUTGOING = 4


@dataclass
class WireSettings:
    """What the wire does to each frame, in both directions alike."""

    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    loss: float = 0.0
    reorder: float = 0.0


class Wire:
    """The forwarder process and the pipe by which its settings can be changed."""

    def __init__(self, namespace: Namespace, left: str, right: str, settings: WireSettings, seed: int) -> None:
        with namespace.enter():
            ends = [socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL)) for _ in range(2)]
            ends[0].bind((left, _ETH_P_ALL))
            ends[1].bind((right, _ETH_P_ALL))
        read_end, self._control = os.pipe()
        self.settings = settings
        self.pid = os.fork()
        if self.pid == 0:
            try:
                die_with_parent()
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                os.close(self._control)
                _forward(ends, read_end, settings, random.Random(seed))
            finally:
                os._exit(0)
        os.close(read_end)
        for end in ends:
            end.close()

    def change(self, **what: float) -> None:
        """Change settings while frames flow, e.g. `change(loss=0.3)`."""
        self.settings = WireSettings(**{**asdict(self.settings), **what})
        os.write(self._control, (json.dumps(asdict(self.settings)) + "\n").encode())

    def close(self) -> None:
        """Stop the forwarder."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._control)


def _forward(ends: list[socket.socket], control: int, settings: WireSettings, dice: random.Random) -> None:
    """Move frames until the control pipe closes."""
    queue: list[tuple[float, int, int, bytes]] = []
    last_due = [0.0, 0.0]
    order = 0
    while True:
        now = time.monotonic()
        while queue and queue[0][0] <= now:
            _, _, way, frame = heapq.heappop(queue)
            try:
                ends[way].send(frame)
            except OSError:
                return
            now = time.monotonic()
        wait = max(0.0, queue[0][0] - now) if queue else None
        ready = select.select([ends[0].fileno(), ends[1].fileno(), control], [], [], wait)[0]
        if control in ready:
            text = os.read(control, 65536)
            if not text:
                return
            settings = WireSettings(**json.loads(text.decode().splitlines()[-1]))
        for way, source in ((1, ends[0]), (0, ends[1])):
            if source.fileno() not in ready:
                continue
            frame, meta = source.recvfrom(65535)
            if meta[2] == _PACKET_OUTGOING or dice.random() < settings.loss:
                continue
            due = time.monotonic() + (settings.delay_ms + dice.uniform(0, settings.jitter_ms)) / 1000
            if dice.random() < settings.reorder:
                due += 0.004
            else:
                due = max(due, last_due[way])
                last_due[way] = due
            order += 1
            heapq.heappush(queue, (due, order, way, frame))
