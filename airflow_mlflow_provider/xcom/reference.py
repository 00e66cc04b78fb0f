"""A value in the store that is named and described, and not downloaded until somebody asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from airflow_mlflow_provider.store.records import ArtifactEntry
from airflow_mlflow_provider.xcom.codecs import POINTER

if TYPE_CHECKING:
    from airflow.sdk.types import RuntimeTaskInstanceProtocol

    from airflow_mlflow_provider.xcom.values import ValueStore


class ArtifactReference:
    """What Airflow's database holds of an XCom whose value is in the store.

    A task that returns a reference passes the value on: nothing is read or written but the reference. The task that
    pulls it gets the value, or its reference again with :func:`pull_reference`. It can be pickled, and be loaded where there
    is no Airflow, such as in a pod.

    Args:
        entry: Where the value is and what it is.
        store: URL of the store it is in; empty for the one that XComs are configured to be in.
    """

    def __init__(self, entry: ArtifactEntry, store: str = "") -> None:
        self.entry = entry
        self.store = store

    @classmethod
    def from_pointer(cls, value: Any) -> ArtifactReference | None:
        """The reference that an XCom's raw value is; ``None`` if it is the value itself."""
        if type(value) is dict and value.keys() == {POINTER}:
            return cls(msgspec.convert(value[POINTER], ArtifactEntry))
        return None

    @property
    def digest(self) -> str:
        """BLAKE3 of the value's bytes, 64 hex digits; equal values have equal digests."""
        return self.entry.digest

    @property
    def size(self) -> int:
        """Length of those bytes."""
        return self.entry.size

    @property
    def type(self) -> str:
        """Qualified name of the value's type."""
        return self.entry.type

    @property
    def preview(self) -> Any:
        """Bounded JSON description made when the value was stored: shape, columns, head …, or ``None``."""
        return self.entry.preview

    def pointer(self) -> dict[str, Any]:
        """The JSON value that stands for the value in Airflow's database."""
        return {POINTER: msgspec.to_builtins(self.entry)}

    def load(self) -> Any:
        """Download the value.

        Raises:
            ObjectNotFound: The store does not have it.
            CorruptedDataException: Its bytes are not those that were stored.
            UnreadableArtifactException: It is a pickle and those are not allowed, or a module is missing here.
        """
        return self._values().read("the referenced value", self.entry)

    def _values(self) -> ValueStore:
        if self.store:
            from airflow_mlflow_provider.store.location import open_store
            from airflow_mlflow_provider.xcom.values import ValueStore

            return ValueStore(open_store(self.store))
        from airflow_mlflow_provider.xcom.artifact_store import value_store

        return value_store()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArtifactReference) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"ArtifactReference({self.type}, {self.size} bytes, {self.digest[:12]})"


def pull_reference(
    ti: RuntimeTaskInstanceProtocol, task_id: str, key: str = "return_value", map_index: int | None = None
) -> ArtifactReference | Any:
    """Pull an XCom of this DAG run without downloading its value.

    Args:
        ti: The running task instance, ``context["ti"]``.
        task_id: The task that pushed it.
        key: Its key.
        map_index: Index of a mapped task's instance.

    Returns:
        A reference; the value itself where that is small enough to be kept in the database; ``None`` if there is none.
    """
    from airflow.sdk.bases.xcom import BaseXCom

    found = BaseXCom._get_xcom_db_ref(
        key=key, dag_id=ti.dag_id, task_id=task_id, run_id=ti.run_id, map_index=map_index
    )
    reference = ArtifactReference.from_pointer(found.value)
    return BaseXCom.deserialize_value(found) if reference is None else reference


def load(given: Any) -> Any:
    """The value that a task was handed, whether it got the value itself or a reference to it.

    For functions that run in a pod with an argument made by :func:`~airflow_mlflow_provider.xcom.lazy.as_reference`: values that
    are small enough for Airflow's database come as they are.

    Args:
        given: The argument.
    """
    return given.load() if isinstance(given, ArtifactReference) else given
