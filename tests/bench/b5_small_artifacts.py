"""B5: 1,000 small artifacts in one step, read in the next."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.artifact_times import ArtifactTimes
from tests.bench.bench import Bench
from tests.bench.outcome import Figure, Samples, at_least


def run(bench: Bench) -> Iterator[Figure]:
    """Compare with Metaflow."""
    times = ArtifactTimes(bench, "many")
    both = Samples(
        [save + read for save, read in zip(times.save.ours, times.read.ours, strict=True)],
        [save + read for save, read in zip(times.save.peer, times.read.peer, strict=True)],
    )
    yield at_least("B5", "1,000 small artifacts: saved in a step and read in the next", both, 10)
