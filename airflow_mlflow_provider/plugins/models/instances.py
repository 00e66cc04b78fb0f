"""A task instance of Airflow: the tasks that it stands for, what they started from and ran in."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from airflow_mlflow_provider.plugins.models.tasks import SplitLabel


class InstanceTask(BaseModel):
    """A task that a task instance runs.

    Attributes:
        step: Its step.
        task: Its task id.
        state: As of a task.
        labels: Its foreach stack, outermost first.
        iteration: Iteration of a loop step.
        is_taken_over: Whether a resumed run took it over, and the instance ran nothing for it.
    """

    step: str
    task: str
    state: str
    labels: list[SplitLabel]
    iteration: int | None
    is_taken_over: bool


class InstanceView(BaseModel):
    """What a task instance stands for.

    Attributes:
        run: Pathspec of its run.
        label: What Airflow shows instead of the map index.
        steps: The steps that it runs, in order; empty for a task that runs none.
        tasks: The first of its tasks: one; several for a loop, a gang, a chain of steps, or a shard of a wide foreach.
        task_count: How many there are.
        note: Why there is none.
    """

    run: str
    label: str
    steps: list[str]
    tasks: list[InstanceTask]
    task_count: int
    note: str


class TaskPlace(BaseModel):
    """Where a task is, in the store and in Airflow.

    Attributes:
        pathspec: ``Flow/run/step/task``.
        dag_id: Its DAG; ``None`` for a task that ran outside of Airflow, and in a DAG that the user may not read.
        dag_run_id: Airflow's id of its DAG run.
        task_id: Airflow's id of the task.
        map_index: Index of the mapped instance, -1 for one that is not mapped.
    """

    pathspec: str
    dag_id: str | None = None
    dag_run_id: str | None = None
    task_id: str | None = None
    map_index: int = -1


class InputArtifact(BaseModel):
    """An artifact that a task started from.

    Attributes:
        name: Name.
        type: Qualified name of the value's type.
        size: Bytes of the serialised value.
        preview: Bounded description made when it was saved.
        made_by: The task that made it; ``None`` for what the run was given, and where it is not known.
        is_given: Whether the run was given it: a parameter, a config or a constant.
        was_read: Whether the task's code read it.
    """

    name: str
    type: str
    size: int
    preview: dict[str, Any] | None
    made_by: TaskPlace | None
    is_given: bool
    was_read: bool


class InputPage(BaseModel):
    """What a task started from.

    Attributes:
        artifacts: Artifacts that it inherited, by name; of a join, those that its inputs agreed on.
        read_from_inputs: Names that a join read from its inputs.
        total: How many artifacts there are on all pages.
        next: Cursor of the next page; empty on the last.
    """

    artifacts: list[InputArtifact]
    read_from_inputs: list[str]
    total: int
    next: str


class CacheVerdict(BaseModel):
    """What the cache did for a task.

    Attributes:
        is_hit: Whether it gave the task its result.
        why: Why, or why not.
        task: The task whose result it is.
    """

    is_hit: bool
    why: str
    task: TaskPlace | None


class Circumstances(BaseModel):
    """What a task ran in, and how to run it again.

    Attributes:
        facts: Where it ran, by name.
        decorators: Its decorators with their arguments, as written; those that may hold secrets by name only.
        packages: Versions of the packages of its environment, by name, where it has one of its own.
        cache: What the cache did, for a step with ``@cache``.
        origin: The task that a resumed run took this one over from.
        spin: Command that runs the step again on the same inputs, on one's own machine; empty if that cannot be.
        spin_note: What is to be known of it, or why it cannot be.
    """

    facts: dict[str, str]
    decorators: list[str]
    packages: dict[str, str]
    cache: CacheVerdict | None
    origin: TaskPlace | None
    spin: str
    spin_note: str
