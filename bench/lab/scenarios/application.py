"""Cause 4: the application's own doing."""
from __future__ import annotations

import contextlib
import socket
import time

from ..conn import Conn, abort, read_exactly, tls_client_hello
from ..procs import DoomedServer
from ..registry import scenario
from ..scene import Scene


@scenario(13, "close-unread", "4.1", rtts=(0, 1, 20, 150), rough=True)
def close_unread(scene: Scene) -> None:
    """The server closes without having read the request."""
    listener = scene.listen()
    scene.baseline(listener, 2)
    for _ in range(scene.dice.randint(1, 3)):
        conn = scene.connect(listener)
        if scene.dice.random() < 0.5:
            conn.exchange()
        conn.send_request()
        scene.settle()
        scene.pause(0.03, 0.3)
        conn.s.close()
        scene.expect(conn, "server", "4.1", also=("4.2", "4.4"), reasons=("TCP_ABORT_ON_CLOSE",), form="ACTIVE_RA")
        scene.settle()


@scenario(14, "respond-then-unread", "4.1 (0.2 as good)", rtts=(0, 20))
def respond_then_unread(scene: Scene) -> None:
    """The server answers early and closes while part of the upload is unread."""
    listener = scene.listen()
    scene.baseline(listener, 2)
    for _ in range(scene.dice.randint(1, 2)):
        conn = scene.connect(listener)
        conn.send_request(scene.dice.randint(8000, 30000))
        read_exactly(conn.s, 500)
        scene.settle()
        conn.respond(scene.dice.randint(150, 600))
        conn.s.close()
        scene.expect(conn, "server", "4.1", also=("0.2", "4.2"), reasons=("TCP_ABORT_ON_CLOSE",), form="ACTIVE_RA")
        scene.aftermath(conn, "server", "2.3", also=("4.1", "0.2"))
        scene.settle()


@scenario(55, "abort-unanswered", "4.2", rtts=(0, 20), rough=True)
def abort_unanswered(scene: Scene) -> None:
    """The server has read the request and aborts instead of answering."""
    listener = scene.listen()
    scene.baseline(listener, 2)
    for _ in range(scene.dice.randint(1, 3)):
        conn = scene.connect(listener)
        conn.exchange()
        conn.request()
        scene.pause(0.05, 0.4)
        abort(conn.s)
        scene.expect(conn, "server", "4.2", also=("4.1", "4.4"), reasons=("TCP_STATE",), form="ACTIVE_RA")
        scene.settle()


@scenario(16, "abort-in-flight", "4.2", rtts=(20, 150))
def abort_in_flight(scene: Scene) -> None:
    """The server aborts while its own answer is still unacknowledged."""
    listener = scene.listen()
    scene.baseline(listener, 2)
    for _ in range(scene.dice.randint(1, 2)):
        conn = scene.connect(listener)
        conn.request()
        conn.send_response(scene.dice.randint(3000, 9000))
        time.sleep(0.003)
        abort(conn.s)
        scene.expect(conn, "server", "4.2", also=("5.5",), reasons=("TCP_STATE",), form="ACTIVE_RA")
        scene.aftermath(conn, "server", "2.3", also=("4.2",))
        scene.settle()
        scene.settle()


@scenario(18, "server-killed", "4.3, then 1.2", rtts=(0, 20), rough=True)
def server_killed(scene: Scene) -> None:
    """kill -9 of a server with five connections, some with unread data; then reconnects."""
    port = scene.port()
    server = DoomedServer(scene.server, scene.family, scene.address(scene.server), port)
    conns = []
    for _ in range(5):
        sock, half = scene.client_socket()
        sock.connect((scene.address(scene.server), port))
        conns.append((sock, half[:2] + (scene.address(scene.server), port)))
        scene.pause(0.01, 0.1)
    server.await_accepts(5)
    for sock, flow in scene.dice.sample(conns, scene.dice.randint(2, 3)):
        sock.sendall(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
        scene.expect(flow, "server", "4.3", also=("4.1",), reasons=("TCP_ABORT_ON_CLOSE",), form="ACTIVE_RA")
    scene.settle()
    scene.pause(0.1, 0.5)
    server.kill()
    scene.settle()
    for sock, _ in conns:
        sock.close()
    for _ in range(scene.dice.randint(1, 3)):
        flow = scene.attempt(port)
        scene.expect(flow, "server", "1.2", reasons=("NO_SOCKET",), form="REPLY_RA")
        scene.pause(0.02, 0.1)


@scenario(19, "unaccepted-children", "4.5", rtts=(0, 20))
def unaccepted_children(scene: Scene) -> None:
    """A listener closes with established connections nobody accepted."""
    listener = scene.listen()
    for _ in range(scene.dice.randint(3, 6)):
        sock, half = scene.client_socket()
        sock.connect((listener.address, listener.port))
        if scene.dice.random() < 0.4:
            sock.sendall(b"hello")
        scene.expect(half[:2] + (listener.address, listener.port), "server", "4.5", also=("4.2", "4.3", "4.1", "1.4"),
                     reasons=("TCP_STATE",), form="ACTIVE_RA")
        scene.pause(0.005, 0.05)
    scene.settle()
    listener.close()
    scene.settle()


@scenario(20, "accept-queue-full", "4.5")
def accept_queue_full(scene: Scene) -> None:
    """The accept queue is full and the host resets what does not fit (tcp_abort_on_overflow)."""
    scene.server.ns.sysctl("ipv4.tcp_abort_on_overflow", 1)
    scene.server.ns.sysctl("ipv4.tcp_syncookies", 0)
    listener = scene.listen(backlog=2)
    held = []
    for _ in range(2):
        sock, half = scene.client_socket()
        rule = scene.rule(scene.server, "prerouting", f"tcp sport {half[1]} tcp flags & (syn|ack) == ack drop")
        sock.connect((listener.address, listener.port))
        held.append((sock, half[:2] + (listener.address, listener.port), rule))
    for _ in range(3):
        sock, _ = scene.client_socket()
        sock.connect((listener.address, listener.port))
    for sock, flow, rule in held:
        rule.remove()
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        scene.expect(flow, "server", "4.5", also=("2.1",), reasons=("INVALID_SYN",), form="REPLY_R")
    scene.pause(0.1, 0.2)


@scenario(21, "accept-queue-silent", "no RST")
def accept_queue_silent(scene: Scene) -> None:
    """The same with SYN cookies: the overflow is silent."""
    scene.server.ns.sysctl("ipv4.tcp_abort_on_overflow", 1)
    listener = scene.listen(backlog=0)
    for _ in range(3):
        sock, _ = scene.client_socket()
        sock.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            sock.connect((listener.address, listener.port))
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
    scene.pause(0.3, 0.5)


def _fill(conn: Conn, limit: int) -> None:
    """The server sends until the path is full or `limit` bytes have gone."""
    conn.s.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while limit > 0:
            limit -= conn.s.send(b"z" * min(limit, 8192))


@scenario(22, "client-abort", "4.6", rtts=(0, 1, 20, 150))
def client_abort(scene: Scene) -> None:
    """The client closes in the middle of a download, with part of it unread."""
    listener = scene.listen()
    scene.baseline(listener, 2)
    for _ in range(scene.dice.randint(1, 3)):
        conn = scene.connect(listener, window=8192)
        conn.request()
        _fill(conn, scene.dice.randint(16000, 24000))
        scene.pause(0.02, 0.1)
        scene.settle()
        conn.c.recv(scene.dice.randint(100, 2000))
        conn.c.close()
        scene.expect(conn, "client", "4.6", also=("4.1",), reasons=("TCP_ABORT_ON_CLOSE",), form="ACTIVE_RA")
        scene.aftermath(conn, "client", "2.3", also=("4.6",))
        scene.settle()


@scenario(23, "client-gone-while-streaming", "4.6 (0.3 and 2.2 as good), one event for all RSTs", rtts=(0, 20, 150))
def client_gone_while_streaming(scene: Scene) -> None:
    """The client has read all and closed; the server streams on."""
    listener = scene.listen()
    scene.baseline(listener, 2)
    conn = scene.connect(listener)
    conn.request()
    for _ in range(scene.dice.randint(2, 4)):
        conn.respond(1000)
    conn.c.close()
    with contextlib.suppress(OSError):
        for _ in range(scene.dice.randint(4, 9)):
            conn.s.sendall(b"s" * 1000)
    scene.expect(conn, "client", "4.6", also=("0.3", "2.2"), reasons=("TCP_TIMEWAIT_SOCKET", "TCP_ABORT_ON_DATA"),
                 form="REPLY_R")
    scene.aftermath(conn, "client", "4.6", also=("0.3", "2.2", "2.3"))
    scene.settle()


@scenario(48, "refused-request", "4.4 (4.1, 4.7 as good)", rtts=(0, 20), rough=True)
def refused_request(scene: Scene) -> None:
    """TLS spoken to a service that expects something else: closed at once, unanswered."""
    listener = scene.listen()
    scene.baseline(listener, 2)
    for _ in range(scene.dice.randint(1, 3)):
        conn = scene.connect(listener)
        conn.c.sendall(tls_client_hello(scene.dice, "shop.example"))
        conn.s.recv(16)
        conn.s.close()
        scene.expect(conn, "server", "4.4", also=("4.1", "4.2", "4.7"), reasons=("TCP_ABORT_ON_CLOSE",),
                     form="ACTIVE_RA")
        scene.settle()


@scenario(56, "client-timeout", "4.6", rtts=(0, 20))
def client_timeout(scene: Scene) -> None:
    """The client waits for an answer that does not come, and aborts."""
    listener = scene.listen()
    scene.baseline(listener, 2)
    for _ in range(2):
        conn = scene.connect(listener)
        conn.request()
        time.sleep(1.0)
        abort(conn.c)
        scene.expect(conn, "client", "4.6", also=("4.2",), reasons=("TCP_STATE",), form="ACTIVE_RA")
        scene.settle()


def keepalive(sock: socket.socket, idle: int, interval: int, count: int) -> None:
    """Turn keepalive probes on."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, interval)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, count)
