"""What the routes answer: JSON made of records and previews; no artifact is ever unpickled for it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class TaskView(BaseModel):
    """A task of a step.

    Attributes:
        task: Task id.
        status: ``succeeded``, ``failed``, ``caught`` or ``running``.
        labels: Its foreach stack, for people.
        seconds: How long the attempt took.
        error: Why it failed.
        origin: Pathspec of the task that a resumed run took this one over from.
    """

    task: str
    status: str
    labels: list[str] = []
    seconds: float | None = None
    error: str = ""
    origin: str | None = None


class StepView(BaseModel):
    """A step of a run.

    Attributes:
        step: Name.
        doc: Docstring.
        tasks: How many tasks have begun or were taken over.
        taken_over: How many were taken over.
    """

    step: str
    doc: str = ""
    tasks: int = 0
    taken_over: int = 0


class RunView(BaseModel):
    """A run.

    Attributes:
        pathspec: ``Flow/run``.
        status: ``running``, ``succeeded``, ``failed`` or ``terminated``.
        reason: Why it ended so.
        parameters: Values by name.
        origin: Run id of the run that it resumes.
        code: Digest of its code.
        tags: User tags and system tags.
        steps: Its steps, in the order of the graph.
        may_resume: Whether the user may start a run of the DAG.
    """

    pathspec: str
    status: str
    reason: str = ""
    parameters: dict[str, Any] = {}
    origin: str | None = None
    code: str = ""
    tags: list[str] = []
    steps: list[StepView] = []
    may_resume: bool = False


class TaskPage(BaseModel):
    """A page of the tasks of a step.

    Attributes:
        tasks: The tasks, in the order of the splits.
        next: Offset of the next page, ``None`` on the last.
    """

    tasks: list[TaskView]
    next: int | None = None


class ArtifactView(BaseModel):
    """An artifact, as it was described when it was saved."""

    name: str
    type: str
    size: int
    digest: str
    preview: Any = None


class ResumePreview(BaseModel):
    """What resuming a run would do.

    Attributes:
        taken_over: Number of tasks taken over, by step.
        runs: Why each of the tasks runs that the new run starts with, by ``step/task``.
    """

    taken_over: dict[str, int]
    runs: dict[str, str]


class PreparedRun(BaseModel):
    """A resumed run whose records are in the store; it starts with the DAG run of this id.

    Attributes:
        dag_run_id: Id to trigger the DAG with.
        conf: Configuration to trigger it with.
        run: Its run id.
    """

    dag_run_id: str
    conf: dict[str, Any]
    run: str
