"""Configs that whoever starts a run may give another value, as ``airflow create --editable-config`` allows.

What Airflow itself is told was decided with the deployed value and stays: the DAG, its schedule, what pods ask for. Steps, and
the decorators that act in their processes, see the value of the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from airflow_mlflow_provider.plan.manifest import FlowManifest


def with_edited_configs(manifest: FlowManifest, given: Mapping[str, Any]) -> FlowManifest:
    """The manifest with the values of configs that a run was given; ``None`` means the deployed one.

    Args:
        manifest: The flow, as it is deployed.
        given: Values by name; what is not an editable config is passed over.
    """
    edited = {name: given[name] for name in manifest.editable_configs if given.get(name) is not None}
    if all(manifest.configs[name] == value for name, value in edited.items()):
        return manifest
    return msgspec.structs.replace(manifest, configs={**manifest.configs, **edited})
