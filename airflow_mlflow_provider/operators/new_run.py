"""The record of a run that Airflow starts: its parameters, checked, and where it came from."""

from __future__ import annotations

import difflib
import logging
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
from airflow_mlflow_provider.plan.editable import with_edited_configs
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.plan.run_tags import system_tags
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import RunRecord

if TYPE_CHECKING:
    from airflow.sdk import Context

_LOGGER = logging.getLogger(__name__)


def new_run(
    deployment: Deployment, ledger: Ledger, run: str, context: Context, given: Mapping[str, Any] | None = None
) -> RunRecord:
    """The record of the run that this DAG run is; its manifest is put into the store.

    Args:
        deployment: The flow.
        ledger: The records.
        run: Run id.
        context: Airflow's, of the first task.
        given: Values by parameter name where the DAG is not the flow's own; ``None`` for what the DAG run was started with.

    Raises:
        CommandException: The run was started with an unknown parameter, lacks one, or a value, given or of the event that started
            it, is one that a parameter does not take.
    """
    dag_run = context["dag_run"]
    values = (
        _of_dag_run(deployment.manifest, context) if given is None else checked(deployment.manifest, given)
    )
    edited = {} if given is not None else context["params"]
    deployment = with_code(_with_edited_configs(deployment, edited), ledger)
    manifest = deployment.manifest
    return RunRecord(
        flow=manifest.flow_name,
        run=run,
        created_at=time.time(),
        user="airflow",
        parameters=parameters(manifest, values),
        manifest=ledger.put_blob(deployment.encoded),
        code=manifest.code.digest,
        tags=manifest.tags,
        system_tags=system_tags(manifest),
        airflow={
            "dag_id": dag_run.dag_id,
            "dag_run_id": dag_run.run_id,
            **({"task_group": manifest.task_group} if manifest.task_group else {}),
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


def _of_dag_run(manifest: FlowManifest, context: Context) -> dict[str, Any]:
    check_conf(manifest, context["dag_run"].conf or {})
    return {**context["params"], **event_parameters(manifest, context)}


def checked(manifest: FlowManifest, given: Mapping[str, Any]) -> dict[str, Any]:
    """Values that an operator was given, each seen to be one that its parameter takes.

    A text is read as JSON where the parameter takes none: templates render to texts.

    Raises:
        CommandException: A name is not that of a parameter, or a parameter does not take its value.
    """
    from airflow.providers.common.compat.sdk import ParamValidationError
    from airflow.sdk import Param

    check_conf(msgspec.structs.replace(manifest, editable_configs=()), given)
    specs = {spec.name: spec for spec in manifest.parameters}
    values = {name: _read(specs[name], value) for name, value in given.items()}
    for name, value in values.items():
        if value is None and not specs[name].required:
            continue
        try:
            Param(value, **specs[name].schema).resolve()
        except ParamValidationError as error:
            raise CommandException(
                f"The parameter '{name}' of {manifest.flow_name} does not take the {type(value).__name__} it was given: "
                f"{str(error).splitlines()[0]}.",
                fix="Give the operator or task group a value of the parameter's type.",
                where={"flow": manifest.flow_name, "parameter": name},
            ) from error
    return values


def _read(spec: ParameterSpec, value: Any) -> Any:
    types = spec.schema.get("type", "string")
    if not isinstance(value, str) or "string" in types:
        return value
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        return value


def _with_edited_configs(deployment: Deployment, params: Mapping[str, Any]) -> Deployment:
    edited = with_edited_configs(deployment.manifest, params)
    return deployment if edited is deployment.manifest else Deployment(edited)


def with_code(deployment: Deployment, ledger: Ledger) -> Deployment:
    """The deployment with its code in the store: a flow in the DAGs folder is packaged, and its packages locked, when a run starts.

    Raises:
        CommandException: The code is larger than ``package_max_mb``.
        InvalidEnvironmentException: The packages of a step cannot be met together.
    """
    manifest = deployment.manifest
    if manifest.code.digest or manifest.code.source == "bundle":
        return deployment
    from airflow_mlflow_provider.runtime.environments.locking import lock_for_deployment
    from airflow_mlflow_provider.runtime.environments.project import project_files
    from airflow_mlflow_provider.runtime.package import build_package

    file = Path(manifest.code.path)
    in_pods = any(manifest.step_compute(step) == "kubernetes" for step in manifest.graph.steps)
    package = build_package(
        file,
        with_runtime=in_pods,
        max_mb=int(manifest.settings.get("package_max_mb", 200)),
        contributions=project_files(manifest.environment, file),
    )
    ledger.put_code(package.digest, package.data)
    code = msgspec.structs.replace(manifest.code, digest=package.digest, script=package.script, path="")
    packaged = msgspec.structs.replace(manifest, code=code)
    return Deployment(lock_for_deployment(packaged, file, ledger.store, _LOGGER.info))


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
    names = [spec.name for spec in manifest.parameters] + list(manifest.editable_configs)
    unknown = sorted(set(conf) - set(names))
    if not unknown:
        return
    frozen = [name for name in unknown if name in manifest.configs]
    if frozen:
        raise CommandException(
            f"{', '.join(frozen)} of {manifest.flow_name} is a config: it was fixed when the flow was deployed.",
            fix="Deploy the flow again with another value of the config, or with --editable-config so that runs may set it.",
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
