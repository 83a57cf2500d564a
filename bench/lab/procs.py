"""Real processes on a host, to be killed for real."""
from __future__ import annotations

import os
import signal
import socket
import time

from .netns import die_with_parent
from .topology import Host


class DoomedServer:
    """A forked process that listens, accepts and never reads, until it is killed."""

    def __init__(self, host: Host, family: int, address: str, port: int) -> None:
        ready, announce = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _serve(host, family, address, port, announce, ready)
        os.close(announce)
        if os.read(ready, 1) != b"r":
            raise RuntimeError("the doomed server did not start")
        self._ready = ready

    def await_accepts(self, count: int) -> None:
        """Wait until `count` connections have been accepted."""
        while count > 0:
            count -= len(os.read(self._ready, count))

    def kill(self) -> None:
        """kill -9."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._ready)


def _serve(host: Host, family: int, address: str, port: int, announce: int, ready: int) -> None:
    """The child: never returns."""
    try:
        die_with_parent()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        listener = host.socket(family)
        keep = {announce, listener.fileno(), 0, 1, 2}
        for name in os.listdir("/proc/self/fd"):
            # An inherited copy of the script's sockets would keep them from closing.
            if int(name) not in keep:
                try:
                    os.close(int(name))
                except OSError:
                    pass
        listener.settimeout(None)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(64)
        os.write(announce, b"r")
        held = []
        while True:
            held.append(listener.accept()[0])
            os.write(announce, b"a")
    finally:
        time.sleep(60)
        os._exit(1)
