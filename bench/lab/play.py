"""Plays one variant from building its network to writing its files."""
from __future__ import annotations

import json
import platform
import random
import zlib
from dataclasses import dataclass
from pathlib import Path

from . import pcapfile
from .forwarder import WireSettings
from .packets import SYN, parse
from .pcapfile import Frame
from .registry import Variant
from .scene import Scene
from .tap import Tap
from .topology import CLIENT_TAP, SERVER_TAP, Topology
from .tracing import Trace
from .truth import Joiner, WireReset, as_json, wire_resets


@dataclass
class Outcome:
    """What came out of one variant."""

    label: str
    resets: int
    deviations: list[str]


def seed_of(variant: Variant, seed: int) -> int:
    """The variant's own seed: stable whatever else is run beside it."""
    return zlib.crc32(f"{seed}/{variant.label}".encode())


def build_topology(variant: Variant, seed: int) -> Topology:
    """The network the variant asks for, with seeded default TTLs."""
    dice = random.Random(seed ^ 0x77)
    base = variant.scenario.wire
    wires: dict[str, WireSettings | None] = {"client": None, "server": None}
    if variant.rough:
        wires["client"] = WireSettings(delay_ms=2.5, jitter_ms=2.0, loss=0.04, reorder=0.03)
        wires["server"] = WireSettings(delay_ms=10.0, jitter_ms=0.5)
    elif base is not None or variant.rtt_ms:
        settings = base or WireSettings(jitter_ms=round(dice.uniform(0, 0.05) * variant.rtt_ms, 3))
        slow = WireSettings(variant.rtt_ms / 2, settings.jitter_ms, settings.loss, settings.reorder)
        wires[variant.scenario.slow_side] = slow
        if base is not None and variant.scenario.slow_side != "client":
            wires["client"] = WireSettings()
    stacks = dice.random()
    topology = Topology(variant.index % 200, wires["client"], wires["server"], seed)
    if not variant.scenario.plain_ttl:
        for host in (topology.client, topology.server, topology.fw):
            topology.default_ttl(host, dice.choice((64, 64, 64, 64, 128, 255)))
    if stacks < 0.15:
        # Stacks without time stamps: their active and reply resets look more alike.
        for host in (topology.client, topology.server):
            host.ns.sysctl("ipv4.tcp_timestamps", 0)
    return topology


def cut(frames: list[Frame], view: str, clients: set[str]) -> list[Frame]:
    """A worse view of the same traffic."""
    segments = [parse(data) for _, data in frames]
    if view == "to-client":
        return [frame for frame, segment in zip(frames, segments, strict=True)
                if segment is None or segment.dst in clients]
    # Until the handshake and the packet after it have passed, a connection is left out.
    kept: list[Frame] = []
    seen: dict[frozenset, int] = {}
    for frame, segment in zip(frames, segments, strict=True):
        if segment is None:
            kept.append(frame)
            continue
        flow = frozenset(((segment.src, segment.sport), (segment.dst, segment.dport)))
        seen[flow] = 0 if segment.flags & SYN else seen.get(flow, 0) + 1
        if seen[flow] > 1:
            kept.append(frame)
    return kept


def play(variant: Variant, seed: int, out: Path, owner_pid: int) -> Outcome:
    """Run one variant and write its captures, truth and notes."""
    own_seed = seed_of(variant, seed)
    label = variant.label
    paths = {tap: out / f"{label}.{tap}.pcap" for tap in ("client", "server")}
    trace = Trace(owner_pid, label)
    topology = None
    taps: list[Tap] = []
    try:
        topology = build_topology(variant, own_seed)
        scene = Scene(topology, variant.version, variant.rtt_ms, own_seed, label)
        scene.rough = variant.rough
        taps = [Tap(topology.fw.ns, CLIENT_TAP, paths["client"]), Tap(topology.fw.ns, SERVER_TAP, paths["server"])]
        scene.start_background()
        variant.scenario.play(scene)
        scene.close()
        for tap in taps:
            tap.stop()
        taps = []
        sent, received = trace.read()
        scene.drop_sockets()
        captures = {name: pcapfile.read(path) for name, path in paths.items()}
        if scene.view_cut:
            clients = set(topology.client.addresses.values()) | set(topology.client2.addresses.values())
            for name, path in paths.items():
                captures[name] = cut(captures[name], scene.view_cut, clients)
                pcapfile.write(path, captures[name])
        joiner = Joiner(scene, sent, received)
        resets = wire_resets(captures)
        joiner.join(resets)
        _write_truth(out / f"{label}.truth.jsonl", resets, label)
        _write_meta(out / f"{label}.meta.json", variant, scene, seed, own_seed, joiner.deviations)
        return Outcome(label, len(resets), joiner.deviations)
    finally:
        for tap in taps:
            tap.kill()
        if topology is not None:
            topology.close()
        trace.close()


def _write_truth(path: Path, resets: list[WireReset], label: str) -> None:
    path.write_text("".join(json.dumps(as_json(reset, label)) + "\n" for reset in resets), encoding="utf-8")


def _write_meta(path: Path, variant: Variant, scene: Scene, seed: int, own_seed: int, deviations: list[str]) -> None:
    path.write_text(json.dumps({
        "scenario": variant.label, "title": variant.scenario.title, "verdicts": variant.scenario.verdicts,
        "ip_version": variant.version, "rtt_ms": variant.rtt_ms, "rough": variant.rough,
        "seed": seed, "own_seed": own_seed,
        "kernel": platform.release(), "capture_cut": scene.view_cut, "deviations": deviations,
    }, indent=1) + "\n", encoding="utf-8")
