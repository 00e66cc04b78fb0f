"""Running a step inside the step decorators that users have written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from airflow_mlflow_provider.exception import InvalidNextException, MetaflowException
from airflow_mlflow_provider.flow.graph import StepNode
from airflow_mlflow_provider.flow.spec import TASK_ATTRIBUTE
from airflow_mlflow_provider.flow.step_function import call_step
from airflow_mlflow_provider.flow.user_decorators import UserStepDecorator

NextArguments = dict[str, Any]


class StepCall(msgspec.Struct, frozen=True, eq=False):
    """One call of a step.

    Attributes:
        flow: The flow's instance, bound to a running task.
        node: The step in the graph.
        inputs: The inputs of a join, else ``None``.
    """

    flow: Any
    node: StepNode
    inputs: Any = None

    def run(self, function: Callable[..., Any] | None = None) -> Any:
        """Call the step, or ``function`` in its place."""
        if function is None:
            return call_step(self.flow, self.node.name, self.inputs)
        return function(self.flow, self.inputs) if self.node.has_inputs else function(self.flow)


def run_user_decorated(decorators: Sequence[UserStepDecorator], call: StepCall) -> None:
    """Run a step inside its user decorators.

    The ``pre_step`` of the outermost comes first; one that skips the step, or gives a function to be called in its place, stops those
    inside of it. The ``post_step`` of those whose ``pre_step`` has returned come in reverse order.

    Args:
        decorators: Outermost first, as ``user_step_decorators`` gives them, for this attempt alone.
        call: The step to run.

    Raises:
        Exception: What the step, or the last decorator to have a say, has raised.
        InvalidNextException: A skipped step does not say which way to go.
    """
    if not decorators:
        call.run()
        return
    run = _Run(call)
    try:
        run.enter(decorators)
    except Exception as error:  # noqa: BLE001 - whatever the step raises is told to its decorators
        run.error = error
    run.leave()
    if run.error is not None:
        raise run.error
    run.take_transition()


class _Run:
    def __init__(self, call: StepCall) -> None:
        self.call = call
        self.entered: list[UserStepDecorator] = []
        self.error: Exception | None = None
        self.was_swallowed = False
        self.next_arguments: NextArguments | None = None

    def enter(self, decorators: Sequence[UserStepDecorator]) -> None:
        """Call each ``pre_step``, then the step or what stands in for it."""
        call = self.call
        for decorator in decorators:
            replacement = decorator.pre_step(call.node.name, call.flow, call.inputs)
            self.entered.append(decorator)
            skip = decorator.skip_step
            if skip is not False and skip is not None:
                self.next_arguments = _next_arguments(decorator, "skip_step", skip)
                return
            if replacement is not None:
                self.next_arguments = _next_arguments(decorator, "the function", call.run(replacement))
                return
        call.run()

    def leave(self) -> None:
        """Call each ``post_step``."""
        for decorator in reversed(self.entered):
            before = self.error
            try:
                given = decorator.post_step(self.call.node.name, self.call.flow, before)
                self.error, arguments = _outcome(decorator, given)
            except Exception as error:  # noqa: BLE001 - and what one raises to those around it
                self.error = error
                continue
            self.was_swallowed = self.was_swallowed or (before is not None and self.error is None)
            if arguments is not None:
                self.next_arguments = arguments

    def take_transition(self) -> None:
        """Call ``self.next`` where the step has not, or has been overruled."""
        task = vars(self.call.flow)[TASK_ATTRIBUTE]
        if self.next_arguments is None and not (self.was_swallowed and task.next_call is None):
            return
        task.next_call = None
        usual_transition(self.call, self.next_arguments or {})


def usual_transition(call: StepCall, arguments: NextArguments) -> None:
    """Make the transition that is written in the step.

    Args:
        call: The step that was skipped or replaced.
        arguments: What is not written there: ``num_parallel``, or the ``condition`` of a switch, which is the value of a case or
            the name of the artifact that holds it.

    Raises:
        InvalidNextException: A switch or a gang does not say which way, or how many.
    """
    transition, flow = call.node.transition, call.flow
    if transition is None:
        return
    if transition.kind == "switch":
        condition = str(transition.condition)
        _set_condition(call, condition, arguments)
        cases = {key: getattr(flow, target) for key, target in transition.cases}
        flow.next(cases, condition=condition)
        return
    keywords: NextArguments = dict(arguments)
    if transition.kind == "foreach":
        keywords = {"foreach": transition.foreach, "allow_empty": transition.allow_empty, **arguments}
        if transition.min_success_ratio is not None:
            keywords = {"min_success_ratio": transition.min_success_ratio, **keywords}
    elif transition.kind == "parallel" and "num_parallel" not in arguments:
        raise _undecided(call, "is followed by a gang, and nothing says of how many", "{'num_parallel': n}")
    flow.next(*(getattr(flow, target) for target in transition.targets), **keywords)


def _set_condition(call: StepCall, condition: str, arguments: NextArguments) -> None:
    if "condition" in arguments:
        given = arguments["condition"]
        keys = [key for key, _ in (call.node.transition.cases if call.node.transition else ())]
        is_name = isinstance(given, str) and given not in keys and hasattr(call.flow, given)
        setattr(call.flow, condition, getattr(call.flow, given) if is_name else given)
    elif not hasattr(call.flow, condition):
        raise _undecided(
            call,
            f"is a switch, and its condition self.{condition} is not set",
            "{'condition': value of a case}",
        )


def _undecided(call: StepCall, problem: str, form: str) -> InvalidNextException:
    return InvalidNextException(
        f"The step '{call.node.name}' was skipped by a decorator; it {problem}.",
        call.node.transition.line if call.node.transition else None,
        call.node.file or None,
        fix=f"Skip it with {form}.",
        where={"step": call.node.name},
    )


def _next_arguments(decorator: UserStepDecorator, what: str, given: Any) -> NextArguments | None:
    if given is None or given is False:
        return None
    if given is True:
        return {}
    if isinstance(given, dict):
        return given
    raise MetaflowException(
        f"The step decorator '{decorator.name}': {what} gave a {type(given).__name__}.",
        decorator.location.line,
        decorator.location.file,
        fix="Give True for the usual transition, a dict of arguments for self.next, or None.",
        where={"decorator": decorator.name},
    )


def _outcome(decorator: UserStepDecorator, given: Any) -> tuple[Exception | None, NextArguments | None]:
    pair = given if isinstance(given, tuple) and len(given) == 2 else (given, None)
    error, arguments = pair
    if (error is None or isinstance(error, Exception)) and (arguments is None or isinstance(arguments, dict)):
        return error, arguments
    raise MetaflowException(
        f"The step decorator '{decorator.name}': post_step returned {given!r}.",
        decorator.location.line,
        decorator.location.file,
        fix="Return None, an exception, or a pair of one of these and of arguments for self.next.",
        where={"decorator": decorator.name},
    )
