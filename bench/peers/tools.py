"""The tools: how each is called, what it remembers, and how many RSTs it reports."""
from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

RST_FILTER = "(tcp and tcp[tcpflags] & tcp-rst != 0) or (ip6 proto 6 and ip6[53] & 4 != 0)"

# Counted as they come, with all that nfstream can be told not to do left out.
NFSTREAM = """
import sys
from nfstream import NFStreamer
flows = NFStreamer(source=sys.argv[1], n_dissections=0, statistical_analysis=True)
print(sum(flow.bidirectional_rst_packets for flow in flows))
"""


@dataclass(frozen=True)
class Place:
    """What the calls need to know besides the capture."""
    resetscope: Path
    python: Path
    scratch: Path

    @property
    def records(self) -> Path:
        """What argus writes."""
        return self.scratch / "argus"


@dataclass(frozen=True)
class Tool:
    """One tool in one use."""
    name: str
    # What it does with the packets, in a few words.
    does: str
    # The program that must be there; empty for those that this project brings.
    program: str
    command: Callable[[Path, Place], list[str]]
    # RSTs in what it printed; None where it tells nothing of them.
    resets: Callable[[str, Place], str | None]
    version: Callable[[Place], list[str]]
    # Whether it keeps connections apart.
    tracks: bool = True


def _lines(text: str, _place: Place) -> str:
    return f"{sum(1 for line in text.splitlines() if line.strip()):,}"


def _nothing(_text: str, _place: Place) -> None:
    return None


def _number(text: str, _place: Place) -> str | None:
    found = re.findall(r"^\d+$", text, re.MULTILINE)
    return f"{int(found[-1]):,}" if found else None


def _summary(text: str, _place: Place) -> str | None:
    resets = json.loads(text)["resets"]
    return f"{resets['packets']:,}, in {resets['events']:,} resets with their causes"


def _records(_text: str, place: Place) -> str | None:
    """Argus writes records; its client tells the state of each."""
    from .measure import output
    states = output(["ra", "-n", "-r", str(place.records), "-s", "state"]) or ""
    return f"{sum(1 for line in states.splitlines() if line.strip() == 'RST'):,} connections"


def _resetscope(workers: str) -> Callable[[Path, Place], list[str]]:
    count = [] if workers == "all" else ["--workers", workers]
    options = ["analyze", "--format", "json", "--quiet", *count]
    return lambda capture, place: [str(place.resetscope), *options, str(capture)]


def tools() -> list[Tool]:
    """All of them, those of this project first."""
    def own(place: Place) -> list[str]:
        return [str(place.resetscope), "--version"]

    return [
        Tool("resetscope analyze --workers 1", "explains each reset", "", _resetscope("1"), _summary, own),
        Tool("resetscope analyze", "explains each reset, on all cores", "", _resetscope("all"), _summary, own),
        Tool("tcpdump", "filter for RSTs, remembers nothing", "tcpdump",
             lambda capture, _: ["tcpdump", "-n", "-r", str(capture), RST_FILTER], _lines,
             lambda _: ["tcpdump", "--version"], tracks=False),
        Tool("tshark -Y tcp.flags.reset==1", "filter for RSTs", "tshark",
             lambda capture, _: ["tshark", "-n", "-r", str(capture), "-Y", "tcp.flags.reset==1", "-T", "fields", "-e",
                                 "frame.number"], _lines, lambda _: ["tshark", "--version"]),
        Tool("tshark -z conv,tcp", "conversations", "tshark",
             lambda capture, _: ["tshark", "-n", "-q", "-r", str(capture), "-z", "conv,tcp"], _nothing,
             lambda _: ["tshark", "--version"]),
        Tool("argus", "connection records", "argus",
             lambda capture, place: ["argus", "-r", str(capture), "-w", str(place.records)], _records,
             lambda _: ["argus", "-h"]),
        Tool("softflowd", "NetFlow export, 8,192 connections at once", "softflowd",
             lambda capture, _: ["softflowd", "-d", "-r", str(capture), "-n", "127.0.0.1:9995"], _nothing,
             lambda _: ["softflowd", "-h"]),
        Tool("ndpiReader", "connections and their applications", "ndpiReader",
             lambda capture, _: ["ndpiReader", "-q", "-i", str(capture)], _nothing, lambda _: ["ndpiReader", "-h"]),
        Tool("nfstream", "connections, no dissection", "",
             lambda capture, place: [str(place.python), "-c", NFSTREAM, str(capture)], _number,
             lambda place: [str(place.python), "-c", "import nfstream; print(nfstream.__version__)"]),
    ]


def version_in(text: str) -> str:
    """The first thing in a tool's greeting that looks like a version."""
    found = re.search(r"\d+(\.\d+)+", text)
    return found.group(0) if found else "unknown"
