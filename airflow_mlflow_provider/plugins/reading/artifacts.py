"""The artifacts of a task, as they were described when they were saved."""

from __future__ import annotations

from airflow_mlflow_provider.plugins.models.artifacts import ArtifactPage, ArtifactView
from airflow_mlflow_provider.plugins.reading.run import RunReader
from airflow_mlflow_provider.store.records import ArtifactEntry, DoneRecord


def artifact_page(
    run: RunReader, record: DoneRecord | None, name: str, cursor: str, limit: int
) -> ArtifactPage:
    """A page of the artifacts of a task, by name; those whose names begin with ``_`` are left out.

    Args:
        run: The run.
        record: How the task ended; ``None`` while it has not, when there are none.
        name: Text that the name holds.
        cursor: Where the page before ended.
        limit: How many artifacts to answer at most.
    """
    entries = record.artifacts if record else {}
    names = sorted(one for one in entries if not one.startswith("_") and name.casefold() in one.casefold())
    inherited = _inherited(run, record)
    rest = [one for one in names if one > cursor]
    page = rest[:limit]
    return ArtifactPage(
        artifacts=[_view(one, entries[one], inherited.get(one) != entries[one].digest) for one in page],
        total=len(names),
        next=page[-1] if len(rest) > limit else "",
    )


def _inherited(run: RunReader, record: DoneRecord | None) -> dict[str, str]:
    """Digests of the artifacts that the task started from; of a join, what its inputs had is not inherited."""
    if record is None or len(record.parents) != 1:
        return {}
    parent = run.ledger.done(record.parents[0])
    return {name: entry.digest for name, entry in parent.artifacts.items()} if parent else {}


def _view(name: str, entry: ArtifactEntry, is_new: bool) -> ArtifactView:
    return ArtifactView(
        name=name,
        type=entry.type,
        size=entry.size,
        digest=entry.digest,
        codec=entry.codec,
        preview=entry.preview if isinstance(entry.preview, dict) else None,
        is_new=is_new,
    )
