"""A flow class as read from source: what the graph is built from and what the linter looks at."""

from __future__ import annotations

import ast
import difflib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Literal, TypeVar

import msgspec

from airflow_mlflow_provider.flow.graph import Transition
from airflow_mlflow_provider.flow.matching import Edges, Matching, match
from airflow_mlflow_provider.flow.source_file import SourceFile, class_source
from airflow_mlflow_provider.flow.step_source import StepSource, steps_of
from airflow_mlflow_provider.flow.written_call import ConfigResolver, WrittenCall

Terminal = Literal["start", "end"]
Derived = TypeVar("Derived")

# Where the classes come from that flows have among their bases without having written them.
_LIBRARIES = frozenset(
    {"airflow_mlflow_provider.flow.spec", "abc", "builtins", "typing", "typing_extensions"}
)

# A misspelt target is followed to the step it surely means: what stands behind it is not cut off.
_SURELY_MEANT = 0.8


class FlowReading(msgspec.Struct, frozen=True, eq=False, dict=True):
    """What a flow's source says, legal or not.

    Attributes:
        flow_class: The flow.
        steps: Its steps by name, in source order.
        resolve: Gives the values of configs used as switch keys.
    """

    flow_class: type
    steps: Mapping[str, StepSource]
    resolve: ConfigResolver

    def derived(self, make: Callable[[FlowReading], Derived]) -> Derived:
        """What ``make`` gives for this reading; worked out once."""
        known: dict[object, Derived] = vars(self).setdefault("_derived", {})
        if make not in known:
            known[make] = make(self)
        return known[make]

    # The class and its members.

    @cached_property
    def members(self) -> dict[str, tuple[Any, type]]:
        """Every attribute of the class with the class that defines it, library classes left out."""
        classes = [cls for cls in reversed(self.flow_class.__mro__) if not is_library(cls)]
        return {name: (value, cls) for cls in classes for name, value in vars(cls).items()}

    @cached_property
    def library_members(self) -> frozenset[str]:
        """Names that every flow has from ``FlowSpec``."""
        return frozenset(name for cls in self.flow_class.__mro__ if is_library(cls) for name in vars(cls))

    @cached_property
    def configs(self) -> frozenset[str]:
        """Attributes that are configs."""
        return frozenset(name for name, (value, _) in self.members.items() if is_config(value))

    @cached_property
    def class_source(self) -> tuple[SourceFile, ast.ClassDef] | None:
        """Where the class is written, or ``None`` if that is unknown."""
        return source_of_class(self, self.flow_class)

    # Start, end and transitions.

    def marked(self, what: Terminal) -> list[StepSource]:
        """Steps marked as start or end."""
        return [step for step in self.steps.values() if step.marked(what)]

    def _terminal(self, what: Terminal) -> str | None:
        if marked := self.marked(what):
            return marked[0].name
        if what in self.steps:
            return what
        return next(iter(self.steps)) if len(self.steps) == 1 else None

    @cached_property
    def start(self) -> str | None:
        """Name of the first step, or ``None`` if it cannot be told."""
        return self._terminal("start")

    @cached_property
    def end(self) -> str | None:
        """Name of the last step, or ``None`` if it cannot be told."""
        return self._terminal("end")

    @property
    def is_only_step(self) -> bool:
        """Whether the flow has one step, which is start and end."""
        return len(self.steps) == 1

    def is_end(self, name: str) -> bool:
        """Whether nothing is to follow the step."""
        return name == self.end or self.steps[name].marked("end")

    def tails(self) -> Iterator[tuple[StepSource, WrittenCall]]:
        """The call that counts, of each step that has one and needs one."""
        for step in self.steps.values():
            if step.tail is not None and not self.is_end(step.name):
                yield step, step.tail

    @cached_property
    def transitions(self) -> dict[str, Transition]:
        """The transition of each step that has a legal one, to whatever target."""
        read = ((step.name, call.transition(self.resolve)) for step, call in self.tails())
        return {name: transition for name, transition in read if transition is not None}

    def last_call(self, name: str) -> WrittenCall:
        """The call by which a step goes on; the step must have one."""
        step = self.steps[name]
        return step.tail or step.calls[-1]

    # The graph, guessed where the source has a mistake.

    @cached_property
    def edges(self) -> dict[str, Edges]:
        """How each step goes on."""
        return {name: self._edges(step) for name, step in self.steps.items()}

    def _edges(self, step: StepSource) -> Edges:
        is_join = step.inputs_name is not None
        if self.is_end(step.name):
            return Edges(None, (), is_join)
        transition = self.transitions.get(step.name)
        if transition is None or step.competing:
            named = dict.fromkeys(self.meant(name) for call in step.calls for name, _ in call.named)
            guessed = tuple(name for name in named if name)
            return Edges(transition.kind if transition else "switch", guessed, is_join, certain=False)
        meant = tuple(self.meant(target) for target in transition.targets)
        known = tuple(name for name in meant if name)
        wrong = transition.kind == "switch" and set(known) == {step.name}
        exist = all(target in self.steps for target in transition.targets)
        certain = exist and not wrong and not self.leaves_gang_open(step)
        return Edges(transition.kind, known, is_join, certain)

    def callers_without_gang(self, name: str) -> list[str]:
        """Steps that go to a step in another way than with ``num_parallel``."""
        return [
            caller
            for caller, transition in self.transitions.items()
            if name in transition.targets and transition.kind != "parallel" and name != caller
        ]

    def leaves_gang_open(self, step: StepSource) -> bool:
        """Whether a step of a gang goes on to something else than the join of the gang."""
        if not step.is_parallel or step.name == self.start or self.callers_without_gang(step.name):
            return False
        transition = self.transitions.get(step.name)
        if transition is None:
            return step.name == self.end
        targets = [self.steps[target] for target in transition.targets if target in self.steps]
        if len(targets) < len(transition.targets):
            return False
        return transition.kind != "linear" or targets[0].inputs_name is None

    def meant(self, target: str) -> str | None:
        """The step that a target names or surely means."""
        if target in self.steps:
            return target
        close = difflib.get_close_matches(target, self.steps, 1, _SURELY_MEANT)
        return close[0] if close else None

    @cached_property
    def matching(self) -> Matching:
        """Open splits and their joins; empty if there is no start."""
        return match(self.edges, self.start, self.end) if self.start is not None else Matching()

    def callers(self, name: str) -> list[str]:
        """Steps that go to a step, in source order, a switch that repeats itself left out."""
        return [
            caller
            for caller, edge in self.edges.items()
            if name in edge.targets and not (caller == name and edge.kind == "switch")
        ]

    @cached_property
    def unreachable(self) -> tuple[str, ...]:
        """Steps that no path from the start reaches, in source order."""
        return tuple(name for name in self.steps if name not in self.matching.stacks)

    @cached_property
    def dangling(self) -> frozenset[str]:
        """Reachable steps of which it is not known, or is known to be wrong, where they all go."""
        looping = {name for cycle in self.matching.cycles for name in cycle}
        reachable = (name for name in self.matching.stacks if not self.is_end(name))
        return frozenset(name for name in reachable if name in looping or not self._is_complete(name))

    def _is_complete(self, name: str) -> bool:
        step = self.steps[name]
        values = [case.value for call in step.calls for case in call.cases or ()]
        values += [value for call in step.calls if call.cases is None for value in call.node.args]
        targets = [target for call in step.calls for target, _ in call.named]
        known = (
            bool(targets) and len(targets) == len(values) and all(self.meant(target) for target in targets)
        )
        return known and set(targets) != {name}

    @cached_property
    def stranded(self) -> tuple[str, ...]:
        """Where paths stop short of the end, although every transition on them is sound."""
        if self.end is None:
            return ()
        callers: dict[str, list[str]] = {}
        for name, edge in self.edges.items():
            for target in edge.targets:
                callers.setdefault(target, []).append(name)
        explained = _closure((*self.dangling, *(step.name for step in self.marked("end")), self.end), callers)
        lost = [name for name in self.matching.stacks if name not in explained]
        return tuple(name for name in lost if not set(self.edges[name].targets) & set(lost) - {name})

    def path_to(self, name: str) -> tuple[str, ...]:
        """A shortest path from the start to a reachable step, both included."""
        before: dict[str, str | None] = {self.start or name: None}
        pending = deque(before)
        while pending and name not in before:
            step = pending.popleft()
            for target in self.edges[step].targets:
                if target not in before:
                    before[target] = step
                    pending.append(target)
        path = [name]
        while (previous := before.get(path[-1])) is not None:
            path.append(previous)
        return tuple(reversed(path))


def read_flow(flow_class: type, resolve: ConfigResolver) -> FlowReading:
    """Read the steps of a flow.

    Raises:
        MetaflowException: The source of a step is not available.
    """
    return FlowReading(flow_class, steps_of(flow_class), resolve)


def is_config(value: object) -> bool:
    """Whether a class attribute is a ``Config``."""
    return getattr(type(value), "IS_CONFIG", None) is True


def is_parameter(value: object) -> bool:
    """Whether a class attribute is a ``Parameter`` or an ``IncludeFile``."""
    return getattr(type(value), "IS_CONFIG", None) is False


def source_of_class(reading: FlowReading, cls: type) -> tuple[SourceFile, ast.ClassDef] | None:
    """Where a class of the flow's MRO is written, or ``None`` if that is unknown."""
    own = next((step for step in reading.steps.values() if step.owner is cls), None)
    return class_source(cls, own.line, own.file.path) if own else class_source(cls)


def is_library(cls: type) -> bool:
    """Whether a class of the MRO is not the user's."""
    return cls.__module__ in _LIBRARIES


def _closure(names: Iterable[str], following: Mapping[str, Iterable[str]]) -> set[str]:
    found = set(names)
    pending = list(found)
    while pending:
        for name in following.get(pending.pop(), ()):
            if name not in found:
                found.add(name)
                pending.append(name)
    return found
