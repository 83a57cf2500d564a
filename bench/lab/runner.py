"""Runs variants side by side, each in a process of its own, and never leaves one behind."""
from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from . import leftovers
from .netns import die_with_parent
from .play import Outcome, play
from .registry import Variant

_LIMIT_S = 90.0


@dataclass
class _Job:
    variant: Variant
    started: float
    report: Path


class Runner:
    """A pool of at most `width` variants at a time."""

    def __init__(self, seed: int, out: Path, width: int) -> None:
        self._seed, self._out, self._width = seed, out, width
        self._jobs: dict[int, _Job] = {}

    def run(self, variants: list[Variant], tell: Callable[[Outcome, float], None]) -> list[Outcome]:
        """Play all; `tell` hears of each as it ends. Everything is gone when this returns or raises."""
        outcomes: list[Outcome] = []
        waiting = list(variants)
        with leftovers.temporary_folder() as reports:
            try:
                while waiting or self._jobs:
                    while waiting and len(self._jobs) < self._width:
                        self._start(waiting.pop(0), Path(reports))
                    for outcome, took in self._reap():
                        outcomes.append(outcome)
                        tell(outcome, took)
                    time.sleep(0.02)
            finally:
                self._kill_all()
                leftovers.sweep(os.getpid())
        return outcomes

    def _start(self, variant: Variant, reports: Path) -> None:
        report = reports / variant.label
        owner = os.getpid()
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            _job(variant, self._seed, self._out, owner, report)
        self._jobs[pid] = _Job(variant, time.monotonic(), report)

    def _reap(self) -> list[tuple[Outcome, float]]:
        done = []
        for pid, job in list(self._jobs.items()):
            took = time.monotonic() - job.started
            ended, _ = os.waitpid(pid, os.WNOHANG)
            if not ended and took > _LIMIT_S:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                ended = pid
            if ended:
                del self._jobs[pid]
                if job.report.exists():
                    outcome = Outcome(**json.loads(job.report.read_text(encoding="utf-8")))
                else:
                    outcome = Outcome(job.variant.label, 0, [f"ended without a report after {took:.0f} s"])
                done.append((outcome, took))
        return done

    def _kill_all(self) -> None:
        for pid in self._jobs:
            os.kill(pid, signal.SIGKILL)
        for pid in self._jobs:
            os.waitpid(pid, 0)
        self._jobs.clear()
        # Captures and wires of a killed job die with it (parent-death signal); give them a moment.
        time.sleep(0.05)


def _job(variant: Variant, seed: int, out: Path, owner: int, report: Path) -> None:
    """The child: plays, reports, ends."""
    try:
        die_with_parent()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            outcome = play(variant, seed, out, owner)
        except Exception:  # noqa: BLE001  (a failed scenario is a result, and must be told)
            outcome = Outcome(variant.label, 0, ["failed: " + " | ".join(traceback.format_exc().splitlines()[-7:])])
        part = report.with_suffix(".part")
        part.write_text(json.dumps(asdict(outcome)), encoding="utf-8")
        part.rename(report)
    finally:
        os._exit(0)
