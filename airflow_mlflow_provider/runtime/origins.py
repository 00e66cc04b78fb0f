"""Where an artifact comes from: the attempt that wrote it, and what that attempt ran in."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_mlflow_provider.exception import UnreadableArtifactException
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey, DoneRecord


def writer_of(ledger: Ledger, holders: Sequence[DoneRecord], name: str) -> AttemptKey | None:
    """The attempt that last set an artifact, found by going back through the records; for messages.

    Args:
        ledger: The records.
        holders: Records of attempts after which the artifact may be visible; the first that has it counts.
        name: The artifact.
    """
    holder = next((record for record in holders if name in record.artifacts), None)
    while holder is not None:
        before = ledger.load_done(holder.parents)
        same = (each for each in before if each.artifacts.get(name) == holder.artifacts[name])
        if (earlier := next(same, None)) is None:
            return holder.key
        holder = earlier
    return None


def name_writer(
    error: UnreadableArtifactException, ledger: Ledger, holders: Sequence[DoneRecord], name: str
) -> UnreadableArtifactException:
    """An artifact that cannot be read here, with the step that wrote it and the lock of its environment.

    Args:
        error: Why it cannot be read.
        ledger: The records.
        holders: As for :func:`writer_of`.
        name: The artifact.
    """
    writer = writer_of(ledger, holders, name)
    if writer is None:
        return error
    lock = ledger.run(writer.flow, writer.run).environments.get(writer.step)
    place = f"in the environment with the lock {lock}" if lock else "without an environment of its own"
    return UnreadableArtifactException(
        f"{error.message} It was written by step {writer.step} ({writer.pathspec}), which ran {place}.",
        fix=error.fix,
        where={**error.where, "written_by": writer.pathspec, "lock": lock},
    )
