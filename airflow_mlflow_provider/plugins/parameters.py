"""What addresses are made of, with the bounds that keep each answer small."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

MOST_ITEMS = 200

DagId = Annotated[str, Path(pattern=r"^[\w.-]+$", max_length=250, description="Id of the DAG.")]
DagRunId = Annotated[str, Path(max_length=250, description="Airflow's id of the DAG run.")]
Part = Annotated[
    str,
    Query(
        pattern=r"^[\w.-]*$",
        max_length=260,
        description="Which part of the DAG run, where it has runs of several flows: id of the task group or task.",
    ),
]
StepName = Annotated[
    str, Path(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=200, description="Name of the step.")
]
TaskId = Annotated[
    str, Path(pattern=r"^[a-z0-9-]+$", max_length=200, description="Task id, as in the pathspec.")
]
Attempt = Annotated[int, Path(ge=0, le=9999, description="Number of the attempt, from 0.")]
CardIndex = Annotated[int, Path(ge=0, le=99, description="Position among the attempt's cards.")]
Limit = Annotated[int, Query(ge=1, le=MOST_ITEMS, description="How many items to answer at most.")]
Cursor = Annotated[
    str, Query(max_length=300, description="`next` of the page before; empty for the first page.")
]
