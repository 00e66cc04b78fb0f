"""From a task instance of Airflow to the tasks that it stands for."""

from __future__ import annotations

from airflow.configuration import conf

from airflow_mlflow_provider.deploy.instances import Instance, instance_of
from airflow_mlflow_provider.plan.deployment import Deployment
from airflow_mlflow_provider.plan.identity import parse_task_id
from airflow_mlflow_provider.plugins.models.instances import InstanceTask, InstanceView
from airflow_mlflow_provider.plugins.reading.labels import Labels
from airflow_mlflow_provider.plugins.reading.parts import steps_of_task
from airflow_mlflow_provider.plugins.reading.run import RunReader

_MOST_TASKS = 500


def instance_view(run: RunReader, task_id: str, map_index: int) -> InstanceView:
    """What a task instance stands for.

    Args:
        run: Its run.
        task_id: Airflow's id of the task.
        map_index: Index of the mapped instance, -1 for one that is not mapped.
    """
    deployment = Deployment(run.manifest)
    width = min(run.manifest.limits.max_map_width, conf.getint("core", "max_map_length"))
    name = _unit_name(run, deployment, task_id)
    found = instance_of(run.ledger, deployment, run.run, name, map_index, width)
    tasks = _tasks(run, found) if found else []
    return InstanceView(
        run=f"{run.flow}/{run.run}",
        label=found.label if found else "",
        steps=list(found.unit.steps) if found else [],
        tasks=tasks[:_MOST_TASKS],
        task_count=len(tasks),
        note="" if tasks else _why_none(task_id, found, deployment),
    )


def _unit_name(run: RunReader, deployment: Deployment, task_id: str) -> str:
    """What the flow's own DAG calls the task; in another one it may be in a group, or be called as its author liked."""
    if run.parts:
        own = task_id.removeprefix(f"{run.manifest.task_group}.")
        told = () if own in deployment.plan.units else steps_of_task(run.dag_id, run.dag_run_id, task_id)
        return next((deployment.plan.unit_of(step).name for step in told if step in run.graph), own)
    return task_id


def _tasks(run: RunReader, instance: Instance) -> list[InstanceTask]:
    begun = set(run.ledger.steps(run.flow, run.run))
    return [
        InstanceTask(
            step=step,
            task=task.key.task,
            state=run.state(task),
            labels=labels.of(task.key.task),
            iteration=parse_task_id(task.key.task)[1],
            is_taken_over=task.key.run != run.run,
        )
        for step, labels in ((step, Labels(run, step)) for step in instance.unit.steps if step in begun)
        for task in run.survey(step)
        if instance.holds(task.key.task)
    ]


def _why_none(task_id: str, instance: Instance | None, deployment: Deployment) -> str:
    if instance is not None:
        return "It has not begun, or a switch took another way."
    if task_id in deployment.plan.units:
        return "The split that this task is mapped over has not opened it."
    if task_id.startswith("plan-"):
        return "This task runs no step: it lists the splits that the next level of a foreach is mapped over."
    return "This task runs no step of the flow."
