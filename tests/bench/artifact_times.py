"""How long saving and reading take, by the clocks of the steps before and after."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.bench.bench import Bench, Side
from tests.bench.outcome import Samples

_SHORTEST = 1e-4


class ArtifactTimes:
    """Seconds that a kind of artifact takes to be saved and to be read.

    The save is the time between the last statement of the step and the first of the next one, less what that takes when there
    is nothing to save, measured right before.

    Args:
        bench: How to run.
        kind: `array` or `many`, see `flows/artifacts.py`.
        beside: Measured once in each round as well.
    """

    def __init__(self, bench: Bench, kind: str, beside: Callable[[], float] = lambda: 0.0) -> None:
        self.save, self.read = Samples([], []), Samples([], [])
        self.beside: list[float] = []

        def measure(side: Side) -> float:
            idle, found = _seconds(side, "nothing"), _seconds(side, kind)
            save, read = (
                (self.save.ours, self.read.ours) if side.name == "ours" else (self.save.peer, self.read.peer)
            )
            save.append(max(_SHORTEST, found["save"] - idle["save"]))
            read.append(max(_SHORTEST, found["read"]))
            return save[-1]

        def ours() -> float:
            self.beside.append(beside())
            return measure(bench.side("ours"))

        bench.alternate(ours, lambda: measure(bench.side("metaflow")))


def _seconds(side: Side, kind: str) -> dict[str, float]:
    flow = side.flow("artifacts")
    try:
        flow.seconds("run", environment={"BENCH_KIND": kind})
        found: dict[str, float] = json.loads((flow.folder / "seconds.json").read_text("utf-8"))
        return found
    finally:
        flow.remove()
