"""Runs commands and takes their time, their processor time and their memory."""
from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from .provide import say
from .tools import Place, Tool, version_in


@dataclass
class Run:
    """One run of a command."""
    wall_s: float
    cpu_s: float
    peak_bytes: int
    code: int
    text: str


@dataclass
class Result:
    """All runs of one tool over one capture."""
    tool: Tool
    version: str
    runs: list[Run] = field(default_factory=list)
    resets: str | None = None
    # Why there are no runs.
    failed: str | None = None

    @property
    def best(self) -> Run:
        """The quickest run."""
        return min(self.runs, key=lambda run: run.wall_s)


def output(command: list[str]) -> str | None:
    """What a command prints, on either stream; None when it cannot be run."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace", check=False, timeout=600)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout


def run(command: list[str], patience_s: float, scratch: Path) -> Run:
    """Run a command to its end, or to the end of patience.

    GNU time measures it: a process started from here would have this interpreter's memory among its own."""
    figures, out = scratch / "time", scratch / "out"
    figures.write_text("")
    timed = ["time", "-q", "-f", "%e %U %S %M", "-o", str(figures), "--", *command]
    with out.open("wb") as file:
        process = subprocess.Popen(timed, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.DEVNULL,
                                   start_new_session=True)
        begun = time.monotonic()
        try:
            code = process.wait(patience_s)
        except subprocess.TimeoutExpired:
            code = 1
        finally:
            # Also when this program is told to end: nobody else knows of the tool.
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        wall_s = time.monotonic() - begun
    fields = figures.read_text().split()
    if code != 0 or len(fields) != 4:
        return Run(wall_s, 0.0, 0, code or 1, "")
    _, user, system, kib = (float(field) for field in fields)
    return Run(wall_s, user + system, int(kib) * 1024, code, out.read_text(errors="replace"))


def compare(tools: list[Tool], capture: Path, place: Place, repeats: int, patience_s: float) -> list[Result]:
    """Run all tools over a capture in turns, so that a busy minute hits all of them. Those that need longer than a
    tenth of the patience run once."""
    results = [_result(tool, place) for tool in tools]
    with capture.open("rb") as file:
        while file.read(1 << 24):
            pass  # Brings the capture into the page cache.
    for turn in range(repeats):
        for result in results:
            slow = result.runs and result.runs[0].wall_s > patience_s / 10
            if result.failed or slow:
                continue
            say(f"{capture.name}: {result.tool.name}, turn {turn + 1} of {repeats}")
            place.records.unlink(missing_ok=True)  # Argus would add to them.
            took = run(result.tool.command(capture, place), patience_s, place.scratch)
            if took.code != 0:
                ended = "took too long" if took.wall_s >= patience_s else f"failed with exit code {took.code}"
                result.failed = ended
                continue
            result.runs.append(took)
            if result.resets is None:
                result.resets = result.tool.resets(took.text, place)
    return results


def _result(tool: Tool, place: Place) -> Result:
    greeting = output(tool.version(place))
    result = Result(tool, version_in(greeting or ""))
    if greeting is None or "No module named" in greeting:
        result.failed = "not installed"
        say(f"{tool.name} is not installed; going on without")
    return result
