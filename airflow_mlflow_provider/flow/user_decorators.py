"""Decorators and mutators that users write themselves.

A *step decorator* runs code around a step, in the task. A *mutator* changes decorators and parameters, once, before the
flow is linted, run or deployed; what it may change is in :mod:`.mutators`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_mlflow_provider.exception import BadFlowDecoratorException, MetaflowException
from airflow_mlflow_provider.flow.decorators.base import is_flow, misplaced
from airflow_mlflow_provider.flow.location import caller_location
from airflow_mlflow_provider.flow.user_decorator_base import UserDecorator

if TYPE_CHECKING:
    from airflow_mlflow_provider.flow.mutable import MutableFlow, MutableStep

USER_SKIP_STEP: dict[str, Any] = {}
"""Yield it before a step, or set it as ``skip_step``, to skip the step and make its usual transition."""


class _OnStep(UserDecorator):
    """What stands above ``@step``."""

    LIST: ClassVar[str]

    @classmethod
    def _is_target(cls, value: Any) -> bool:
        # A plain function may also be an argument; without an `init` it cannot be one.
        is_step = bool(getattr(value, "is_step", False))
        return is_step or (inspect.isfunction(value) and cls.init is UserDecorator.init)

    def __call__(self, target: Any) -> Any:
        """Stand on a step.

        Raises:
            BadStepDecoratorException: It is none.
        """
        if not getattr(target, "is_step", False):
            raise misplaced(self.name, target, self.location)
        vars(target).setdefault(self.LIST, []).insert(0, self)
        return target


class UserStepDecorator(_OnStep):
    """Base class of step decorators that users write: ``pre_step`` runs before the step and ``post_step`` after it."""

    LIST = "user_decorators"
    _skip_step: bool | dict[str, Any] = False

    @property
    def skip_step(self) -> bool | dict[str, Any]:
        """Whether the step is skipped after ``pre_step``: ``True``, or a dict of arguments for ``self.next``."""
        return self._skip_step

    @skip_step.setter
    def skip_step(self, value: bool | dict[str, Any]) -> None:
        self._skip_step = value

    def pre_step(self, step_name: str, flow: Any, inputs: Any = None) -> Callable[..., Any] | None:
        """Called before the step.

        Args:
            step_name: Name of the step.
            flow: The flow's instance, ``self`` of the step.
            inputs: The inputs of a join, else ``None``.

        Returns:
            ``None`` to go on, or a function of the step's signature that is called in its place.
        """
        return None

    def post_step(self, step_name: str, flow: Any, exception: Exception | None = None) -> Any:
        """Called after the step, and after it has raised.

        Args:
            step_name: Name of the step.
            flow: The flow's instance, ``self`` of the step.
            exception: What the step raised.

        Returns:
            ``None``: all is well, whatever the step raised; an exception, which is raised; or a pair of one of these and of
            arguments for ``self.next``, or ``None`` for those of the step.
        """
        return exception


class StepMutator(_OnStep):
    """Base class of decorators that change the decorators of a step before the flow runs."""

    LIST = "step_mutators"

    def pre_mutate(self, mutable_step: MutableStep) -> None:
        """Called before ``--with`` adds its decorators."""

    def mutate(self, mutable_step: MutableStep) -> None:
        """Called after ``--with`` has added its decorators."""


class FlowMutator(UserDecorator):
    """Base class of class decorators that change the parameters and decorators of a flow before it runs."""

    @classmethod
    def _is_target(cls, value: Any) -> bool:
        return isinstance(value, type) and (is_flow(value) or cls.init is UserDecorator.init)

    def __call__(self, target: Any) -> Any:
        """Stand on a flow.

        Raises:
            BadFlowDecoratorException: It is none.
        """
        if not is_flow(target):
            raise BadFlowDecoratorException(
                f"The mutator '{self.name}' stands on {getattr(target, '__name__', repr(target))}, "
                "which is not a flow.",
                self.location.line,
                self.location.file,
                fix=f"Put @{self.name} right above the class of a flow.",
                where={"decorator": self.name},
            )
        target._flow_mutators.insert(0, self)
        return target

    def pre_mutate(self, mutable_flow: MutableFlow) -> None:
        """Called before ``--with`` adds its decorators; may change parameters and flow decorators."""

    def mutate(self, mutable_flow: MutableFlow) -> None:
        """Called after ``--with`` has added its decorators."""


class GeneratorStepDecorator(UserStepDecorator):
    """A step decorator written as a generator function; see :func:`user_step_decorator`."""

    _function: ClassVar[Callable[..., Generator[Any, None, Any]]]
    _takes_attributes: ClassVar[bool]
    _running: Generator[Any, None, Any] | None = None

    def init(self, *args: Any, **kwargs: Any) -> None:
        """Take the attributes."""

    def declare(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Keep the attributes.

        Raises:
            MetaflowException: There are positional ones, or the function takes none.
        """
        super().declare(args, kwargs)
        if args:
            raise self._misuse(
                "takes its attributes by name", f"Write @{self.name}(attribute={args[0]!r}), or the like."
            )
        if kwargs and not self._takes_attributes:
            raise self._misuse(
                "takes no attributes", f"Write {self.name}(step_name, flow, inputs, attributes) to take some."
            )

    @classmethod
    def _is_target(cls, value: Any) -> bool:
        return inspect.isfunction(value) or bool(getattr(value, "is_step", False))

    def pre_step(self, step_name: str, flow: Any, inputs: Any = None) -> Callable[..., Any] | None:
        """Run the function up to its ``yield``."""
        arguments = (step_name, flow, inputs, dict(self._kwargs))[: 4 if self._takes_attributes else 3]
        running = type(self)._function(*arguments)
        try:
            given = next(running)
        except StopIteration:
            return None
        self._running = running
        if given is None or callable(given):
            function: Callable[..., Any] | None = given
            return function
        if isinstance(given, dict):
            self.skip_step = given
            return None
        raise self._misuse(
            f"has yielded a {type(given).__name__} in the step '{step_name}'",
            "Yield nothing, a function, or a dict of arguments for self.next.",
        )

    def post_step(self, step_name: str, flow: Any, exception: Exception | None = None) -> Any:
        """Run the rest of the function; the step's exception is raised at its ``yield``."""
        if self._running is None:
            return exception
        try:
            if exception is None:
                next(self._running)
            else:
                self._running.throw(exception)
        except StopIteration:
            return None
        raise self._misuse(
            f"has yielded a second time, in the step '{step_name}'", "Yield once at most in each call."
        )

    def _misuse(self, problem: str, fix: str) -> MetaflowException:
        return MetaflowException(
            f"The step decorator '{self.name}' {problem}.",
            self.location.line,
            self.location.file,
            fix=fix,
            where={"decorator": self.name},
        )


def user_step_decorator(function: Callable[..., Iterator[Any]]) -> type[GeneratorStepDecorator]:
    """Make a step decorator of a generator function.

    ```python
    import time


    @user_step_decorator
    def timed(step_name, flow, inputs, attributes):
        started = time.time()
        yield  # here the step runs
        flow.seconds = time.time() - started
    ```

    Code before the ``yield`` runs before the step, code after it after the step. Yield nothing to run the step, a function to
    call it instead, or a dict of arguments for ``self.next`` to skip it. What the step raises is raised at the ``yield``.

    Args:
        function: A generator function of ``(step_name, flow, inputs)`` or ``(step_name, flow, inputs, attributes)``.

    Returns:
        The decorator: ``@timed`` or ``@timed(attribute=value)``, above ``@step``.

    Raises:
        MetaflowException: It is not a generator function, or takes other arguments.
    """
    name = getattr(function, "__name__", repr(function))
    location = caller_location()
    if not inspect.isgeneratorfunction(function):
        raise MetaflowException(
            f"@user_step_decorator stands on '{name}', which is not a generator function.",
            location.line,
            location.file,
            fix="Write a `yield` where the step is to run.",
            where={"decorator": name},
        )
    parameters = inspect.signature(function).parameters.values()
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(positional) != len(parameters) or len(positional) not in (3, 4):
        raise MetaflowException(
            f"The step decorator '{name}' takes ({', '.join(map(str, parameters))}).",
            location.line,
            location.file,
            fix=f"Write def {name}(step_name, flow, inputs) or def {name}(step_name, flow, inputs, attributes).",
            where={"decorator": name},
        )
    members = {
        "__doc__": function.__doc__,
        "__module__": function.__module__,
        "__qualname__": function.__qualname__,
        "_function": staticmethod(function),
        "_takes_attributes": len(positional) == 4,
    }
    return type(name, (GeneratorStepDecorator,), members)
