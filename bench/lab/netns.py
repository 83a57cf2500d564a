"""Anonymous network namespaces, entered from Python without helper programs.

A namespace lives only as long as a file descriptor or a process refers to it,
so nothing is left behind when the lab ends, however it ends.
"""
from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Iterator

_LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_OWN_NET = "/proc/thread-self/ns/net"


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def unshare(flags: int) -> None:
    """Detach the calling thread from the namespaces named by `flags`."""
    _check(_LIBC.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str | None, flags: int) -> None:
    """mount(2)."""
    _check(
        _LIBC.mount(source.encode(), target.encode(), kind.encode() if kind else None, flags, None),
        f"mount {target}",
    )


def die_with_parent() -> None:
    """Ask the kernel to kill this process when the thread that forked it ends."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Namespace:
    """One network namespace, held by a file descriptor."""

    def __init__(self, name: str) -> None:
        self.name = name
        home = os.open(_OWN_NET, os.O_RDONLY | os.O_CLOEXEC)
        try:
            unshare(CLONE_NEWNET)
            self.fd = os.open(_OWN_NET, os.O_RDONLY | os.O_CLOEXEC)
        finally:
            _check(_LIBC.setns(home, CLONE_NEWNET), "setns home")
            os.close(home)

    @property
    def path(self) -> str:
        """A path by which other programs can open the namespace."""
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    @contextlib.contextmanager
    def enter(self) -> Iterator[None]:
        """Run the block, in this thread only, inside the namespace."""
        back = os.open(_OWN_NET, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _check(_LIBC.setns(self.fd, CLONE_NEWNET), f"setns {self.name}")
            try:
                yield
            finally:
                _check(_LIBC.setns(back, CLONE_NEWNET), "setns back")
        finally:
            os.close(back)

    def popen(self, command: list[str], **more: object) -> subprocess.Popen:
        """Start a program inside; it is killed when the lab dies."""
        with self.enter():
            return subprocess.Popen(command, preexec_fn=die_with_parent, **more)  # type: ignore[call-overload]

    def run(self, command: list[str], text: str | None = None, check: bool = True) -> str:
        """Run a program inside to its end; its output is returned."""
        with self.enter():
            done = subprocess.run(command, input=text, text=True, capture_output=True, timeout=30, check=False)
        if check and done.returncode != 0:
            raise RuntimeError(f"{self.name}: {' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def ip(self, lines: str) -> None:
        """Run a batch of iproute2 commands (one a line, without the leading `ip`)."""
        self.run(["ip", "-batch", "-"], text=lines)

    def nft(self, rules: str) -> None:
        """Load nftables rules; they live and die with the namespace."""
        self.run(["nft", "-f", "-"], text=rules)

    def sysctl(self, name: str, value: object) -> None:
        """Set a network sysctl of this namespace."""
        with self.enter(), open("/proc/sys/net/" + name.replace(".", "/"), "w", encoding="ascii") as knob:
            knob.write(str(value))

    def close(self) -> None:
        """Let go of the namespace."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
