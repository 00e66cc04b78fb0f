"""``@airflow_task``: arguments of the Airflow operator that runs a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, overload

from airflow_mlflow_provider.flow.decorators.attributes import Fields, flag, mapping, text, whole_number
from airflow_mlflow_provider.flow.decorators.base import StepDecorator, StepFunction, decorate_step


class AirflowTaskDecorator(StepDecorator):
    """Set arguments of a step's operator; see :func:`airflow_task`."""

    name = "airflow_task"
    fields: ClassVar[Fields] = {
        "pool": text(None),
        "pool_slots": whole_number(None, minimum=1),
        "queue": text(None),
        "priority_weight": whole_number(None),
        "weight_rule": text(None),
        "executor": text(None),
        "deferrable": flag(None),
        "trigger_kwargs": mapping({}),
    }


@overload
def airflow_task(function: StepFunction, /) -> StepFunction: ...
@overload
def airflow_task(
    *,
    pool: str | None = None,
    pool_slots: int | None = None,
    queue: str | None = None,
    priority_weight: int | None = None,
    weight_rule: str | None = None,
    executor: str | None = None,
    deferrable: bool | None = None,
    trigger_kwargs: Mapping[str, Any] = ...,
) -> Callable[[StepFunction], StepFunction]: ...
def airflow_task(function: Any = None, /, **attributes: Any) -> Any:
    """Step decorator: arguments of the Airflow operator that runs the step. Local runs ignore it.

    Args:
        function: The step, for ``@airflow_task`` without parentheses.
        pool: Airflow pool.
        pool_slots: Slots of it.
        queue: Queue of the executor.
        priority_weight: Weight in the queue.
        weight_rule: How weights of downstream and upstream tasks count.
        executor: Name of the executor.
        deferrable: Whether waiting for a pod is left to the triggerer; by default the option ``pod_deferrable``.
        trigger_kwargs: Arguments of that trigger.

    Raises:
        BadStepDecoratorException: It does not stand above ``@step``.
    """
    return decorate_step(AirflowTaskDecorator, function, attributes)
