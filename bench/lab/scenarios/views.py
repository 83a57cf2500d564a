"""Group 7: what a tap can not know. The same events as elsewhere, seen through worse captures."""
from __future__ import annotations

from ..registry import scenario
from ..scene import Scene
from .application import close_unread
from .gone import half_open


@scenario(42, "late-start", "7.1 (4.1 as good)")
def late_start(scene: Scene) -> None:
    """Scenario 13, but the capture begins after the handshakes."""
    close_unread(scene)
    scene.view_cut = "handshakes"
    _soften(scene, "7.1")


@scenario(57, "one-direction", "7.2 (2.1 as good)")
def one_direction(scene: Scene) -> None:
    """Scenario 9, but the capture holds only the packets towards the client."""
    half_open(scene)
    scene.view_cut = "to-client"
    _soften(scene, "7.2")


def _soften(scene: Scene, subcause: str) -> None:
    """What was certain in the full view is only a good guess in the cut one."""
    for expectation in scene.expectations:
        expectation.also = (expectation.subcause, *expectation.also)
        expectation.subcause = subcause
