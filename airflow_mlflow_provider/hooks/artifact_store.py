"""The hook of the artifact store."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from airflow_mlflow_provider.exception import MetaflowException
from airflow_mlflow_provider.hooks.store_connection import StoreConnection

if TYPE_CHECKING:
    from airflow_mlflow_provider.hooks.artifact_versions import NamedArtifact
    from airflow_mlflow_provider.store.abc import Store
    from airflow_mlflow_provider.store.ledger import Ledger
    from airflow_mlflow_provider.xcom.values import ValueStore

_CHECK_SECONDS = 10


class ArtifactStoreHook(BaseHook):
    """Opens the artifact store that a connection describes.

    The connection's fields: the store's URL; either an access key as login and password, or the id of a connection of
    AWS, Google Cloud or Azure; for services compatible with S3 an endpoint. Without any credentials the machine's own
    identity is used. Credentials are put into the environment of the task's process and nowhere else.

    :param artifact_store_conn_id: The connection; ``None`` for the store that ``[mlflow_provider] datastore_root`` names.
    """

    conn_name_attr = "artifact_store_conn_id"
    default_conn_name = "artifact_store_default"
    conn_type = "artifact_store"
    hook_name = "Artifact store"

    def __init__(self, artifact_store_conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.artifact_store_conn_id = artifact_store_conn_id
        self._connection = StoreConnection(artifact_store_conn_id)

    @property
    def url(self) -> str:
        """URL of the store.

        :raises MetaflowConfigError: Neither the connection nor the configuration names one.
        """
        return self._connection.url

    def get_conn(self) -> Store:
        """Open the store; nothing is read yet.

        :return: The store, of this process.
        :raises MetaflowConfigError: Neither the connection nor the configuration names one.
        """
        return self.store

    @property
    def store(self) -> Store:
        """The store, with the credentials of the connection."""
        return self._connection.store

    @property
    def ledger(self) -> Ledger:
        """The records of the flows in the store."""
        return self._connection.ledger

    @functools.cached_property
    def values(self) -> ValueStore:
        """The values of XComs and named artifacts in the store."""
        from airflow_mlflow_provider.xcom.values import ValueStore

        return ValueStore(self.store)

    def publish(self, name: str, value: Any, **facts: Any) -> NamedArtifact:
        """Store a value as the next version of a named artifact.

        :param name: Its name, which may have parts: ``team/model``.
        :param value: The value.
        :param facts: ``tags``, ``metadata`` and ``made_by``, see
            :meth:`~airflow_mlflow_provider.hooks.named_artifacts.NamedArtifacts.publish`.
        :return: The version; the newest one that is there, if it is equal.
        """
        from airflow_mlflow_provider.hooks.named_artifacts import NamedArtifacts

        return NamedArtifacts(self.values).publish(name, value, **facts)

    def fetch(self, reference: str) -> Any:
        """Load a value.

        :param reference: ``artifact:name``, ``artifact:name@3``, ``Flow/run/step/artifact`` or
            ``Flow/run/step/task/artifact``, where the run may be ``latest`` or ``latest-successful``.
        :return: The value.
        :raises MetaflowNotFound: There is no such artifact.
        """
        from airflow_mlflow_provider.hooks.artifact_versions import SCHEME
        from airflow_mlflow_provider.hooks.named_artifacts import NamedArtifacts

        if reference.startswith(SCHEME):
            return NamedArtifacts(self.values).load(reference.removeprefix(SCHEME))
        from airflow_mlflow_provider.hooks.artifact_lookup import find_artifact
        from airflow_mlflow_provider.store.loading import ArtifactReader

        found = find_artifact(self.ledger, reference)
        return ArtifactReader(self.store).load(reference, found.require().entry)

    def test_connection(self) -> tuple[bool, str]:
        """See whether the store can be read and written to, in at most 10 seconds.

        :return: Whether it can be read, and what was found.
        """
        try:
            url, environment = self._connection.described
        except (MetaflowException, ValueError) as error:
            return False, str(error)
        quick = {"AIRFLOW__MLFLOW_PROVIDER__S3_RETRIES": "1", **environment}
        try:
            done = subprocess.run(
                [sys.executable, "-m", "airflow_mlflow_provider.hooks.connection_check", url],
                env={**os.environ, **quick},
                capture_output=True,
                text=True,
                timeout=_CHECK_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False, f"{url} did not answer within {_CHECK_SECONDS} seconds."
        said = done.stdout.strip() or (done.stderr.strip().splitlines() or ["no answer"])[-1]
        return done.returncode == 0, said
