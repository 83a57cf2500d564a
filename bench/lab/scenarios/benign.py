"""Group 0: resets that are no failure."""
from __future__ import annotations

import socket
import struct
import time

from ..conn import Conn, abort, forget
from ..packets import ACK, PSH, RST, SYN, Segment
from ..registry import scenario
from ..scene import Scene

_TCP_LINGER2 = 8


@scenario(11, "data-crosses-fin", "0.3", rtts=(20, 150))
def data_crosses_fin(scene: Scene) -> None:
    """The client's data are on their way when the server closes."""
    listener = scene.listen()
    scene.baseline(listener, 2)
    for _ in range(scene.dice.randint(1, 2)):
        conn = scene.connect(listener)
        conn.exchange()
        conn.s.close()
        conn.send_request()
        scene.expect(conn, "server", "0.3", also=("2.2",), reasons=("TCP_ABORT_ON_DATA", "TCP_TIMEWAIT_SOCKET"),
                     form="REPLY_R")
        scene.aftermath(conn, "server", "0.3", also=("2.3", "2.2"))
        scene.settle()


@scenario(15, "linger0-after-exchange", "0.2", rtts=(0, 20))
def linger0_after_exchange(scene: Scene) -> None:
    """After complete exchanges one side closes with a RST instead of a FIN."""
    listener = scene.listen()
    for _ in range(scene.dice.randint(2, 4)):
        conn = scene.connect(listener)
        for _ in range(scene.dice.randint(1, 3)):
            conn.exchange()
        scene.settle()
        abort(conn.s)
        scene.expect(conn, "server", "0.2", reasons=("TCP_STATE",), form="ACTIVE_RA")
        scene.pause(0.02, 0.2)
    conn = scene.connect(listener)
    conn.exchange()
    conn.s.close()
    scene.settle()
    abort(conn.c)
    scene.expect(conn, "client", "0.2", reasons=("TCP_STATE",), form="ACTIVE_RA")
    scene.settle()


@scenario(17, "linger2-negative", "0.2")
def linger2_negative(scene: Scene) -> None:
    """TCP_LINGER2 = -1: the server refuses to linger in FIN-WAIT-2."""
    listener = scene.listen()
    scene.baseline(listener, 1)
    conn = scene.connect(listener)
    conn.exchange()
    conn.s.setsockopt(socket.IPPROTO_TCP, _TCP_LINGER2, struct.pack("i", -1))
    conn.s.shutdown(socket.SHUT_WR)
    # The abort must find FIN-WAIT-2: wait for an ACK of the FIN that may be delayed.
    scene.pause(0.25, 0.4)
    conn.s.close()
    scene.expect(conn, "server", "0.2", also=("0.3",), reasons=("TCP_ABORT_ON_LINGER",), form="ACTIVE_RA")
    scene.settle()
    conn = scene.connect(listener)
    conn.exchange()
    conn.s.setsockopt(socket.IPPROTO_TCP, _TCP_LINGER2, struct.pack("i", -1))
    conn.s.close()
    scene.expect(conn, "server", "0.2", also=("0.3",), reasons=("TCP_ABORT_ON_DATA",), form="REPLY_R")
    scene.settle()


@scenario(28, "half-open-probe", "0.6", rtts=(0, 20))
def half_open_probe(scene: Scene) -> None:
    """A scanner's raw SYN to open ports; its own kernel resets the surprise SYN-ACK."""
    for _ in range(scene.dice.randint(1, 4)):
        listener = scene.listen()
        scene.baseline(listener, 1)
        probe = Segment(scene.address(scene.client), listener.address, scene.client_port(), listener.port,
                        scene.dice.getrandbits(32), 0, SYN, 1024, bytes.fromhex("020405b4"), b"",
                        scene.dice.randint(40, 60), scene.dice.getrandbits(16), False, 0)
        scene.injector.from_client(probe)
        scene.expect((probe.src, probe.sport, probe.dst, probe.dport), "client", "0.6",
                     reasons=("NO_SOCKET",), form="REPLY_R")
        scene.pause(0.02, 0.1)
        scene.settle()


@scenario(29, "port-reuse", "0.4", rtts=(0, 20))
def port_reuse(scene: Scene) -> None:
    """A rebooted client comes back with the port of a connection the server still has."""
    listener = scene.listen()
    scene.baseline(listener, 1)
    conn = scene.connect(listener)
    conn.exchange()
    scene.settle()
    forget(conn.c)
    scene.pause(0.2, 0.6)
    again = scene.connect(listener, port=conn.flow[1])
    scene.expect(conn, "client", "0.4", reasons=("TCP_INVALID_ACK_SEQUENCE",), form="REPLY_R")
    again.exchange()
    again.fin_close()


@scenario(36, "inexact-rst", "0.5 once, 3.4 when guessed again and again", rtts=(0, 20))
def inexact_rst(scene: Scene) -> None:
    """Forged RSTs inside the window but not exact: the flow survives."""
    listener = scene.listen()
    for guesses in (1, scene.dice.randint(3, 6)):
        sniffer = scene.sniff()
        conn = scene.connect(listener)
        conn.exchange()
        scene.settle()
        view = scene.view(conn.flow, sniffer).catch_up()
        for _ in range(guesses):
            off = scene.dice.randint(100, 20000)
            scene.injector.to_client(view.forge("server", RST, seq=view.next["server"] + off & 0xFFFFFFFF))
            time.sleep(0.02)
        single = guesses == 1
        scene.expect(conn, "server", "0.5" if single else "3.4", also=("3.4",) if single else ("0.5",), by="injector")
        scene.aftermath(conn, "server", "3.4", also=("0.5",), by="injector")
        scene.settle()
        conn.exchange()
        conn.fin_close()
        sniffer.close()


def _stray(scene: Scene, conn: Conn, view_next: dict[str, int], side: str) -> Segment:
    """A late copy of a segment that `side` could have sent before it closed."""
    src, sport, dst, dport = conn.flow if side == "client" else conn.flow[2:] + conn.flow[:2]
    other = "server" if side == "client" else "client"
    size = scene.dice.randint(1, 40)
    return Segment(src, dst, sport, dport, view_next[side] - 1 - size & 0xFFFFFFFF, view_next[other] - 1 & 0xFFFFFFFF,
                   PSH | ACK, 500, b"", b"x" * size, 64, scene.dice.getrandbits(16), True, 0)


@scenario(41, "after-both-fins", "0.1 (two RSTs, one event)")
def after_both_fins(scene: Scene) -> None:
    """Both sides have closed; stray copies of old segments still arrive."""
    listener = scene.listen()
    scene.baseline(listener, 1)
    for server_first in (True, False):
        sniffer = scene.sniff()
        conn = scene.connect(listener)
        conn.exchange()
        conn.fin_close(server_first)
        scene.settle()
        view = scene.view(conn.flow, sniffer).catch_up()
        closed_side = "client" if server_first else "server"
        scene.expect(conn, closed_side, "0.1", reasons=("NO_SOCKET", "TCP_FLAGS"), form="REPLY_R")
        scene.aftermath(conn, closed_side, "0.1", also=("2.3",), minimum=1)
        # To the closed side first: it answers at once. Then to the side in TIME-WAIT: its ACK draws another RST.
        for side in ("server", "client") if server_first else ("client", "server"):
            segment = _stray(scene, conn, view.next, side)
            if side == "server":
                scene.injector.to_client(segment)
            else:
                scene.injector.to_server(segment)
            scene.pause(0.05, 0.3)
        sniffer.close()
