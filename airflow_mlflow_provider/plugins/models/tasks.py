"""The tasks of a step."""

from __future__ import annotations

from pydantic import BaseModel


class SplitLabel(BaseModel):
    """One open foreach or gang split of a task.

    Attributes:
        step: The step that opened it.
        var: The artifact that was split; ``None`` for a gang.
        index: Which split, from 0.
        label: Short text of the element.
    """

    step: str
    var: str | None
    index: int
    label: str


class TaskRow(BaseModel):
    """A task.

    Attributes:
        task: Task id.
        state: ``running``, ``succeeded``, ``failed``, ``caught``, or ``interrupted``: began and never ended.
        attempt: Number of its newest attempt.
        labels: Its foreach stack, outermost first.
        iteration: Iteration of a loop step.
        began_at: When that attempt began, in Unix seconds.
        seconds: How long it took.
        error: Why it failed, in one line.
        origin: Pathspec of the task that a resumed run took this one over from.
    """

    task: str
    state: str
    attempt: int
    labels: list[SplitLabel]
    iteration: int | None
    began_at: float | None
    seconds: float | None
    error: str
    origin: str | None


class SplitRow(BaseModel):
    """All tasks of one split of an outer foreach.

    Attributes:
        under: Beginning of their task ids; asks for what is inside.
        label: The split.
        counts: Number of tasks by state.
    """

    under: str
    label: SplitLabel
    counts: dict[str, int]


class TaskPage(BaseModel):
    """A page of the tasks of a step: those that failed first, then by split.

    Attributes:
        splits: Splits of an outer foreach, where the tasks of several levels were not asked for flat.
        tasks: Tasks.
        total: How many items there are on all pages.
        next: Cursor of the next page; empty on the last.
    """

    splits: list[SplitRow]
    tasks: list[TaskRow]
    total: int
    next: str


class AttemptView(BaseModel):
    """An attempt of a task.

    Attributes:
        attempt: Its number, from 0.
        state: As of a task.
        began_at: When it began, in Unix seconds.
        seconds: How long it took.
        error: Why it failed, in one line.
        traceback: As Python prints it.
        logs: Its streams that hold something.
        cards: Positions of its cards.
    """

    attempt: int
    state: str
    began_at: float | None
    seconds: float | None
    error: str
    traceback: str
    logs: list[str]
    cards: list[int]


class TaskReference(BaseModel):
    """A task that another came from.

    Attributes:
        pathspec: ``Flow/run/step/task``.
        step: Its step.
        task: Its task id.
        attempt: The attempt.
        is_own: Whether it belongs to this run, rather than to the one that was resumed.
    """

    pathspec: str
    step: str
    task: str
    attempt: int
    is_own: bool


class TaskView(BaseModel):
    """A task in full.

    Attributes:
        pathspec: ``Flow/run/step/task``.
        row: What a list says of it.
        attempts: Its attempts, oldest first.
        inputs: The first tasks whose artifacts it started from.
        input_count: How many there are.
        followed_by: The steps it chose to go on with.
        reads: Names of the artifacts and parameters that its code read.
        metadata: Facts by name: host, pod, Airflow's ids.
    """

    pathspec: str
    row: TaskRow
    attempts: list[AttemptView]
    inputs: list[TaskReference]
    input_count: int
    followed_by: list[str]
    reads: list[str]
    metadata: dict[str, str]
