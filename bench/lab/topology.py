"""The lab's network: client(s) – firewall – server, two veth pairs, an optional slow wire on either link.

Every topology has addresses of its own (`index`), because trace events of all
namespaces arrive in one stream and are told apart by address and port.
"""
from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from . import offload
from .forwarder import Wire, WireSettings
from .netns import Namespace

CLIENT_TAP = "cl"
SERVER_TAP = "sl"


@dataclass
class Host:
    """A namespace with an address in each family."""

    name: str
    ns: Namespace
    addresses: dict[int, str]
    mac: str
    interface: str

    def socket(self, family: int) -> socket.socket:
        """A TCP socket living in this host's namespace."""
        with self.ns.enter():
            made = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, socket.SOCK_STREAM)
        made.settimeout(25)
        return made


def _mac(index: int, number: int) -> str:
    return f"02:77:{index >> 8:02x}:{index & 255:02x}:00:{number:02x}"


class Topology:
    """Builds the namespaces on construction; `close` undoes everything."""

    def __init__(self, index: int, client_wire: WireSettings | None = None,
                 server_wire: WireSettings | None = None, seed: int = 0) -> None:
        self.index = index
        self._spaces: list[Namespace] = []
        self.wires: dict[str, Wire] = {}
        four, six = f"10.77.{index}", f"fd77:0:{index:x}"
        self.vip = {4: f"{four}.130", 6: f"{six}:3::80"}
        self.client = self._host("client", {4: f"{four}.2", 6: f"{six}:1::2"}, 2, "c0")
        self.client2 = self._host("client2", {4: f"{four}.3", 6: f"{six}:1::3"}, 3, "c0")
        self.server = self._host("server", {4: f"{four}.66", 6: f"{six}:2::66"}, 66, "s0")
        self.fw = self._host("fw", {4: f"{four}.1", 6: f"{six}:1::1"}, 1, CLIENT_TAP)
        self.fw_server_side = {4: f"{four}.65", 6: f"{six}:2::65"}
        self.fw_server_mac = _mac(index, 65)
        self._link("client", self.client, CLIENT_TAP, self.fw.mac, client_wire, seed)
        self._link("server", self.server, SERVER_TAP, self.fw_server_mac, server_wire, seed + 1)
        self._second_client()
        self._addresses()

    def _host(self, name: str, addresses: dict[int, str], number: int, interface: str) -> Host:
        ns = Namespace(name)
        self._spaces.append(ns)
        ns.ip("link set lo up")
        for scope in ("all", "default"):
            ns.sysctl(f"ipv6.conf.{scope}.accept_dad", 0)
            ns.sysctl(f"ipv6.conf.{scope}.accept_ra", 0)
        return Host(name, ns, addresses, _mac(self.index, number), interface)

    def _link(self, name: str, host: Host, tap: str, tap_mac: str, settings: WireSettings | None, seed: int) -> None:
        """Join `host` to the firewall, through a forwarder if `settings` asks for one."""
        fw = self.fw.ns
        if settings is None:
            fw.ip(f"link add {tap} address {tap_mac} type veth peer name {host.interface} "
                  f"address {host.mac} netns {host.ns.path}")
        else:
            wire = Namespace(f"wire-{name}")
            self._spaces.append(wire)
            wire.sysctl("ipv6.conf.default.disable_ipv6", 1)
            fw.ip(f"link add {tap} address {tap_mac} type veth peer name w0 netns {wire.path}")
            host.ns.ip(f"link add {host.interface} address {host.mac} type veth peer name w1 netns {wire.path}")
            wire.ip("link set w0 up\nlink set w1 up")
            with wire.enter():
                offload.turn_off("w0")
                offload.turn_off("w1")
            self.wires[name] = Wire(wire, "w0", "w1", settings, seed)
        for ns, interface in ((fw, tap), (host.ns, host.interface)):
            ns.ip(f"link set {interface} addrgenmode none\nlink set {interface} up")
            with ns.enter():
                offload.turn_off(interface)

    def _second_client(self) -> None:
        self.client.ns.ip(f"link add link c0 name m0 address {self.client2.mac} type macvlan mode bridge\n"
                          f"link set m0 netns {self.client2.ns.path}")
        self.client2.ns.ip("link set m0 name c0\nlink set c0 addrgenmode none\nlink set c0 up")
        with self.client2.ns.enter():
            offload.turn_off("c0")

    def _addresses(self) -> None:
        four, six = f"10.77.{self.index}", f"fd77:0:{self.index:x}"
        for host in (self.client, self.client2):
            peers = [peer for peer in (self.client, self.client2, self.fw) if peer is not host]
            host.ns.ip("\n".join(
                [f"addr add {host.addresses[4]}/26 dev c0", f"addr add {host.addresses[6]}/64 dev c0"]
                + [f"neigh add {peer.addresses[f]} lladdr {peer.mac} dev c0 nud permanent"
                   for peer in peers for f in (4, 6)]
                + [f"route add default via {four}.1", f"route add ::/0 via {six}:1::1"]))
        self.server.ns.ip("\n".join(
            [f"addr add {four}.66/26 dev s0", f"addr add {six}:2::66/64 dev s0"]
            + [f"neigh add {self.fw_server_side[f]} lladdr {self.fw_server_mac} dev s0 nud permanent" for f in (4, 6)]
            + [f"route add default via {four}.65", f"route add ::/0 via {six}:2::65"]))
        self.fw.ns.ip("\n".join(
            [f"addr add {four}.1/26 dev cl", f"addr add {six}:1::1/64 dev cl",
             f"addr add {four}.65/26 dev sl", f"addr add {six}:2::65/64 dev sl",
             f"addr add {self.vip[4]}/32 dev lo", f"addr add {self.vip[6]}/128 dev lo"]
            + [f"neigh add {host.addresses[f]} lladdr {host.mac} dev cl nud permanent"
               for host in (self.client, self.client2) for f in (4, 6)]
            + [f"neigh add {self.server.addresses[f]} lladdr {self.server.mac} dev sl nud permanent"
               for f in (4, 6)]))
        self.fw.ns.sysctl("ipv4.ip_forward", 1)
        self.fw.ns.sysctl("ipv6.conf.all.forwarding", 1)

    def default_ttl(self, host: Host, ttl: int) -> None:
        """Set the TTL and hop limit that `host`'s kernel starts from."""
        host.ns.sysctl("ipv4.ip_default_ttl", ttl)
        for scope in ("all", "default", host.interface):
            host.ns.sysctl(f"ipv6.conf.{scope}.hop_limit", ttl)

    def owner_of(self, address: str) -> str | None:
        """Name of the host whose kernel owns `address`."""
        for host in (self.client, self.client2, self.server, self.fw):
            if address in host.addresses.values():
                return host.name
        if address in self.vip.values() or address in self.fw_server_side.values():
            return "fw"
        return None

    def close(self) -> None:
        """Stop the wires and let the namespaces go."""
        for wire in self.wires.values():
            wire.close()
        self.wires.clear()
        for ns in self._spaces:
            ns.close()
        self._spaces.clear()


def check_root() -> None:
    """Namespaces, captures and tracefs need root; say so early and plainly."""
    if os.geteuid() != 0:
        raise SystemExit("lab: needs root (network namespaces, tracefs, packet capture); try: sudo scripts/lab …")
