"""``FlowSpec``, the base class of every flow."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from airflow_mlflow_provider.exception import InvalidNextException, MetaflowException
from airflow_mlflow_provider.flow.transition import NextCall, read_call

if TYPE_CHECKING:
    from airflow_mlflow_provider.flow.graph_view import GraphView, NodeView

# ``_task`` is the only attribute of an instance that is not an artifact.
TASK_ATTRIBUTE = "_task"


class RunningTask(Protocol):
    """What a step's ``self`` is bound to while it runs; the runtime provides it."""

    step_name: str
    next_call: NextCall | None
    last_line: int | None

    def load(self, name: str) -> Any:
        """The inherited artifact, or ``AttributeError``."""
        ...

    def has(self, name: str) -> bool:
        """Whether an artifact of this name is inherited."""
        ...

    def forget(self, name: str) -> bool:
        """Inherit this artifact no more; whether it was inherited."""
        ...

    @property
    def index(self) -> int | None:
        """0-based index of the innermost frame."""
        ...

    @property
    def input(self) -> Any:
        """Element of the innermost frame."""
        ...

    def foreach_stack(self) -> list[tuple[int, int, Any]]:
        """``(index, num_splits, value)`` for each open frame, outermost first."""
        ...

    def merge(
        self, flow: Any, inputs: Iterable[Any], exclude: Sequence[str] | None, include: Sequence[str] | None
    ) -> None:
        """Merge the artifacts of ``inputs`` into ``flow``."""
        ...


class FlowSpec:
    """A flow: subclass it, write steps, and call the class at the end of the file.

    ```python
    class Hello(FlowSpec):
        @step
        def start(self):
            self.next(self.end)

        @step
        def end(self):
            print("hello")

    if __name__ == "__main__":
        Hello()
    ```
    """

    _flow_decorators: ClassVar[list[Any]] = []
    _flow_mutators: ClassVar[list[Any]] = []

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._flow_decorators = []
        cls._flow_mutators = []

    def __init__(self, use_cli: bool = True) -> None:
        """Start the command line, unless ``use_cli`` is false.

        Args:
            use_cli: Whether this process is ``python flow.py``.
        """
        self.__dict__[TASK_ATTRIBUTE] = None
        if use_cli and not _loading:
            # The command line stands above this room; naming it as text keeps the arrow pointing down.
            importlib.import_module("airflow_mlflow_provider.cli.main").main(type(self))

    @property
    def name(self) -> str:
        """Name of the flow."""
        return type(self).__name__

    @property
    def script_name(self) -> str:
        """Name of the file that holds the flow's class."""
        module = sys.modules.get(type(self).__module__)
        path = getattr(module, "__file__", None) or type(self).__module__
        return str(path).rsplit("/", 1)[-1]

    @property
    def index(self) -> int | None:
        """0-based position of this task in the innermost foreach; ``None`` outside one."""
        task = _task_of(self)
        return None if task is None else task.index

    @property
    def input(self) -> Any:
        """Element of the innermost foreach that this task is for; ``None`` outside one."""
        task = _task_of(self)
        return None if task is None else task.input

    def foreach_stack(self) -> list[tuple[int, int, Any]]:
        """``(index, num_splits, value)`` for each open foreach, outermost first."""
        task = _task_of(self)
        return [] if task is None else task.foreach_stack()

    def next(self, *dsts: Any, **kwargs: Any) -> None:
        """Say what follows this step; the last statement of every step but the end.

        Args:
            dsts: Steps as ``self.<step>``, or one dict of them for a switch.
            kwargs: ``foreach``, ``num_parallel``, ``condition``, ``allow_empty``, ``min_success_ratio``.

        Raises:
            InvalidNextException: The call has no legal form, or is the second one.
        """
        task = _required_task(self, "self.next()")
        frame = sys._getframe(1)
        place = (frame.f_code.co_filename, frame.f_lineno)
        if task.next_call is not None:
            raise InvalidNextException(
                f"Step {task.step_name} of {self.name} called self.next() twice: "
                f"at line {task.next_call.line} and at line {place[1]} of {place[0]}.",
                place[1],
                place[0],
                fix="Call self.next() once, as the last statement; choose between steps with condition=.",
                where={"flow": self.name, "step": task.step_name},
            )
        task.next_call = read_call(self, task.step_name, dsts, kwargs, place)

    def merge_artifacts(
        self,
        inputs: Iterable[Any],
        exclude: Sequence[str] | None = None,
        include: Sequence[str] | None = None,
    ) -> None:
        """In a join: take over the artifacts on which all branches that have them agree.

        Args:
            inputs: The ``inputs`` of the join.
            exclude: Names to leave out.
            include: The only names to merge; excludes ``exclude``.

        Raises:
            UnhandledInMergeArtifactsException: Branches disagree on an artifact that is not set on ``self``.
            MissingInMergeArtifactsException: A name in ``include`` exists on no branch.
            MetaflowException: This is not a join, or both lists were given.
        """
        _required_task(self, "merge_artifacts()").merge(self, inputs, exclude, include)

    def __getattr__(self, name: str) -> Any:
        task = self.__dict__.get(TASK_ATTRIBUTE)
        if task is None or name.startswith("__"):
            raise AttributeError(f"{type(self).__name__} has no attribute '{name}'.")
        value = task.load(name)
        self.__dict__[name] = value
        return value

    def __delattr__(self, name: str) -> None:
        task = _task_of(self)
        inherited = task is not None and not hasattr(type(self), name) and task.forget(name)
        if inherited:
            self.__dict__.pop(name, None)
        else:
            object.__delattr__(self, name)

    def __reduce_ex__(self, protocol: Any) -> Any:
        from airflow_mlflow_provider.exception import UnpicklableArtifactException

        raise UnpicklableArtifactException(
            f"The flow itself ({self.name}, `self` in a step) cannot be stored as an artifact, "
            "only the values that are needed.",
            fix="Store the values that are needed as attributes, not `self`.",
            where={"flow": self.name},
        )

    @property
    def _graph(self) -> GraphView:
        from airflow_mlflow_provider.flow.graph_view import GraphView
        from airflow_mlflow_provider.flow.source import read_graph

        return GraphView(read_graph(type(self)))

    def __iter__(self) -> Iterator[NodeView]:
        return iter(self._graph)


_loading: list[type[FlowSpec]] = []


@contextmanager
def loading() -> Iterator[list[type[FlowSpec]]]:
    """While a flow's file is executed as ``__main__`` for a task, ``Flow()`` at its end starts nothing."""
    _loading.append(FlowSpec)
    try:
        yield _loading
    finally:
        _loading.clear()


def is_loading() -> bool:
    """Whether a flow's file is being executed for a task."""
    return bool(_loading)


def _task_of(flow: FlowSpec) -> RunningTask | None:
    task: RunningTask | None = flow.__dict__.get(TASK_ATTRIBUTE)
    return task


def _required_task(flow: FlowSpec, what: str) -> RunningTask:
    task = _task_of(flow)
    if task is None:
        raise MetaflowException(
            f"{what} was called outside a running step of {type(flow).__name__}.",
            fix="Call it in a step, and run the flow with `python FLOW.py run`.",
            where={"flow": type(flow).__name__},
        )
    return task
