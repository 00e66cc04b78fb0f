"""A run and its steps."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class StepOutline(BaseModel):
    """A step as the flow's graph has it; it does not change while the run goes on.

    Attributes:
        name: Name.
        kind: Type of the node, such as ``split-foreach``.
        next: Steps that may follow.
        doc: Docstring.
        frames: Steps that opened the foreach and gang splits it runs in, outermost first.
        has_cards: Whether it has ``@card``.
        decorators: Its decorators, as written.
    """

    name: str
    kind: str
    next: list[str]
    doc: str
    frames: list[str]
    has_cards: bool
    decorators: list[str]


class GivenParameter(BaseModel):
    """A parameter of a run.

    Attributes:
        name: Name.
        value: What the run has: what was given, else the default.
        is_given: Whether it is not the flow's default.
        help: For people.
        kind: ``value``, or ``file`` for an ``IncludeFile``.
    """

    name: str
    value: Any
    is_given: bool
    help: str
    kind: str


class RunView(BaseModel):
    """A run.

    Attributes:
        pathspec: ``Flow/run``.
        dag_id: The DAG.
        dag_run_id: Airflow's id of the DAG run.
        status: ``running``, ``succeeded``, ``failed`` or ``terminated``.
        reason: Why it ended so.
        created_at: When it was started, in Unix seconds.
        ended_at: When it ended.
        user: Who started it.
        parameters: Its parameters, in the order of the flow.
        configs: Values of the configs by name.
        origin: The run that it resumes.
        trigger: Events that started it.
        doc: The flow's docstring.
        code: Digest of its code; empty if its code is that of the DAG bundle.
        environment: Facts of where it ran, by name.
        tags: What users tagged it with.
        system_tags: Tags that stay.
        steps: Its steps, in the order of the graph.
        parts: In a DAG of somebody else's, the parts of the DAG run that are runs of flows; this is one of them.
        may_resume: Whether the user may start a run of the DAG, and the run has ended.
        may_edit: Whether the user may change the run's tags.
    """

    pathspec: str
    dag_id: str
    dag_run_id: str
    status: str
    reason: str
    created_at: float
    ended_at: float | None
    user: str
    parameters: list[GivenParameter]
    configs: dict[str, Any]
    origin: RunReference | None
    trigger: dict[str, Any]
    doc: str
    code: str
    environment: dict[str, str]
    tags: list[str]
    system_tags: list[str]
    steps: list[StepOutline]
    parts: list[str]
    may_resume: bool
    may_edit: bool


class RunReference(BaseModel):
    """Where another run is.

    Attributes:
        pathspec: ``Flow/run``.
        dag_id: Its DAG; ``None`` for a run outside of Airflow, and for a DAG that the user may not read.
        dag_run_id: Airflow's id of its DAG run.
    """

    pathspec: str
    dag_id: str | None = None
    dag_run_id: str | None = None


class StepStatus(BaseModel):
    """How the tasks of a step stand.

    Attributes:
        name: Name of the step.
        counts: Number of tasks by state: ``running``, ``succeeded``, ``failed``, ``caught``, ``interrupted``.
        taken_over: How many of them a resumed run took over.
        began_at: When the first of those that ran in this run began, in Unix seconds.
        ended_at: When the last of them ended.
    """

    name: str
    counts: dict[str, int]
    taken_over: int
    began_at: float | None
    ended_at: float | None


class RunProgress(BaseModel):
    """How far a run is.

    Attributes:
        status: Of the run.
        steps: Its steps that have begun, in the order of the graph.
    """

    status: str
    steps: list[StepStatus]
