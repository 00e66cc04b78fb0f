"""Sensors that a deployed flow waits for before its start step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Literal, overload

from airflow_mlflow_provider.flow.decorators.attributes import Fields, anything, flag, listing, number, text
from airflow_mlflow_provider.flow.decorators.base import FlowClass, FlowDecorator, Problem, decorate_flow

_COMMON: Fields = {
    "timeout": number(3600, minimum=0),
    "poke_interval": number(60, minimum=0),
    "mode": text("reschedule", choices=("reschedule", "poke")),
    "exponential_backoff": flag(True),
    "pool": text(None),
    "soft_fail": flag(False),
    "name": text(None),
    "description": text(None),
}


class AirflowSensorDecorator(FlowDecorator):
    """What the sensors have in common: each may stand several times, with a name of its own."""

    allow_multiple = True
    required: ClassVar[str]

    def check(self) -> Iterator[Problem]:
        """Refuse a sensor that waits for nothing."""
        if not self.attributes[self.required]:
            yield self.bad_value(self.required, self.attributes[self.required], "what the sensor waits for")


class ExternalTaskSensorDecorator(AirflowSensorDecorator):
    """Wait for another DAG; see :func:`airflow_external_task_sensor`."""

    name = "airflow_external_task_sensor"
    required = "external_dag_id"
    fields: ClassVar[Fields] = {
        "external_dag_id": text(None),
        "external_task_ids": listing(None),
        "allowed_states": listing(("success",)),
        "failed_states": listing(None),
        "execution_delta": anything(None, "a timedelta, or seconds"),
        "check_existence": flag(True),
        **_COMMON,
    }

    def check(self) -> Iterator[Problem]:
        """Refuse a delta that is none, and turn it into seconds."""
        yield from super().check()
        delta = self.attributes["execution_delta"]
        if isinstance(delta, timedelta):
            self.attributes["execution_delta"] = delta.total_seconds()
        elif delta is not None and (isinstance(delta, bool) or not isinstance(delta, (int, float))):
            yield self.bad_value("execution_delta", delta, self.fields["execution_delta"].allowed)


class S3KeySensorDecorator(AirflowSensorDecorator):
    """Wait for objects in S3; see :func:`airflow_s3_key_sensor`."""

    name = "airflow_s3_key_sensor"
    required = "bucket_key"
    fields: ClassVar[Fields] = {
        "bucket_key": anything(None, "a key, an s3:// URL, or a list of them"),
        "bucket_name": text(None),
        "wildcard_match": flag(False),
        "aws_conn_id": text(None),
        "verify": anything(None, "True, False, or the path of a certificate bundle"),
        **_COMMON,
    }


@overload
def airflow_external_task_sensor(flow: FlowClass, /) -> FlowClass: ...
@overload
def airflow_external_task_sensor(
    *,
    external_dag_id: str,
    external_task_ids: Sequence[str] | None = None,
    allowed_states: Sequence[str] = ("success",),
    failed_states: Sequence[str] | None = None,
    execution_delta: timedelta | float | None = None,
    check_existence: bool = True,
    timeout: float = 3600,
    poke_interval: float = 60,
    mode: Literal["reschedule", "poke"] = "reschedule",
    exponential_backoff: bool = True,
    pool: str | None = None,
    soft_fail: bool = False,
    name: str | None = None,
    description: str | None = None,
) -> Callable[[FlowClass], FlowClass]: ...
def airflow_external_task_sensor(flow: Any = None, /, **attributes: Any) -> Any:
    """Flow decorator: on Airflow, wait for another DAG, or tasks of it, before the start step. May stand several times.

    Args:
        flow: The flow.
        external_dag_id: The DAG to wait for.
        external_task_ids: Tasks of it; the whole DAG run by default.
        allowed_states: States that end the wait.
        failed_states: States that fail the sensor.
        execution_delta: How much earlier the other run's logical date is: a ``timedelta``, or seconds.
        check_existence: Whether a DAG or task that does not exist is an error.
        timeout: Seconds to wait in all.
        poke_interval: Seconds between two looks.
        mode: ``"reschedule"`` frees the worker slot between two looks, ``"poke"`` keeps it.
        exponential_backoff: Whether the time between looks grows.
        pool: Airflow pool.
        soft_fail: Whether the task is skipped, rather than failed, when the time is over.
        name: Id of the sensor's task.
        description: Text of the sensor's task.

    Raises:
        BadFlowDecoratorException: It does not stand on a flow.
    """
    return decorate_flow(ExternalTaskSensorDecorator, flow, attributes)


@overload
def airflow_s3_key_sensor(flow: FlowClass, /) -> FlowClass: ...
@overload
def airflow_s3_key_sensor(
    *,
    bucket_key: str | Sequence[str],
    bucket_name: str | None = None,
    wildcard_match: bool = False,
    aws_conn_id: str | None = None,
    verify: bool | str | None = None,
    timeout: float = 3600,
    poke_interval: float = 60,
    mode: Literal["reschedule", "poke"] = "reschedule",
    exponential_backoff: bool = True,
    pool: str | None = None,
    soft_fail: bool = False,
    name: str | None = None,
    description: str | None = None,
) -> Callable[[FlowClass], FlowClass]: ...
def airflow_s3_key_sensor(flow: Any = None, /, **attributes: Any) -> Any:
    """Flow decorator: on Airflow, wait for objects in S3 before the start step. May stand several times.

    Args:
        flow: The flow.
        bucket_key: Key, or keys; full ``s3://`` URLs where there is no ``bucket_name``.
        bucket_name: Bucket.
        wildcard_match: Whether ``*`` and ``?`` in keys match any characters.
        aws_conn_id: Airflow connection.
        verify: Whether certificates are checked, or the path of a bundle.
        timeout: Seconds to wait in all.
        poke_interval: Seconds between two looks.
        mode: ``"reschedule"`` frees the worker slot between two looks, ``"poke"`` keeps it.
        exponential_backoff: Whether the time between looks grows.
        pool: Airflow pool.
        soft_fail: Whether the task is skipped, rather than failed, when the time is over.
        name: Id of the sensor's task.
        description: Text of the sensor's task.

    Raises:
        BadFlowDecoratorException: It does not stand on a flow.
    """
    return decorate_flow(S3KeySensorDecorator, flow, attributes)
