"""The artifact serializers that installed packages name as entry points.

``importlib.metadata.entry_points()`` reads the metadata of every installed distribution, a tenth of a second beside an
Airflow. Here only those whose entry points mention the group are opened for good.
"""

from __future__ import annotations

import functools
import importlib.metadata
import os
import sys
from collections.abc import Iterator
from typing import Any

from airflow_mlflow_provider.exception import MetaflowException
from airflow_mlflow_provider.serializers import ArtifactSerializer

GROUP = "airflow_mlflow_provider.serializers"


def serializers() -> tuple[type[ArtifactSerializer], ...]:
    """The installed serializers in the order in which they are asked.

    Raises:
        MetaflowException: One of them cannot be loaded, or is no serializer; the message names its package.
    """
    return _load(tuple(sys.path))


@functools.lru_cache(maxsize=1)
def _load(path: tuple[str, ...]) -> tuple[type[ArtifactSerializer], ...]:
    found: dict[str, type[ArtifactSerializer]] = {}
    for distribution in _distributions(path):
        for entry in distribution.entry_points:
            if entry.group == GROUP:
                serializer = _serializer(entry, distribution.metadata["Name"])
                found.setdefault(serializer.TYPE, serializer)
    return tuple(sorted(found.values(), key=lambda serializer: (serializer.PRIORITY, serializer.TYPE)))


def _serializer(entry: importlib.metadata.EntryPoint, package: str) -> type[ArtifactSerializer]:
    where = {"package": package, "entry_point": entry.value}
    try:
        loaded: Any = entry.load()
    except Exception as error:
        raise MetaflowException(
            f"The artifact serializer '{entry.value}' of the package '{package}' cannot be loaded: {error}.",
            fix=f"Repair or uninstall '{package}'.",
            where=where,
        ) from error
    if not (isinstance(loaded, type) and issubclass(loaded, ArtifactSerializer) and hasattr(loaded, "TYPE")):
        raise MetaflowException(
            f"'{entry.value}' of the package '{package}' is not an ArtifactSerializer with a TYPE.",
            fix=f"Repair or uninstall '{package}'.",
            where=where,
        )
    loaded.setup_imports()
    return loaded


def _distributions(path: tuple[str, ...]) -> Iterator[importlib.metadata.Distribution]:
    for folder in path:
        for info in _metadata_folders(folder or "."):
            try:
                with open(f"{info}/entry_points.txt", "rb") as file:  # noqa: PTH123 - hundreds of files, twice as fast
                    mentioned = GROUP.encode() in file.read()
            except OSError:
                continue
            if mentioned:
                yield importlib.metadata.PathDistribution.at(info)


def _metadata_folders(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.path for entry in entries if entry.name.endswith((".dist-info", ".egg-info")))
    except OSError:
        # sys.path names zip files and folders that do not exist.
        return []
