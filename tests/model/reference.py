"""The reference model: a pure interpreter of a specification, which says what a run of it leaves in the store.

It knows nothing of graphs, plans or schedulers: it walks the nested value, carrying what each task hands on. A run goes as far as it
can: what does not lie after a failed task runs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from tests.model.spec import SPLITS, Block, Branch, Fault, Foreach, Gang, Item, Loop, Plain, Switch

TaskKey: TypeAlias = tuple[str, str]
Outcome = Literal["succeeded", "failed", "caught"]
EXCEPTIONS = {"exception": "ValueError", "kill": "process", "timeout": "TimeoutException", "pod": "process"}


@dataclass(frozen=True)
class Task:
    """What a task leaves.

    Attributes:
        outcome: As in its record.
        parents: Step and id of the tasks it starts from, in order.
        trail: Its artifact ``trail``: what happened on the way to it; None if it has none.
        exception: Name of the class of the exception in its record; empty for none.
    """

    outcome: Outcome
    parents: tuple[TaskKey, ...]
    trail: Any
    exception: str = ""


@dataclass(frozen=True)
class Expected:
    """What a run leaves.

    Attributes:
        status: Its verdict.
        tasks: Its tasks.
        open: Tasks of which nothing is said: in a gang that fails, the other nodes may have ended before they are stopped.
    """

    status: Literal["succeeded", "failed"]
    tasks: Mapping[TaskKey, Task]
    open: frozenset[TaskKey] = frozenset()

    def without(self, keys: Collection[TaskKey]) -> Expected:
        """The same but for some tasks."""
        return Expected(self.status, {key: task for key, task in self.tasks.items() if key not in keys})

    @property
    def finished(self) -> set[TaskKey]:
        """The tasks from which the flow went on."""
        return {key for key, task in self.tasks.items() if task.outcome != "failed"}


@dataclass(frozen=True)
class _Place:
    """Where in the open frames a task is: its index path, and the index and element of the innermost frame."""

    path: tuple[int, ...] = ()
    index: Any = None
    element: Any = None

    def inside(self, index: int, element: Any) -> _Place:
        return _Place((*self.path, index), index, element)

    def pick(self, options: Sequence[Any], shift: int = 0) -> Any:
        return options[(sum(self.path) + shift) % len(options)]

    def task(self, iteration: int | None = None) -> str:
        parts = [f"{index:04d}" for index in self.path]
        return "-".join(parts if iteration is None else [*parts, f"i{iteration:04d}"]) or "0"


@dataclass(frozen=True)
class _Arrival:
    """What comes to a step: one task, or, for a join, any number."""

    keys: tuple[TaskKey, ...]
    trails: tuple[Any, ...]
    joins: bool = False


_NOWHERE = _Arrival((), ((),))


def interpret(flow: Block, fault: Fault | None = None) -> Expected:
    """What a run of a flow leaves, with a fault in one task, if any."""
    run = _Run(fault)
    last = run.block(flow, _NOWHERE, _Place())
    return Expected("failed" if last is None else "succeeded", run.tasks, frozenset(run.open))


@dataclass
class _Run:
    fault: Fault | None
    tasks: dict[TaskKey, Task] = field(default_factory=dict)
    open: set[TaskKey] = field(default_factory=set)

    def block(self, block: Block, arrival: _Arrival | None, place: _Place) -> _Arrival | None:
        """Run a block; None if something in it failed, so that nothing comes after it."""
        for item in block:
            if arrival is None:
                return None
            arrival = self.item(item, arrival, place)
        return arrival

    def item(self, item: Item, arrival: _Arrival, place: _Place) -> _Arrival | None:
        if isinstance(item, Loop):
            return self.loop(item, arrival, place)
        came = self.step(item.name, arrival, place)
        if came is None or isinstance(item, Plain):
            return came
        if isinstance(item, Switch):
            return self.block(place.pick(item.arms, item.shift), came, place)
        ends = self.split(item, came, place)
        alive = [end for end in ends if end is not None]
        if len(alive) < len(ends) * (item.ratio if isinstance(item, Foreach) else 1.0):
            return None
        keys = tuple(key for end in alive for key in end.keys)
        return _Arrival(keys, tuple(trail for end in alive for trail in end.trails), joins=True)

    def split(self, item: Item, came: _Arrival, place: _Place) -> list[_Arrival | None]:
        assert isinstance(item, SPLITS)
        if isinstance(item, Branch):
            return [self.block(arm, came, place) for arm in item.arms]
        if isinstance(item, Foreach):
            inner = [place.inside(i, f"{item.name}-{i}") for i in range(place.pick(item.widths))]
            return [self.block(item.body, came, each) for each in inner]
        return self.gang(item, came, place)

    def gang(self, item: Gang, came: _Arrival, place: _Place) -> list[_Arrival | None]:
        nodes = [place.inside(index, item.nodes) for index in range(item.nodes)]
        fault = self.fault
        struck = fault and fault.step == item.member and fault.task in [node.task() for node in nodes]
        attempt = min(fault.attempts, fault.retries) if fault and struck else 0
        ends = [self.step(item.member, came, node, attempt=attempt) for node in nodes]
        if None in ends:
            self.open |= {(item.member, node.task()) for node, end in zip(nodes, ends, strict=True) if end}
        return ends

    def loop(self, item: Loop, arrival: _Arrival, place: _Place) -> _Arrival | None:
        came: _Arrival | None = arrival
        for iteration in range(place.pick(item.turns)):
            came = came and self.step(item.name, came, place, iteration)
        return came

    def step(
        self, step: str, arrival: _Arrival, place: _Place, iteration: int | None = None, attempt: int = 0
    ) -> _Arrival | None:
        """Run one task."""
        key = (step, place.task(iteration))
        fault = self.fault if self.fault and (self.fault.step, self.fault.task) == key else None
        inherited: tuple[Any, ...] | None = None if arrival.joins else arrival.trails[0]
        if fault and fault.attempts > fault.retries:
            return self.failure(key, fault, arrival, inherited)
        label = f"{step} {place.index} {place.element} try {fault.attempts if fault else attempt}"
        trail = (label, *arrival.trails) if inherited is None else (*inherited, label)
        self.tasks[key] = Task("succeeded", arrival.keys, trail)
        return _Arrival((key,), (trail,))

    def failure(self, key: TaskKey, fault: Fault, arrival: _Arrival, inherited: Any) -> _Arrival | None:
        exception = EXCEPTIONS[fault.kind]
        if not fault.catch:
            self.tasks[key] = Task("failed", arrival.keys, None, exception)
            return None
        exception = "FailureHandledByCatch" if fault.kind in ("kill", "pod") else exception
        self.tasks[key] = Task("caught", arrival.keys, inherited or None, exception)
        return _Arrival((key,), (inherited or (),))
