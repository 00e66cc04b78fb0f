"""``spin+file:///folder``: what is written goes to a folder, what is read and not there comes from another store.

The folder names the other store in :data:`UNDERLAY`. Runs are listed from the folder alone; inside a run that the folder does not
have, everything is that of the store below.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from airflow_mlflow_provider.exception import ObjectNotFound
from airflow_mlflow_provider.store.abc import ObjectInfo, Store

if TYPE_CHECKING:
    from typing_extensions import Buffer

SCHEME = "spin+"
UNDERLAY = "underlay"
SPIN_FOLDER = ".mlflow_provider_spin"
# flows / <flow> / runs / <run>
_INSIDE_RUN = 4


class OverlayStore(Store):
    """A store over another one, which is only read.

    Args:
        upper: What is written to.
        lower: What is read where the upper one has nothing.
    """

    remote: ClassVar[bool] = True

    def __init__(self, upper: Store, lower: Store) -> None:
        self.url = f"{SCHEME}{upper.url}"
        self._upper, self._lower = upper, lower

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes | memoryview:
        try:
            return self._upper.get(key, start=start, length=length)
        except ObjectNotFound:
            return self._lower.get(key, start=start, length=length)

    def get_many(self, keys: Sequence[str]) -> builtins.list[bytes | memoryview | None]:
        found = self._upper.get_many(keys)
        missing = [index for index, data in enumerate(found) if data is None]
        below = self._lower.get_many([keys[index] for index in missing]) if missing else []
        for index, data in zip(missing, below, strict=True):
            found[index] = data
        return found

    def put(self, key: str, data: Buffer | Sequence[Buffer], *, create: bool = False) -> None:
        self._upper.put(key, data, create=create)

    def get_versioned(self, key: str) -> tuple[bytes, str]:
        return self._upper.get_versioned(key)

    def replace(self, key: str, data: bytes, version: str) -> None:
        self._upper.replace(key, data, version)

    def info(self, key: str) -> ObjectInfo | None:
        return self._upper.info(key) or self._lower.info(key)

    def list(self, prefix: str, *, after: str = "", limit: int | None = None) -> Iterator[ObjectInfo]:
        yield from self._of(prefix).list(prefix, after=after, limit=limit)

    def children(self, prefix: str) -> builtins.list[str]:
        return self._of(prefix).children(prefix)

    def delete(self, keys: Iterable[str]) -> None:
        self._upper.delete(keys)

    def local_path(self, key: str) -> Path | None:
        return self._upper.local_path(key) or self._lower.local_path(key)

    def close(self) -> None:
        """Close both."""
        self._upper.close()
        self._lower.close()

    def _of(self, prefix: str) -> Store:
        parts = prefix.split("/")
        inside = len(parts) >= _INSIDE_RUN and parts[0] == "flows" and parts[2] == "runs"
        if not inside or self._upper.info("/".join([*parts[:_INSIDE_RUN], "run.json"])) is not None:
            return self._upper
        return self._lower
