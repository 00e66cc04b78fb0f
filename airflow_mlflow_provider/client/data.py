"""``MetaflowData``: the artifacts of a task as attributes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_mlflow_provider.flow.includefile import IncludedFile
from airflow_mlflow_provider.runtime.included_files import kept_bytes
from airflow_mlflow_provider.store.artifacts import ArtifactReader
from airflow_mlflow_provider.store.records import ArtifactEntry

if TYPE_CHECKING:
    from airflow_mlflow_provider.client.artifact import DataArtifact


class MetaflowData:
    """The artifacts of a task; each is read when it is first touched.

    Args:
        artifacts: The artifacts as objects, by name.
        pathspec: The task, for errors.
        private: Gives a private artifact that is not stored as such; raises ``KeyError`` for any other name.
    """

    def __init__(
        self,
        artifacts: Mapping[str, DataArtifact],
        pathspec: str,
        private: Callable[[str], Any],
    ) -> None:
        self._artifacts = dict(artifacts)
        self._pathspec = pathspec
        self._private = private

    def __getattr__(self, name: str) -> Any:
        state = self.__dict__
        if name.startswith("__") or "_artifacts" not in state:
            raise AttributeError(name)
        if name in state["_artifacts"]:
            value = self._artifacts[name].data
        else:
            try:
                value = self._private(name)
            except KeyError:
                raise AttributeError(f"{self._pathspec} has no artifact '{name}'.") from None
        self.__dict__[name] = value
        return value

    def __contains__(self, name: object) -> bool:
        return name in self._artifacts

    def __dir__(self) -> list[str]:
        return [name for name in self._artifacts if not name.startswith("_")]

    def __repr__(self) -> str:
        return f"<MetaflowData: {', '.join(dir(self))}>"


def content(reader: ArtifactReader, name: str, entry: ArtifactEntry, where: Mapping[str, Any]) -> Any:
    """The value of an artifact; of an ``IncludeFile``, what is in the file."""
    value = reader.load(name, entry, where)
    if not isinstance(value, IncludedFile):
        return value
    return value.decode(lambda url: kept_bytes(reader.store, url))
