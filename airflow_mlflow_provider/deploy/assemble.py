"""From a flow to the manifest of its deployment, with the checks that only a deployment makes (X001-X012)."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.deploy.refusals import decorator_refusals, manifest_refusals
from airflow_mlflow_provider.exception import CommandException, LintWarn
from airflow_mlflow_provider.flow.decorators.events import (
    DeploymentNames,
    TriggerDecorator,
    TriggerOnFinishDecorator,
)
from airflow_mlflow_provider.flow.decorators.projects import ProjectBranch, ProjectDecorator
from airflow_mlflow_provider.flow.decorators.schedules import ScheduleDecorator
from airflow_mlflow_provider.flow.finish_asset import finish_asset
from airflow_mlflow_provider.flow.preparation import flow_decorators
from airflow_mlflow_provider.flow.spec import FlowSpec
from airflow_mlflow_provider.plan.identity import dag_id
from airflow_mlflow_provider.plan.manifest import (
    Compute,
    EventTrigger,
    FlowManifest,
    Limits,
    Project,
    Schedule,
)
from airflow_mlflow_provider.runtime.assemble import parameter_context
from airflow_mlflow_provider.runtime.exit_hooks import exit_hooks

# Configuration that decides what steps do, frozen into the deployment. Credentials are not: each machine has its own.
FROZEN_KEYS: Final = (
    "aws_conn_id",
    "compute_pools",
    "default_runtime_limit",
    "empty_foreach",
    "exit_hook_timeout_s",
    "kubernetes_annotations",
    "kubernetes_conn_id",
    "kubernetes_image",
    "kubernetes_labels",
    "kubernetes_namespace",
    "kubernetes_service_account",
    "pod_deferrable",
    "pod_on_finish_action",
    "warm_pod_idle_s",
    "warm_pods",
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
        tags: User tags of every run.
        limits: Caps.
        namespace: Namespace of the client in tasks, ``None`` for the deployment's own.
        paused: Whether the DAG is paused when Airflow first sees it.
        worker_pool: Airflow pool of every step that names none.
        notify_on_error: Airflow connection of the web hook to tell of failed runs.
        notify_on_success: The same for runs that succeeded.
        fuse: Whether chains of steps that need the same machine and attempts run as one Airflow task.
        editable_configs: Names of configs to which runs may give another value.
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
    notify_on_error: str | None = None
    notify_on_success: str | None = None
    fuse: bool = False
    editable_configs: tuple[str, ...] = ()


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
        LintWarn: Airflow could not run the flow so; ``issues`` holds everything that stands against it.
        CommandException: Options do not go together (X002), or a config does not exist.
    """
    project = project_of(flow_class, base.flow_name, options, lambda: user)
    names = _names(base, project, user)
    issues = decorator_refusals(flow_class, names)
    deployable = not issues
    settings: dict[str, Any] = {key: get(key) for key in FROZEN_KEYS}
    if options.worker_pool:
        settings["worker_pool"] = options.worker_pool
    if options.fuse:
        settings["fuse"] = True
    manifest = msgspec.structs.replace(
        base,
        dag_id=dag_id(project.flow_name if project else options.name or base.flow_name),
        project=project,
        # What cannot be resolved is among the issues already.
        schedule=_schedule(flow_class, previous) if deployable else None,
        triggers=tuple(_triggers(flow_class, names)) if deployable else (),
        exit_hooks=exit_hooks(flow_class),
        compute=options.compute or get("default_compute"),
        limits=options.limits,
        tags=options.tags,
        system_tags=(*base.system_tags, *(_project_tags(project))),
        namespace=options.namespace,
        editable_configs=_checked_configs(base, options.editable_configs),
        deployer=user,
        paused_upon_creation=options.paused,
        notify_on_error=options.notify_on_error or "",
        notify_on_success=options.notify_on_success or "",
        settings={key: value for key, value in settings.items() if value not in (None, {}, "")},
    )
    issues += manifest_refusals(flow_class, manifest)
    if issues:
        raise LintWarn(issues=issues)
    return manifest


def project_of(
    flow_class: type[FlowSpec], flow_name: str, options: DeploymentOptions, user: Callable[[], str]
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
    branch: ProjectBranch = decorator.resolve(flow_name, user, options.branch, options.production or None)
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


def _triggers(flow_class: type[FlowSpec], names: DeploymentNames) -> Iterator[EventTrigger]:
    for decorator in flow_decorators(flow_class):
        if isinstance(decorator, TriggerDecorator):
            yield from (EventTrigger(event.name, event.parameters) for event in decorator.resolve(names))
        elif isinstance(decorator, TriggerOnFinishDecorator):
            yield from (EventTrigger(finish_asset(flow), kind="run") for flow in decorator.resolve(names))


def _names(base: FlowManifest, project: Project | None, user: str) -> DeploymentNames:
    return DeploymentNames(
        parameter_context(base.flow_name, user, base.store, base.configs),
        [spec.name for spec in base.parameters],
        list(base.configs),
        None if project is None else msgspec.convert(project, ProjectBranch, from_attributes=True),
    )


def _checked_configs(base: FlowManifest, names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in base.configs:
            raise CommandException(
                f"{base.flow_name} has no config '{name}' that runs could edit; it has "
                f"{', '.join(base.configs) or 'none'}.",
                fix="Give --editable-config the name of a Config.",
                where={"flow": base.flow_name, "config": name},
            )
    return tuple(dict.fromkeys(names))


def _project_tags(project: Project | None) -> tuple[str, ...]:
    return () if project is None else (f"project:{project.name}", f"project_branch:{project.branch}")


def settings_shown(settings: Mapping[str, Any]) -> str:
    """Frozen settings in one line."""
    return ", ".join(f"{key}={value}" for key, value in sorted(settings.items()))
