"""``@retry``, ``@catch`` and ``@timeout``: what happens when an attempt fails or takes too long."""

from __future__ import annotations

import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, ClassVar, Literal, overload

import msgspec

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.exception import MetaflowExceptionWrapper, TimeoutException
from airflow_mlflow_provider.flow.decorators.attributes import Fields, flag, number, text, whole_number
from airflow_mlflow_provider.flow.decorators.base import Problem, StepDecorator, StepFunction, decorate_step
from airflow_mlflow_provider.flow.decorators.lifecycle import DecoratedTask, StepCode
from airflow_mlflow_provider.flow.graph import DecoratorSpec, FlowGraph, StepNode
from airflow_mlflow_provider.flow.location import is_own_file
from airflow_mlflow_provider.flow.tracebacks import users_part


class RetryDecorator(StepDecorator):
    """Try a step again when it fails; see :func:`retry`."""

    name = "retry"
    fields: ClassVar[Fields] = {
        "times": whole_number(3, minimum=0),
        "minutes_between_retries": number(2, minimum=0),
        "backoff": text(None, choices=("exponential",)),
        "max_minutes_between_retries": number(None, minimum=0),
        "jitter": number(0, minimum=0, maximum=1),
    }

    def check(self) -> Iterator[Problem]:
        """Refuse more retries than the configuration allows."""
        most = get("max_retries")
        if self.attributes["times"] > most:
            yield self.bad_value(
                "times",
                self.attributes["times"],
                f"0 to {most} (the option `max_retries` of [mlflow_provider])",
            )

    def spec(self) -> DecoratorSpec:
        """The decorator as data; ``explicit_delay`` tells whether the author wrote the delay."""
        spec = super().spec()
        written = self.is_written("minutes_between_retries")
        return msgspec.structs.replace(spec, attributes={**spec.attributes, "explicit_delay": written})


class RetryPolicy(msgspec.Struct, frozen=True):
    """How often a step is tried again, and when.

    Attributes:
        times: Retries after the first attempt.
        minutes: Minutes before the first retry.
        exponential: Whether the delay doubles with each retry.
        max_minutes: Longest delay, ``None`` for any.
        jitter: Fraction of the delay, 0 to 1, by which it varies at random, up or down.
        explicit_delay: Whether the author wrote the delay.
    """

    times: int = 0
    minutes: float = 0
    exponential: bool = False
    max_minutes: float | None = None
    jitter: float = 0
    explicit_delay: bool = False

    @classmethod
    def of(cls, node: StepNode) -> RetryPolicy:
        """The policy of a step; without ``@retry`` there are no retries."""
        spec = node.decorator("retry")
        if spec is None:
            return cls()
        return cls(
            times=int(spec.attributes.get("times", 3)),
            minutes=spec.attributes.get("minutes_between_retries", 2),
            exponential=spec.attributes.get("backoff") == "exponential",
            max_minutes=spec.attributes.get("max_minutes_between_retries"),
            jitter=spec.attributes.get("jitter", 0),
            explicit_delay=bool(spec.attributes.get("explicit_delay", False)),
        )

    def delay(self, retry: int, chance: float = 0.5) -> float:
        """Seconds to wait before a retry.

        Args:
            retry: Which retry, from 1.
            chance: A random number from 0 to 1, for the jitter; 0.5 gives the delay without it.
        """
        # Doubling past 2**60 minutes has no meaning and would overflow a float at last.
        minutes = self.minutes * (2 ** min(retry - 1, 60) if self.exponential else 1)
        if self.max_minutes is not None:
            minutes = min(minutes, self.max_minutes)
        return minutes * 60 * (1 + self.jitter * (2 * chance - 1))

    def local_delay(self, retry: int, chance: float = 0.5) -> float:
        """Seconds to wait before a retry of a local run, as the option ``local_retry_delay`` says."""
        when = get("local_retry_delay")
        waits = when == "always" or (when == "explicit" and self.explicit_delay)
        return self.delay(retry, chance) if waits else 0.0


class CatchDecorator(StepDecorator):
    """Let the flow go on when a step has failed for good; see :func:`catch`."""

    name = "catch"
    fields: ClassVar[Fields] = {"var": text(None), "print_exception": flag(True)}

    def check(self) -> Iterator[Problem]:
        """Warn of a ``var`` that cannot be read as an attribute."""
        name = self.attributes["var"]
        if name is not None and not name.isidentifier():
            yield Problem(
                "D005",
                f"@catch: the attribute 'var' is {name!r}, which cannot be written after `self.`.",
                "Give 'var' a Python identifier.",
                "W",
            )

    def check_step(self, node: StepNode, graph: FlowGraph) -> Iterator[Problem]:
        """Refuse steps whose transition needs what the failed code did not make."""
        what = {"foreach": "a foreach split", "switch": "a switch"}.get(node.kind or "")
        if what is not None:
            yield Problem(
                "D006",
                f"@catch stands on the step '{node.name}', which is {what}: when it fails, nothing says what follows.",
                f"Move the risky work to a step before '{node.name}' and put @catch there.",
            )

    def task_exception(self, error: BaseException, task: DecoratedTask) -> bool:
        """On the last attempt: keep the error in ``var`` and let the step count as done."""
        if not task.is_last_attempt:
            return False
        if self.attributes["print_exception"]:
            traceback.print_exception(type(error), error, users_part(error.__traceback__))
        self._store(task, MetaflowExceptionWrapper(error))
        return True

    def task_post_step(self, task: DecoratedTask) -> None:
        """Set ``var`` to ``None``: nothing went wrong."""
        self._store(task, None)

    def _store(self, task: DecoratedTask, value: MetaflowExceptionWrapper | None) -> None:
        if self.attributes["var"] is not None:
            setattr(task.flow, self.attributes["var"], value)


class TimeoutDecorator(StepDecorator):
    """Stop a step that runs too long; see :func:`timeout`."""

    name = "timeout"
    fields: ClassVar[Fields] = {
        "seconds": number(0, minimum=0),
        "minutes": number(0, minimum=0),
        "hours": number(0, minimum=0),
    }

    @property
    def limit(self) -> float:
        """Seconds that the step's code may run."""
        return time_limit(self.attributes)

    def check(self) -> Iterator[Problem]:
        """Refuse a limit of zero."""
        if not self._problems and self.limit <= 0:
            yield Problem(
                "D005",
                "@timeout: 'seconds', 'minutes' and 'hours' add up to 0; allowed is any sum above 0.",
                "Give at least one of them, such as @timeout(minutes=10).",
            )

    def task_decorate(self, code: StepCode, task: DecoratedTask) -> StepCode:
        """Run the code under an alarm."""
        return lambda: _under_alarm(code, self.limit, task.step_name)


def time_limit(attributes: dict[str, Any]) -> float:
    """Seconds that the attributes of a ``@timeout`` add up to."""
    seconds = attributes.get("seconds", 0) + 60 * attributes.get("minutes", 0)
    return float(seconds + 3600 * attributes.get("hours", 0))


def step_time_limit(node: StepNode) -> float | None:
    """Seconds that a step may run by its ``@timeout``, ``None`` without one."""
    spec = node.decorator("timeout")
    return None if spec is None else time_limit(spec.attributes)


def _under_alarm(code: StepCode, limit: float, step: str) -> None:
    # Python handles signals in the main thread only; elsewhere the parent process enforces the limit.
    if threading.current_thread() is not threading.main_thread():
        code()
        return
    started = time.monotonic()
    running = True

    def on_alarm(_: int, frame: FrameType | None) -> None:
        if running:
            raise _timed_out(step, limit, time.monotonic() - started, frame)

    handler_before = signal.signal(signal.SIGALRM, on_alarm)
    timer_before = signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        try:
            code()
        finally:
            running = False
    finally:
        # Outside the inner `finally`, so that an alarm between the two cannot keep this from running.
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler_before)
        if timer_before[0]:
            left = timer_before[0] - (time.monotonic() - started)
            signal.setitimer(signal.ITIMER_REAL, max(left, 1e-6), timer_before[1])


def _timed_out(step: str, limit: float, elapsed: float, frame: FrameType | None) -> TimeoutException:
    while frame is not None and frame.f_back is not None and is_own_file(frame.f_code.co_filename):
        frame = frame.f_back
    line, file = (None, None) if frame is None else (frame.f_lineno, frame.f_code.co_filename)
    place = "" if frame is None else f" It was in {frame.f_code.co_name} ({file}:{line})."
    return TimeoutException(
        f"Step '{step}' ran for {elapsed:.1f} s; its limit is {limit:g} s.{place}",
        line,
        file,
        fix="Raise the limit of @timeout, or let the step do less.",
        where={"step": step, "limit_seconds": limit, "elapsed_seconds": elapsed},
    )


@overload
def retry(function: StepFunction, /) -> StepFunction: ...
@overload
def retry(
    *,
    times: int = 3,
    minutes_between_retries: float = 2,
    backoff: Literal["exponential"] | None = None,
    max_minutes_between_retries: float | None = None,
    jitter: float = 0,
) -> Callable[[StepFunction], StepFunction]: ...
def retry(function: Any = None, /, **attributes: Any) -> Any:
    """Step decorator: try the step again when it fails.

    A retry sees the task's inputs, never what an earlier attempt has set.

    Args:
        function: The step, for ``@retry`` without parentheses.
        times: Retries after the first attempt; at most the option ``max_retries``.
        minutes_between_retries: Minutes before a retry. A local run waits only where it is written (option
            ``local_retry_delay``).
        backoff: ``"exponential"`` doubles the delay with each retry.
        max_minutes_between_retries: Longest delay in minutes; ``None`` for any.
        jitter: Fraction of the delay, 0 to 1, by which it varies at random, up or down.

    Raises:
        BadStepDecoratorException: It does not stand above ``@step``.
    """
    return decorate_step(RetryDecorator, function, attributes)


@overload
def catch(function: StepFunction, /) -> StepFunction: ...
@overload
def catch(
    *, var: str | None = None, print_exception: bool = True
) -> Callable[[StepFunction], StepFunction]: ...
def catch(function: Any = None, /, **attributes: Any) -> Any:
    """Step decorator: let the flow go on when the last attempt of the step has failed.

    Args:
        function: The step, for ``@catch`` without parentheses.
        var: Name of the artifact that holds the error, a ``MetaflowExceptionWrapper``; ``None`` when all went well.
        print_exception: Whether the error is printed.

    Raises:
        BadStepDecoratorException: It does not stand above ``@step``.
    """
    return decorate_step(CatchDecorator, function, attributes)


@overload
def timeout(function: StepFunction, /) -> StepFunction: ...
@overload
def timeout(
    *, seconds: float = 0, minutes: float = 0, hours: float = 0
) -> Callable[[StepFunction], StepFunction]: ...
def timeout(function: Any = None, /, **attributes: Any) -> Any:
    """Step decorator: end the step with a ``TimeoutException`` when its code runs too long.

    Args:
        function: The step, for ``@timeout`` without parentheses.
        seconds: Seconds of user code that each attempt may take, added to the others.
        minutes: Minutes, likewise.
        hours: Hours, likewise.

    Raises:
        BadStepDecoratorException: It does not stand above ``@step``.
    """
    return decorate_step(TimeoutDecorator, function, attributes)
