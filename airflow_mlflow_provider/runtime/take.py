"""Taking a transition: from what ``self.next`` asked for to what the record says."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from airflow_mlflow_provider.exception import InvalidNextException, SwitchCaseError, TaskFailed
from airflow_mlflow_provider.flow.graph import StepNode
from airflow_mlflow_provider.flow.spec import FlowSpec
from airflow_mlflow_provider.flow.transition import NextCall, choose
from airflow_mlflow_provider.runtime.assignment import Assignment
from airflow_mlflow_provider.runtime.bound_task import BoundTask
from airflow_mlflow_provider.store.artifacts import ArtifactWriter
from airflow_mlflow_provider.store.records import TakenTransition

LABEL_LENGTH = 30
_PRIMITIVE = (str, int, float, bool, type(None))


def take_transition(
    flow: FlowSpec,
    task: BoundTask,
    node: StepNode,
    writer: ArtifactWriter,
    is_end: bool,
    assignment: Assignment,
) -> TakenTransition | None:
    """Resolve the transition that the step asked for, and store the elements of a foreach.

    Raises:
        InvalidNextException: The step ended without a transition, its variable is not set or cannot be split, or the
            foreach is empty and may not be.
        SwitchCaseError: No case matches.
        TaskFailed: The foreach is wider than allowed.
    """
    call = task.next_call
    taking = _Taking(flow, task, node, writer, assignment)
    if call is None:
        if is_end:
            return None
        raise taking.error(
            "the step ended here without self.next().",
            "Call self.next() as the last statement of the step.",
            None,
        )
    if call.kind == "foreach":
        return taking.foreach(call)
    if call.kind == "switch":
        return taking.switch(call)
    if call.kind == "parallel":
        return TakenTransition(targets=call.targets, num_splits=call.num_parallel)
    return TakenTransition(targets=call.targets)


def static_transition(node: StepNode) -> TakenTransition | None:
    """The transition of a step whose failure was caught: the one written, which a split that needs a value has not."""
    if node.transition is None or node.kind not in ("linear", "static"):
        return None
    return TakenTransition(targets=node.transition.targets)


def label_of(element: Any) -> str:
    """A short label for an element of a foreach: a primitive as it is, anything else as a repr cut short."""
    text = str(element) if isinstance(element, _PRIMITIVE) else repr(element)
    text = " ".join(text.split())
    return text if len(text) <= LABEL_LENGTH else f"{text[: LABEL_LENGTH - 1]}…"


class _Taking:
    def __init__(
        self, flow: FlowSpec, task: BoundTask, node: StepNode, writer: ArtifactWriter, assignment: Assignment
    ) -> None:
        self.flow, self.task, self.node, self.writer = flow, task, node, writer
        self.assignment = assignment

    def foreach(self, call: NextCall) -> TakenTransition:
        name = call.foreach or ""
        elements = self._elements(name, call)
        limit = self.assignment.max_num_splits
        if limit is not None and len(elements) > limit:
            raise TaskFailed(
                f"Step {self.node.name} splits self.{name} into {len(elements)} tasks; at most {limit} are allowed "
                "(--max-num-splits).",
                call.line,
                call.file,
                fix="Allow more with --max-num-splits.",
                where=self._where(),
            )
        if not elements and not (call.allow_empty or _empty_is_skipped()):
            raise self.error(
                f"self.{name} ({type(getattr(self.flow, name)).__name__}) has no elements to split, which allow_empty=True would allow.",
                "Add allow_empty=True to self.next() to skip the body, or see that there is an element.",
                call,
            )
        return TakenTransition(
            targets=call.targets,
            foreach=name,
            num_splits=len(elements),
            labels=tuple(label_of(element) for element in elements),
            values=self.writer.add_values(name, elements) if elements else None,
        )

    def switch(self, call: NextCall) -> TakenTransition:
        value = self._value(call.condition or "", call)
        target = choose(call, value)
        self._check_iterations(target, call)
        if target is None:
            cases = ", ".join(f"{key!r} ({type(key).__name__})" for key in call.cases)
            raise SwitchCaseError(
                f"Step {self.node.name}: self.{call.condition} is {value!r} ({type(value).__name__}), and the cases "
                f"are {cases}.",
                call.line,
                call.file,
                fix=f"Add a case for it, or set self.{call.condition} to one of the cases.",
                where=self._where(),
            )
        return TakenTransition(targets=(target,))

    def _check_iterations(self, target: str | None, call: NextCall) -> None:
        made, limit = (self.assignment.iteration or 0) + 1, self.assignment.max_iterations
        if target == self.node.name and made >= limit:
            raise TaskFailed(
                f"Step {self.node.name} chose itself {made} times; at most {limit} iterations are allowed.",
                call.line,
                call.file,
                fix="See that its condition ends the loop, or allow more with --max-iterations.",
                where=self._where(),
            )

    def _elements(self, name: str, call: NextCall) -> Sequence[Any]:
        value = self._value(name, call)
        if not isinstance(value, Iterable):
            raise self.error(
                f"self.{name} is a {type(value).__name__}, which cannot be iterated over.",
                "Set it to a list, a tuple, a dict, a range or another iterable.",
                call,
            )
        elements = list(value)
        if hasattr(value, "__next__"):
            setattr(self.flow, name, elements)
        return elements

    def _value(self, name: str, call: NextCall) -> Any:
        try:
            return getattr(self.flow, name)
        except AttributeError:
            known = [n for n in {*vars(self.flow), *self.task.inherited} if not n.startswith("_")]
            near = difflib.get_close_matches(name, known, n=3)
            hint = f" Close: {', '.join(map(self._with_origin, near))}." if near else ""
            raise self.error(
                f"self.{name} is not set.{hint}", f"Set self.{name} before self.next().", call
            ) from None

    def _with_origin(self, name: str) -> str:
        step = self.node.name if name in vars(self.flow) else self.task.set_in(name)
        return f"{name} (set in step {step})" if step else name

    def error(self, message: str, fix: str, call: NextCall | None) -> InvalidNextException:
        file, line = (
            (call.file, call.line) if call else (self.node.file, self.task.last_line or self.node.line)
        )
        return InvalidNextException(
            f"Step {self.node.name} of {self.flow.name} ({file}:{line}): {message}",
            line,
            file,
            fix=fix,
            where=self._where(),
        )

    def _where(self) -> dict[str, Any]:
        return {"flow": self.flow.name, "run": self.assignment.key.run, "step": self.node.name}


def _empty_is_skipped() -> bool:
    from airflow_mlflow_provider.configuration import get

    return bool(get("empty_foreach") == "skip")
