"""Installs the tools where that is possible, and says where it is not."""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = {"tcpdump": "tcpdump", "tshark": "tshark", "argus": "argus-server", "ra": "argus-client",
            "softflowd": "softflowd", "ndpiReader": "libndpi-bin", "time": "time"}


def say(text: str) -> None:
    """Say on stderr what is being done."""
    print(f"== {text}", file=sys.stderr, flush=True)


def _run(command: list[str], what: str) -> bool:
    # RUNLEVEL=1 keeps the packages from starting services of their own.
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        say(f"{what}: {last}; going on without")
    return done.returncode == 0


def from_debian(install: bool) -> None:
    """Make sure of the tools that Debian packages."""
    os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    lacking = sorted({package for program, package in PACKAGES.items() if not shutil.which(program)})
    if not lacking or not install:
        return
    if not shutil.which("apt-get"):
        say(f"this is no Debian; install by hand what is missing: {' '.join(lacking)}")
        return
    say(f"installing {' '.join(lacking)}")
    root = [] if os.geteuid() == 0 else ["sudo"]
    _run([*root, "apt-get", "update", "-q"], "apt-get update failed")
    for package in lacking:
        _run([*root, "apt-get", "install", "-q", "-y", "--no-install-recommends", package], f"no {package}")


def nfstream(install: bool) -> Path:
    """A Python that has nfstream, in an environment of its own; where it cannot be had, one that has not."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = cache / "resetscope" / "nfstream"
    python = home / "bin" / "python"
    if install and not python.exists():
        say(f"installing nfstream into {home}")
        if _run([sys.executable, "-m", "venv", str(home)], "no venv"):
            _run([str(python), "-m", "pip", "install", "-q", "nfstream==6.6.0"], "no nfstream")
    return python


def resetscope(root: Path) -> Path:
    """Build this project's program."""
    say("building resetscope")
    done = subprocess.run(["cargo", "build", "--release", "--quiet", "--package", "resetscope"], cwd=root, check=False)
    if done.returncode != 0:
        raise SystemExit("peers: resetscope could not be built")
    target = Path(os.environ.get("CARGO_TARGET_DIR") or "target")
    return root / target / "release" / "resetscope"
