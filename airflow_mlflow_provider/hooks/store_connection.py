"""From a connection to an open store. It can read nothing but bytes and records, so the triggerer may use it."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

from airflow.sdk import BaseHook

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.exception import MetaflowConfigError
from airflow_mlflow_provider.hooks.credentials import store_environment
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from airflow_mlflow_provider.store.abc import Store


class StoreConnection:
    """The store of a connection.

    Args:
        conn_id: The connection; ``None`` for the store that ``[mlflow_provider] datastore_root`` names.
    """

    def __init__(self, conn_id: str | None) -> None:
        self._conn_id = conn_id

    @property
    def url(self) -> str:
        """URL of the store.

        Raises:
            MetaflowConfigError: Neither the connection nor the configuration names one.
        """
        return self.described[0]

    @functools.cached_property
    def store(self) -> Store:
        """The store, with the credentials of the connection in this process's environment."""
        url, environment = self.described
        os.environ.update(environment)
        return open_store(url)

    @functools.cached_property
    def ledger(self) -> Ledger:
        """The records in the store."""
        return Ledger(self.store)

    @functools.cached_property
    def described(self) -> tuple[str, dict[str, str]]:
        """The URL, and the environment variables that stand for the credentials.

        Raises:
            MetaflowConfigError: There is no URL, or the credentials are of a type that is not known.
        """
        return self._configured() if self._conn_id is None else self._connected(self._conn_id)

    @staticmethod
    def _configured() -> tuple[str, dict[str, str]]:
        url, conn_id = get("datastore_root"), get("aws_conn_id")
        if not url:
            raise MetaflowConfigError(
                "No artifact store is configured.",
                fix="Set datastore_root in [mlflow_provider] (AIRFLOW__MLFLOW_PROVIDER__DATASTORE_ROOT), or name a connection.",
            )
        if conn_id and url.startswith("s3://"):
            return url, store_environment(BaseHook.get_connection(conn_id))
        return url, {}

    @staticmethod
    def _connected(conn_id: str) -> tuple[str, dict[str, str]]:
        connection = BaseHook.get_connection(conn_id)
        url = connection.extra_dejson.get("store_url") or connection.host or get("datastore_root")
        if not url:
            raise MetaflowConfigError(
                f"The connection {conn_id} has no store URL.",
                fix="Give it a URL such as s3://bucket/prefix.",
                where={"connection": conn_id},
            )
        return url, _credentials(connection)


def _credentials(connection: Connection) -> dict[str, str]:
    extra = connection.extra_dejson
    conn_id = extra.get("credentials_conn_id")
    found = store_environment(BaseHook.get_connection(conn_id)) if conn_id else {}
    own = {
        "AWS_ACCESS_KEY_ID": connection.login,
        "AWS_SECRET_ACCESS_KEY": connection.password,
        "AWS_REGION": extra.get("region_name"),
        "AWS_ENDPOINT_URL": extra.get("endpoint_url"),
    }
    return found | {name: value for name, value in own.items() if value}
