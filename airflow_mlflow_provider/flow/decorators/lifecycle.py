"""What happens around a step's code: the protocol between the task runner and decorators.

For one attempt :func:`run_attempt` calls, on the decorators in source order but ``@secrets`` and ``@environment``
first::

    task_pre_step(task)                first to last; may change the environment and ``current``
      task_decorate(function, task)    wraps the step's code, the first decorator outermost
        … the step's code …
      task_post_step(task)             last to first, after the code has returned
      task_exception(error, task)      last to first, after the code or a hook has raised; true handles the error
    task_finished(task)                last to first, always, for each decorator whose ``task_pre_step`` was begun

An error that a decorator handled ends the attempt as *caught*. Ctrl-C is never offered to decorators.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from airflow_mlflow_provider.flow.decorators.base import StepDecorator

StepCode = Callable[[], None]
_FIRST = ("secrets", "environment")


class DecoratedTask(Protocol):
    """What decorators may know of the attempt that they stand around. The task runner provides it.

    Attributes:
        flow: The instance of the flow, on which artifacts are set.
        flow_name: Name of the flow.
        run_id: Id of the run.
        step_name: Name of the step.
        task_id: Id of the task.
        retry_count: 0-based attempt within the budget of tries.
        is_last_attempt: Whether no further attempt follows if this one fails.
    """

    @property
    def flow(self) -> Any: ...  # noqa: D102
    @property
    def flow_name(self) -> str: ...  # noqa: D102
    @property
    def run_id(self) -> str: ...  # noqa: D102
    @property
    def step_name(self) -> str: ...  # noqa: D102
    @property
    def task_id(self) -> str: ...  # noqa: D102
    @property
    def retry_count(self) -> int: ...  # noqa: D102
    @property
    def is_last_attempt(self) -> bool: ...  # noqa: D102

    def hide(self, secrets: tuple[str, ...], /) -> None:
        """Keep these values out of the attempt's logs and of the text of its exception, from now on."""
        ...


class AttemptVerdict(NamedTuple):
    """How an attempt that did not fail ended.

    Attributes:
        caught: The error that a decorator handled; ``None`` when there was none.
        caught_by: Name of that decorator.
    """

    caught: BaseException | None = None
    caught_by: str = ""


def entry_order(decorators: Sequence[StepDecorator]) -> list[StepDecorator]:
    """The decorators in the order in which they are entered."""
    first = [decorator for name in _FIRST for decorator in decorators if decorator.name == name]
    return first + [decorator for decorator in decorators if decorator.name not in _FIRST]


def run_attempt(decorators: Sequence[StepDecorator], task: DecoratedTask, code: StepCode) -> AttemptVerdict:
    """Run a step's code inside its decorators.

    Args:
        decorators: The step's decorators, in source order.
        task: The attempt.
        code: The step's code, inside its user decorators; what it raises is the step's error.

    Returns:
        How it ended, unless it failed.

    Raises:
        BaseException: What the code or a hook raised, if no decorator handled it.
    """
    ordered = entry_order(decorators)
    with ExitStack() as finishing:
        try:
            _run(ordered, task, code, finishing)
        except (Exception, SystemExit) as error:
            for decorator in reversed(ordered):
                if decorator.task_exception(error, task):
                    return AttemptVerdict(error, decorator.name)
            raise
    return AttemptVerdict()


def _run(ordered: Sequence[StepDecorator], task: DecoratedTask, code: StepCode, finishing: ExitStack) -> None:
    for decorator in ordered:
        # Registered before it begins: what a hook has half done must be undone as well.
        finishing.callback(decorator.task_finished, task)
        decorator.task_pre_step(task)
    for decorator in reversed(ordered):
        code = decorator.task_decorate(code, task)
    code()
    for decorator in reversed(ordered):
        decorator.task_post_step(task)
