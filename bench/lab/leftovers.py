"""What a lab puts outside its own processes, and how that is found again: trace instances and temporary folders.

Both carry the number of the process they belong to, so that a later run can tell which have lost their owner.
"""
from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from .tracing import PREFIX, TRACEFS


def temporary_folder() -> tempfile.TemporaryDirectory:
    """A folder that is removed with its context, or by the next sweep."""
    return tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-")


def _orphaned(entry: Path, own: str | None) -> bool:
    owner = entry.name[len(PREFIX):].split("-")[0]
    return owner == own or not (owner.isdigit() and Path(f"/proc/{owner}").exists())


def sweep(own_pid: int | None = None) -> list[str]:
    """Remove what belongs to processes that are gone (and to `own_pid`); returns the names."""
    own = None if own_pid is None else str(own_pid)
    removed = []
    for entry in sorted((TRACEFS / "instances").glob(PREFIX + "*")):
        if _orphaned(entry, own):
            entry.rmdir()
            removed.append(entry.name)
    for entry in sorted(Path(tempfile.gettempdir()).glob(PREFIX + "*")):
        if _orphaned(entry, None):
            shutil.rmtree(entry, ignore_errors=True)
            removed.append(entry.name)
    return removed
