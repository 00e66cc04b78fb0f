"""What Airflow is told about this provider (entry point group ``apache_airflow_provider``)."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from airflow_mlflow_provider.configuration import KEYS, SECTION, Key

_DISTRIBUTION = "airflow-mlflow-provider"
_INTEGRATION = "Flows as DAGs"
# Airflow knows four types; a list or a JSON object is a string to it.
_AIRFLOW_TYPES = {"integer": "integer", "float": "float", "boolean": "boolean"}


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata, valid against Airflow's ``provider_info.schema.json``.

    Airflow refuses to start any command when it is not, so a test validates it.
    """
    return {
        "package-name": _DISTRIBUTION,
        "name": "Flows as DAGs",
        "description": "Flows written as Python classes, deployed as DAGs, with versioned artifacts in S3 or a folder. "
        "Not related to the MLflow tracking server.",
        "versions": [version(_DISTRIBUTION)],
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://pypi.org/project/airflow-mlflow-provider/",
                "tags": ["software"],
            }
        ],
        "operators": [
            _modules(
                "airflow_mlflow_provider.operators.artifacts",
                "airflow_mlflow_provider.operators.garbage",
                "airflow_mlflow_provider.operators.resume_flow",
                "airflow_mlflow_provider.operators.run_step",
                "airflow_mlflow_provider.operators.trigger_flow",
            )
        ],
        "sensors": [_modules("airflow_mlflow_provider.sensors.artifact_store")],
        "hooks": [_modules("airflow_mlflow_provider.hooks.artifact_store")],
        "triggers": [
            _modules(
                "airflow_mlflow_provider.triggers.artifact_store",
                "airflow_mlflow_provider.triggers.gang",
                "airflow_mlflow_provider.triggers.pod",
            )
        ],
        "task-decorators": [
            {
                "name": "artifact",
                "class-name": "airflow_mlflow_provider.operators.artifact_decorator.artifact_task",
            }
        ],
        "notifications": ["airflow_mlflow_provider.notifications.flow_run.FlowRunNotifier"],
        "asset-uris": [
            {
                "schemes": ["mlflow+artifact"],
                "handler": "airflow_mlflow_provider.assets.artifact.sanitize_uri",
                "factory": "airflow_mlflow_provider.assets.artifact.create_asset",
            }
        ],
        "connection-types": [_connection_type()],
        "config": {
            SECTION: {
                "description": "Where flows keep their artifacts, how they run and how they are deployed.",
                "options": {key.name: _option(key) for key in KEYS.values()},
            }
        },
    }


def _modules(*names: str) -> dict[str, Any]:
    return {"integration-name": _INTEGRATION, "python-modules": list(names)}


def _connection_type() -> dict[str, Any]:
    return {
        "connection-type": "artifact_store",
        "hook-class-name": "airflow_mlflow_provider.hooks.artifact_store.ArtifactStoreHook",
        "hook-name": "Artifact store",
        "ui-field-behaviour": {
            "hidden-fields": ["host", "schema", "port"],
            "relabeling": {"login": "Access key ID", "password": "Secret access key"},
            "placeholders": {
                "login": "empty for the machine's own identity, or for another connection's credentials",
                "password": "",
            },
        },
        "conn-fields": {
            "store_url": _field(
                "Store URL", "s3://bucket/prefix, gs://bucket/prefix, az://container/prefix or a folder."
            ),
            "credentials_conn_id": _field(
                "Credentials connection",
                "Id of an AWS, Google Cloud or Azure connection, such as aws_default.",
            ),
            "endpoint_url": _field("Endpoint URL", "Of an S3 service that is not AWS."),
            "region_name": _field("Region", "Of an S3 bucket, such as eu-central-1."),
        },
    }


def _field(label: str, description: str) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": ["string", "null"]}}


def _option(key: Key) -> dict[str, Any]:
    described = key.description
    if key.choices:
        described += f" One of: {', '.join(key.choices)}."
    option: dict[str, Any] = {
        "description": described,
        "version_added": "0.1.0",
        "type": _AIRFLOW_TYPES.get(key.kind, "string"),
        "example": key.example,
        # A key that another option of Airflow's stands in for must look unset to Airflow.
        "default": None if key.fallback else key.default_text,
    }
    if key.sensitive:
        option["sensitive"] = True
    return option
