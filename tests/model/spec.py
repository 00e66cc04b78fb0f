"""A flow as a nested value: one specification, read on its own by the reference model and by the writer of flow files.

A block is a sequence of items. After an item that opens a split (a branch, a foreach, a gang), the first step of the next item is the
join; it may itself split, choose or go on. After any other item the next step is an ordinary one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

FaultKind = Literal["exception", "kill", "timeout", "pod"]


@dataclass(frozen=True)
class Plain:
    """A step that goes on."""

    name: str


@dataclass(frozen=True)
class Branch:
    """A static split; each arm has a step at least."""

    name: str
    arms: tuple[Block, ...]


@dataclass(frozen=True)
class Foreach:
    """A foreach of ``widths[sum(index path) % len(widths)]`` elements; its join may do with a ``ratio`` of them."""

    name: str
    widths: tuple[int, ...]
    body: Block
    ratio: float = 1.0


@dataclass(frozen=True)
class Gang:
    """A step that starts a gang, whose members are one step."""

    name: str
    nodes: int
    member: str


@dataclass(frozen=True)
class Switch:
    """A switch to arm ``(sum(index path) + shift) % len(arms)``; at most one arm is empty, and goes on at once."""

    name: str
    arms: tuple[Block, ...]
    shift: int = 0


@dataclass(frozen=True)
class Loop:
    """A step that repeats itself until it has run ``turns[sum(index path) % len(turns)]`` times."""

    name: str
    turns: tuple[int, ...]


Item: TypeAlias = Plain | Branch | Foreach | Gang | Switch | Loop
Block: TypeAlias = tuple[Item, ...]
SPLITS = (Branch, Foreach, Gang)


@dataclass(frozen=True)
class Fault:
    """A failure put into one task, before the step does anything, and what the step's decorators make of it.

    Attributes:
        step: The step.
        task: Id of its task.
        kind: An exception, SIGKILL, sleeping longer than ``@timeout`` allows, or waiting until the test kills the pod.
        attempts: Number of attempts that fail, from the first.
        retries: ``times`` of ``@retry``; 0 for none.
        catch: Whether the step carries ``@catch``.
    """

    step: str
    task: str
    kind: FaultKind = "exception"
    attempts: int = 99
    retries: int = 0
    catch: bool = False


def items_of(block: Block) -> Iterator[Item]:
    """All items of a block, inner ones too, in the order in which they are written."""
    for item in block:
        yield item
        if isinstance(item, Foreach):
            yield from items_of(item.body)
        elif isinstance(item, Branch | Switch):
            for arm in item.arms:
                yield from items_of(arm)


def steps_of(block: Block) -> Iterator[tuple[str, Item]]:
    """The steps of a block, each with its item."""
    for item in items_of(block):
        yield item.name, item
        if isinstance(item, Gang):
            yield item.member, item
