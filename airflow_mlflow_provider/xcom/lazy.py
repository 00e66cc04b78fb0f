"""Arguments of tasks that are references to values, where Airflow would download the values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk.definitions._internal.mixins import ResolveMixin
from airflow.sdk.definitions.xcom_arg import PlainXComArg

from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.xcom.reference import ArtifactReference, pull_reference

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg
    from airflow.sdk.types import Operator


def as_reference(output: XComArg) -> Any:
    """Hand a task the reference to another task's output instead of the output.

    The worker then downloads nothing: what runs in a pod, with ``@task.kubernetes`` for instance, gets the reference with its
    arguments and loads the value there, with :func:`~airflow_mlflow_provider.xcom.reference.load`.

    ```python
    from airflow.sdk import task

    from airflow_mlflow_provider.xcom.lazy import as_reference


    @task
    def rows():
        return list(range(100_000))


    @task.kubernetes(image="registry.example.org/step:1")
    def count(rows):
        from airflow_mlflow_provider.xcom.reference import load

        return len(load(rows))


    def count_in_a_pod():
        return count(as_reference(rows()))
    ```

    Args:
        output: What a task returns, ``rows()`` or ``operator.output``, or one of its keys; of a task that is not mapped.

    Raises:
        CommandException: It is something else.
    """
    if not isinstance(output, PlainXComArg) or _is_mapped(output.operator):
        raise CommandException(
            f"{output!r} is not the output of one task.",
            fix="Give as_reference the output of a task that is neither mapped nor in a mapped task group.",
        )
    return _ReferenceArgument(output)


class _ReferenceArgument(ResolveMixin):
    def __init__(self, output: PlainXComArg) -> None:
        self._output = output

    def iter_references(self) -> Iterable[tuple[Operator, str]]:
        return self._output.iter_references()

    def resolve(self, context: Context) -> Any:
        from airflow_mlflow_provider.xcom.artifact_store import value_store

        found = pull_reference(context["ti"], self._output.operator.task_id, self._output.key)
        if isinstance(found, ArtifactReference):
            return ArtifactReference(found.entry, value_store().store.url)
        return found

    def __repr__(self) -> str:
        return f"as_reference({self._output!r})"


def _is_mapped(operator: Operator) -> bool:
    return cast("bool", operator.is_mapped) or operator.get_closest_mapped_task_group() is not None
