"""An XCom backend that keeps values in the artifact store and a pointer with a preview in Airflow's database.

```ini
[core]
xcom_backend = airflow_mlflow_provider.xcom.artifact_store.ArtifactStoreXComBackend
[mlflow_provider]
datastore_root = s3://bucket/prefix
```

Small JSON stays in the database as Airflow itself keeps it. Everything else is stored under the digest of its bytes, so
equal values of all tasks, tries and runs are one object, and no clear, retry or deletion of a run ever takes it away
from another.
"""

from __future__ import annotations

import functools
from typing import Any

from airflow.sdk.bases.xcom import BaseXCom

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.xcom import codecs
from airflow_mlflow_provider.xcom.reference import ArtifactReference
from airflow_mlflow_provider.xcom.values import ValueStore

# Links of operators are read by the API server, which must find a text.
_LINK_PREFIX = "_link_"


class ArtifactStoreXComBackend(BaseXCom):
    """Keeps XComs as content-addressed values in the artifact store.

    Arrays, frames, tables and byte strings, at any depth of dicts, lists and tuples, are stored without pickle; what
    has no such form is refused, unless ``xcom_allow_pickle`` is set. Values are written and read in tasks only: the
    scheduler and the API server see the pointer.
    """

    @staticmethod
    def serialize_value(
        value: Any,
        *,
        key: str | None = None,
        task_id: str | None = None,
        dag_id: str | None = None,
        run_id: str | None = None,
        map_index: int | None = None,
    ) -> str:
        """Store a value.

        :param value: The value, or an :class:`ArtifactReference` that stands for one.
        :param key: Key of the XCom.
        :param task_id: The task that pushes it.
        :param dag_id: Its DAG.
        :param run_id: Its DAG run.
        :param map_index: Index of a mapped task's instance.
        :return: What Airflow's database gets: JSON.
        """
        if key is not None and key.startswith(_LINK_PREFIX) and isinstance(value, str):
            return BaseXCom.serialize_value(value)
        if isinstance(value, ArtifactReference):
            return BaseXCom.serialize_value(value.pointer())
        try:
            tree = codecs.plant(value)
        except codecs.Unsupported:
            entry = value_store().write(f"The XCom '{key}' of {task_id}", value)
        else:
            if codecs.fits(tree, get("xcom_inline_max_bytes")):
                return tree.json  # type: ignore[no-any-return] # Airflow says str and means JSON
            entry = value_store().write_tree(value, tree)
        return BaseXCom.serialize_value(ArtifactReference(entry).pointer())

    @staticmethod
    def deserialize_value(result: Any) -> Any:
        """Load a value.

        :param result: What has the database's JSON as its ``value``.
        :return: The value.
        """
        reference = ArtifactReference.from_pointer(result.value)
        if reference is None:
            return BaseXCom.deserialize_value(result)
        return value_store().read(f"The XCom '{getattr(result, 'key', 'of a mapped task')}'", reference.entry)

    @classmethod
    def purge(cls, xcom: Any, *args: Any) -> None:
        """Keep the value: others may have the same one.

        :param xcom: The XCom whose row is deleted.
        """


@functools.cache
def value_store() -> ValueStore:
    """The values of the configured store, opened once per process.

    Raises:
        MetaflowConfigError: No store is configured.
    """
    from airflow_mlflow_provider.hooks.artifact_store import ArtifactStoreHook

    return ArtifactStoreHook(get("xcom_conn_id")).values
