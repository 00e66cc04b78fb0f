"""What a step's decorators mean to Airflow: the arguments of its operator."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator

from airflow_mlflow_provider.exception import InvalidDecoratorAttribute
from airflow_mlflow_provider.flow.graph import StepNode
from airflow_mlflow_provider.operators.attempt import CATCH_RETRIES
from airflow_mlflow_provider.plan.deployment import Deployment
from airflow_mlflow_provider.plan.units import Unit

# Attributes of `@airflow_task` that are arguments of every Airflow operator, by the same name.
_OPERATOR_ATTRIBUTES = ("pool", "pool_slots", "queue", "priority_weight", "weight_rule", "executor")
# Seconds that a worker may take to get from the start of the Airflow task to the user's code.
_WORKER_START = 120.0
_DEFAULT_POD_START = 600.0
_MINUTES_BETWEEN_RETRIES = 2
# Of the Airflow task of a loop, for all of its iterations: far below what a column of Airflow's database holds.
_MOST_RETRIES = 1_000_000
# A switch up to Airflow 3.1, the factor between two delays since.
_EXPONENTIAL = True if isinstance(BaseOperator.retry_exponential_backoff, bool) else 2.0


def step_arguments(deployment: Deployment, unit: Unit) -> dict[str, Any]:
    """The arguments of Airflow's own operator class for a unit.

    Raises:
        InvalidDecoratorAttribute: A decorator holds what Airflow does not take.
    """
    node = deployment.manifest.graph[unit.name]
    arguments: dict[str, Any] = {
        "task_id": unit.name,
        "trigger_rule": unit.trigger_rule,
        **_retry_arguments(deployment, unit),
        **_airflow_task_arguments(deployment, node),
    }
    if node.doc:
        arguments["doc_md"] = node.doc
    if limit := _execution_timeout(deployment, unit):
        arguments["execution_timeout"] = timedelta(seconds=limit)
    if unit.frames:
        arguments["map_index_template"] = "{{ task.instance_label }}"
        arguments["max_active_tis_per_dagrun"] = deployment.manifest.limits.max_workers
    return arguments


def _retry_arguments(deployment: Deployment, unit: Unit) -> dict[str, Any]:
    node = deployment.manifest.graph[unit.name]
    retry, fallback = node.decorator("retry"), node.decorator("catch")
    arguments: dict[str, Any] = {"retries": CATCH_RETRIES if fallback else 0}
    if retry is None:
        # The fallback runs no user code, so there is nothing to wait for.
        return {**arguments, "retry_delay": timedelta(seconds=5)}
    minutes = float(retry.attributes.get("minutes_between_retries", _MINUTES_BETWEEN_RETRIES))
    times, longest = (
        int(retry.attributes.get("times", 3)),
        retry.attributes.get("max_minutes_between_retries"),
    )
    exponential = retry.attributes.get("backoff") == "exponential"
    if unit.kind == "loop":
        if exponential and longest is None:
            # Airflow's delay grows with all tries of the task: no further than those of one iteration would.
            longest = minutes * 2 ** max(times - 1, 0)
        times = min(times * deployment.manifest.limits.max_iterations, _MOST_RETRIES)
    arguments["retries"] += times
    arguments["retry_delay"] = timedelta(minutes=minutes)
    if exponential:
        arguments["retry_exponential_backoff"] = _EXPONENTIAL
    if longest is not None:
        arguments["max_retry_delay"] = timedelta(minutes=float(longest))
    return arguments


def _airflow_task_arguments(deployment: Deployment, node: StepNode) -> dict[str, Any]:
    decorator = node.decorator("airflow_task")
    attributes = decorator.attributes if decorator else {}
    given = {"pool": deployment.manifest.settings.get("worker_pool")}
    given |= {name: value for name in _OPERATOR_ATTRIBUTES if (value := attributes.get(name)) is not None}
    return {name: value for name, value in given.items() if value is not None}


def _execution_timeout(deployment: Deployment, unit: Unit) -> float | None:
    """Seconds after which Airflow itself ends the task; the limit of the step proper ends it long before.

    A unit of several tasks (loop, fused chain, shard) has no such end in sight: the limit is for each task, and the
    runner keeps it.
    """
    manifest = deployment.manifest
    if unit.kind in ("loop", "fused") or unit.frames:
        return None
    kubernetes = manifest.step_compute(unit.name) == "kubernetes"
    start = (
        float(manifest.settings.get("pod_startup_timeout_s", _DEFAULT_POD_START))
        if kubernetes
        else _WORKER_START
    )
    return step_limit(deployment, manifest.graph[unit.name]) + start + deployment.timeout_grace


def step_limit(deployment: Deployment, node: StepNode) -> float:
    """Seconds that the user's code of a step may take.

    Raises:
        InvalidDecoratorAttribute: The ``@timeout`` is not positive.
    """
    timeout = node.decorator("timeout")
    if timeout is None:
        return deployment.runtime_limit
    given = timeout.attributes
    limit = (
        float(given.get("seconds", 0))
        + 60 * float(given.get("minutes", 0))
        + 3600 * float(given.get("hours", 0))
    )
    if limit <= 0:
        raise InvalidDecoratorAttribute(
            f"The @timeout of step {node.name} is {limit:g} seconds.",
            fix="Give seconds, minutes or hours above zero.",
            where={"step": node.name, "decorator": "timeout"},
        )
    return limit
