"""What Airflow is told about this provider (entry point group ``apache_airflow_provider``)."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from airflow_mlflow_provider.configuration import KEYS, SECTION, Key

_DISTRIBUTION = "airflow-mlflow-provider"
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
                "integration-name": "Flows as DAGs",
                "external-doc-url": "https://pypi.org/project/airflow-mlflow-provider/",
                "tags": ["software"],
            }
        ],
        "config": {
            SECTION: {
                "description": "Where flows keep their artifacts, how they run and how they are deployed.",
                "options": {key.name: _option(key) for key in KEYS.values()},
            }
        },
    }


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
