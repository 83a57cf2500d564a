"""Passive taps: tcpdump on an interface of the firewall namespace."""
from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

from .netns import Namespace


class Tap:
    """One running capture with nanosecond time stamps and whole frames."""

    def __init__(self, namespace: Namespace, interface: str, path: Path) -> None:
        self.path = path
        self._dump = namespace.popen(
            ["tcpdump", "-i", interface, "-s", "0", "-U", "-n", "--immediate-mode", "-B", "8192",
             "--time-stamp-precision=nano", "-Z", "root", "-w", str(path)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self._wait_until_listening()

    def _wait_until_listening(self) -> None:
        assert self._dump.stderr is not None
        said = b""
        while b"listening on" not in said:
            line = self._dump.stderr.readline()
            if not line:
                raise RuntimeError(f"tcpdump did not start: {said.decode(errors='replace')}")
            said += line

    def stop(self) -> None:
        """End the capture after what is under way has been written."""
        time.sleep(0.05)
        if self._dump.poll() is None:
            self._dump.send_signal(signal.SIGINT)
        _, said = self._dump.communicate(timeout=10)
        if b"0 packets dropped by kernel" not in said:
            raise RuntimeError(f"capture lost packets: {said.decode(errors='replace').strip()}")

    def kill(self) -> None:
        """End the capture at once; what it holds does not matter any more."""
        if self._dump.poll() is None:
            self._dump.kill()
        self._dump.communicate()
