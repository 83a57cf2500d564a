"""One small capture of the client link in which connections end by each of the causes."""
from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

from . import pcapfile
from .forwarder import WireSettings
from .registry import by_name
from .scene import Scene
from .tap import Tap
from .topology import CLIENT_TAP, Topology
from .tracing import Trace
from .truth import Joiner, as_json, wire_resets

_RTT_MS = 20.0
_INDEX = 199
_PROGRAMME = (
    ("closed-port", 4), ("linger0-after-exchange", 4), ("service-down", 4), ("half-open", 4), ("close-unread", 4),
    ("reject-syn", 4), ("data-after-close", 4), ("half-open-probe", 4), ("content-injection", 4),
    ("client-abort", 4), ("reject-midstream", 4), ("abort-unanswered", 4), ("keepalive-expiry", 4),
    ("socket-kill-cohort", 4), ("data-crosses-fin", 4), ("closed-port", 6), ("tcpkill", 4),
    ("after-both-fins", 4), ("retransmissions-exhausted", 4), ("abort-in-flight", 4), ("half-open", 6),
    ("close-unread", 6), ("injection-race", 4), ("server-killed", 4), ("self-declared", 4), ("port-reuse", 4),
    ("late-syn-ack", 4),
)


def make(seed: int, out: Path) -> int:
    """Play the programme on one network; write `six-causes.pcap.gz` and `six-causes.truth.jsonl`."""
    raw = out / "six-causes.pcap"
    trace = Trace(os.getpid(), "demo")
    topology = tap = None
    try:
        topology = Topology(_INDEX, None, WireSettings(delay_ms=_RTT_MS / 2, jitter_ms=0.5), seed)
        scene = Scene(topology, 4, _RTT_MS, seed, "demo")
        tap = Tap(topology.fw.ns, CLIENT_TAP, raw)
        scene.start_background(80, 0.2, 0.5)
        for name, family in _PROGRAMME:
            entry = by_name(name)
            scene.family, scene.act = family, entry.label + ("-v6" if family == 6 else "")
            print(f"  {scene.act}", flush=True)
            entry.play(scene)
            scene.pause(0.1, 0.4)
        scene.close()
        tap.stop()
        tap = None
        sent, received = trace.read()
        scene.drop_sockets()
        frames = pcapfile.read(raw)
        resets = wire_resets({"client": frames})
        joiner = Joiner(scene, sent, received, ("client",))
        joiner.join(resets)
    finally:
        if tap is not None:
            tap.kill()
        if topology is not None:
            topology.close()
        trace.close()
    lines = [as_json(reset, reset.expectation.act if reset.expectation else "demo") for reset in resets]
    (out / "six-causes.truth.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    packed = out / "six-causes.pcap.gz"
    packed.write_bytes(gzip.compress(raw.read_bytes(), 9, mtime=0))
    raw.unlink()
    print(f"lab: {len(frames)} frames, {len(lines)} RSTs, {packed.stat().st_size} bytes packed, seed {seed}")
    for deviation in joiner.deviations:
        print(f"     {deviation}")
    return 1 if joiner.deviations else 0
