"""``@parallel`` and ``@pytorch_parallel``: steps whose tasks are started together and know of each other."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, overload

from airflow_mlflow_provider.exception import MetaflowInternalError
from airflow_mlflow_provider.flow.decorators.attributes import Fields, whole_number
from airflow_mlflow_provider.flow.decorators.base import Problem, StepDecorator, StepFunction, decorate_step
from airflow_mlflow_provider.flow.decorators.environment_variables import replace_variables, restore_variables
from airflow_mlflow_provider.flow.decorators.lifecycle import DecoratedTask

_FIRST_PORT = 51000
_PORTS = 14000


class ParallelDecorator(StepDecorator):
    """Mark a step whose tasks form a gang; see :func:`parallel`.

    The runtime starts the tasks together and sets ``MF_PARALLEL_*`` and ``current.parallel`` in each.
    """

    name = "parallel"
    IS_PARALLEL: ClassVar[bool] = True


class PytorchParallelDecorator(ParallelDecorator):
    """Give each node of a gang what ``torch.distributed`` reads; see :func:`pytorch_parallel`."""

    name = "pytorch_parallel"
    fields: ClassVar[Fields] = {"master_port": whole_number(None, minimum=1)}

    def check(self) -> Iterator[Problem]:
        """Refuse what is no port."""
        port = self.attributes["master_port"]
        if port is not None and port > 65535:
            yield self.bad_value("master_port", port, "a whole number from 1 to 65535")

    def task_pre_step(self, task: DecoratedTask) -> None:
        """Set the variables."""
        self._before = replace_variables(self.variables(task.run_id))

    def task_finished(self, task: DecoratedTask) -> None:
        """Put the environment back."""
        restore_variables(vars(self).pop("_before", {}))

    def variables(self, run_id: str) -> dict[str, str]:
        """The variables of this node.

        Args:
            run_id: Id of the run, from which the port follows when none was given: the same on all nodes, and seldom that of
                another run on the same machine.

        Raises:
            MetaflowInternalError: The process is no node of a gang.
        """
        try:
            nodes = os.environ["MF_PARALLEL_NUM_NODES"]
            index = os.environ["MF_PARALLEL_NODE_INDEX"]
            address = os.environ["MF_PARALLEL_MAIN_IP"]
        except KeyError as error:
            raise MetaflowInternalError(
                f"@pytorch_parallel runs outside a gang: the variable {error} is not set.",
                fix="Reach the step with self.next(..., num_parallel=n).",
            ) from error
        port = self.attributes["master_port"] or _FIRST_PORT + zlib.crc32(run_id.encode()) % _PORTS
        return {
            "MASTER_ADDR": address,
            "MASTER_PORT": str(port),
            "NODE_RANK": index,
            "NUM_NODES": nodes,
            "WORLD_SIZE": nodes,
        }


@overload
def parallel(function: StepFunction, /) -> StepFunction: ...
@overload
def parallel() -> Callable[[StepFunction], StepFunction]: ...
def parallel(function: Any = None, /, **attributes: Any) -> Any:
    """Step decorator: the step is reached with ``self.next(..., num_parallel=n)`` and runs as ``n`` tasks at once.

    Args:
        function: The step, for ``@parallel`` without parentheses.
        attributes: There are none.

    Raises:
        BadStepDecoratorException: It does not stand above ``@step``.
    """
    return decorate_step(ParallelDecorator, function, attributes)


@overload
def pytorch_parallel(function: StepFunction, /) -> StepFunction: ...
@overload
def pytorch_parallel(*, master_port: int | None = None) -> Callable[[StepFunction], StepFunction]: ...
def pytorch_parallel(function: Any = None, /, **attributes: Any) -> Any:
    """Step decorator: as ``@parallel``, with the environment variables that ``torch.distributed`` reads.

    Args:
        function: The step, for ``@pytorch_parallel`` without parentheses.
        master_port: Port of node 0; by default one from 51000 that follows from the run.

    Raises:
        BadStepDecoratorException: It does not stand above ``@step``.
    """
    return decorate_step(PytorchParallelDecorator, function, attributes)
