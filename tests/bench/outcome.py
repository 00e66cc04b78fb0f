"""What a benchmark finds: figures of both sides, their ratio, and whether the bar is met."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Bar:
    """A target.

    Attributes:
        text: The target, for people.
        met: Whether it is met.
    """

    text: str
    met: bool


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        benchmark: Id, such as `B1`.
        work: What was done.
        ours: Our figure, for people.
        peer: That of the other side.
        result: The ratio, or whatever is compared with the bar.
        bar: The target; `None` for a figure that is only told.
        raw: Every sample of each side, for the JSON file.
    """

    benchmark: str
    work: str
    ours: str
    peer: str
    result: str
    bar: Bar | None = None
    raw: dict[str, Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Samples:
    """Seconds, or other amounts, of both sides, taken alternately."""

    ours: list[float]
    peer: list[float]

    @property
    def ratio(self) -> float:
        """How many times more the other side takes: median over median."""
        return statistics.median(self.peer) / statistics.median(self.ours)

    @property
    def raw(self) -> dict[str, Sequence[float]]:
        """Every sample."""
        return {"ours": self.ours, "peer": self.peer}


def seconds(samples: Sequence[float]) -> str:
    """Their median, for people."""
    middle = statistics.median(samples)
    return f"{middle * 1000:.0f} ms" if middle < 1 else f"{middle:.2f} s"


def at_least(benchmark: str, work: str, samples: Samples, times: float) -> Figure:
    """A figure whose bar is to be so many times faster than the other side."""
    return Figure(
        benchmark,
        work,
        seconds(samples.ours),
        seconds(samples.peer),
        f"{samples.ratio:.1f}x",
        Bar(f"≥ {times:g}x faster", samples.ratio >= times),
        samples.raw,
    )


def at_most(benchmark: str, work: str, samples: Samples, times: float) -> Figure:
    """A figure whose bar is to take at most so many times what the other side takes."""
    ratio = 1 / samples.ratio
    return Figure(
        benchmark,
        work,
        seconds(samples.ours),
        seconds(samples.peer),
        f"{ratio:.2f}x",
        Bar(f"≤ {times:g}x its time", ratio <= times),
        samples.raw,
    )
