"""From a flow to the manifest of its deployment, with the checks that only a deployment makes (X001-X012)."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.flow.decorators.projects import ProjectBranch, ProjectDecorator
from airflow_mlflow_provider.flow.decorators.schedules import ScheduleDecorator
from airflow_mlflow_provider.flow.preparation import flow_decorators
from airflow_mlflow_provider.flow.spec import FlowSpec
from airflow_mlflow_provider.plan.identity import dag_id
from airflow_mlflow_provider.plan.manifest import Compute, FlowManifest, Limits, Project, Schedule

# Configuration that decides what steps do, frozen into the deployment. Credentials are not: each machine has its own.
FROZEN_KEYS: Final = (
    "aws_conn_id",
    "compute_pools",
    "default_runtime_limit",
    "empty_foreach",
    "kubernetes_annotations",
    "kubernetes_conn_id",
    "kubernetes_image",
    "kubernetes_labels",
    "kubernetes_namespace",
    "kubernetes_service_account",
    "pod_deferrable",
    "pod_on_finish_action",
    "pod_startup_timeout_s",
    "runtime_image",
    "s3_endpoint_url",
    "timeout_grace_s",
)


class DeploymentOptions(msgspec.Struct, frozen=True):
    """What ``airflow create`` was asked for.

    Attributes:
        name: Name of the deployment instead of the flow's, ``None`` for the flow's.
        branch: ``--branch`` of ``@project``.
        production: ``--production`` of ``@project``.
        compute: Where steps run that do not say so themselves, ``None`` for what is configured.
        code: ``package`` or ``bundle``.
        tags: User tags of every run.
        limits: Caps.
        namespace: Namespace of the client in tasks, ``None`` for the deployment's own.
        paused: Whether the DAG is paused when Airflow first sees it.
        worker_pool: Airflow pool of every step that names none.
    """

    name: str | None = None
    branch: str | None = None
    production: bool = False
    compute: Compute | None = None
    tags: tuple[str, ...] = ()
    limits: Limits = Limits()
    namespace: str | None = None
    paused: bool = False
    worker_pool: str | None = None


def deployment_manifest(
    flow_class: type[FlowSpec],
    base: FlowManifest,
    options: DeploymentOptions,
    user: str,
    previous: FlowManifest | None = None,
) -> FlowManifest:
    """The manifest of a deployment, before its code package and token are known.

    Args:
        flow_class: The flow.
        base: Its manifest as a local run would have it.
        options: What was asked for.
        user: Who deploys.
        previous: What is deployed now; its start date is kept.

    Raises:
        CommandException: The flow cannot be deployed so; the message begins with the rule.
    """
    project = project_of(flow_class, base.flow_name, options, user)
    settings: dict[str, Any] = {key: get(key) for key in FROZEN_KEYS}
    if options.worker_pool:
        settings["worker_pool"] = options.worker_pool
    manifest = msgspec.structs.replace(
        base,
        dag_id=dag_id(project.flow_name if project else options.name or base.flow_name),
        project=project,
        schedule=_schedule(flow_class, previous),
        compute=options.compute or get("default_compute"),
        limits=options.limits,
        tags=options.tags,
        system_tags=(*base.system_tags, *(_project_tags(project))),
        namespace=options.namespace,
        deployer=user,
        paused_upon_creation=options.paused,
        settings={key: value for key, value in settings.items() if value not in (None, {}, "")},
    )
    for problem in _problems(manifest):
        raise problem
    return manifest


def project_of(
    flow_class: type[FlowSpec], flow_name: str, options: DeploymentOptions, user: str
) -> Project | None:
    """The project branch of a deployment, ``None`` without ``@project``.

    Raises:
        CommandException: ``--name`` was given as well (X002), or a branch without ``@project``.
    """
    decorator = next((d for d in flow_decorators(flow_class) if isinstance(d, ProjectDecorator)), None)
    if decorator is None:
        if options.branch or options.production:
            raise CommandException(
                f"The flow {flow_name} has no @project, and --branch or --production was given.",
                fix="Add @project(name=…) to the flow, or leave the option out.",
            )
        return None
    if options.name:
        raise CommandException(
            f"X002: --name cannot be combined with @project of {flow_name}.",
            fix="Use --branch to deploy the flow more than once.",
        )
    branch: ProjectBranch = decorator.resolve(
        flow_name, lambda: user, options.branch, options.production or None
    )
    return msgspec.convert(branch, Project, from_attributes=True)


def check_target(flow_file: Path, target: str) -> None:
    """Refuse to overwrite the flow with its DAG file (X001).

    Raises:
        CommandException: They are one file.
    """
    if "://" not in target and Path(target).resolve() == flow_file.resolve():
        raise CommandException(
            f"X001: the DAG file would overwrite the flow's own file {flow_file}.",
            fix="Give another FILE.",
            where={"file": target},
        )


def _schedule(flow_class: type[FlowSpec], previous: FlowManifest | None) -> Schedule | None:
    decorator = next((d for d in flow_decorators(flow_class) if isinstance(d, ScheduleDecorator)), None)
    resolved = decorator.resolve() if decorator else None
    if resolved is None:
        return None
    old = previous.schedule if previous else None
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    return Schedule(
        resolved.cron, resolved.timezone, old.start_date if old and old.start_date else now.isoformat()
    )


def _problems(manifest: FlowManifest) -> Iterator[CommandException]:
    yield from _unfilled_parameters(manifest)
    yield from _unreachable_store(manifest)


def _unfilled_parameters(manifest: FlowManifest) -> Iterator[CommandException]:
    if manifest.schedule is None and not manifest.triggers:
        return
    filled = {name for trigger in manifest.triggers for name in trigger.parameters}
    for spec in manifest.parameters:
        if spec.required and spec.name not in filled:
            yield CommandException(
                f"X003: the parameter '{spec.name}' is required, and nobody gives it a value when {manifest.flow_name} "
                "starts by itself.",
                fix="Give it a default, or remove the schedule or trigger.",
                where={"flow": manifest.flow_name, "parameter": spec.name},
            )


def _unreachable_store(manifest: FlowManifest) -> Iterator[CommandException]:
    if not manifest.store.startswith("file://"):
        return
    in_pods = [node.name for node in manifest.graph if manifest.step_compute(node.name) == "kubernetes"]
    fix = "Use a store that all machines reach (--datastore-root s3://…)"
    if in_pods and not _claims(manifest, in_pods):
        yield CommandException(
            f"X004: the artifacts are in {manifest.store}, which pods of {', '.join(in_pods)} cannot reach.",
            fix=f"{fix}, or mount the folder with persistent_volume_claims.",
            where={"flow": manifest.flow_name},
        )
    elif not get("datastore_shared"):
        yield CommandException(
            f"X004: the artifacts are in {manifest.store}, and nothing says that Airflow's workers see that folder.",
            fix=f"{fix}, or set datastore_shared = true (AIRFLOW__MLFLOW_PROVIDER__DATASTORE_SHARED) if they do.",
            where={"flow": manifest.flow_name},
        )


def _claims(manifest: FlowManifest, steps: list[str]) -> bool:
    specs = [manifest.graph[step].decorator("kubernetes") for step in steps]
    return all(spec is not None and spec.attributes.get("persistent_volume_claims") for spec in specs)


def _project_tags(project: Project | None) -> tuple[str, ...]:
    return () if project is None else (f"project:{project.name}", f"project_branch:{project.branch}")


def settings_shown(settings: Mapping[str, Any]) -> str:
    """Frozen settings in one line."""
    return ", ".join(f"{key}={value}" for key, value in sorted(settings.items()))
