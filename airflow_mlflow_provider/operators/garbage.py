"""Removing old runs from the artifact store, as a task."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from airflow.sdk import BaseOperator

from airflow_mlflow_provider.client.garbage import collect_garbage
from airflow_mlflow_provider.client.retention import Retention
from airflow_mlflow_provider.hooks.artifact_store import ArtifactStoreHook
from airflow_mlflow_provider.store.ledger import Ledger

if TYPE_CHECKING:
    from airflow.sdk import Context

_MOST_SHOWN = 20


class CollectGarbageOperator(BaseOperator):
    """Removes runs that nothing keeps, and what only they referred to.

    A run is condemned by one collection and deleted by a later one, once the grace period is over: schedule the task daily. A task that is
    stopped or tried again does no harm.

    :param older_than: Age up to which every run is kept.
    :param keep_latest: Number of the newest runs of each flow that are kept, however old.
    :param keep_tags: Runs with one of these tags, user or system tags, are kept. (templated)
    :param namespace: Remove only runs with this tag, such as ``user:ann``. (templated)
    :param grace: Time from condemning to deleting; longer than a day and than the longest task.
    :param dry_run_only: Only tell what would happen.
    :param artifact_store_conn_id: Connection of the store; by default ``[mlflow_provider] datastore_root``. (templated)
    """

    template_fields: Sequence[str] = ("keep_tags", "namespace", "artifact_store_conn_id")
    ui_color = "#f2ecff"

    def __init__(
        self,
        *,
        older_than: timedelta,
        keep_latest: int = 1,
        keep_tags: Sequence[str] = (),
        namespace: str | None = None,
        grace: timedelta = timedelta(days=2),
        dry_run_only: bool = False,
        artifact_store_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.older_than = older_than
        self.keep_latest = keep_latest
        self.keep_tags = keep_tags
        self.namespace = namespace
        self.grace = grace
        self.dry_run_only = dry_run_only
        self.artifact_store_conn_id = artifact_store_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Collect.

        :param context: The task's context.
        :return: ``kept``, a number; ``condemned`` and ``deleted``, pathspecs; ``objects`` and ``size`` (bytes) deleted.
        """
        retention = Retention(
            older_than=self.older_than.total_seconds(),
            keep_latest=self.keep_latest,
            keep_tags=frozenset(self.keep_tags),
            namespace=self.namespace,
            grace=self.grace.total_seconds(),
        )
        ledger = Ledger(ArtifactStoreHook(self.artifact_store_conn_id).store)
        collected = collect_garbage(ledger, retention, self.dry_run_only)
        for word, runs in (("Condemned", collected.condemned), ("Deleted", collected.deleted)):
            for run in runs[:_MOST_SHOWN]:
                self.log.info("%s %s", word, run)
        self.log.info("%d objects, %d bytes", collected.objects, collected.size)
        told: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(collected))
        return told
