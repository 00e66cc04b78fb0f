"""Where a DAG file and its manifest go: a folder, or a prefix of an object store that is an Airflow DAG bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec

from airflow_mlflow_provider.exception import CommandException, MetaflowException, ObjectNotFound
from airflow_mlflow_provider.plan.manifest import FlowManifest, decode, encode
from airflow_mlflow_provider.runtime.whole_files import write_whole

MARK = "Written by airflow-mlflow-provider"


class Folder(Protocol):
    """A place for files."""

    def read(self, name: str) -> bytes | None:
        """Content of a file, ``None`` if it is absent."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Write a file so that readers see the old content or the new one, never a part."""
        ...

    def delete(self, name: str) -> bool:
        """Delete a file; whether it was there."""
        ...

    def describe(self, name: str) -> str:
        """Path or URL of a file, for people."""
        ...


class DeploymentFiles(msgspec.Struct, frozen=True):
    """The DAG file of a deployment and the manifest beside it.

    Attributes:
        folder: Where they are.
        dag_file: Name of the DAG file.
        manifest_file: Name of the manifest.
    """

    folder: Folder
    dag_file: str
    manifest_file: str

    def manifest(self) -> FlowManifest | None:
        """The manifest deployed here, ``None`` if there is none."""
        data = self.folder.read(self.manifest_file)
        return None if data is None else decode(data, self.folder.describe(self.manifest_file))

    def check_owner(self, manifest: FlowManifest) -> None:
        """Refuse to overwrite what this package did not write, or another flow (X011).

        Raises:
            CommandException: It belongs to something else.
        """
        text = self.folder.read(self.dag_file)
        place = self.folder.describe(self.dag_file)
        if text is not None and MARK.encode() not in text:
            raise CommandException(
                f"X011: {place} exists and was not written by this package.",
                fix="Give another FILE, or move that one away.",
                where={"file": place},
            )
        old = self.manifest()
        if old is not None and old.flow_name != manifest.flow_name:
            raise CommandException(
                f"X011: {place} deploys the flow {old.flow_name}, not {manifest.flow_name}.",
                fix="Give another FILE or another name, or delete that deployment first.",
                where={"file": place, "flow": old.flow_name},
            )

    def write(self, manifest: FlowManifest) -> None:
        """Write the manifest, then the DAG file that loads it; both or none.

        Raises:
            MetaflowException: One of them could not be written; both are what they were.
        """
        before = self.folder.read(self.manifest_file)
        self.folder.write(self.manifest_file, encode(manifest))
        try:
            self.folder.write(self.dag_file, dag_source(manifest, self.manifest_file).encode())
        except BaseException:
            if before is None:
                self.folder.delete(self.manifest_file)
            else:
                self.folder.write(self.manifest_file, before)
            raise

    def delete(self) -> list[str]:
        """Delete both files; what was deleted."""
        names = (self.dag_file, self.manifest_file)
        return [self.folder.describe(name) for name in names if self.folder.delete(name)]


def deployment_files(target: str) -> DeploymentFiles:
    """The files of a deployment whose DAG file is at a path or URL ending in ``.py``.

    Raises:
        CommandException: ``target`` has another ending.
    """
    place, separator, name = target.rpartition("/")
    if not name.endswith(".py") or name == ".py":
        raise CommandException(
            f"'{target}' is not the name of a DAG file.", fix="Give a path or URL that ends in .py."
        )
    folder: Folder
    if "://" in target:
        folder = _StoreFolder(place)
    else:
        folder = _LocalFolder(Path(place + separator if place or separator else "."))
    return DeploymentFiles(folder, name, f"{name.removesuffix('.py')}.json")


def dag_source(manifest: FlowManifest, manifest_file: str) -> str:
    """The text of a DAG file; it has no code of the user's and needs none."""
    return (
        f'"""The DAG of the flow {manifest.flow_name}.\n\n'
        f"{MARK} {manifest.provider}; deploy the flow again to change it.\n"
        f'"""\n\n'
        "from airflow_mlflow_provider.dag import load_flow\n\n"
        f'dag = load_flow("{manifest_file}")\n'
    )


class _LocalFolder:
    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, name: str) -> bytes | None:
        try:
            return (self._path / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise MetaflowException(
                f"{self._path / name} cannot be read: {error.strerror or error}.",
                fix="Give another FILE, or see that this one can be read and written.",
                where={"file": str(self._path / name)},
            ) from error

    def write(self, name: str, content: bytes) -> None:
        try:
            # Airflow parses *.py: the file in the making has another ending.
            write_whole(self._path / name, [content], mode=0o644, durable=True)
        except OSError as error:
            raise MetaflowException(
                f"{self._path / name} cannot be written: {error.strerror or error}.",
                fix="Give a FILE that can be written, and copy it to the DAGs folder.",
                where={"file": str(self._path / name)},
            ) from error

    def delete(self, name: str) -> bool:
        try:
            (self._path / name).unlink()
        except FileNotFoundError:
            return False
        return True

    def describe(self, name: str) -> str:
        return str(self._path / name)


class _StoreFolder:
    def __init__(self, url: str) -> None:
        from airflow_mlflow_provider.store.location import open_store

        self._url = url
        self._store = open_store(url, cache=None)

    def read(self, name: str) -> bytes | None:
        try:
            return bytes(self._store.get(name))
        except ObjectNotFound:
            return None

    def write(self, name: str, content: bytes) -> None:
        self._store.put(name, content)

    def delete(self, name: str) -> bool:
        present = self._store.size(name) is not None
        self._store.delete([name])
        return present

    def describe(self, name: str) -> str:
        return f"{self._url}/{name}"
