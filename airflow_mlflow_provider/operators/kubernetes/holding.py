"""The real ``KubernetesPodOperator`` that a unit holds.

Held, not inherited from: its import takes seconds, and a DAG file with many steps must be parsed in a fraction of one. It
brings what it is known for: the Kubernetes connection, the cluster's ``pod_mutation_hook``, Airflow's own labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_mlflow_provider.exception import InvalidDecoratorAttribute
from airflow_mlflow_provider.operators.kubernetes.spec import CONTAINER, Json

if TYPE_CHECKING:
    from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator


def pod_operator(
    task_id: str, connection: str | None, specification: Json, on_finish_action: str
) -> KubernetesPodOperator:
    """The operator for a pod with this specification.

    Args:
        task_id: Id of the Airflow task that holds it.
        connection: Id of the Kubernetes connection; ``None`` is Airflow's default one.
        specification: The pod, as JSON.
        on_finish_action: ``delete_pod``, ``keep_pod`` or ``delete_succeeded_pod``.

    Raises:
        InvalidDecoratorAttribute: Kubernetes has no such field.
    """
    from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook
    from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

    _check_fields(specification)
    return KubernetesPodOperator(
        task_id=task_id,
        kubernetes_conn_id=connection or KubernetesHook.default_conn_name,
        pod_template_dict=specification,
        base_container_name=CONTAINER,
        random_name_suffix=False,
        do_xcom_push=False,
        termination_message_policy="FallbackToLogsOnError",
        on_finish_action=on_finish_action,
    )


def _check_fields(specification: Json) -> None:
    """Refuse what the Kubernetes client would leave out in silence, such as a misspelt key of a security context."""
    from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator
    from kubernetes.client import ApiClient, Configuration

    pod = PodGenerator.deserialize_model_dict(specification)
    kept = ApiClient(configuration=Configuration()).sanitize_for_serialization(pod)
    for path in _lost(specification, kept, ""):
        raise InvalidDecoratorAttribute(
            f"Kubernetes has no field {path} in a pod.",
            fix="Correct the name in the attribute of @kubernetes, or in compute_pools, that it comes from.",
            where={"field": path},
        )


def _lost(given: Any, kept: Any, path: str) -> list[str]:
    """Paths of ``given`` that are not in ``kept``."""
    if isinstance(given, dict):
        if not isinstance(kept, dict):
            return [path]
        gone = [f"{path}.{key}".strip(".") for key in given if key not in kept and given[key] not in ({}, [])]
        shared = (key for key in given if key in kept)
        return gone + [
            each for key in shared for each in _lost(given[key], kept[key], f"{path}.{key}".strip("."))
        ]
    if isinstance(given, list) and isinstance(kept, list):
        return [
            each
            for index, pair in enumerate(zip(given, kept, strict=True))
            for each in _lost(*pair, f"{path}[{index}]")
        ]
    return []
