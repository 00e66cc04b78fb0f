"""``@task.artifact``: a TaskFlow function whose result is registered as a named artifact.

```python
from airflow.sdk import task


@task.artifact(artifact="team/model", tags=["candidate"])
def train():
    return {"weights": [0.1, 0.2]}
```
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk.bases.decorator import DecoratedOperator, task_decorator_factory

from airflow_mlflow_provider.hooks.artifact_store import ArtifactStoreHook
from airflow_mlflow_provider.operators.artifacts import Tags, publish, with_asset

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.bases.decorator import TaskDecorator


class ArtifactDecoratedOperator(DecoratedOperator, PythonOperator):
    """Calls a function and publishes what it returns; the XCom tells which version that is.

    :param python_callable: The function.
    :param op_args: Its positional arguments. (templated)
    :param op_kwargs: Its arguments by name. (templated)
    :param artifact: Name of the artifact. (templated)
    :param tags: Words to find the version by. (templated)
    :param metadata: Anything else that is JSON. (templated)
    :param artifact_store_conn_id: Connection of the store; by default ``[mlflow_provider] datastore_root``.
    """

    template_fields: Sequence[str] = (
        "op_args",
        "op_kwargs",
        "templates_dict",
        "artifact",
        "tags",
        "metadata",
        "artifact_store_conn_id",
    )
    custom_operator_name = "@task.artifact"

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        artifact: str,
        tags: Tags = (),
        metadata: Mapping[str, Any] | None = None,
        artifact_store_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        called = {"python_callable": python_callable, "op_args": op_args, "op_kwargs": op_kwargs}
        super().__init__(kwargs_to_upstream=called, **called, **with_asset(artifact, kwargs))  # type: ignore[arg-type]
        self.artifact = artifact
        self.tags = tags
        self.metadata = metadata
        self.artifact_store_conn_id = artifact_store_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Call the function and publish its result.

        :param context: The task's context.
        :return: ``artifact`` and ``pathspec`` (``artifact:name@3``), ``digest``, ``size`` (bytes), ``type``, ``tags``,
            ``metadata`` and ``metrics``.
        """
        value = super().execute(context)
        hook = ArtifactStoreHook(self.artifact_store_conn_id)
        return publish(hook, context, self.artifact, value, self.tags, self.metadata)


def artifact_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> TaskDecorator:
    """Wrap a function into an operator that publishes what it returns.

    :param python_callable: The function.
    :param kwargs: Arguments of :class:`ArtifactDecoratedOperator`.
    :return: The decorator.
    """
    return task_decorator_factory(
        python_callable=python_callable, decorated_operator_class=ArtifactDecoratedOperator, **kwargs
    )
