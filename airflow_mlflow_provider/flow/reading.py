"""A flow class as read from source: what the graph is built from and what the linter looks at."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import cached_property

import msgspec

from airflow_mlflow_provider.flow.graph import Transition
from airflow_mlflow_provider.flow.matching import Edges, Matching, match
from airflow_mlflow_provider.flow.step_source import StepSource, steps_of
from airflow_mlflow_provider.flow.written_call import ConfigResolver

# A misspelt target is followed to the step it surely means, so that the rest of the graph is still checked.
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

    def marked(self, what: str) -> list[StepSource]:
        """Steps marked as ``"start"`` or ``"end"``."""
        return [step for step in self.steps.values() if step.marked(what)]

    def _terminal(self, what: str) -> str | None:
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

    @cached_property
    def transitions(self) -> dict[str, Transition]:
        """The transition of each step that has a legal one, to whatever target."""
        found: dict[str, Transition] = {}
        for step in self.steps.values():
            transition = step.tail.transition(self.resolve) if step.tail and step.name != self.end else None
            if transition is not None:
                found[step.name] = transition
        return found

    @cached_property
    def edges(self) -> dict[str, Edges]:
        """How each step goes on, guessed where the source has a mistake."""
        return {name: self._edges(step) for name, step in self.steps.items()}

    def _edges(self, step: StepSource) -> Edges:
        is_join = step.inputs_name is not None
        if step.name == self.end:
            return Edges(None, (), is_join)
        transition = self.transitions.get(step.name)
        if transition is None or step.competing:
            named = dict.fromkeys(self.meant(name) for call in step.calls for name, _ in call.named)
            guessed = tuple(name for name in named if name)
            return Edges(transition.kind if transition else "switch", guessed, is_join, certain=False)
        meant = tuple(self.meant(target) for target in transition.targets)
        known = tuple(name for name in meant if name)
        return Edges(transition.kind, known, is_join, certain=len(known) == len(meant))

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


def read_flow(flow_class: type, resolve: ConfigResolver) -> FlowReading:
    """Read the steps of a flow.

    Raises:
        MetaflowException: The source of a step is not available.
    """
    return FlowReading(flow_class, steps_of(flow_class), resolve)
