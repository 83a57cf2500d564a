"""Cause 2: the connection does not exist (any more)."""
from __future__ import annotations

import contextlib
import socket

from ..conn import Conn, forget
from ..packets import ACK, SYN, Segment
from ..registry import scenario
from ..scene import Scene


@scenario(9, "half-open", "2.1", rtts=(0, 1, 20, 150), rough=True)
def half_open(scene: Scene) -> None:
    """The server has lost its state without a word; the client sends on."""
    listener = scene.listen()
    scene.baseline(listener, 2)
    conns = [scene.connect(listener) for _ in range(scene.dice.randint(1, 3))]
    for conn in conns:
        conn.exchange()
    scene.settle()
    for conn in conns:
        forget(conn.s)
    if scene.dice.random() < 0.5:
        listener.close()
    scene.pause(0.3, 1.2)
    for conn in conns:
        conn.send_request()
        scene.expect(conn, "server", "2.1", reasons=("NO_SOCKET", "TCP_FLAGS"), form="REPLY_R")
        scene.pause(0.01, 0.2)
    scene.settle()


def _data_after_close(scene: Scene, conn: Conn) -> None:
    conn.exchange()
    conn.s.close()
    scene.settle()
    scene.pause(0.1, 0.6)
    conn.send_request()
    scene.expect(conn, "server", "2.2", reasons=("TCP_TIMEWAIT_SOCKET", "TCP_ABORT_ON_DATA"), form="REPLY_R")
    scene.aftermath(conn, "server", "2.3", also=("2.2",))
    scene.settle()
    conn.c.close()


@scenario(10, "data-after-close", "2.2", rtts=(0, 1, 20, 150), rough=True)
def data_after_close(scene: Scene) -> None:
    """The server has closed; the client sends new data."""
    listener = scene.listen()
    scene.baseline(listener, 2)
    for _ in range(scene.dice.randint(1, 3)):
        _data_after_close(scene, scene.connect(listener))


@scenario(12, "data-after-fin-timeout", "2.2")
def data_after_fin_timeout(scene: Scene) -> None:
    """As 10, but the server's kernel has forgotten the closed connection."""
    scene.server.ns.sysctl("ipv4.tcp_fin_timeout", 2)
    listener = scene.listen()
    scene.baseline(listener, 1)
    conn = scene.connect(listener)
    conn.exchange()
    conn.s.close()
    scene.pause(3.0, 3.3)
    conn.send_request()
    scene.expect(conn, "server", "2.2", reasons=("NO_SOCKET", "TCP_FLAGS"), form="REPLY_R")
    scene.settle()


@scenario(27, "late-syn-ack", "2.5", rtts=(0, 20))
def late_syn_ack(scene: Scene) -> None:
    """The client has given up when the SYN-ACK arrives."""
    listener = scene.listen()
    scene.baseline(listener, 1)
    hold = scene.rule(scene.fw, "forward", f"tcp sport {listener.port} tcp flags & (syn|ack) == syn|ack drop")
    sock, half = scene.client_socket()
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        sock.connect((listener.address, listener.port))
    scene.pause(0.3, 0.6)
    sock.close()
    hold.remove()
    scene.expect(half[:2] + (listener.address, listener.port), "client", "2.5", reasons=("NO_SOCKET",),
                 form="REPLY_R")
    scene.pause(1.0, 1.2)
    scene.settle()


def _dnat(scene: Scene, port: int) -> tuple[str, int]:
    """Send the virtual address's `port` to the server, strictly by connection tracking."""
    vip, real = scene.topology.vip[scene.family], scene.address(scene.server)
    target = f"[{real}]:{port}" if scene.family == 6 else f"{real}:{port}"
    scene.fw.ns.nft(f"table inet lb{port} {{\nchain pre {{\ntype nat hook prerouting priority -100;\n"
                    f"{scene.ip} daddr {vip} tcp dport {port} dnat {scene.ip} to {target}\n}}\n}}\n")
    scene.fw.ns.sysctl("netfilter.nf_conntrack_tcp_loose", 0)
    scene.nat[(vip, port)] = (real, port)
    return vip, port


def _lose_nat_state(scene: Scene, flows: int, subcause: str, also: tuple[str, ...]) -> None:
    listener = scene.listen()
    vip = _dnat(scene, listener.port)
    conns = []
    for _ in range(flows):
        conn = scene.connect(listener, to=vip)
        conn.exchange()
        conns.append(conn)
        scene.pause(0.02, 0.3)
    scene.pause(1.0, 2.0)
    scene.fw.ns.run(["conntrack", "-f", "ipv6" if scene.family == 6 else "ipv4", "-D", "-p", "tcp",
                     "--orig-port-dst", str(listener.port)])
    for conn in conns:
        conn.send_request()
        scene.expect(conn, "server", subcause, also=also, reasons=("NO_SOCKET",), form="REPLY_R")
        scene.pause(0.01, 0.05)
    scene.settle()
    # The server still believes: what it sends now is not translated, and nobody knows it.
    conns[0].send_response(200)
    bare = conns[0].flow[:2] + (listener.address, listener.port)
    scene.expect(bare, "client", "2.6", also=("2.3", "2.7", "2.4"), role="aftermath", reasons=("NO_SOCKET",),
                 form="REPLY_R")
    scene.aftermath(bare, "client", "2.3", also=("2.6", "2.7"))
    scene.pause(0.2, 0.3)


@scenario(37, "nat-evicted", "2.4", rtts=(0, 20))
def nat_evicted(scene: Scene) -> None:
    """The load balancer has dropped an idle connection's entry; the client speaks again."""
    _lose_nat_state(scene, 1, "2.4", ("2.1", "3.5"))


@scenario(54, "nat-flushed", "6.6")
def nat_flushed(scene: Scene) -> None:
    """The load balancer's table is flushed with five connections in it."""
    _lose_nat_state(scene, 5, "6.6", ("2.4", "3.5"))


@scenario(38, "nat-bypass", "2.6")
def nat_bypass(scene: Scene) -> None:
    """A server packet that connection tracking calls invalid reaches the client untranslated."""
    listener = scene.listen()
    vip = _dnat(scene, listener.port)
    scene.baseline(listener, 1, scene.client2)
    sniffer = scene.sniff("server")
    conn = scene.connect(listener, to=vip)
    conn.exchange()
    scene.settle()
    bare = conn.flow[:2] + (listener.address, listener.port)
    view = scene.view(bare, sniffer).catch_up()
    wrong = view.forge("server", ACK, ack=view.next["client"] + 3_000_000 & 0xFFFFFFFF, window=500,
                       options=view.last["server"].options)
    scene.injector.from_server(wrong)
    scene.expect(bare, "client", "2.6", also=("0.5", "2.7"), reasons=("NO_SOCKET",), form="REPLY_R")
    scene.settle()
    conn.exchange()
    conn.fin_close()
    sniffer.close()


@scenario(43, "own-ttl-service", "2.2, never 3.x", rtts=(0, 20))
def own_ttl_service(scene: Scene) -> None:
    """A service with a TTL of its own: the kernel's reply RST shows the system's TTL instead."""
    listener = scene.listen()
    if scene.family == 6:
        listener.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 200)
    else:
        listener.sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 200)
    scene.baseline(listener, 1)
    for _ in range(scene.dice.randint(1, 2)):
        conn = scene.connect(listener)
        if scene.family == 6:
            conn.s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 200)
        else:
            conn.s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 200)
        _data_after_close(scene, conn)


@scenario(51, "backscatter", "2.7")
def backscatter(scene: Scene) -> None:
    """SYN-ACKs nobody asked for: somebody forged this client's address elsewhere."""
    scene.baseline(scene.listen(), 1)
    for _ in range(scene.dice.randint(6, 12)):
        stray = Segment(scene.address(scene.server), scene.address(scene.client), scene.port(), scene.client_port(),
                        scene.dice.getrandbits(32), scene.dice.getrandbits(32), SYN | ACK, 29200,
                        bytes.fromhex("020405b4"), b"", 64, 0, True, 0)
        scene.injector.from_server(stray)
        scene.expect((stray.dst, stray.dport, stray.src, stray.sport), "client", "2.7", also=("7.1", "7.2"),
                     reasons=("NO_SOCKET",), form="REPLY_R")
        scene.pause(0.005, 0.04)
