"""Cause 1, closed port."""
from __future__ import annotations

from ..registry import scenario
from ..scene import Scene


@scenario(1, "closed-port", "1.1", rtts=(0, 1, 20, 150), rough=True)
def closed_port(scene: Scene) -> None:
    """A client connects to a port on which nobody ever listened."""
    scene.baseline(scene.listen(), scene.dice.randint(1, 3))
    for _ in range(scene.dice.randint(1, 2)):
        flow = scene.attempt(scene.port())
        scene.expect(flow, "server", "1.1", reasons=("NO_SOCKET",), form="REPLY_RA")
        scene.pause(0.02, 0.2)


@scenario(2, "service-down", "1.2", rtts=(0, 20), rough=True)
def service_down(scene: Scene) -> None:
    """A service that had accepted before is gone when the clients come back."""
    listener = scene.listen()
    scene.baseline(listener, scene.dice.randint(2, 4))
    listener.close()
    scene.pause(0.1, 0.4)
    for _ in range(scene.dice.randint(1, 4)):
        flow = scene.attempt(listener.port, scene.dice.choice((scene.client, scene.client2)))
        scene.expect(flow, "server", "1.2", reasons=("NO_SOCKET",), form="REPLY_RA")
        scene.pause(0.02, 0.1)
    scene.baseline(scene.listen(listener.port), 1)


@scenario(3, "port-sweep", "1.3 (1.1 before the sweep is recognisable)")
def port_sweep(scene: Scene) -> None:
    """One source tries fifty closed ports."""
    scene.baseline(scene.listen(), 2)
    for _ in range(50):
        flow = scene.attempt(scene.port())
        scene.expect(flow, "server", "1.3", also=("1.1",), reasons=("NO_SOCKET",), form="REPLY_RA")
        scene.pause(0.001, 0.008)
