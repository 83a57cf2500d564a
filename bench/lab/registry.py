"""The list of scenarios, filled by decorators."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .forwarder import WireSettings
from .scene import Scene

Play = Callable[[Scene], None]


@dataclass(frozen=True)
class Scenario:
    """One scenario and the variants in which it is run."""

    number: int
    name: str
    group: str
    title: str
    verdicts: str
    play: Play
    versions: tuple[int, ...]
    rtts: tuple[float, ...]
    wire: WireSettings | None
    slow_side: str
    plain_ttl: bool
    rough: bool

    @property
    def label(self) -> str:
        """Number and name, as used in file names."""
        return f"{self.number:02d}-{self.name}"


@dataclass(frozen=True)
class Variant:
    """A scenario with its IP version and round-trip time; `index` is unique in the whole list."""

    scenario: Scenario
    version: int
    rtt_ms: float
    index: int
    rough: bool = False

    @property
    def label(self) -> str:
        """The name of the variant's files."""
        return (self.scenario.label + ("-v6" if self.version == 6 else "")
                + ("-rough" if self.rough else f"-rtt{self.rtt_ms:g}" if self.rtt_ms else ""))


ROUGH_RTT_MS = 25.0
"""Round-trip time of the variants over a bad client link."""

SCENARIOS: list[Scenario] = []


def scenario(number: int, name: str, verdicts: str, *, versions: tuple[int, ...] = (4, 6),
             rtts: tuple[float, ...] = (0,), wire: WireSettings | None = None, slow_side: str = "server",
             plain_ttl: bool = False, rough: bool = False) -> Callable[[Play], Play]:
    """Register a scenario; its title is the first line of the function's doc.

    `wire` asks for a forwarder even at RTT 0; `slow_side` is the link that gets the delay;
    `plain_ttl` keeps every host's default TTL at 64; `rough` adds a variant whose client link loses,
    delays and reorders packets.
    """
    def register(play: Play) -> Play:
        title = (play.__doc__ or name).strip().splitlines()[0]
        SCENARIOS.append(Scenario(number, name, play.__module__.rpartition(".")[2], title, verdicts, play,
                                  versions, rtts, wire, slow_side, plain_ttl, rough))
        return play
    return register


def variants() -> list[Variant]:
    """All variants in the order of their numbers: each version at the first RTT, IPv4 at all of them."""
    from . import scenarios  # noqa: F401  (fills the list)

    found: list[Variant] = []
    for entry in sorted(SCENARIOS, key=lambda item: item.number):
        pairs = [(version, entry.rtts[0]) for version in entry.versions]
        pairs += [(entry.versions[0], rtt) for rtt in entry.rtts[1:]]
        for version, rtt in pairs:
            found.append(Variant(entry, version, rtt, len(found)))
        if entry.rough:
            found.append(Variant(entry, entry.versions[0], ROUGH_RTT_MS, len(found), rough=True))
    return found


def by_name(name: str) -> Scenario:
    """The scenario of that bare name."""
    from . import scenarios  # noqa: F401

    for entry in SCENARIOS:
        if name in (entry.name, entry.label):
            return entry
    raise KeyError(name)
