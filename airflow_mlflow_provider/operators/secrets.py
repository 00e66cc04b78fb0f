"""Connections and variables of Airflow for a step's ``@secrets``.

A step's process knows neither Airflow nor its database. The operator resolves what the step asks for, with the rights of
its own task, and hands it to the process in the environment: directly on the worker, by a Kubernetes Secret that lives no
longer than the attempt in a pod. Airflow's masker is told every value before it goes anywhere.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow_mlflow_provider.exception import MetaflowException
from airflow_mlflow_provider.flow.graph import StepNode


def resolve_secrets(node: StepNode) -> dict[str, str]:
    """What a step asks Airflow for, by the environment variable in which its process looks for it.

    Args:
        node: The step.

    Raises:
        MetaflowException: A connection or variable does not exist or cannot be read; names it, never a value.
    """
    if node.decorator("secrets") is None:
        return {}
    from airflow_mlflow_provider.flow.decorators.secret_backends import airflow_sources

    return {
        variable: _connection(source.id) if source.type == "airflow-connection" else _variable(source.id)
        for source, variable in airflow_sources(node)
    }


@contextmanager
def secrets_in_environment(node: StepNode) -> Iterator[None]:
    """Have what a step asks Airflow for in the environment of the processes started meanwhile.

    Raises:
        MetaflowException: A connection or variable does not exist or cannot be read.
    """
    found = resolve_secrets(node)
    before = {name: os.environ.get(name) for name in found}
    os.environ.update(found)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _connection(conn_id: str) -> str:
    from airflow.sdk import Connection
    from airflow.sdk.log import mask_secret

    try:
        connection = Connection.get(conn_id)
    except Exception as error:
        raise _unknown("connection", conn_id, error) from error
    text = str(connection.as_json())
    for secret in (text, connection.get_uri(), connection.password, *_texts(connection.extra_dejson)):
        if secret:
            mask_secret(secret)
    return text


def _variable(key: str) -> str:
    from airflow.sdk import Variable
    from airflow.sdk.log import mask_secret

    try:
        text = str(Variable.get(key))
    except Exception as error:
        raise _unknown("variable", key, error) from error
    mask_secret(text)
    try:
        parts = list(_texts(json.loads(text)))
    except ValueError:
        # Not JSON, so the whole is the only secret.
        parts = []
    for secret in parts:
        mask_secret(secret)
    return text


def _texts(value: Any) -> Iterator[str]:
    """All strings within a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


def _unknown(kind: str, name: str, error: Exception) -> MetaflowException:
    return MetaflowException(
        f"The step's @secrets asks for the Airflow {kind} '{name}', which cannot be read: {type(error).__name__}.",
        fix=f"Create the {kind} '{name}' in Airflow, and let the DAG's team read it.",
        where={kind: name},
    )
