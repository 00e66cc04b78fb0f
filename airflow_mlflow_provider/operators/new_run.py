"""The record of a run that Airflow starts: its parameters, checked, and where it came from."""

from __future__ import annotations

import difflib
import platform
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.flow.parameter_spec import ParameterSpec
from airflow_mlflow_provider.operators.asset_events import event_parameters, starting_events
from airflow_mlflow_provider.plan.deployment import Deployment
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.plan.run_tags import system_tags
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import RunRecord

if TYPE_CHECKING:
    from airflow.sdk import Context


def new_run(deployment: Deployment, ledger: Ledger, run: str, context: Context) -> RunRecord:
    """The record of the run that this DAG run is; its manifest is put into the store.

    Raises:
        CommandException: The DAG run was started with an unknown parameter, lacks one, or the event that started it
            holds a value that a parameter does not take.
    """
    dag_run = context["dag_run"]
    check_conf(deployment.manifest, dag_run.conf or {})
    deployment = with_code(deployment, ledger)
    manifest = deployment.manifest
    return RunRecord(
        flow=manifest.flow_name,
        run=run,
        created_at=time.time(),
        user="airflow",
        parameters=parameters(manifest, {**context["params"], **event_parameters(manifest, context)}),
        manifest=ledger.put_blob(deployment.encoded),
        code=manifest.code.digest,
        tags=manifest.tags,
        system_tags=system_tags(manifest),
        airflow={
            "dag_id": dag_run.dag_id,
            "dag_run_id": dag_run.run_id,
            "run_type": str(getattr(dag_run.run_type, "value", dag_run.run_type)),
            "logical_date": dag_run.logical_date.isoformat() if dag_run.logical_date else None,
            "triggered_by": getattr(dag_run, "triggering_user_name", None),
        },
        trigger={"events": events} if (events := starting_events(manifest, context)) else {},
        host=socket.gethostname(),
        python=platform.python_version(),
        provider=manifest.provider,
        environments=manifest.environments,
    )


def with_code(deployment: Deployment, ledger: Ledger) -> Deployment:
    """The deployment with its code in the store: a flow in the DAGs folder is packaged when a run starts.

    Raises:
        CommandException: The code is larger than ``package_max_mb``.
    """
    manifest = deployment.manifest
    if manifest.code.digest or manifest.code.source == "bundle":
        return deployment
    from airflow_mlflow_provider.runtime.package import build_package

    in_pods = any(manifest.step_compute(step) == "kubernetes" for step in manifest.graph.steps)
    package = build_package(
        Path(manifest.code.path),
        with_runtime=in_pods,
        max_mb=int(manifest.settings.get("package_max_mb", 200)),
    )
    ledger.put_code(package.digest, package.data)
    code = msgspec.structs.replace(manifest.code, digest=package.digest, script=package.script, path="")
    return Deployment(msgspec.structs.replace(manifest, code=code))


def parameters(manifest: FlowManifest, given: Mapping[str, Any]) -> dict[str, Any]:
    """The value of each parameter, as JSON.

    Args:
        manifest: The flow.
        given: Values by name, as Airflow has validated them; its defaults are in.

    Raises:
        CommandException: A required one has no value; the message names all of them.
    """
    values = {spec.name: given.get(spec.name, spec.default) for spec in manifest.parameters}
    missing = [spec.name for spec in manifest.parameters if spec.required and values[spec.name] is None]
    if missing:
        raise CommandException(
            f"The run has no value for the required parameter{'s' * (len(missing) > 1)} {', '.join(missing)} "
            f"of {manifest.flow_name}.",
            fix="Trigger the DAG with a value, map an event's field to it, or give it a default.",
            where={"flow": manifest.flow_name, "parameter": missing[0]},
        )
    return values


def check_conf(manifest: FlowManifest, conf: Mapping[str, Any]) -> None:
    """Airflow accepts any key in a DAG run's conf; a misspelt parameter must not go unnoticed.

    Raises:
        CommandException: A key is not the name of a parameter; the message lists what there is.
    """
    names = [spec.name for spec in manifest.parameters]
    unknown = sorted(set(conf) - set(names))
    if not unknown:
        return
    frozen = [name for name in unknown if name in manifest.configs]
    if frozen:
        raise CommandException(
            f"{', '.join(frozen)} of {manifest.flow_name} is a config: it was fixed when the flow was deployed.",
            fix="Deploy the flow again with another value of the config.",
            where={"flow": manifest.flow_name, "config": frozen[0]},
        )
    close = difflib.get_close_matches(unknown[0], names, n=1)
    hint = f"Did you mean {close[0]}? " if close else ""
    raise CommandException(
        f"{manifest.flow_name} has no parameter {', '.join(unknown)}. {hint}"
        f"Its parameters: {', '.join(map(_described, manifest.parameters)) or 'none'}.",
        fix="Trigger the DAG again with the names of its parameters.",
        where={"flow": manifest.flow_name, "parameter": unknown[0]},
    )


def _described(spec: ParameterSpec) -> str:
    return f"{spec.name} ({spec.schema.get('type', 'any')})"
