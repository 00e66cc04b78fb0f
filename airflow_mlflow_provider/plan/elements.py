"""The index paths of a scope, as the list that Airflow expands a task or task group over.

One element is one mapped instance. It holds one index path, or a contiguous run of them (a *shard*) where there are
more index paths than Airflow should hold instances. Elements travel through XCom, so they are plain JSON.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import TypedDict

import msgspec

from airflow_mlflow_provider.plan.identity import IndexPath

LABEL_LENGTH = 250


class Split(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one task of a foreach split opened.

    Attributes:
        path: Index path of the task that split; ``()`` outside every foreach.
        width: Number of elements.
        var: Name of the artifact that was split.
        labels: Short label of each element, or none at all.
        around: Labels of the frames around the task, such as ``fold=3``, outermost first.
    """

    path: IndexPath
    width: int
    var: str = ""
    labels: tuple[str, ...] = ()
    around: tuple[str, ...] = ()

    def label(self, index: int) -> str:
        """``var=element`` of each frame of a split, such as ``fold=3 lr=0.1``."""
        element = self.labels[index] if index < len(self.labels) else str(index)
        return " ".join((*self.around, f"{self.var or 'index'}={element}"))


class _Again(TypedDict, total=False):
    first: int


class Element(_Again):
    """One mapped instance.

    Attributes:
        paths: Its index paths, in lexicographic order.
        label: What the Airflow UI shows instead of the map index, at most 250 characters.
        first: Storage attempt of the instance's first try; 0 unless the list was made anew, where an instance may stand for
            index paths that another one had before.
    """

    paths: list[list[int]]
    label: str


def elements(splits: Iterable[Split], max_width: int, each: int = 1, first: int = 0) -> list[Element]:
    """The list to expand over, in lexicographic order of the index paths.

    Args:
        splits: What every task of the split opened, in any order.
        max_width: Largest number of elements; above it, elements are shards of nearly equal size.
        each: Number of splits that an element is to hold where that gives no more than ``max_width`` elements.
        first: A storage attempt that none of the tasks of these index paths, or of deeper ones, has begun.
    """
    named = [
        ((*split.path, index), split.label(index))
        for split in sorted(splits, key=lambda split: split.path)
        for index in range(split.width)
    ]
    found = [_element(shard) for shard in _shards(named, min(max_width, -(-len(named) // each)))]
    return [{**element, "first": first} for element in found] if first else found


def _shards(named: Sequence[tuple[IndexPath, str]], max_width: int) -> list[Sequence[tuple[IndexPath, str]]]:
    count = min(len(named), max(max_width, 1))
    bounds = [len(named) * i // count for i in range(count + 1)] if count else [0]
    return [named[start:end] for start, end in itertools.pairwise(bounds)]


def _element(shard: Sequence[tuple[IndexPath, str]]) -> Element:
    paths = [list(path) for path, _ in shard]
    first, last = shard[0][1], shard[-1][1]
    if len(shard) == 1:
        return Element(paths=paths, label=_cut(first, LABEL_LENGTH))
    half = (LABEL_LENGTH - 20) // 2
    return Element(paths=paths, label=f"{_cut(first, half)} … {_cut(last, half)} ({len(shard)})")


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
