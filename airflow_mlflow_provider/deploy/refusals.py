"""What a deployment refuses and a local run does not mind (X003 to X010), all of it found together."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.exception import LintIssue
from airflow_mlflow_provider.flow.decorators.base import Decorator, Problem
from airflow_mlflow_provider.flow.decorators.checks import deployment_findings
from airflow_mlflow_provider.flow.decorators.events import DeploymentNames
from airflow_mlflow_provider.flow.decorators.schedules import ScheduleDecorator
from airflow_mlflow_provider.flow.preparation import flow_decorators, step_decorators
from airflow_mlflow_provider.flow.spec import FlowSpec
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.runtime.environments.requests import undeclared_environment

# What Airflow needs for a decorator, beside itself.
_PROVIDERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "airflow_external_task_sensor": "apache-airflow-providers-standard",
        "airflow_s3_key_sensor": "apache-airflow-providers-amazon",
        "kubernetes": "apache-airflow-providers-cncf-kubernetes",
    }
)
_STARTERS: Final = ("schedule", "trigger", "trigger_on_finish")


def decorator_refusals(flow_class: type[FlowSpec], names: DeploymentNames) -> list[LintIssue]:
    """What is wrong with decorators once the flow is to be deployed (X006 to X010).

    Args:
        flow_class: The flow.
        names: What names in triggers are resolved against.
    """
    return [*deployment_findings(flow_class, names), *_missing_providers(flow_class)]


def manifest_refusals(flow_class: type[FlowSpec], manifest: FlowManifest) -> list[LintIssue]:
    """What Airflow could not do with the flow as a whole (X003, X004, X005).

    Args:
        flow_class: The flow.
        manifest: What is to be deployed.
    """
    return [
        *_unfilled_parameters(flow_class, manifest),
        *_unreachable_store(manifest),
        *_uninstalled_packages(flow_class, manifest),
    ]


def _missing_providers(flow_class: type[FlowSpec]) -> Iterator[LintIssue]:
    # A laptop without Airflow cannot tell; Airflow then shows the import error of the DAG file.
    if not (_installed("apache-airflow-core") or _installed("apache-airflow")):
        return
    told: set[str] = set()
    for decorator, step in _decorators(flow_class):
        distribution = _PROVIDERS.get(decorator.name, "")
        if not distribution or distribution in told or _installed(distribution):
            continue
        told.add(distribution)
        problem = Problem(
            "X010",
            f"@{decorator.name} needs the Airflow provider {distribution}, which is not installed here.",
            f"Install {distribution} here and where Airflow runs, or remove the decorator.",
        )
        yield decorator.issue(problem, step)


def _decorators(flow_class: type[FlowSpec]) -> Iterator[tuple[Decorator, str | None]]:
    from airflow_mlflow_provider.flow.effective import step_functions

    for step in step_functions(flow_class):
        yield from ((decorator, step) for decorator in step_decorators(flow_class, step))
    yield from ((decorator, None) for decorator in flow_decorators(flow_class))


def _installed(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _unfilled_parameters(flow_class: type[FlowSpec], manifest: FlowManifest) -> Iterator[LintIssue]:
    starters = [decorator for decorator in flow_decorators(flow_class) if decorator.name in _STARTERS]
    if manifest.schedule is None and not manifest.triggers:
        return
    # A timetable fills nothing, whatever events fill when they are what starts the run.
    fillers = manifest.triggers if manifest.schedule is None else ()
    filled = {name for trigger in fillers for name in trigger.parameters}
    timed = [decorator for decorator in starters if isinstance(decorator, ScheduleDecorator)]
    blamed = timed[0] if timed and manifest.schedule is not None else starters[0]
    for spec in manifest.parameters:
        if spec.required and spec.name not in filled:
            yield blamed.issue(
                Problem(
                    "X003",
                    f"The parameter '{spec.name}' is required, and nobody gives it a value when {manifest.flow_name} "
                    f"starts by @{blamed.name}.",
                    "Give it a default, or remove the schedule or trigger.",
                )
            )


def _unreachable_store(manifest: FlowManifest) -> Iterator[LintIssue]:
    if not manifest.store.startswith("file://"):
        return
    in_pods = [node.name for node in manifest.graph if manifest.step_compute(node.name) == "kubernetes"]
    fix = "Use a store that all machines reach (--datastore-root s3://…)"
    if in_pods and not _claims(manifest, in_pods):
        yield _issue_of_store(
            manifest,
            f"The artifacts are in {manifest.store}, which pods of {', '.join(in_pods)} cannot reach.",
            f"{fix}, or mount the folder with persistent_volume_claims.",
            in_pods[0],
        )
    elif not get("datastore_shared"):
        yield _issue_of_store(
            manifest,
            f"The artifacts are in {manifest.store}, and nothing says that Airflow's workers see that folder.",
            f"{fix}, or set datastore_shared = true (AIRFLOW__MLFLOW_PROVIDER__DATASTORE_SHARED) if they do.",
            None,
        )


def _uninstalled_packages(flow_class: type[FlowSpec], manifest: FlowManifest) -> Iterator[LintIssue]:
    undeclared = undeclared_environment(manifest)
    told: set[Decorator] = set()
    for decorator, step in _decorators(flow_class):
        blamed = step in undeclared if step else decorator.name in undeclared.values()
        if decorator.name not in ("pypi", "pypi_base") or not blamed or decorator in told:
            continue
        told.add(decorator)
        yield decorator.issue(
            Problem(
                "X005",
                f"@{decorator.name}{f' of step {step}' if step else ''} is deployed with --environment local, which "
                "installs nothing.",
                "Put --environment pypi before the command, or set default_environment = pypi.",
            ),
            step,
        )


def _issue_of_store(manifest: FlowManifest, message: str, fix: str, step: str | None) -> LintIssue:
    node = manifest.graph[step or manifest.graph.start]
    return LintIssue("X004", "E", node.file or manifest.graph.file, node.line or 1, 1, step, message, fix)


def _claims(manifest: FlowManifest, steps: list[str]) -> bool:
    specs = [manifest.graph[step].decorator("kubernetes") for step in steps]
    return all(spec is not None and spec.attributes.get("persistent_volume_claims") for spec in specs)
