"""The comparison as Markdown."""
from __future__ import annotations

import os
import platform
from datetime import datetime, timezone
from pathlib import Path

from .measure import Result

HEAD = """# The same captures through other tools

What a user would pick instead, over the same files, in one run: all tools took turns, the captures lay in the page
cache, and the quickest turn of each counts. Memory is the largest resident set of one process. Repeat it with
`scripts/peers`.
"""


def machine() -> str:
    """The machine, the system and the date, in a line."""
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    today = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    load = os.getloadavg()[0]
    return (f"Measured on {today}: {os.cpu_count()} cores of {model}, Linux {platform.release()}, load {load:.1f} at "
            f"the end.")


def section(capture: Path, packets: int, results: list[Result]) -> str:
    """One capture."""
    size = capture.stat().st_size / 1e6
    rows = [
        f"## {capture.name}: {packets:,} packets, {size:,.1f} MB",
        "",
        "| tool | what it does | wall s | M packets/s | ns/packet | CPU s | memory MB | RSTs it reports |",
        "|---|---|---:|---:|---:|---:|---:|---|",
    ]
    rows.extend(_row(result, packets) for result in results)
    return "\n".join(rows) + "\n"


def _row(result: Result, packets: int) -> str:
    tool = result.tool
    name = f"{tool.name}, {result.version}"
    if result.failed or not result.runs:
        return f"| {name} | {tool.does} | {result.failed or 'not run'} | | | | | |"
    best = result.best
    per_packet = best.wall_s * 1e9 / max(packets, 1)
    memory = max(run.peak_bytes for run in result.runs) / 1e6
    return (f"| {name} | {tool.does} | {best.wall_s:.2f} | {packets / best.wall_s / 1e6:.2f} | {per_packet:,.0f} | "
            f"{best.cpu_s:.2f} | {memory:,.0f} | {result.resets or 'none'} |")
