"""Finding runs and artifacts by what people write, from records alone: nothing is unpickled, no code of a flow is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from airflow_mlflow_provider.exception import MetaflowInvalidPathspec, MetaflowNotFound, ObjectNotFound
from airflow_mlflow_provider.plan.identity import ROOT_TASK_ID
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import ArtifactEntry, RunRecord, run_prefix

LATEST = "latest"
LATEST_SUCCESSFUL = "latest-successful"


class FoundArtifact(NamedTuple):
    """What a reference led to.

    Attributes:
        reference: As it was written.
        pathspec: ``Flow/run/step/task/artifact`` as far as it is known.
        entry: The artifact; ``None`` if there is none, yet.
    """

    reference: str
    pathspec: str
    entry: ArtifactEntry | None

    def require(self) -> FoundEntry:
        """The artifact, which has to be there.

        Raises:
            MetaflowNotFound: It is not.
        """
        if self.entry is None:
            raise MetaflowNotFound(
                f"There is no artifact {self.reference}: {self.pathspec} has none.",
                fix="Check the pathspec, and that the task has finished.",
                where={"pathspec": self.reference},
            )
        return FoundEntry(self.pathspec, self.entry)


class FoundEntry(NamedTuple):
    """An artifact that is there."""

    pathspec: str
    entry: ArtifactEntry


def check_reference(reference: str) -> list[str]:
    """The parts of an artifact's pathspec.

    Raises:
        MetaflowInvalidPathspec: It is not ``Flow/run/step/artifact`` or ``Flow/run/step/task/artifact``.
    """
    parts = reference.split("/")
    if len(parts) in (4, 5) and all(parts):
        return parts
    raise MetaflowInvalidPathspec(
        f"'{reference}' is not the pathspec of an artifact.",
        fix=f"Write Flow/run/step/artifact or Flow/run/step/task/artifact; run may be {LATEST} or {LATEST_SUCCESSFUL}.",
        where={"pathspec": reference},
    )


def find_artifact(ledger: Ledger, reference: str) -> FoundArtifact:
    """Look an artifact up.

    Args:
        ledger: The records.
        reference: ``Flow/run/step/artifact``, of the step's only or first task, or ``Flow/run/step/task/artifact``.

    Raises:
        MetaflowInvalidPathspec: It is neither.
    """
    flow, run, step, *rest = check_reference(reference)
    name = rest[-1]
    run_id = resolve_run(ledger, flow, run)
    if run_id is None:
        return FoundArtifact(reference, f"{flow}/{run}", None)
    task = rest[0] if len(rest) == 2 else _first_task(ledger, flow, run_id, step)
    record = ledger.newest_done(flow, run_id, step, task)
    entry = record.artifacts.get(name) if record is not None else None
    return FoundArtifact(reference, f"{flow}/{run_id}/{step}/{task}/{name}", entry)


def resolve_run(ledger: Ledger, flow: str, run: str) -> str | None:
    """The run id of ``latest``, ``latest-successful`` or a run id; ``None`` if there is none of the former yet."""
    if run not in (LATEST, LATEST_SUCCESSFUL):
        return run
    return next(iter(ledger.latest(flow, successful=run == LATEST_SUCCESSFUL)), None)


def run_tags(ledger: Ledger, run: RunRecord) -> frozenset[str]:
    """User and system tags of a run."""
    try:
        data = ledger.store.get(f"{run_prefix(run.flow, run.run)}/tags.json")
    except ObjectNotFound:
        own: Sequence[str] = run.tags
    else:
        own = msgspec.json.decode(data, type=list[str])
    return frozenset(own) | frozenset(run.system_tags)


def run_facts(ledger: Ledger, flow: str, run: str, status: str) -> dict[str, Any]:
    """What XComs and asset events carry of a run, as JSON."""
    record = ledger.run(flow, run)
    return {
        "pathspec": f"{flow}/{run}",
        "status": status,
        "tags": sorted(run_tags(ledger, record)),
        "parameters": record.parameters,
        "manifest": record.manifest,
        "code": record.code,
    }


def _first_task(ledger: Ledger, flow: str, run: str, step: str) -> str:
    return next(iter(ledger.tasks(flow, run, step)), ROOT_TASK_ID)
