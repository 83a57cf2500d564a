"""The lab's command line."""
from __future__ import annotations

import argparse
import random
import signal
import sys
import time
from pathlib import Path

from . import leftovers, packages, tracing
from .play import Outcome
from .registry import Variant, variants
from .runner import Runner
from .topology import check_root


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/lab",
        description="Real Linux kernels as the oracle for why a TCP RST was sent: network namespaces, captures at two "
                    "taps, and one truth line per RST joined from the kernel's own trace events. Needs root.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("list", help="list the scenarios and their variants")
    run = commands.add_parser("run", help="run scenarios")
    run.add_argument("names", nargs="*", metavar="NAME", help="number, name or full label; all if none is given")
    run.add_argument("--only-family", metavar="X", action="append", default=[],
                     help="a family (benign, closed, gone, firewall, application, network, kill, views) or ip4/ip6")
    run.add_argument("--jobs", type=int, default=8, help="variants at a time (default 8: they mostly wait)")
    demo = commands.add_parser("demo", help="make the one-capture demonstration of all causes")
    for command in (run, demo):
        command.add_argument("--seed", type=int, help="seed of everything random (printed if not given)")
        command.add_argument("--out", type=Path, default=Path("lab-out"), help="output folder (default lab-out)")
        command.add_argument("--no-install", action="store_true", help="never install packages")
    commands.add_parser("clean", help="remove what a killed run may have left (trace instances, temporary folders)")
    return parser


def select(names: list[str], families: list[str]) -> list[Variant]:
    """The variants that names and families ask for."""
    chosen = []
    for variant in variants():
        entry = variant.scenario
        keys = {variant.label, entry.label, entry.name, str(entry.number)}
        versions = {f"ip{variant.version}"}
        groups = [family for family in families if not family.startswith("ip")]
        if names and not keys & set(names):
            continue
        if groups and entry.group not in groups:
            continue
        if any(family.startswith("ip") and family not in versions for family in families):
            continue
        chosen.append(variant)
    if not chosen:
        raise SystemExit("lab: nothing matches; see scripts/lab list")
    return chosen


def _list() -> int:
    for variant in variants():
        entry = variant.scenario
        print(f"{variant.label:38} {entry.group:12} {entry.verdicts:40} {entry.title}")
    return 0


def _tell(outcome: Outcome, took: float) -> None:
    print(f"{'ok  ' if not outcome.deviations else 'DIFF'} {outcome.label:38} {outcome.resets:4} RST  {took:5.1f} s",
          flush=True)
    for deviation in outcome.deviations:
        print(f"       {deviation}")


def _prepare(arguments: argparse.Namespace) -> int:
    """Checks shared by the commands that build networks. Returns the seed."""
    check_root()
    packages.provide(not arguments.no_install)
    tracing.ensure_tracefs()
    for name in leftovers.sweep():
        print(f"lab: removed {name}, left by a killed run")
    arguments.out.mkdir(parents=True, exist_ok=True)
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 31)
    print(f"lab: seed {seed}, writing to {arguments.out}")
    return seed


def _run(arguments: argparse.Namespace) -> int:
    chosen = select(arguments.names, arguments.only_family)
    seed = _prepare(arguments)
    began = time.monotonic()
    # Long ones first, so that the pool does not end with a single slow scenario.
    slow = {24, 25, 26, 46, 53, 12}
    chosen.sort(key=lambda variant: variant.scenario.number not in slow)
    outcomes = Runner(seed, arguments.out, arguments.jobs).run(chosen, _tell)
    odd = [outcome for outcome in outcomes if outcome.deviations]
    print(f"lab: {len(outcomes)} variants, {sum(o.resets for o in outcomes)} RSTs, "
          f"{len(odd)} with deviations, {time.monotonic() - began:.0f} s, seed {seed}")
    return 1 if odd else 0


def _demo(arguments: argparse.Namespace) -> int:
    from .demo import make

    seed = _prepare(arguments)
    return make(seed, arguments.out)


def _clean() -> int:
    check_root()
    tracing.ensure_tracefs()
    removed = leftovers.sweep()
    print("\n".join(f"removed {name}" for name in removed) or "nothing was left behind")
    return 0


def main() -> int:
    """Entry point."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    arguments = _parser().parse_args()
    try:
        if arguments.command == "list":
            return _list()
        if arguments.command == "run":
            return _run(arguments)
        if arguments.command == "demo":
            return _demo(arguments)
        return _clean()
    except KeyboardInterrupt:
        print("\nlab: interrupted; everything has been taken down", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0
