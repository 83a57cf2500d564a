"""The programs the lab uses, and the Debian packages they come from."""
from __future__ import annotations

import os
import shutil
import subprocess

PROGRAMS = {"ip": "iproute2", "ss": "iproute2", "nft": "nftables", "tcpdump": "tcpdump", "tcpkill": "dsniff",
            "conntrack": "conntrack", "haproxy": "haproxy"}


def missing() -> list[str]:
    """Packages whose programs are not on the path."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return sorted({package for program, package in PROGRAMS.items() if not shutil.which(program, path=path)})


def provide(install: bool) -> None:
    """Install what is missing, or say what is."""
    os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    lacking = missing()
    if not lacking:
        return
    if not install:
        raise SystemExit(f"lab: missing packages: {' '.join(lacking)}")
    print(f"lab: installing {' '.join(lacking)}")
    # RUNLEVEL=1 keeps the packages from starting services of their own.
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    install_now = ["apt-get", "install", "-q", "-y", "--no-install-recommends", *lacking]
    for command in (["apt-get", "update", "-q"], install_now):
        done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"lab: {' '.join(command)} failed: {done.stderr.strip()[-400:]}")
    if missing():
        raise SystemExit(f"lab: still missing after installation: {' '.join(missing())}")
