"""A real HAProxy on the router: idle timers, health checks, members that go down."""
from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from ..conn import Conn, Listener, abort, tls_client_hello
from ..leftovers import temporary_folder
from ..registry import scenario
from ..scene import Scene

_COMMON = """
defaults
    mode tcp
    timeout connect 1s
    timeout client {idle}ms
    timeout server {idle}ms
frontend f
    bind {vip}
    default_backend b
backend b
"""


@contextlib.contextmanager
def _haproxy(scene: Scene, front: tuple[str, int], members: str, idle_ms: int = 20_000) -> Iterator[None]:
    """HAProxy listening on `front` while the block runs."""
    with temporary_folder() as folder:
        config = Path(folder) / "haproxy.cfg"
        config.write_text(_COMMON.format(idle=idle_ms, vip=f"{front[0]}:{front[1]}") + members, encoding="ascii")
        proxy = scene.fw.ns.popen(["haproxy", "-db", "-f", str(config)], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for _ in range(100):
                # Asked of the kernel, so that no packet is seen on the wire.
                if scene.fw.ns.run(["ss", "-H", "-l", "-n", "-t", "sport", "=", str(front[1])]).strip():
                    break
                time.sleep(0.02)
            else:
                raise RuntimeError("haproxy did not start")
            yield
        finally:
            proxy.kill()
            proxy.communicate()


def _through(scene: Scene, listener: Listener, front: tuple[str, int]) -> tuple[Conn, tuple[str, int, str, int]]:
    """A connection through the proxy, one exchange done, and the flow of its backend leg."""
    sock, half = scene.client_socket()
    sock.connect(front)
    hello = b"hello from %d" % half[1]
    sock.sendall(hello)
    while True:
        back, peer = listener.sock.accept()
        back.settimeout(0.5)
        # A health check's connection is accepted as well, dead on arrival.
        with contextlib.suppress(OSError):
            if back.recv(len(hello)) == hello:
                break
        back.close()
    conn = Conn(sock, back, half[:2] + front, scene.dice)
    conn.respond(scene.dice.randint(150, 900))
    return conn, (peer[0], peer[1], listener.address, listener.port)


@scenario(39, "proxy-idle", "backend leg 6.4; late client data 2.2")
def proxy_idle(scene: Scene) -> None:
    """HAProxy's idle timer runs out on both of its legs."""
    listener = scene.listen()
    front = (scene.topology.vip[scene.family], scene.port())
    idle = scene.dice.randrange(1200, 1800, 50)
    with _haproxy(scene, front, f"    server s {listener.address}:{listener.port}\n", idle):
        for _ in range(scene.dice.randint(1, 2)):
            conn, leg = _through(scene, listener, front)
            time.sleep(idle / 1000 + 0.3)
            scene.expect(leg, "client", "6.4", also=("0.2", "4.2"), reasons=("TCP_STATE",), form="ACTIVE_RA")
            conn.send_request(120)
            scene.expect(conn, "server", "2.2", reasons=("TCP_TIMEWAIT_SOCKET",), form="REPLY_R")
            scene.settle()


@scenario(49, "member-down", "health checks 0.6, then refused 1.2; backend legs 6.5; late client data 2.2")
def member_down(scene: Scene) -> None:
    """The load balancer's checks find the member dead and it ends the member's sessions at once."""
    listener = scene.listen()
    front = (scene.topology.vip[scene.family], scene.port())
    abrupt = scene.dice.random() < 0.5
    members = (("    option nolinger\n" if abrupt else "")
               + f"    server s {listener.address}:{listener.port} "
                 f"check inter {scene.dice.randint(120, 250)} fall 1 on-marked-down shutdown-sessions\n")
    checks = (scene.topology.fw_server_side[scene.family], 0, listener.address, listener.port)
    with _haproxy(scene, front, members):
        scene.pause(0.5, 0.9)
        sessions = []
        for _ in range(scene.dice.randint(3, 5)):
            conn, leg = _through(scene, listener, front)
            sessions.append(conn)
            scene.expect(leg, "client", "6.5", also=("0.2", "4.2", "6.1"), reasons=("TCP_STATE",), form="ACTIVE_RA")
        scene.pause(0.1, 0.3)
        listener.close()
        scene.pause(0.7, 0.9)
        for conn in sessions:
            conn.send_request(120)
            scene.expect(conn, "server", "2.2", also=("6.5",), reasons=("TCP_TIMEWAIT_SOCKET",), form="REPLY_R")
        scene.settle()
    scene.expect(checks, "client", "0.6", reasons=("TCP_STATE",), form="ACTIVE_RA", minimum=3, maximum=1000)
    scene.expect(checks, "server", "1.2", reasons=("NO_SOCKET", "TCP_STATE"), minimum=1, maximum=1000)


@scenario(50, "no-pool", "1.4 (1.1 as good); behind an accepting front 2.2 (1.4 as good)")
def no_pool(scene: Scene) -> None:
    """A virtual address without a listener, and one whose pool has no members."""
    front = (scene.topology.vip[scene.family], scene.port())
    with _haproxy(scene, front, ""):
        for _ in range(scene.dice.randint(1, 2)):
            flow = scene.attempt(scene.port(), address=front[0])
            scene.expect(flow, "server", "1.4", also=("1.1",), reasons=("NO_SOCKET",), form="REPLY_RA")
            scene.pause(0.02, 0.1)
        sock, half = scene.client_socket()
        sock.connect(front)
        scene.pause(0.03, 0.1)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
        scene.expect(half[:2] + front, "server", "2.2", also=("1.4", "4.5"), reasons=("TCP_TIMEWAIT_SOCKET",),
                     form="REPLY_R")
        scene.settle()


@scenario(59, "tls-failure", "4.7 (4.4 as good)", rtts=(0, 20))
def tls_failure(scene: Scene) -> None:
    """The server answers the ClientHello with a TLS alert and aborts."""
    listener = scene.listen()
    scene.baseline(listener, 2)
    for _ in range(scene.dice.randint(1, 3)):
        conn = scene.connect(listener)
        conn.c.sendall(tls_client_hello(scene.dice, "shop.example"))
        conn.s.recv(4096)
        conn.s.sendall(bytes.fromhex("15030300020228"))
        scene.pause(0.0, 0.002)
        abort(conn.s)
        scene.expect(conn, "server", "4.7", also=("4.4", "4.2"), reasons=("TCP_STATE",), form="ACTIVE_RA")
        scene.aftermath(conn, "server", "2.3", also=("4.7",))
        scene.settle()
