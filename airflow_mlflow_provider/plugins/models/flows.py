"""Flows, and the runs of one."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class RunMark(BaseModel):
    """A run in a row of runs.

    Attributes:
        run: Run id.
        dag_run_id: Airflow's id of it.
        status: ``running``, ``succeeded``, ``failed`` or ``terminated``.
        created_at: When it was started, in Unix seconds.
        seconds: How long it took.
    """

    run: str
    dag_run_id: str
    status: str
    created_at: float
    seconds: float | None


class FlowRow(BaseModel):
    """A flow that is deployed as a DAG.

    Attributes:
        dag_id: The DAG.
        flow: Name of its class.
        doc: First line of its docstring.
        owner: Who deployed it.
        schedule: When it runs; empty if only when it is started.
        tags: Tags of its runs.
        step_count: How many steps it has.
        runs: Its last runs, newest first.
    """

    dag_id: str
    flow: str
    doc: str
    owner: str
    schedule: str
    tags: list[str]
    step_count: int
    runs: list[RunMark]


class FlowPage(BaseModel):
    """A page of the flows that the user may read, by DAG.

    Attributes:
        flows: The flows.
        total: How many there are on all pages.
        next: Cursor of the next page; empty on the last.
    """

    flows: list[FlowRow]
    total: int
    next: str


class RunRow(BaseModel):
    """A run with what is compared.

    Attributes:
        mark: Which run, and how it went.
        started_by: Who started it.
        tags: What users tagged it with.
        parameters: Values by name.
        metrics: The numbers among the artifacts of its end step.
    """

    mark: RunMark
    started_by: str
    tags: list[str]
    parameters: dict[str, Any]
    metrics: dict[str, float]


class RunPage(BaseModel):
    """A page of the runs of a DAG, newest first.

    Attributes:
        runs: The runs.
        next: Cursor of the next page; empty on the last.
    """

    runs: list[RunRow]
    next: str


class ComparedRow(BaseModel):
    """One fact of all runs that are compared.

    Attributes:
        name: Name of the fact.
        values: Its value in each run.
        differs: Whether the runs do not all have the same.
    """

    name: str
    values: list[Any]
    differs: bool


class ComparisonView(BaseModel):
    """Runs side by side.

    Attributes:
        runs: The runs, in the order that was asked for.
        parameters: Their parameters and configs.
        metrics: The numbers among the artifacts of their end steps.
        seconds: How long each step took.
        circumstances: What they ran with.
    """

    runs: list[RunMark]
    parameters: list[ComparedRow]
    metrics: list[ComparedRow]
    seconds: list[ComparedRow]
    circumstances: list[ComparedRow]


class NumericArtifacts(BaseModel):
    """The numbers among a flow's artifacts.

    Attributes:
        steps: Their names by step, as in the newest run that succeeded, or else in the newest.
    """

    steps: dict[str, list[str]]


class TrendPointView(BaseModel):
    """An artifact in one run.

    Attributes:
        run: Run id.
        dag_run_id: Airflow's id of it.
        created_at: When the run was started, in Unix seconds.
        mean: The number; of a step with several tasks, their mean.
        lowest: The lowest of them.
        highest: The highest of them.
        tasks: Of how many tasks.
    """

    run: str
    dag_run_id: str
    created_at: float
    mean: float
    lowest: float
    highest: float
    tasks: int


class TrendView(BaseModel):
    """A number from run to run.

    Attributes:
        step: The step.
        name: Name of the artifact.
        points: A point for each run that has it, oldest first.
    """

    step: str
    name: str
    points: list[TrendPointView]


class StepReuseView(BaseModel):
    """What the cache did for a step of a run.

    Attributes:
        step: Name of the step.
        hits: How many tasks took over a result.
        looked: How many looked for one.
        why: Why others did not, the most frequent reason first.
    """

    step: str
    hits: int
    looked: int
    why: list[str]


class RunReuse(BaseModel):
    """What the cache did for a run.

    Attributes:
        mark: The run.
        steps: Its steps with ``@cache``.
    """

    mark: RunMark
    steps: list[StepReuseView]


class ReuseView(BaseModel):
    """What the cache did for the last runs of a flow.

    Attributes:
        steps: Names of the steps with ``@cache`` in the flow as it is deployed.
        runs: The runs, newest first; empty where no step has it.
    """

    steps: list[str]
    runs: list[RunReuse]
