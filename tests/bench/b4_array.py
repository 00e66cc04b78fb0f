"""B4: an array of 200 MB, saved in one step and read in the next."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator

from tests.bench.artifact_times import ArtifactTimes
from tests.bench.bench import BUILD, Bench, checked
from tests.bench.outcome import Bar, Figure, Samples, at_least, seconds

_PLAIN = """
import sys, time, numpy, blake3
array = numpy.random.default_rng(0).random(25_000_000)
began = time.perf_counter()
blake3.blake3(array.data.cast("B"), max_threads=blake3.blake3.AUTO).digest()
with open(sys.argv[1], "wb", buffering=0) as file:
    file.write(array.data.cast("B"))
print(time.perf_counter() - began)
"""
_OF_PLAIN = 1.5


def run(bench: Bench) -> Iterator[Figure]:
    """Compare with Metaflow, and with writing and hashing the bytes."""
    times = ArtifactTimes(bench, "array", beside=_plain_seconds)
    plain = times.beside
    yield at_least("B4", "200 MB float64 array: save (over the same step without it)", times.save, 20)
    yield at_least("B4", "the same array: first read in the next step", times.read, 20)
    ratio = statistics.median(times.save.ours) / statistics.median(plain)
    yield Figure(
        "B4",
        "save, against one write and one hash of the bytes",
        seconds(times.save.ours),
        seconds(plain),
        f"{ratio:.2f}x",
        Bar(f"≤ {_OF_PLAIN}x", ratio <= _OF_PLAIN),
        Samples(times.save.ours, plain).raw,
    )


def _plain_seconds() -> float:
    target = BUILD / "plain.bin"
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        return float(checked([sys.executable, "-c", _PLAIN, str(target)]))
    finally:
        target.unlink()
