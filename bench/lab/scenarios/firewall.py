"""Cause 3: a device on the path."""
from __future__ import annotations

import contextlib
import time

from ..conn import Conn, http_request, tls_client_hello
from ..packets import ACK, RST
from ..registry import scenario
from ..scene import Scene
from ..sniff import FlowView

_REFUSE = "reject with tcp reset"


def _shut_out(scene: Scene, port: int, how: str) -> None:
    """From now on the router refuses the first client's packets to `port`."""
    scene.rule(scene.fw, "forward", f"{scene.ip} saddr {scene.address(scene.client)} tcp dport {port} {how}")


@scenario(4, "reject-syn", "3.1", rtts=(0, 1, 20, 150))
def reject_syn(scene: Scene) -> None:
    """The router refuses one client's SYN; the service is alive for the other."""
    listener = scene.listen()
    scene.baseline(listener, 2, scene.client2)
    _shut_out(scene, listener.port, _REFUSE)
    for _ in range(scene.dice.randint(1, 3)):
        flow = scene.attempt(listener.port)
        scene.expect(flow, "server", "3.1", by="nft", form="REPLY_RA")
        scene.pause(0.02, 0.2)
    scene.baseline(listener, 1, scene.client2)


@scenario(5, "reject-on-host", "1.1 (documented blind spot, 3.1 as good)")
def reject_on_host(scene: Scene) -> None:
    """The server's own packet filter refuses one client."""
    listener = scene.listen()
    scene.baseline(listener, 1, scene.client2)
    scene.rule(scene.server, "input",
               f"{scene.ip} saddr {scene.address(scene.client)} tcp dport {listener.port} {_REFUSE}")
    for _ in range(scene.dice.randint(1, 2)):
        flow = scene.attempt(listener.port)
        scene.expect(flow, "server", "1.1", also=("1.2", "3.1"), by="nft", form="REPLY_RA")
        scene.pause(0.02, 0.1)


@scenario(6, "reject-icmp", "no RST; the ICMP message is noted")
def reject_icmp(scene: Scene) -> None:
    """The router refuses with ICMP: no RST may be seen."""
    listener = scene.listen()
    scene.baseline(listener, 1, scene.client2)
    _shut_out(scene, listener.port, "reject")
    with contextlib.suppress(OSError):
        scene.attempt(listener.port)
    scene.pause(0.1, 0.2)


@scenario(7, "reject-midstream", "3.2; echoes 2.3", rtts=(0, 1, 20))
def reject_midstream(scene: Scene) -> None:
    """A rule against client-to-server data comes into force in mid-connection."""
    listener = scene.listen()
    scene.baseline(listener, 2)
    conn = scene.connect(listener)
    for _ in range(scene.dice.randint(1, 3)):
        conn.exchange()
    scene.settle()
    everything = scene.dice.random() < 0.5
    which = "" if everything else "tcp flags & psh == psh "
    scene.rule(scene.fw, "forward", f"{scene.ip} saddr {scene.address(scene.client)} tcp dport {listener.port} "
                                    f"tcp sport {conn.flow[1]} {which}{_REFUSE}")
    conn.send_request()
    scene.expect(conn, "server", "3.2", by="nft", form="REPLY_R")
    scene.pause(0.05, 0.2)
    with contextlib.suppress(OSError):
        conn.send_response(scene.dice.randint(200, 1200))
    scene.aftermath(conn, "client", "2.3", also=("3.2", "2.1"), minimum=1)
    scene.pause(0.6, 0.9)
    scene.settle()


@scenario(8, "reject-reply", "3.2 on the server link; echoes 2.3", rtts=(0, 20))
def reject_reply(scene: Scene) -> None:
    """A rule against server-to-client data comes into force in mid-connection."""
    listener = scene.listen()
    scene.baseline(listener, 2)
    conn = scene.connect(listener)
    conn.exchange()
    scene.settle()
    scene.rule(scene.fw, "forward", f"{scene.ip} saddr {listener.address} tcp sport {listener.port} "
                                    f"tcp dport {conn.flow[1]} tcp flags & psh == psh {_REFUSE}")
    conn.request()
    conn.send_response(scene.dice.randint(200, 1200))
    scene.expect(conn, "client", "3.2", by="nft", form="REPLY_R")
    scene.pause(0.1, 0.3)
    scene.settle()
    with contextlib.suppress(OSError):
        conn.send_request()
    scene.expect(conn, "server", "2.3", also=("2.1", "3.2"), role="aftermath",
                 reasons=("NO_SOCKET", "TCP_FLAGS"), form="REPLY_R")
    scene.aftermath(conn, "server", "2.3", also=("2.1", "3.2"))
    scene.settle()


def _train_both_ways(scene: Scene, conn: Conn, view: FlowView, ttl: int) -> None:
    """Three RST+ACK to each end, at the offsets known from a large national filter."""
    for offset in (0, 1460, 4380):
        scene.injector.to_client(view.forge("server", RST | ACK, seq=view.next["server"] + offset & 0xFFFFFFFF,
                                            ttl=ttl, ip_id=scene.dice.getrandbits(16), window=79 + offset % 7))
        scene.injector.to_server(view.forge("client", RST | ACK, seq=view.next["client"] + offset & 0xFFFFFFFF,
                                            ttl=ttl, ip_id=scene.dice.getrandbits(16), window=79 + offset % 7))
    for side in ("server", "client"):
        scene.expect(conn, side, "3.3", by="injector")
        scene.aftermath(conn, side, "3.3", by="injector", minimum=2)
        scene.aftermath(conn, side, "2.3", also=("3.3",))


@scenario(34, "content-injection", "3.3", rtts=(0, 1, 20, 150))
def content_injection(scene: Scene) -> None:
    """A device on the path reacts to the first payload with RST trains to both ends."""
    listener = scene.listen()
    scene.baseline(listener, 2)
    for _ in range(scene.dice.randint(1, 3)):
        sniffer = scene.sniff()
        conn = scene.connect(listener)
        view = scene.view(conn.flow, sniffer)
        first = tls_client_hello(scene.dice, "forbidden.example") if scene.dice.random() < 0.5 else \
            http_request(scene.dice, 220).replace(b"shop.example", b"forbidden.example")
        conn.c.sendall(first)
        view.await_payload("client")
        time.sleep(scene.dice.uniform(0.0002, 0.002))
        _train_both_ways(scene, conn, view, 47)
        scene.settle()
        sniffer.close()
        scene.pause(0.05, 0.2)


@scenario(35, "injection-race", "3.3 (the server goes on speaking)", rtts=(0, 1, 20, 150))
def injection_race(scene: Scene) -> None:
    """An exact forged RST reaches the client; the real server's answer comes after it."""
    listener = scene.listen()
    scene.baseline(listener, 2)
    sniffer = scene.sniff()
    conn = scene.connect(listener)
    view = scene.view(conn.flow, sniffer)
    size = conn.send_request(300)
    view.await_payload("client")
    scene.injector.to_client(view.forge("server", RST, ttl=scene.dice.choice((47, 58, 63, 64)),
                                        ip_id=scene.dice.choice((0, scene.dice.getrandbits(16)))))
    scene.expect(conn, "server", "3.3", also=("3.2",), by="injector")
    # A mere ACK of the server, answered by the dead client, may end the server before it can speak.
    with contextlib.suppress(OSError):
        conn.s.recv(size)
        conn.send_response(scene.dice.randint(200, 1300))
    scene.expect(conn, "client", "2.3", also=("3.3", "3.2"), role="aftermath", reasons=("NO_SOCKET",), form="REPLY_R")
    scene.aftermath(conn, "client", "2.3", also=("3.3", "3.2"))
    scene.settle()
    sniffer.close()


@scenario(40, "self-declared", "3.6", rtts=(0, 20))
def self_declared(scene: Scene) -> None:
    """A device puts its reason into the RST's payload."""
    listener = scene.listen()
    scene.baseline(listener, 1)
    texts = ("Policy action", "No flow found for ACK", "Flow expired (sweeper)", "Connection limit exceeded")
    for text in scene.dice.sample(texts, scene.dice.randint(1, 3)):
        sniffer = scene.sniff()
        conn = scene.connect(listener)
        view = scene.view(conn.flow, sniffer)
        conn.request()
        view.catch_up()
        said = f"BIG-IP: [0x{scene.dice.getrandbits(26):x}:{scene.dice.randint(100, 4000)}] {text}".encode()
        scene.injector.to_client(view.forge("server", RST | ACK, payload=said, ttl=255,
                                            ip_id=scene.dice.getrandbits(16)))
        scene.injector.to_server(view.forge("client", RST | ACK, payload=said, ttl=255,
                                            ip_id=scene.dice.getrandbits(16)))
        scene.expect(conn, "server", "3.6", by="injector")
        scene.expect(conn, "client", "3.6", by="injector")
        scene.aftermath(conn, "client", "2.3", also=("3.6",))
        scene.settle()
        sniffer.close()


@scenario(44, "dscp", "3.1 by DSCP although the TTLs are equal; 1.1", plain_ttl=True)
def dscp(scene: Scene) -> None:
    """Marked SYNs: the host echoes the mark in its RST, the router does not."""
    # One more hop in the server's TTL makes both look alike on the client link.
    scene.topology.default_ttl(scene.server, 65)
    listener = scene.listen()
    scene.baseline(listener, 2, scene.client2)
    for _ in range(scene.dice.randint(1, 2)):
        flow = scene.attempt(scene.port(), tos=0x28)
        scene.expect(flow, "server", "1.1", reasons=("NO_SOCKET",), form="REPLY_RA")
    _shut_out(scene, listener.port, _REFUSE)
    for _ in range(scene.dice.randint(1, 2)):
        flow = scene.attempt(listener.port, tos=0x28)
        scene.expect(flow, "server", "3.1", by="nft", form="REPLY_RA")
        scene.pause(0.02, 0.1)
    scene.baseline(listener, 1, scene.client2)


@scenario(52, "no-session", "3.5", rtts=(0, 20))
def no_session(scene: Scene) -> None:
    """A stateful firewall has lost its table and refuses packets of connections it does not know."""
    scene.fw.ns.sysctl("netfilter.nf_conntrack_tcp_loose", 0)
    scene.rule(scene.fw, "forward", f"ct state invalid meta l4proto tcp {_REFUSE}")
    listener = scene.listen()
    conns = [scene.connect(listener) for _ in range(scene.dice.randint(3, 6))]
    for conn in conns:
        conn.exchange()
    scene.settle()
    scene.fw.ns.run(["conntrack", "-F"])
    for conn in conns:
        with contextlib.suppress(OSError):
            conn.send_request()
        scene.expect(conn, "server", "3.5", also=("3.2", "2.4", "6.6"), by="nft", form="REPLY_R")
        scene.pause(0.005, 0.05)
    # The flush also hits whatever others had open at that moment.
    for client in (scene.client, scene.client2):
        for side in ("server", "client"):
            scene.expect((scene.address(client), 0, listener.address, 0), side, "3.5", also=("3.2", "2.3", "6.6"),
                         by="nft", minimum=0, maximum=1000)
    scene.settle()
    # A new connection is let through at once.
    scene.baseline(listener, 1)
