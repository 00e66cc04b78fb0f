"""The flow's parameters as Airflow params: the trigger form, its defaults and what Airflow itself refuses."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param

from airflow_mlflow_provider.flow.parameter_spec import ParameterSpec
from airflow_mlflow_provider.plan.manifest import FlowManifest


def airflow_params(manifest: FlowManifest) -> dict[str, Param]:
    """One param for each parameter, in the order written, then one for each config that runs may edit."""
    unattended = manifest.schedule is not None or bool(manifest.triggers)
    params = {spec.name: _param(spec, unattended) for spec in manifest.parameters}
    return params | {name: _config_param(name, manifest.configs[name]) for name in manifest.editable_configs}


def _param(spec: ParameterSpec, unattended: bool) -> Param:
    schema = {"title": spec.name, **spec.schema}
    description = spec.help or None
    if spec.default is not None:
        return Param(spec.default, description, **schema)
    if spec.required and not unattended:
        return Param(description=description, **schema)
    # Airflow refuses a schedule on a DAG with required params; the first task checks instead.
    return Param(None, description, **nullable(schema))


def _config_param(name: str, value: Any) -> Param:
    kind: dict[str, Any] = {"type": "object"} if isinstance(value, dict) else {}
    return Param(value, "Config; what it decides outside of steps stays as deployed.", title=name, **kind)


def nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema that allows what ``schema`` allows, and null."""
    widened = dict(schema)
    if "type" in schema:
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        widened["type"] = types if "null" in types else [*types, "null"]
    if "enum" in schema and None not in schema["enum"]:
        widened["enum"] = [*schema["enum"], None]
    return widened
