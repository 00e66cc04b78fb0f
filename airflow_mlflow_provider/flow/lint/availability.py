"""Which artifacts a step may find: what the steps on any path to it have set, and joins have not dropped."""

from __future__ import annotations

from functools import cached_property

import msgspec

from airflow_mlflow_provider.flow.lint.function_facts import Merge
from airflow_mlflow_provider.flow.lint.step_facts import FactReader, StepFacts
from airflow_mlflow_provider.flow.matching import Branch
from airflow_mlflow_provider.flow.reading import FlowReading

_ATTRIBUTE_HOOKS = ("__getattr__", "__getattribute__", "__setattr__")


class Arriving(msgspec.Struct, eq=False):
    """What a step may find.

    Attributes:
        names: Artifacts that some path to the step sets.
        anything: Whether a step before may set names that cannot be told.
        dropped: Artifacts set on some path, by the join that did not merge them.
    """

    names: set[str] = set()
    anything: bool = False
    dropped: dict[str, str] = {}


class Availability:
    """The artifacts that may be there at each step of a sound flow."""

    def __init__(self, reading: FlowReading) -> None:
        self.reading = reading
        self.reader = FactReader(reading)
        self.facts: dict[str, StepFacts] = {
            name: self.reader.step(step) for name, step in reading.steps.items()
        }

    @cached_property
    def fixed(self) -> frozenset[str]:
        """Names that every step finds: members of the class, and what its ``__init__`` sets."""
        from airflow_mlflow_provider.flow.parameters import flow_parameters

        added = (parameter.attribute for parameter in flow_parameters(self.reading.flow_class))
        return frozenset((*self.reading.members, *self.reading.library_members, *added, *self._set_by_init()))

    def _set_by_init(self) -> set[str]:
        function, owner = self.reading.members.get("__init__", (None, object))
        return self.reader.function(function, owner).written if function else set()

    @property
    def is_dynamic(self) -> bool:
        """Whether the flow answers for attributes by code of its own, so that nothing can be said of them."""
        return any(name in self.reading.members for name in _ATTRIBUTE_HOOKS)

    @property
    def is_sound(self) -> bool:
        """Whether every path is known; with a mistake in the graph nothing can be said of paths."""
        reading = self.reading
        guessed = any(not edge.certain for edge in reading.edges.values())
        broken = guessed or reading.matching.conflicts or reading.dangling or reading.unreachable
        return reading.start is not None and reading.end is not None and not broken

    def line_of(self, step: str, artifact: str) -> int:
        """Line at which a step first sets an artifact; that of the step if a decorator does."""
        accesses = (p.access for p in self.facts[step].accesses if p.access.kind == "write")
        lines = (access.node.lineno for access in accesses if access.name == artifact)
        return next(lines, self.reading.steps[step].line)

    @cached_property
    def arriving(self) -> dict[str, Arriving]:
        """What each step finds when it starts; for a join, after its merges."""
        found: dict[str, Arriving] = {}
        leaving: dict[str, Arriving] = {}
        for name in self.reading.matching.stacks:
            before = [leaving[caller] for caller in self.reading.callers(name) if caller in leaving]
            found[name] = self._joined(name, before) if self.reading.edges[name].is_join else _united(before)
            leaving[name] = self._left(name, found[name])
        return found

    def _left(self, name: str, arriving: Arriving) -> Arriving:
        facts = self.facts[name]
        names = arriving.names | facts.written
        dropped = {artifact: join for artifact, join in arriving.dropped.items() if artifact not in names}
        return Arriving(names, arriving.anything or facts.opaque, dropped)

    def _joined(self, name: str, before: list[Arriving]) -> Arriving:
        facts, incoming = self.facts[name], _united(before)
        kept = {artifact for merge in facts.merges for artifact in incoming.names if _merges(merge, artifact)}
        dropped = incoming.dropped | dict.fromkeys(incoming.names - kept, name)
        return Arriving(kept, incoming.anything and bool(facts.merges), dropped)

    def writers(self, artifact: str) -> list[str]:
        """Steps that set an artifact, in source order."""
        return [name for name, facts in self.facts.items() if artifact in facts.written]

    def setting_branches(self, artifact: str, join: str) -> list[str]:
        """Steps that set an artifact, one for each branch of the static split that ``join`` closes."""
        matching = self.reading.matching
        split = matching.split_of.get(join, "")
        if join not in matching.branches:
            return []
        found: list[str] = []
        for target in self.reading.edges[split].targets:
            inside = (
                w for w in self.writers(artifact) if Branch(split, target) in matching.stacks.get(w, ())
            )
            found += list(inside)[:1]
        return found


def _united(before: list[Arriving]) -> Arriving:
    names = {artifact for arriving in before for artifact in arriving.names}
    dropped = {a: join for arriving in before for a, join in arriving.dropped.items() if a not in names}
    return Arriving(names, any(arriving.anything for arriving in before), dropped)


def _merges(merge: Merge, artifact: str) -> bool:
    if merge.include:
        return artifact in merge.include
    return merge.exclude is None or artifact not in merge.exclude
