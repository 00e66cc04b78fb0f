"""B7: objects in the store for each task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.bench.bench import Bench, Side
from tests.bench.outcome import Bar, Figure

_MOST = 6


def run(bench: Bench) -> Iterator[Figure]:
    """Count the files of a 3-step run on a local store."""
    ours, peer = (_most_of_a_task(bench.side(name)) for name in ("ours", "metaflow"))
    yield Figure(
        "B7",
        "objects for each task (the largest of a 3-step run)",
        str(ours),
        str(peer),
        f"{peer / ours:.1f}x fewer",
        Bar(f"≤ {_MOST}", ours <= _MOST),
        {"ours": [ours], "peer": [peer]},
    )


def _most_of_a_task(side: Side) -> int:
    flow = side.flow("linear")
    flow.seconds("run")
    found: Counter[Path] = Counter()
    for file in flow.store.rglob("*"):
        task = _task(file.relative_to(flow.store).parts)
        if file.is_file() and task is not None:
            found[task] += 1
    flow.remove()
    return max(found.values())


def _task(parts: tuple[str, ...]) -> Path | None:
    """The folder of the task that a file belongs to: `…/<step>/<task>/…`."""
    for number, part in enumerate(parts):
        if part in {"start", "middle", "end"} and len(parts) > number + 2:
            return Path(*parts[: number + 2])
    return None
