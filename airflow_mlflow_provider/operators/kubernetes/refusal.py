"""What the Kubernetes API, or the way to it, refuses, as errors of this package.

======================================  ===========================================================
what was raised                         what the user gets
======================================  ===========================================================
400 and 422: the pod is not valid       ``InvalidDecoratorAttribute`` with the fields at fault
401 and 403: not allowed                ``TaskFailed`` with the verb, the resource and the namespace
any other status                        ``TaskFailed`` with status, reason and causes
no answer at all                        ``TaskFailed`` with the address
a value the client library refuses      ``InvalidDecoratorAttribute``
no cluster, no such connection          ``MetaflowConfigError``
======================================  ===========================================================
"""

from __future__ import annotations

import json
from typing import Any

from airflow_mlflow_provider.exception import (
    InvalidDecoratorAttribute,
    MetaflowConfigError,
    MetaflowException,
    TaskFailed,
)

_INVALID = (400, 422)
_NOT_ALLOWED = (401, 403)


def refusal(error: Exception, action: str, where: dict[str, Any]) -> MetaflowException:
    """The error to raise in place of ``error``.

    Args:
        error: What the Kubernetes client, the connection or the configuration raised.
        action: What was asked for, such as ``create a pod``.
        where: Names what it was asked for: ``step``, ``namespace``, ``pod`` …
    """
    from airflow.providers.common.compat.sdk import AirflowException
    from kubernetes.client.exceptions import ApiException, OpenApiException
    from kubernetes.config import ConfigException
    from urllib3.exceptions import HTTPError

    if isinstance(error, ApiException):
        return _by_status(error, action, where)
    if isinstance(error, (ConfigException, AirflowException)):
        return MetaflowConfigError(
            f"No Kubernetes cluster could be found to {action}: {error}",
            fix="Set kubernetes_conn_id to a Kubernetes connection of Airflow, or run Airflow inside the cluster.",
            where=where,
        )
    if isinstance(error, (HTTPError, OSError)):
        return TaskFailed(
            f"The Kubernetes API could not be reached to {action}: {error}",
            fix="Check the address of the cluster in the Kubernetes connection and the network of the worker.",
            where=where,
        )
    if isinstance(error, (OpenApiException, ValueError, TypeError)):
        return InvalidDecoratorAttribute(
            f"The Kubernetes client refused to {action}: {error}",
            fix="Correct the attribute of @kubernetes that the message names.",
            where=where,
        )
    return TaskFailed(f"Kubernetes did not {action}: {type(error).__name__}: {error}", where=where)


def status_reason(error: Any) -> str:
    """The machine-readable reason of an ``ApiException``, such as ``AlreadyExists``."""
    return str(_status_object(error).get("reason") or error.reason or "")


def _by_status(error: Any, action: str, where: dict[str, Any]) -> MetaflowException:
    status = _status_object(error)
    told = status.get("message") or error.reason or "no reason given"
    causes = [
        f"{cause.get('field', '')}: {cause.get('message', '')}".strip(": ")
        for cause in (status.get("details") or {}).get("causes") or ()
    ]
    text = f"Kubernetes refused to {action}: {error.status} {status_reason(error)}: {told}"
    detail = {**where, "status": error.status, "reason": status_reason(error), "causes": causes}
    if error.status in _INVALID:
        return InvalidDecoratorAttribute(
            text,
            fix="Correct the attribute of @kubernetes or @resources that the message names, and deploy the flow again.",
            where=detail,
        )
    if error.status in _NOT_ALLOWED:
        return TaskFailed(
            text,
            fix="Allow the service account of Airflow's workers to create, get, list, watch and delete pods, and to get "
            f"pods/log (and, for @secrets of Airflow, to create, patch and delete secrets), in the namespace {where.get('namespace') or 'of the pods'}; or look at its quota.",
            where=detail,
        )
    return TaskFailed(
        text, fix="Look at the state of the cluster; the task can be cleared once it answers.", where=detail
    )


def _status_object(error: Any) -> dict[str, Any]:
    """The ``Status`` that the API server answered with; empty if the answer was something else."""
    try:
        status = json.loads(error.body or "{}")
    except ValueError:
        return {}
    return status if isinstance(status, dict) else {}
