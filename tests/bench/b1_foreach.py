"""B1: a foreach of 100 trivial splits, two workers."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.bench import Bench
from tests.bench.outcome import Figure, at_least

WORK = "`run` of a foreach of 100 trivial splits, 2 workers"


def run(bench: Bench) -> Iterator[Figure]:
    """Compare with Metaflow."""
    ours, peer = (bench.side(name) for name in ("ours", "metaflow"))
    arguments = ("run", "--splits", "100", "--max-workers", "2")
    samples = bench.alternate(
        lambda: ours.flow("wide").once(*arguments), lambda: peer.flow("wide").once(*arguments)
    )
    yield at_least("B1", WORK, samples, 15)
