"""Cause 5: the network in between."""
from __future__ import annotations

import contextlib
import socket
import time

from ..conn import Conn, abort
from ..forwarder import WireSettings
from ..registry import scenario
from ..scene import Scene
from .application import keepalive


@scenario(24, "keepalive-expiry", "5.1, never 6.4", rtts=(0, 20))
def keepalive_expiry(scene: Scene) -> None:
    """Keepalive probes get no answer because the way back is broken."""
    listener = scene.listen()
    scene.baseline(listener, 1)
    prober = scene.dice.choice(("server", "client"))
    conn = scene.connect(listener)
    conn.exchange()
    keepalive(conn.s if prober == "server" else conn.c, 1, 1, scene.dice.randint(2, 3))
    if prober == "server":
        broken = f"tcp dport {listener.port} tcp sport {conn.flow[1]} drop"
    else:
        broken = f"tcp sport {listener.port} tcp dport {conn.flow[1]} drop"
    scene.rule(scene.fw, "forward", broken)
    scene.expect(conn, prober, "5.1", reasons=("TCP_KEEPALIVE_TIMEOUT",), form="ACTIVE_RA")
    time.sleep(5.2)


def _black_hole_then_late_packet(scene: Scene, conn: Conn, listener_port: int, silence: float) -> None:
    """The client's side hears nothing for `silence` seconds, then speaks itself."""
    conn.request()
    scene.settle()
    # The request's ACK may be delayed; lost in the hole, it would keep the client talking.
    scene.pause(0.1, 0.2)
    hole = scene.rule(scene.client, "prerouting", f"tcp sport {listener_port} tcp dport {conn.flow[1]} drop")
    conn.send_response(scene.dice.randint(300, 1400))
    time.sleep(silence)
    hole.remove()
    with contextlib.suppress(OSError):
        conn.send_request(200)
    scene.expect(conn, "server", "5.3", also=("2.1",), reasons=("NO_SOCKET", "TCP_FLAGS"), form="REPLY_R")
    scene.aftermath(conn, "server", "2.3", also=("5.3",))
    scene.settle()


@scenario(25, "retransmissions-exhausted", "5.3", rtts=(0, 20))
def retransmissions_exhausted(scene: Scene) -> None:
    """The server gives up retransmitting without a word; the client speaks later."""
    scene.server.ns.sysctl("ipv4.tcp_retries2", 2)
    listener = scene.listen()
    scene.baseline(listener, 1)
    conn = scene.connect(listener)
    conn.exchange()
    # 1.4 s of retransmission with the smallest RTO are allowed; the timer that finds them over rings after 3.4 s.
    dead_after = 4.5
    _black_hole_then_late_packet(scene, conn, listener.port, dead_after)


@scenario(26, "user-timeout", "5.3; no RST at the expiry itself")
def user_timeout(scene: Scene) -> None:
    """TCP_USER_TIMEOUT ends a connection with data in flight, silently."""
    listener = scene.listen()
    scene.baseline(listener, 1)
    conn = scene.connect(listener)
    conn.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1500)
    conn.exchange()
    _black_hole_then_late_packet(scene, conn, listener.port, 3.5)


@scenario(45, "abort-during-loss", "5.5 (4.2, 4.6 as good)", rtts=(20,), wire=WireSettings())
def abort_during_loss(scene: Scene) -> None:
    """The wire loses everything; the application gives up while its data are retransmitted."""
    listener = scene.listen()
    scene.baseline(listener, 2)
    conn = scene.connect(listener)
    conn.request()
    scene.topology.wires["client"].change(loss=1.0)
    conn.send_response(scene.dice.randint(1000, 4000))
    time.sleep(scene.dice.uniform(1.6, 2.2))
    abort(conn.s)
    scene.expect(conn, "server", "5.5", also=("4.2",), reasons=("TCP_STATE",), form="ACTIVE_RA")
    scene.aftermath(conn, "server", "2.3", also=("5.5",))
    scene.pause(0.1, 0.3)
    scene.topology.wires["client"].change(loss=0.0)
    scene.settle()


@scenario(46, "blackout", "5.3", versions=(4,), rtts=(20,), wire=WireSettings())
def blackout(scene: Scene) -> None:
    """The wire goes dark under three connections, the server gives up, the clients come back."""
    scene.server.ns.sysctl("ipv4.tcp_retries2", 2)
    listener = scene.listen()
    scene.baseline(listener, 2)
    conns = [scene.connect(listener) for _ in range(3)]
    for conn in conns:
        conn.exchange()
        conn.request()
    scene.settle()
    scene.topology.wires["client"].change(loss=1.0)
    for conn in conns:
        conn.send_response(scene.dice.randint(300, 1400))
    time.sleep(4.8)
    scene.topology.wires["client"].change(loss=0.0)
    for conn in conns:
        conn.send_request(200)
        scene.expect(conn, "server", "5.3", also=("2.1",), reasons=("NO_SOCKET", "TCP_FLAGS"), form="REPLY_R")
        scene.aftermath(conn, "server", "2.3", also=("5.3",))
        scene.pause(0.05, 0.2)
    scene.settle()


@scenario(47, "bad-wire", "no RST", rtts=(20, 150), wire=WireSettings(jitter_ms=4, loss=0.03, reorder=0.05))
def bad_wire(scene: Scene) -> None:
    """Loss, jitter and reordering, but every connection ends well: no RST may be seen or claimed."""
    listener = scene.listen()
    for _ in range(6):
        scene.baseline(listener, 1, scene.dice.choice((scene.client, scene.client2)))


@scenario(53, "lost-handshake-ack", "5.4 (2.1, 4.5 as good)")
def lost_handshake_ack(scene: Scene) -> None:
    """The handshake's last ACK is lost until the server has given the connection up."""
    scene.server.ns.sysctl("ipv4.tcp_synack_retries", 1)
    listener = scene.listen()
    scene.baseline(listener, 1)
    sock, half = scene.client_socket()
    hole = scene.rule(scene.server, "prerouting", f"tcp sport {half[1]} tcp flags & (syn|ack) == ack drop")
    sock.connect((listener.address, listener.port))
    time.sleep(4.0)
    hole.remove()
    sock.sendall(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
    scene.expect(half[:2] + (listener.address, listener.port), "server", "5.4", also=("2.1", "4.5"),
                 reasons=("NO_SOCKET", "TCP_FLAGS"), form="REPLY_R")
    scene.settle()
