"""Edits of a specification, as people make them between a run that failed and the one that resumes it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Literal

from tests.model.spec import Block, Branch, Foreach, Gang, Item, Loop, Plain, Switch, items_of

EditKind = Literal["insert", "remove", "rename", "recode"]
Change = Callable[[Block], Block]


def edits(flow: Block, kind: EditKind, name: str) -> list[Block]:
    """All flows that one edit makes of a flow; not all of them are sound.

    Args:
        flow: The flow.
        kind: A step more, a step less, a step with another name, or a split, loop or switch that decides otherwise.
        name: Name of the new step.
    """
    if kind == "insert":
        return [
            _at(flow, place, lambda block, i=i: (*block[:i], Plain(name), *block[i:]))  # type: ignore[misc]
            for place, block in _blocks(flow)
            for i in range(len(block) + 1)
        ]
    changed: list[Block] = []
    for place, block in _blocks(flow):
        for position, item in enumerate(block):
            for instead in _instead(item, kind, name):
                new = (*block[:position], *instead, *block[position + 1 :])
                changed.append(_at(flow, place, lambda _, new=new: new))  # type: ignore[misc]
    return changed


def _instead(item: Item, kind: EditKind, name: str) -> Iterator[Block]:
    """What may stand in the place of an item."""
    if kind == "remove" and isinstance(item, Plain):
        yield ()
    elif kind == "rename":
        yield (dataclasses.replace(item, name=name),)
    elif kind == "recode" and isinstance(item, Foreach):
        yield (dataclasses.replace(item, widths=(*item.widths[1:], item.widths[0] + 1)),)
    elif kind == "recode" and isinstance(item, Loop):
        yield (dataclasses.replace(item, turns=(*item.turns[1:], item.turns[0] + 1)),)
    elif kind == "recode" and isinstance(item, Switch):
        yield (dataclasses.replace(item, shift=item.shift + 1),)
    elif kind == "recode" and isinstance(item, Gang):
        yield (dataclasses.replace(item, nodes=item.nodes + 1),)


# Where a block is: position of the item that holds it and number of the arm, from the outermost block in.
_PlaceOf = tuple[tuple[int, int], ...]


def _blocks(block: Block, place: _PlaceOf = ()) -> Iterator[tuple[_PlaceOf, Block]]:
    yield place, block
    for position, item in enumerate(block):
        for arm, inner in enumerate(_inner(item)):
            yield from _blocks(inner, (*place, (position, arm)))


def _inner(item: Item) -> tuple[Block, ...]:
    if isinstance(item, Foreach):
        return (item.body,)
    return item.arms if isinstance(item, Branch | Switch) else ()


def _at(block: Block, place: _PlaceOf, change: Change) -> Block:
    """A block in which the block at a place has been changed."""
    if not place:
        return change(block)
    (position, arm), *rest = place
    item = block[position]
    if isinstance(item, Foreach):
        new: Item = dataclasses.replace(item, body=_at(item.body, tuple(rest), change))
    else:
        assert isinstance(item, Branch | Switch)
        arms = (*item.arms[:arm], _at(item.arms[arm], tuple(rest), change), *item.arms[arm + 1 :])
        new = dataclasses.replace(item, arms=arms)
    return (*block[:position], new, *block[position + 1 :])


def names_of(flow: Block) -> set[str]:
    """Names of all steps."""
    return {
        name
        for item in items_of(flow)
        for name in (item.name, *([item.member] if isinstance(item, Gang) else []))
    }
