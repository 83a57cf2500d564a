"""Listeners and connections whose two ends are both in the script's hands."""
from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
from dataclasses import dataclass, field

Flow = tuple[str, int, str, int]
"""Initiator's address and port, then the acceptor's."""

_TCP_REPAIR = 19


class Listener:
    """A listening socket that hands out accepted sockets by the peer's port."""

    def __init__(self, sock: socket.socket, address: str, port: int, backlog: int = 64) -> None:
        self.sock, self.address, self.port = sock, address, port
        self._waiting: dict[int, socket.socket] = {}
        self._lock = threading.Lock()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        sock.listen(backlog)

    def accept(self, peer_port: int) -> socket.socket:
        """The accepted socket of the connection that came from `peer_port`."""
        with self._lock:
            while peer_port not in self._waiting:
                accepted, peer = self.sock.accept()
                accepted.settimeout(25)
                self._waiting[peer[1]] = accepted
            return self._waiting.pop(peer_port)

    def close(self) -> None:
        """Stop listening."""
        self.sock.close()


@dataclass
class Conn:
    """One established connection: `c` is the initiator's socket, `s` the acceptor's."""

    c: socket.socket
    s: socket.socket
    flow: Flow
    dice: random.Random = field(repr=False)

    def send_request(self, size: int | None = None) -> int:
        """The client sends a request; nothing is read. Returns its length."""
        request = http_request(self.dice, size or self.dice.randint(90, 700))
        self.c.sendall(request)
        return len(request)

    def request(self, size: int | None = None) -> None:
        """The client sends a request and the server reads all of it."""
        read_exactly(self.s, self.send_request(size))

    def send_response(self, size: int | None = None) -> int:
        """The server sends a response; nothing is read. Returns its length."""
        response = http_response(self.dice, size or self.dice.randint(150, 4000))
        self.s.sendall(response)
        return len(response)

    def respond(self, size: int | None = None) -> None:
        """The server sends a response and the client reads all of it."""
        read_exactly(self.c, self.send_response(size))

    def exchange(self) -> None:
        """One whole request and response."""
        self.request()
        self.respond()

    def fin_close(self, server_first: bool = True) -> None:
        """Close both ends in the orderly way."""
        first, second = (self.s, self.c) if server_first else (self.c, self.s)
        first.close()
        with contextlib.suppress(OSError):
            while second.recv(65536):
                pass
        second.close()


def abort(sock: socket.socket) -> None:
    """Close with SO_LINGER 0: a RST takes the place of the FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def forget(sock: socket.socket) -> None:
    """Make the kernel drop the connection without a word, as a reboot would."""
    sock.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, 1)
    sock.close()


def read_exactly(sock: socket.socket, count: int) -> bytes:
    """Read `count` bytes."""
    got = b""
    while len(got) < count:
        part = sock.recv(count - len(got))
        if not part:
            raise EOFError("peer closed early")
        got += part
    return got


def _filler(dice: random.Random, size: int) -> bytes:
    words = b" ".join(dice.choice((b"alpha", b"bravo", b"cargo", b"delta", b"ember")) for _ in range(12))
    return (words * (size // len(words) + 1))[:max(0, size)]


def http_request(dice: random.Random, size: int) -> bytes:
    """A request of about `size` bytes."""
    head = b"POST /item/%d HTTP/1.1\r\nHost: shop.example\r\nContent-Length: %d\r\n\r\n"
    body = _filler(dice, size - 70)
    return head % (dice.randint(1, 9999), len(body)) + body


def http_response(dice: random.Random, size: int) -> bytes:
    """A response of about `size` bytes."""
    body = _filler(dice, size - 60)
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def tls_client_hello(dice: random.Random, name: str) -> bytes:
    """The first record of a TLS connection that asks for the server `name`."""
    host = name.encode()
    sni = struct.pack("!HHHBH", 0, len(host) + 5, len(host) + 3, 0, len(host)) + host
    groups = bytes.fromhex("000a00040002001d")
    extensions = sni + groups
    body = (b"\x03\x03" + dice.randbytes(32) + b"\x20" + dice.randbytes(32)
            + bytes.fromhex("00061301130213030100") + struct.pack("!H", len(extensions)) + extensions)
    hello = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + struct.pack("!H", len(hello)) + hello
