"""Cause 6: somebody ends connections on purpose, with the real tools where they exist."""
from __future__ import annotations

import contextlib
import subprocess
import time

from ..conn import Conn
from ..packets import ACK, RST, SYN
from ..registry import scenario
from ..scene import Scene
from ..topology import CLIENT_TAP


def _socket_kill(scene: Scene, filters: list[str]) -> None:
    out = scene.server.ns.run(["ss", "-K", "-H", "-n", "-t", "state", "established", *filters])
    if not out.strip():
        raise RuntimeError(f"ss -K found nothing for {filters}")


@scenario(30, "socket-kill-single", "6.1 at low confidence (0.2, 4.2 as good)", rtts=(0, 20), rough=True)
def socket_kill_single(scene: Scene) -> None:
    """ss -K of one idle connection."""
    listener = scene.listen()
    scene.baseline(listener, 2)
    conn = scene.connect(listener)
    conn.exchange()
    scene.pause(0.5, 1.5)
    _socket_kill(scene, ["dport", "=", str(conn.flow[1])])
    scene.expect(conn, "server", "6.1", also=("0.2", "4.2"), reasons=("TCP_STATE",), form="ACTIVE_RA")
    scene.settle()
    scene.baseline(listener, 1)


@scenario(31, "socket-kill-cohort", "6.1", rtts=(0, 20), rough=True)
def socket_kill_cohort(scene: Scene) -> None:
    """ss -K with a filter that matches five connections."""
    listener = scene.listen()
    scene.baseline(listener, 2)
    conns = [scene.connect(listener) for _ in range(5)]
    for conn in conns:
        conn.exchange()
        scene.pause(0.01, 0.15)
    scene.pause(0.2, 0.6)
    client = scene.address(scene.client)
    _socket_kill(scene, ["sport", "=", str(listener.port), "dst", f"[{client}]" if scene.family == 6 else client])
    for conn in conns:
        scene.expect(conn, "server", "6.1", reasons=("TCP_STATE",), form="ACTIVE_RA")
    scene.settle()
    scene.baseline(listener, 1)


def _trickle(conns: list[Conn], seconds: float) -> None:
    """Both ends send a little now and then until they fail."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for conn in conns:
            with contextlib.suppress(OSError):
                conn.s.send(b"tick")
            time.sleep(0.04)
            with contextlib.suppress(OSError):
                conn.c.send(b"tock")
        time.sleep(0.1)


@scenario(32, "tcpkill", "6.2", versions=(4,), rtts=(0, 1, 20))
def tcpkill(scene: Scene) -> None:
    """tcpkill from dsniff runs on the router and aims at one service."""
    scene.tool = "tcpkill"
    listener = scene.listen()
    scene.baseline(listener, 2)
    conns = [scene.connect(listener) for _ in range(scene.dice.randint(1, 2))]
    for conn in conns:
        conn.exchange()
    tool = scene.fw.ns.popen(["tcpkill", "-i", CLIENT_TAP, "port", str(listener.port)],
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert tool.stderr is not None
    tool.stderr.readline()
    try:
        _trickle(conns, 1.6)
    finally:
        tool.terminate()
        tool.communicate()
    for conn in conns:
        for side in ("server", "client"):
            scene.expect(conn, side, "6.2", by="tcpkill", also=("3.3",))
            scene.aftermath(conn, side, "6.2", by="tcpkill", also=("3.3", "2.3"), minimum=2)
            scene.aftermath(conn, side, "2.3", also=("6.2",))
    scene.settle()


@scenario(33, "killcx", "6.3 (3.3 as good on the client link)", rtts=(0, 20))
def killcx(scene: Scene) -> None:
    """A spoofed SYN makes the server reveal its numbers; then exact RSTs go to both ends."""
    listener = scene.listen()
    scene.baseline(listener, 2)
    for _ in range(scene.dice.randint(1, 2)):
        sniffer = scene.sniff("server")
        conn = scene.connect(listener)
        conn.exchange()
        scene.settle()
        view = scene.view(conn.flow, sniffer).catch_up()
        syn = view.forge("client", SYN, seq=scene.dice.getrandbits(32), window=512, ttl=scene.dice.choice((40, 128)),
                         ip_id=scene.dice.getrandbits(16), df=False)
        scene.injector.to_server(syn)
        challenge = view.await_bare("server")
        bare = {"window": 0, "ip_id": scene.dice.getrandbits(16), "ttl": syn.ttl, "df": False}
        scene.injector.to_server(view.forge("client", RST, **{**bare, "seq": challenge.ack}))
        scene.injector.to_client(view.forge("server", RST, **{**bare, "seq": challenge.seq}))
        scene.expect(conn, "client", "6.3", also=("3.3",), by="injector")
        scene.expect(conn, "server", "6.3", also=("3.3",), by="injector")
        scene.settle()
        sniffer.close()


@scenario(58, "idle-timer", "6.4", rtts=(0, 20))
def idle_timer(scene: Scene) -> None:
    """A load balancer's idle timer resets both ends of each connection that stayed silent for one period."""
    listener = scene.listen()
    period = scene.dice.choice((1.0, 1.5, 2.0))
    flows = []
    for _ in range(scene.dice.randint(2, 4)):
        sniffer = scene.sniff()
        conn = scene.connect(listener)
        conn.exchange()
        scene.settle()
        view = scene.view(conn.flow, sniffer).catch_up()
        flows.append((time.monotonic() + period, conn, view))
        scene.pause(0.02, 0.3)
        sniffer.close()
    for due, conn, view in flows:
        time.sleep(max(0.0, due - time.monotonic()))
        scene.injector.to_client(view.forge("server", RST | ACK))
        scene.injector.to_server(view.forge("client", RST | ACK))
        scene.expect(conn, "server", "6.4", also=("3.3",), by="injector")
        scene.expect(conn, "client", "6.4", also=("3.3",), by="injector")
    scene.settle()
