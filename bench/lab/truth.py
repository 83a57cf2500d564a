"""Joins RSTs on the wire with the kernels' events and the scenario's intent."""
from __future__ import annotations

from dataclasses import dataclass, field, replace

from .packets import RST, Segment, parse
from .pcapfile import Frame
from .scene import Expectation, Scene
from .taxonomy import cause_of, form_of
from .tracing import ReceivedReset, SentReset

_PAIRING_NS = 20_000_000
_EARLY_NS = 300_000


@dataclass
class WireReset:
    """One RST; `frames` and `times` tell where and when each tap saw it."""

    segment: Segment
    frames: dict[str, int]
    times: dict[str, int]
    event: SentReset | None = None
    sender: str = "unknown"
    expectation: Expectation | None = None
    effective: bool | None = field(default=None)

    @property
    def time_ns(self) -> int:
        """Capture time at the tap on the client link if it saw the RST, else at the other one."""
        return self.times.get("client", min(self.times.values()))


def _fingerprint(segment: Segment) -> tuple:
    """What stays the same on the way through a router. IPv6 has no IP ID."""
    ip_id = 0 if ":" in segment.src else segment.ip_id
    return (segment.src, segment.sport, segment.dst, segment.dport, segment.seq, segment.ack,
            segment.flags, ip_id, segment.window, segment.payload)


def wire_resets(captures: dict[str, list[Frame]]) -> list[WireReset]:
    """All RSTs of all taps, the two sightings of one packet put together."""
    found: list[WireReset] = []
    for tap, frames in captures.items():
        for number, (when, data) in enumerate(frames, start=1):
            segment = parse(data)
            if segment is None or not segment.flags & RST:
                continue
            for other in found:
                if (tap not in other.frames and _fingerprint(other.segment) == _fingerprint(segment)
                        and abs(other.time_ns - when) < _PAIRING_NS):
                    other.frames[tap], other.times[tap] = number, when
                    break
            else:
                found.append(WireReset(segment, {tap: number}, {tap: when}))
    found.sort(key=lambda reset: reset.time_ns)
    return found


def _same(seen: tuple[str, int], wanted: tuple[str, int]) -> bool:
    """True if the endpoint is the expected one; port 0 stands for any."""
    return seen == wanted or (wanted[1] == 0 and seen[0] == wanted[0])


class Joiner:
    """Finds each RST's sender, kernel reason and expectation."""

    def __init__(self, scene: Scene, sent: list[SentReset], received: list[ReceivedReset],
                 taps: tuple[str, ...] = ("client", "server")) -> None:
        self.scene, self.sent, self.received, self.taps = scene, sent, received, taps
        self.deviations: list[str] = []

    def _canonical(self, address: str, port: int) -> tuple[str, int]:
        return self.scene.nat.get((address, port), (address, port))

    def join(self, resets: list[WireReset]) -> None:
        """Fill in sender, event and expectation of each RST, in time order."""
        for event in self.sent:
            # A RST that is translated on the way is seen under another tuple on each link.
            event.uses_left = 2 if self.scene.nat else 1
        for accepted in self.received:
            accepted.uses_left = 2 if self.scene.nat else 1
        forged = [_fingerprint(segment) for segment in self.scene.injector.sent if segment.flags & RST]
        for reset in resets:
            if _fingerprint(reset.segment) in forged:
                reset.sender = "injector"
        genuine = [reset for reset in resets if reset.sender == "unknown"
                   and (self.scene.tool is None or reset.segment.df)]
        for anonymous in (False, True):
            for reset in genuine:
                if reset.event is None:
                    reset.event = self._event_for(reset, anonymous)
        for reset in resets:
            self._name_sender(reset)
            self._mark_effective(reset)
            self._explain(reset)
        for expectation in self.scene.expectations:
            # What a device sends towards the server never passes a tap on the client link.
            unseen = expectation.by != "kernel" and expectation.side == "client" and "server" not in self.taps
            if expectation.seen < expectation.minimum and not unseen:
                self.deviations.append(f"expected {expectation.subcause} from {expectation.side} of "
                                       f"{expectation.flow}: saw {expectation.seen} of {expectation.minimum}")

    def _event_for(self, reset: WireReset, anonymous: bool) -> SentReset | None:
        """The kernel event behind a RST. Events without addresses are matched by port and time."""
        segment = reset.segment
        wanted = self._canonical(segment.src, segment.sport) + self._canonical(segment.dst, segment.dport)
        latest = reset.time_ns + _EARLY_NS
        earliest = reset.time_ns - int((self.scene.rtt_ms + 150) * 1e6)
        for event in self.sent:
            if not event.uses_left or event.anonymous != anonymous or not earliest <= event.time_ns <= latest:
                continue
            if anonymous:
                fits = event.sport == wanted[1]
            else:
                fits = (self._canonical(event.src, event.sport) + self._canonical(event.dst, event.dport)) == wanted
            if fits:
                event.uses_left -= 1
                return event
        return None

    def _name_sender(self, reset: WireReset) -> None:
        if reset.sender == "injector":
            return
        if reset.event is not None:
            owner = self.scene.topology.owner_of(reset.event.src)
            if owner is None or reset.event.anonymous:
                owner = self.scene.topology.owner_of(self._canonical(reset.segment.src, reset.segment.sport)[0])
            reset.sender = f"{owner}-kernel"
        elif self.scene.tool is not None and not reset.segment.df:
            reset.sender = self.scene.tool
        else:
            reset.sender = "nft"

    def _mark_effective(self, reset: WireReset) -> None:
        """True if a socket accepted the RST (only sockets report that)."""
        segment = reset.segment
        ends = self._canonical(segment.src, segment.sport) + self._canonical(segment.dst, segment.dport)
        window = int((self.scene.rtt_ms + 50) * 1e6)
        reset.effective = False
        for event in self.received:
            seen = self._canonical(event.src, event.sport) + self._canonical(event.dst, event.dport)
            if event.uses_left and seen == ends and -_EARLY_NS * 10 <= event.time_ns - reset.time_ns <= window:
                # Of a train, the first RST is the one that ends the connection.
                event.uses_left -= 1
                reset.effective = True
                return

    def _explain(self, reset: WireReset) -> None:
        segment = reset.segment
        src, dst = (segment.src, segment.sport), (segment.dst, segment.dport)
        by = "kernel" if reset.sender.endswith("-kernel") else reset.sender
        for expectation in self.scene.expectations:
            initiator, acceptor = expectation.flow[:2], expectation.flow[2:]
            ends = (initiator, acceptor) if expectation.side == "client" else (acceptor, initiator)
            fits = _same(src, ends[0]) and _same(dst, ends[1]) and by == expectation.by
            if fits and expectation.seen < expectation.maximum:
                expectation.seen += 1
                reset.expectation = expectation
                break
        else:
            if self.scene.rough and by == "kernel" and self._echo(reset):
                return
            self.deviations.append(f"unexplained RST {src} > {dst} by {reset.sender} "
                                   f"({reset.event.reason if reset.event else 'no event'}), frames {reset.frames}")
            return
        self._check(reset, reset.expectation)

    def _echo(self, reset: WireReset) -> bool:
        """On a lossy link packets are repeated and overtaken, and dead ends answer them with RSTs of their own."""
        segment = reset.segment
        src, dst = (segment.src, segment.sport), (segment.dst, segment.dport)
        for expectation in self.scene.expectations:
            ends = (expectation.flow[:2], expectation.flow[2:])
            sent_by = ends if expectation.side == "client" else ends[::-1]
            if expectation.seen and (src, dst) == sent_by:
                also = tuple(dict.fromkeys(("2.3", *expectation.also)))
                reset.expectation = replace(expectation, also=also, role="aftermath")
                return True
            if expectation.seen and (dst, src) == sent_by:
                reset.expectation = replace(expectation, subcause="2.3", also=(expectation.subcause,),
                                            role="aftermath")
                return True
        return False

    def _check(self, reset: WireReset, expectation: Expectation) -> None:
        """Compare what the kernel did with what the catalogue says it does."""
        form = form_of(reset.segment)
        where = f"{expectation.subcause} frames {reset.frames}"
        if expectation.form and form != expectation.form:
            self.deviations.append(f"{where}: form {form}, catalogue says {expectation.form}")
        if reset.event is None:
            return
        if expectation.reasons and reset.event.reason not in expectation.reasons:
            self.deviations.append(f"{where}: reason {reset.event.reason}, catalogue says {expectation.reasons}")
        if reset.event.active != (form == "ACTIVE_RA"):
            self.deviations.append(f"{where}: event active={reset.event.active} but wire form {form}")


def as_json(reset: WireReset, scenario: str) -> dict:
    """The truth line of one RST."""
    segment, event, expectation = reset.segment, reset.event, reset.expectation
    subcause = expectation.subcause if expectation else None
    also = expectation.also if expectation else ()
    return {
        "scenario": scenario,
        "time_ns": reset.time_ns,
        "src": segment.src, "sport": segment.sport, "dst": segment.dst, "dport": segment.dport,
        "seq": segment.seq,
        "sender": reset.sender,
        "kernel_reason": event.reason if event else None,
        "kernel_state": event.state if event else None,
        "active": event.active if event else None,
        "kernel_time_ns": event.time_ns if event else None,
        "accepted": reset.effective,
        "form": form_of(segment),
        "taps": sorted(reset.frames),
        "frame": dict(sorted(reset.frames.items())),
        "cause": cause_of(subcause) if subcause else "unknown",
        "subcause": subcause,
        "also_right": [{"cause": cause_of(other), "subcause": other} for other in also],
        "role": expectation.role if expectation else "primary",
    }
