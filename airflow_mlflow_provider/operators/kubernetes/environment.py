"""The environment variables of a step's container.

Kubernetes expands ``$(NAME)`` in commands, arguments and values of variables; :func:`literal` keeps user text as it is.
Jinja never sees any of it: the pod operator that :mod:`~airflow_mlflow_provider.operators.kubernetes.pod_unit` holds is
built inside the running task, after Airflow has rendered what it renders.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_mlflow_provider import configuration
from airflow_mlflow_provider.configuration import KEYS
from airflow_mlflow_provider.flow.graph import StepNode
from airflow_mlflow_provider.operators.kubernetes.resources import invalid
from airflow_mlflow_provider.plan.manifest import FlowManifest

# What tells a client where its store is and nothing else. Credentials are the pod's own: its service account, or a
# Kubernetes secret named in @kubernetes.
_PLACES = (
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ALLOW_HTTP",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
    "AZURE_STORAGE_ACCOUNT_NAME",
)
# The settings that a step reads while it runs. The others mean something to the machine that deploys, to Airflow's side
# of a step, or to this worker's disk only.
_FOR_STEPS = (
    "card_max_artifact_mb",
    "card_warnings",
    "compression",
    "debug",
    "default_runtime_limit",
    "default_secrets_backend",
    "default_secrets_role",
    "empty_foreach",
    "event_prefix",
    "log_flush_s",
    "max_iterations",
    "max_log_size",
    "merge_compare_max_bytes",
    "s3_endpoint_url",
    "s3_retries",
    "s3_root",
    "s3_sse",
    "s3_workers",
    "secrets_prefix",
    "timeout_grace_s",
    "unpersisted_artifacts",
    "wheel_cache",
)


def setting(manifest: FlowManifest, key: str) -> Any:
    """A configuration value as it was frozen at deployment, else as this worker has it."""
    frozen = manifest.settings.get(key)
    return configuration.get(key) if frozen is None else frozen  # type: ignore[call-overload]


def container_variables(
    step: StepNode, manifest: FlowManifest, environ: Mapping[str, str]
) -> list[dict[str, str]]:
    """The ``env`` of the step's container, ready for Kubernetes; what ``@environment`` says wins.

    Args:
        step: The step.
        manifest: Its flow.
        environ: The environment of this worker, from which the pod gets the place of the store.
    """
    variables = {**_place_of_store(manifest, environ), **_settings(manifest), **_written(step)}
    return [{"name": name, "value": literal(value)} for name, value in variables.items()]


def literal(text: str) -> str:
    """``text`` such that Kubernetes' expansion of ``$(NAME)`` gives back exactly ``text``."""
    return text.replace("$", "$$")


def _place_of_store(manifest: FlowManifest, environ: Mapping[str, str]) -> dict[str, str]:
    found = {name: environ[name] for name in _PLACES if environ.get(name)}
    endpoint = setting(manifest, "s3_endpoint_url")
    if endpoint:
        found["AWS_ENDPOINT_URL"] = endpoint
        found.pop("AWS_ENDPOINT_URL_S3", None)
        if endpoint.startswith("http://"):
            found["AWS_ALLOW_HTTP"] = "true"
    return found


def _settings(manifest: FlowManifest) -> dict[str, str]:
    """The frozen settings under the names by which the configuration reader finds them in the pod."""
    return {
        KEYS[name].environment_variable: _as_text(manifest.settings[name])
        for name in _FOR_STEPS
        if manifest.settings.get(name) is not None
    }


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _written(step: StepNode) -> dict[str, str]:
    own = step.decorator("environment")
    given = (own.attributes.get("vars") if own else None) or {}
    if not isinstance(given, dict):
        raise invalid(step, "vars", given, "a mapping from names of variables to values")
    for name in given:
        if not isinstance(name, str) or not name or "=" in name or "\0" in name:
            raise invalid(step, "vars", name, "names of environment variables without '='")
    return {name: str(value) for name, value in given.items()}
