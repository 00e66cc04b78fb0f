"""What a task started from: its artifacts, and which task made each."""

from __future__ import annotations

from airflow_mlflow_provider.client.provenance import artifact_origins
from airflow_mlflow_provider.exception import MetaflowException
from airflow_mlflow_provider.plan.identity import PARAMETERS_STEP, ROOT_TASK_ID, parse_task_id
from airflow_mlflow_provider.plugins.models.instances import InputArtifact, InputPage
from airflow_mlflow_provider.plugins.reading.places import Places
from airflow_mlflow_provider.plugins.reading.run import RunReader
from airflow_mlflow_provider.runtime.bound_task import EVERYTHING
from airflow_mlflow_provider.runtime.parents import chosen_parents
from airflow_mlflow_provider.store.records import DoneRecord


def input_page(
    run: RunReader, step: str, task: str, record: DoneRecord | None, places: Places, cursor: str, limit: int
) -> InputPage:
    """A page of the artifacts that a task started from: those first that its code read.

    Args:
        run: The run.
        step: Name of the step.
        task: Task id.
        record: How the task ended; ``None`` while it runs, when nothing is known of what it reads.
        places: Finds the tasks that made them.
        cursor: Where the page before ended.
        limit: How many to answer at most.
    """
    before = _before(run, step, task, record)
    reads = set(record.reads) if record else set()
    artifacts = before.artifacts if before else {}
    places_of = {
        name: f"{int(not _is_read(name, reads))}{name}" for name in artifacts if not name.startswith("_")
    }
    rest = sorted(place for place in places_of.values() if place > cursor)
    names = [place[1:] for place in rest[:limit]]
    origins = artifact_origins(run.ledger, before, names) if before else {}
    is_join = before is not None and before.key.step == PARAMETERS_STEP and step != run.graph.start
    return InputPage(
        artifacts=[
            InputArtifact(
                name=name,
                type=artifacts[name].type,
                size=artifacts[name].size,
                preview=artifacts[name].preview if isinstance(artifacts[name].preview, dict) else None,
                made_by=places.of(maker)
                if (maker := origins[name].made_by) and not origins[name].is_given
                else None,
                is_given=origins[name].is_given,
                was_read=_is_read(name, reads),
            )
            for name in names
        ],
        read_from_inputs=sorted(reads - set(artifacts) - {EVERYTHING}) if is_join else [],
        total=len(places_of),
        next=rest[limit - 1] if len(rest) > limit else "",
    )


def _is_read(name: str, reads: set[str]) -> bool:
    return name in reads or EVERYTHING in reads


def _before(run: RunReader, step: str, task: str, record: DoneRecord | None) -> DoneRecord | None:
    """The record whose artifacts the task inherited: of its one parent, else of what the run was given."""
    node, ledger = run.graph[step], run.ledger
    if not node.has_inputs:
        if record is not None and record.parents:
            return ledger.done(record.parents[0])
        if record is None and step != run.graph.start:
            return _parent(run, step, task)
    return ledger.newest_done(run.flow, run.run, PARAMETERS_STEP, ROOT_TASK_ID)


def _parent(run: RunReader, step: str, task: str) -> DoneRecord | None:
    """The parent of a task that still runs."""
    try:
        found = chosen_parents(run.ledger, run.graph, run.run, step, parse_task_id(task)[0])
    except MetaflowException:
        return None
    return found[0] if found else None
