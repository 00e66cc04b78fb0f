"""Which runs are kept: by age, number, tag and namespace."""

from __future__ import annotations

import time

import msgspec

from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.store.records import RunRecord


class Retention(msgspec.Struct, frozen=True):
    """What a collection of garbage leaves alone.

    A run is removed if *none* of these keeps it.

    Attributes:
        older_than: Age in seconds up to which every run is kept.
        keep_latest: Number of the newest runs of each flow that are kept, however old they are.
        keep_tags: A run with one of these tags, user or system tag, is kept.
        namespace: Only runs with this tag are removed, such as ``user:ann``; ``None`` for all.
        dag_id: Only runs of this DAG are removed; ``None`` for all.
        grace: Seconds between the collection that condemns a run and the one that deletes it; unreferenced blobs are that
            old at least, see ``content_grace``. Longer than a day and the longest task, as writers refresh a blob that is a day old.
        content_grace: The age of unreferenced blobs alone, where runs go at once; that of ``grace`` by default.

    Raises:
        CommandException: A number is negative.
    """

    older_than: float
    keep_latest: int = 1
    keep_tags: frozenset[str] = frozenset()
    namespace: str | None = None
    dag_id: str | None = None
    grace: float = 2 * 24 * 3600.0
    content_grace: float | None = None

    def __post_init__(self) -> None:
        """Refuse what would delete more than anybody can mean."""
        for name in ("older_than", "keep_latest", "grace"):
            if getattr(self, name) < 0:
                raise CommandException(
                    f"{name} is {getattr(self, name)}.", fix="Give a number of at least 0."
                )

    def keeps(self, run: RunRecord, tags: frozenset[str], position: int) -> bool:
        """Whether a run is kept.

        Args:
            run: Its record.
            tags: Its user and system tags as they are now.
            position: 0 for the newest run of its flow.
        """
        return (
            time.time() - run.created_at <= self.older_than
            or position < self.keep_latest
            or bool(tags & self.keep_tags)
            or (self.namespace is not None and self.namespace not in tags)
            or (self.dag_id is not None and run.airflow.get("dag_id") != self.dag_id)
        )
