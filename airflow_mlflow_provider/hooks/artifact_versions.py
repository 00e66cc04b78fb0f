"""Named artifacts: values that any task registers under a name, each change of them as a version.

============================================  ========================================================
``artifacts/<name>/@versions/<newest first>`` :class:`NamedArtifact`, one version, created once
``values/ab/<digest>``                        its value, shared by all versions and XComs that equal it
============================================  ========================================================

Numbers are given out by create-only puts: of two tasks that publish at once, one gets the next number and the other
the one after it. A value that equals the newest version makes no new one, so a task that is tried again makes none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from airflow_mlflow_provider.exception import CommandException, MetaflowNotFound
from airflow_mlflow_provider.store.abc import Store
from airflow_mlflow_provider.store.records import ArtifactEntry

SCHEME: Final = "artifact:"

_RECORD_VERSION = 1
# Numbers count down from here in keys, so that a listing meets the newest version first.
_LAST = 10**9 - 1
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}(?:/[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}){0,4}")


class NamedArtifact(msgspec.Struct, frozen=True, omit_defaults=True):
    """One version of a named artifact.

    Attributes:
        name: Its name.
        number: 1 for the first version.
        entry: Where the value is and what it is.
        created_at: When it was published, in Unix seconds.
        tags: Words to find it by.
        metadata: Anything else that is JSON: metrics, a git commit.
        made_by: ``dag_id``, ``run_id``, ``task_id``, ``map_index`` and ``try_number`` of the task.
    """

    name: str
    number: int
    entry: ArtifactEntry
    created_at: float
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = {}
    made_by: dict[str, Any] = {}
    version: int = _RECORD_VERSION

    @property
    def reference(self) -> str:
        """What :meth:`ArtifactStoreHook.fetch` takes."""
        return f"{SCHEME}{self.name}@{self.number}"

    def facts(self) -> dict[str, Any]:
        """What XComs and asset events carry of it, as JSON."""
        return {
            "artifact": self.reference,
            "digest": self.entry.digest,
            "size": self.entry.size,
            "type": self.entry.type,
            "tags": list(self.tags),
            "metadata": self.metadata,
        }


class VersionRecords:
    """The versions that a store knows; only records are read here, never a value.

    Args:
        store: The artifact store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def newest(self, name: str) -> NamedArtifact | None:
        """The newest version, from one bounded listing; ``None`` if there is none."""
        return next(self.versions(name), None)

    def versions(self, name: str) -> Iterator[NamedArtifact]:
        """All versions, newest first."""
        for item in self._store.list(f"{_folder(name)}"):
            yield self._read(item.key)

    def find(self, name: str) -> NamedArtifact:
        """A version.

        Args:
            name: ``name``, for the newest, or ``name@3``.

        Raises:
            MetaflowNotFound: There is no such version; the message names what there is.
            CommandException: This cannot be a name.
        """
        plain, _, number = name.partition("@")
        newest = self.newest(plain)
        if newest is None:
            raise MetaflowNotFound(
                f"There is no artifact named '{plain}' in {self._store.url}.",
                fix="Check the name, and the store.",
                where={"artifact": plain, "store": self._store.url},
            )
        if not number:
            return newest
        if number.isdecimal() and 1 <= int(number) <= newest.number:
            return self._read(_key(plain, int(number)))
        raise MetaflowNotFound(
            f"The artifact '{plain}' has no version {number}; its versions are 1 to {newest.number}.",
            fix=f"Write {plain}@{newest.number}, or {plain} for the newest.",
            where={"artifact": plain, "store": self._store.url},
        )

    def _read(self, key: str) -> NamedArtifact:
        return msgspec.json.decode(self._store.get(key), type=NamedArtifact)

    def create(self, made: NamedArtifact) -> None:
        """Write a version.

        Raises:
            ObjectExists: Somebody else made a version of this number.
        """
        self._store.put(_key(made.name, made.number), msgspec.json.encode(made), create=True)


def check_name(name: str) -> str:
    """Return ``name`` if it can be one.

    Raises:
        CommandException: It cannot.
    """
    if _NAME.fullmatch(name):
        return name
    raise CommandException(
        f"{name!r} cannot be the name of an artifact.",
        fix="Use letters, digits, '_', '-' and '.', in at most five parts with '/' between them.",
        where={"artifact": name[:200]},
    )


def _folder(name: str) -> str:
    return f"artifacts/{check_name(name)}/@versions"


def _key(name: str, number: int) -> str:
    return f"{_folder(name)}/{_LAST - number:09d}.json"
