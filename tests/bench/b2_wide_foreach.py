"""B2: a foreach of 1,000 trivial splits; one of 10,000 that does not make the scheduler grow."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.bench import Bench, BenchFailed, FlowCopy
from tests.bench.outcome import Bar, Figure, at_least

_LIMIT = ("--max-num-splits", "100000", "--max-workers", "2")
_MOST_GROWTH = 1.25


def run(bench: Bench) -> Iterator[Figure]:
    """Compare with Metaflow; watch our memory."""
    ours, peer = (bench.side(name) for name in ("ours", "metaflow"))
    arguments = ("run", "--splits", "1000", *_LIMIT)
    samples = bench.alternate(
        lambda: ours.flow("wide").once(*arguments), lambda: peer.flow("wide").once(*arguments)
    )
    yield at_least("B2", "the same with 1,000 splits", samples, 20)
    yield _memory(ours.flow("wide"))


def _memory(flow: FlowCopy) -> Figure:
    """The scheduler's memory while 10,000 splits run, from the first tenth of the time on."""
    begun = time.perf_counter()
    found = _resident(flow)
    took = time.perf_counter() - begun
    flow.remove()
    early = found[max(1, len(found) // 10)]
    growth = max(found) / early
    return Figure(
        "B2",
        "`run` of 10,000 splits: memory of the scheduler",
        f"{took:.0f} s, {max(found) / 1e3:.0f} MB at most",
        "-",
        f"{growth:.2f}x of that after a tenth",
        Bar(f"≤ {_MOST_GROWTH}x", growth <= _MOST_GROWTH),
        {"kilobytes": found},
    )


def _resident(flow: FlowCopy) -> list[float]:
    """Kilobytes of resident memory, twice a second."""
    found: list[float] = []
    command = flow.command("run", "--splits", "10000", *_LIMIT)
    with subprocess.Popen(
        command, cwd=flow.folder, env=flow.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        while process.poll() is None:
            lines = Path(f"/proc/{process.pid}/status").read_text("utf-8").splitlines()
            found += [float(line.split()[1]) for line in lines if line.startswith("VmRSS")]
            time.sleep(0.5)
        assert process.stderr is not None
        errors = process.stderr.read().decode("utf-8", "backslashreplace")
    if process.returncode:
        raise BenchFailed(f"10,000 splits: {errors[-3000:]}")
    return found
