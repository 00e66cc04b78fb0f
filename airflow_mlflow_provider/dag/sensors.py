"""The sensors that a flow's decorators put before its start step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.flow.graph import DecoratorSpec
from airflow_mlflow_provider.plan.manifest import FlowManifest

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator


def sensors(manifest: FlowManifest) -> list[BaseOperator]:
    """One sensor for each sensor decorator, made in the current DAG.

    Raises:
        CommandException: The Airflow provider of a sensor is not installed here.
    """
    found: list[BaseOperator] = []
    for spec in manifest.flow_decorators:
        if make := _SENSORS.get(spec.name):
            found.append(make(spec, f"wait-{len(found) + 1}"))
    return found


def _external_task(spec: DecoratorSpec, task_id: str) -> BaseOperator:
    try:
        from airflow.providers.standard.sensors.external_task import ExternalTaskSensor
    except ImportError as error:
        raise _not_installed(spec, "apache-airflow-providers-standard") from error

    given = dict(spec.attributes)
    if (delta := given.get("execution_delta")) is not None:
        given["execution_delta"] = timedelta(seconds=float(delta))
    return ExternalTaskSensor(**_arguments(given, task_id))


def _s3_key(spec: DecoratorSpec, task_id: str) -> BaseOperator:
    try:
        from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor
    except ImportError as error:
        raise _not_installed(spec, "apache-airflow-providers-amazon") from error

    return S3KeySensor(**_arguments(spec.attributes, task_id))


def _arguments(given: Mapping[str, Any], task_id: str) -> dict[str, Any]:
    arguments = {name: value for name, value in given.items() if value is not None}
    description = arguments.pop("description", None)
    return {"task_id": arguments.pop("name", None) or task_id, **arguments, "doc_md": description}


def _not_installed(spec: DecoratorSpec, distribution: str) -> CommandException:
    return CommandException(
        f"@{spec.name} needs the Airflow provider {distribution}, which is not installed here.",
        fix=f"Install {distribution} where Airflow runs, or remove the decorator.",
        where={"decorator": spec.name},
    )


_SENSORS: Final[Mapping[str, Callable[[DecoratorSpec, str], BaseOperator]]] = MappingProxyType(
    {"airflow_external_task_sensor": _external_task, "airflow_s3_key_sensor": _s3_key}
)
