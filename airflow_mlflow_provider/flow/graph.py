"""The graph of a flow: what its steps are and how they follow each other.

A :class:`FlowGraph` is a value: built once from source (:mod:`airflow_mlflow_provider.flow.source`), checked by
the linter, serialised into the manifest and read back by every scheduler and task. It knows nothing of user code.

Two notions carry the rest of the package:

*frames*
    The foreach and gang splits that are open when a step runs, outermost first. A task of the step is named by
    one index per frame, its *index path*: ``(2, 7)`` is the eighth inner split of the third outer one. Static
    splits and switches open no frame.
*transition*
    What a step does when it has run: exactly one per step, none for the end step.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

TransitionKind = Literal["linear", "static", "foreach", "parallel", "switch"]
NodeType = Literal[
    "start",
    "linear",
    "join",
    "end",
    "split-static",
    "split-foreach",
    "split-parallel",
    "split-switch",
]
CaseKey = str | int | float | bool

_SPLIT_TYPES: dict[TransitionKind, NodeType] = {
    "static": "split-static",
    "foreach": "split-foreach",
    "parallel": "split-parallel",
    "switch": "split-switch",
}


class Transition(msgspec.Struct, frozen=True, omit_defaults=True):
    """What follows a step, as written in its ``self.next(...)``.

    Attributes:
        kind: The form of the call.
        targets: Names of the steps called, in the order written (for a switch: in the order of its cases,
            without repetition).
        foreach: Name of the artifact that is split, for ``foreach``.
        condition: Name of the artifact that chooses, for ``switch``.
        cases: ``(key, target)`` pairs of a switch, in the order written.
        num_parallel: Source text of the ``num_parallel`` argument, for ``parallel``.
        allow_empty: Whether an empty foreach skips its body instead of failing.
        min_success_ratio: Share of a foreach's splits, 0 to 1, with which its join runs; ``None`` if all must finish.
        line: 1-based line of the call.
    """

    kind: TransitionKind
    targets: tuple[str, ...]
    foreach: str | None = None
    condition: str | None = None
    cases: tuple[tuple[CaseKey, str], ...] = ()
    num_parallel: str | None = None
    allow_empty: bool = False
    min_success_ratio: float | None = None
    line: int = 0

    def suffices(self, finished: int, width: int) -> bool:
        """Whether the join runs when ``finished`` of ``width`` splits have, and no other will."""
        return finished >= width * (1.0 if self.min_success_ratio is None else self.min_success_ratio)


class DecoratorSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """A decorator on a step or a flow, as data.

    Attributes:
        name: Name the user writes, without ``@``.
        attributes: Every attribute with its effective value; JSON values only.
        statically_defined: Whether it stands in the source, rather than having been added by ``--with``.
        inserted_by: Names of the mutators that added it, outermost first.
    """

    name: str
    attributes: dict[str, Any] = {}
    statically_defined: bool = True
    inserted_by: tuple[str, ...] = ()


class StepNode(msgspec.Struct, frozen=True, omit_defaults=True):
    """A step of a flow.

    Attributes:
        name: Name of the step.
        file: Source file, as the user sees it.
        line: 1-based line of the step's ``def``.
        doc: Docstring, dedented.
        transition: What follows; ``None`` for the end step.
        has_inputs: Whether the step takes ``inputs``, that is, is a join.
        in_funcs: Steps that may transition here, in source order.
        frames: Open foreach and gang splits, outermost first; one index of the index path for each.
        splits: All open splits, static ones included, outermost first.
        matching_split: For a join, the split that it closes.
        matching_join: For a static, foreach or parallel split, the join that closes it.
        branches: For a join of a static split: maps each in-func to the targets of the split that lead to it.
        decorators: Decorators in the order in which they apply.
        node_info: The ``node_info`` given to ``@step``.
        code: Digest of the step's code and of what it calls in the project (:mod:`.step_code`).
    """

    name: str
    file: str = ""
    line: int = 0
    doc: str = ""
    transition: Transition | None = None
    has_inputs: bool = False
    in_funcs: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    matching_split: str | None = None
    matching_join: str | None = None
    branches: dict[str, tuple[str, ...]] = {}
    decorators: tuple[DecoratorSpec, ...] = ()
    node_info: dict[str, Any] = {}
    code: str = ""

    @property
    def out_funcs(self) -> tuple[str, ...]:
        """Names of the steps that may follow."""
        return self.transition.targets if self.transition else ()

    @property
    def kind(self) -> TransitionKind | None:
        """Kind of the transition, ``None`` for the end step."""
        return self.transition.kind if self.transition else None

    @property
    def is_loop(self) -> bool:
        """Whether the step may choose itself as its own successor."""
        return self.kind == "switch" and self.name in self.out_funcs

    @property
    def is_split(self) -> bool:
        """Whether a frame of a foreach or gang opens after the step."""
        return self.kind in ("foreach", "parallel")

    def decorator(self, name: str) -> DecoratorSpec | None:
        """The first decorator called ``name``, or ``None``."""
        return next((d for d in self.decorators if d.name == name), None)


class FlowGraph(msgspec.Struct, frozen=True, omit_defaults=True):
    """All steps of a flow.

    Attributes:
        name: Name of the flow's class.
        start: Name of the start step.
        end: Name of the end step.
        steps: Steps by name, in source order.
        doc: Docstring of the flow's class, dedented.
        file: Source file of the flow's class.
    """

    name: str
    start: str
    end: str
    steps: dict[str, StepNode]
    doc: str = ""
    file: str = ""

    def __getitem__(self, step: str) -> StepNode:
        return self.steps[step]

    def __contains__(self, step: object) -> bool:
        return step in self.steps

    def __iter__(self) -> Iterator[StepNode]:
        return iter(self.steps.values())

    def __len__(self) -> int:
        return len(self.steps)

    def node_type(self, step: str) -> NodeType:
        """The type that Metaflow gives the step; a join that splits as well is a ``join``."""
        node = self.steps[step]
        if node.has_inputs:
            return "join"
        if step == self.end:
            return "end"
        if node.kind in _SPLIT_TYPES:
            return _SPLIT_TYPES[node.kind]
        return "start" if step == self.start else "linear"

    def topological(self) -> tuple[str, ...]:
        """Step names such that each stands after all that may precede it (self-loops aside)."""
        waiting = {name: set(node.in_funcs) - {name} for name, node in self.steps.items()}
        order: list[str] = []
        while ready := [name for name, before in waiting.items() if not before]:
            order += ready
            for name in ready:
                del waiting[name]
            for before in waiting.values():
                before.difference_update(ready)
        return tuple(order)
