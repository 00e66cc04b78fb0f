"""From a manifest to an Airflow DAG: a pure function, without any code of the user's.

Each unit of the plan becomes one task. Units inside a foreach become mapped ones: a mapped task where a group has one
unit, a mapped task group otherwise, expanded over the list that the split's task returns, or that a planning task
gathers where the split itself runs once per index path.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG

from airflow_mlflow_provider.dag.arguments import step_arguments
from airflow_mlflow_provider.dag.notifying import told_of_end
from airflow_mlflow_provider.dag.parameters import airflow_params
from airflow_mlflow_provider.dag.schedule import schedule, start_date
from airflow_mlflow_provider.dag.sealing import seal_failed_run
from airflow_mlflow_provider.dag.sensors import sensors
from airflow_mlflow_provider.operators.asset_events import finish_assets
from airflow_mlflow_provider.operators.planning import PlanningOperator
from airflow_mlflow_provider.operators.step import FlowStepOperator
from airflow_mlflow_provider.plan.deployment import DEFAULT_EXIT_HOOK_TIMEOUT, Deployment
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.plan.units import Group, planning_task

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, XComArg
    from airflow.sdk.definitions.mappedoperator import MappedOperator

    Task = BaseOperator | MappedOperator

# What Airflow's database holds of a tag.
_TAG_LENGTH = 100


def build_dag(manifest: FlowManifest) -> DAG:
    """The DAG of a flow.

    Args:
        manifest: What was deployed.

    Raises:
        CommandException: The manifest asks for something that this Airflow cannot do; the message says what.
    """
    dag = DAG(**_dag_arguments(manifest))
    with dag:
        TaskBuilder(Deployment(manifest)).build()
    return dag


def _dag_arguments(manifest: FlowManifest) -> dict[str, Any]:
    graph, limits = manifest.graph, manifest.limits
    arguments: dict[str, Any] = {
        "dag_id": manifest.dag_id,
        "description": graph.doc.strip().partition("\n")[0][:500] or None,
        "doc_md": graph.doc.strip() or None,
        "schedule": schedule(manifest),
        "start_date": start_date(manifest),
        "catchup": False,
        "params": airflow_params(manifest),
        "tags": sorted({tag[:_TAG_LENGTH] for tag in (*manifest.tags, *_project_tags(manifest))}),
        "max_active_tasks": limits.max_workers,
        "is_paused_upon_creation": manifest.paused_upon_creation,
        "on_failure_callback": [
            partial(seal_failed_run, manifest),
            *told_of_end(manifest, manifest.notify_on_error),
        ],
        "on_success_callback": told_of_end(manifest, manifest.notify_on_success) or None,
    }
    if limits.workflow_timeout is not None:
        arguments["dagrun_timeout"] = timedelta(seconds=limits.workflow_timeout)
    if (max_active_runs := manifest.settings.get("max_active_runs")) is not None:
        arguments["max_active_runs"] = max_active_runs
    return arguments


def _project_tags(manifest: FlowManifest) -> tuple[str, ...]:
    if manifest.project is None:
        return ()
    return f"project:{manifest.project.name}", f"project_branch:{manifest.project.branch}"


class TaskBuilder:
    """Makes the tasks of a flow in the current DAG, or in the current task group of one.

    Args:
        deployment: The flow.
        parameters: Values of the flow's parameters in a task group, which has no trigger form; ``None`` in a DAG of the
            flow's own.
    """

    def __init__(self, deployment: Deployment, parameters: Mapping[str, Any] | None = None) -> None:
        self._deployment = deployment
        self._plan = deployment.plan
        self._parameters = parameters
        self._tasks: dict[str, Task] = {}
        self._lists: dict[str, XComArg] = {}

    def build(self) -> dict[str, Task]:
        """Make all tasks and their dependencies; the tasks of the steps, by the names of their units."""
        for unit in self._plan.plain:
            self._tasks[unit.name] = FlowStepOperator(**self._arguments(unit.name))
        for group in self._plan.groups:
            self._expand(group)
        for unit in self._plan.units.values():
            self._tasks[unit.name].set_upstream([self._tasks[name] for name in unit.after])
        start = self._tasks[self._plan.unit_of(self._deployment.manifest.graph.start).name]
        start.set_upstream(sensors(self._deployment.manifest))
        self._add_exit_hooks()
        return self._tasks

    def _add_exit_hooks(self) -> None:
        """One task after the other; each waits for all steps, as the end gives up before slower branches have ended."""
        manifest = self._deployment.manifest
        if not manifest.exit_hooks:
            return
        from airflow_mlflow_provider.operators.exit_hook import FlowExitHookOperator

        timeout = float(manifest.settings.get("exit_hook_timeout_s", DEFAULT_EXIT_HOOK_TIMEOUT))
        before: list[Task] = list(self._tasks.values())
        for number, hook in enumerate(manifest.exit_hooks, 1):
            task = FlowExitHookOperator(
                task_id=f"exit-hook-{number}", deployment=self._deployment, hook=hook, timeout=timeout
            )
            task.set_upstream(before)
            before = [*before, task]

    def _expand(self, group: Group) -> None:
        split = self._list(group.frames[-1])
        if len(group.units) == 1:
            (name,) = group.units
            self._tasks[name] = FlowStepOperator.partial(**self._arguments(name)).expand(split=split)
            return

        from airflow.sdk import task_group  # a cost that flows without groups need not pay

        @task_group(group_id=group.name, prefix_group_id=False, tooltip=self._tooltip(group))
        def body(split: XComArg) -> None:
            for name in group.units:
                # The group gives its tasks no prefix, neither its own nor that of the group around it.
                ids = {"task_id": self._deployment.manifest.airflow_task(name)}
                self._tasks[name] = FlowStepOperator(split=split, **(self._arguments(name) | ids))

        body.expand(split=split)

    def _list(self, split: str) -> XComArg:
        """The list of index paths that the scope below ``split`` is expanded over; shared by all of its stages."""
        if split not in self._lists:
            opener = self._tasks[self._plan.unit_of(split).name]
            if split in self._plan.planned:
                planning = PlanningOperator(
                    task_id=planning_task(split),
                    deployment=self._deployment,
                    split=self._plan.unit_of(split).name,
                    trigger_rule="all_done",
                )
                planning.set_upstream(opener)
                opener = planning
            self._lists[split] = opener.output
        return self._lists[split]

    def _arguments(self, name: str) -> dict[str, Any]:
        unit, manifest = self._plan.units[name], self._deployment.manifest
        arguments = {
            "deployment": self._deployment,
            "unit": unit.name,
            **step_arguments(self._deployment, unit),
        }
        if manifest.graph.end in unit.steps:
            arguments["outlets"] = finish_assets(manifest)
        if self._parameters is not None and manifest.graph.start in unit.steps:
            arguments["parameters"] = dict(self._parameters)
        return arguments

    def _tooltip(self, group: Group) -> str:
        splits = (self._deployment.manifest.graph[frame] for frame in group.frames)
        return "once per element of " + ", ".join(
            f"{node.transition.foreach} ({node.name})" for node in splits if node.transition
        )
