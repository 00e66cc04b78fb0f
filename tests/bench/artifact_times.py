"""How long saving and reading take, by the clocks of the steps before and after."""

from __future__ import annotations

import json
import statistics

from tests.bench.bench import Bench, Side
from tests.bench.outcome import Samples

_SHORTEST = 1e-4


class ArtifactTimes:
    """Seconds that a kind of artifact takes to be saved and to be read.

    The save is the time between the last statement of the step and the first of the next one, less what that takes when there
    is nothing to save.

    Args:
        bench: How to run.
        kind: `array` or `many`, see `flows/artifacts.py`.
    """

    def __init__(self, bench: Bench, kind: str) -> None:
        self.save, self.read = Samples([], []), Samples([], [])
        ours, peer = (bench.side(name) for name in ("ours", "metaflow"))
        idle = {side.name: self._idle(side, bench.rounds) for side in (ours, peer)}

        def measure(side: Side) -> float:
            found = _seconds(side, kind)
            read, save = (self.read, self.save)
            own = side.name == "ours"
            (save.ours if own else save.peer).append(max(_SHORTEST, found["save"] - idle[side.name]))
            (read.ours if own else read.peer).append(max(_SHORTEST, found["read"]))
            return found["save"]

        bench.alternate(lambda: measure(ours), lambda: measure(peer))

    def _idle(self, side: Side, rounds: int) -> float:
        return statistics.median(_seconds(side, "nothing")["save"] for _ in range(rounds))


def _seconds(side: Side, kind: str) -> dict[str, float]:
    flow = side.flow("artifacts")
    try:
        flow.seconds("run", environment={"BENCH_KIND": kind})
        found: dict[str, float] = json.loads((flow.folder / "seconds.json").read_text("utf-8"))
        return found
    finally:
        flow.remove()
