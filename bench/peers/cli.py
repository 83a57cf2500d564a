"""The command line of the comparison."""
from __future__ import annotations

import argparse
import gzip
import json
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from . import provide, report
from .measure import compare, output
from .tools import Place, tools

ROOT = Path(__file__).resolve().parent.parent.parent
RESULT = ROOT / "bench" / "results" / "peers.md"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/peers",
        description="Runs resetscope and the tools that a user would pick instead over the same captures, in turns, "
                    "and writes a table: time, processor time, memory, and how many RSTs each reports. Installs the "
                    "others from Debian, and nfstream from PyPI into an environment of its own; what cannot be "
                    "installed is left out.",
        epilog="Captures are pcap or pcapng, plain or compressed with gzip (unpacked first: some tools cannot).")
    parser.add_argument("captures", nargs="+", type=Path, metavar="FILE", help="captures to run over")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each tool (default 5)")
    parser.add_argument("--patience", type=float, default=600.0, metavar="S",
                        help="give a tool up after this many seconds (default 600); who needs a tenth of it has one turn")
    parser.add_argument("--only", action="append", default=[], metavar="WORD",
                        help="only tools with this word in their name, besides resetscope")
    parser.add_argument("--out", type=Path, default=RESULT,
                        help="where the table goes (default bench/results/peers.md)")
    parser.add_argument("--no-install", action="store_true", help="never install anything")
    return parser


def main() -> int:
    """Measure, write the table, and print it."""
    args = _parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    for capture in args.captures:
        if not capture.is_file():
            raise SystemExit(f"peers: there is no capture {capture}")
    provide.from_debian(not args.no_install)
    if not shutil.which("time"):
        raise SystemExit("peers: GNU time is needed to measure with; install the package time")
    python = provide.nfstream(not args.no_install)
    resetscope = provide.resetscope(ROOT)
    chosen = [tool for tool in tools()
              if not args.only or any(word in tool.name for word in [*args.only, "resetscope"])]
    sections = []
    with tempfile.TemporaryDirectory() as scratch:
        place = Place(resetscope, python, Path(scratch))
        for given in args.captures:
            capture = _plain(given, place.scratch)
            sections.append(report.section(capture, _packets(capture, place),
                                           compare(chosen, capture, place, args.repeats, args.patience)))
    text = "\n".join([report.HEAD, report.machine(), "", *sections])
    args.out.write_text(text, encoding="utf-8")
    print(text)
    return 0


def _plain(capture: Path, scratch: Path) -> Path:
    """The capture, unpacked if it is compressed."""
    with capture.open("rb") as file:
        if file.read(2) != b"\x1f\x8b":
            return capture
    plain = scratch / capture.name.removesuffix(".gz")
    with gzip.open(capture) as packed, plain.open("wb") as unpacked:
        shutil.copyfileobj(packed, unpacked)
    return plain


def _packets(capture: Path, place: Place) -> int:
    text = output([str(place.resetscope), "analyze", "--format", "json", "--quiet", str(capture)]) or ""
    try:
        return int(json.loads(text)["frames"]["received"])
    except ValueError as error:
        raise SystemExit(f"peers: {capture} cannot be read: {text.strip()}") from error
