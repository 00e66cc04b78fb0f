"""The code of a run, and how it differs from that of another."""

from __future__ import annotations

import functools

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity

from airflow_mlflow_provider.exception import MetaflowNotFound
from airflow_mlflow_provider.plugins.access import Asker
from airflow_mlflow_provider.plugins.models.code import Change, CodeFile, CodeText, CodeView
from airflow_mlflow_provider.plugins.reading.others import other_run
from airflow_mlflow_provider.plugins.reading.packages import Package, PackagedFile, read_package
from airflow_mlflow_provider.plugins.reading.run import RunReader
from airflow_mlflow_provider.store.records import RunRecord

_NONE = Package({}, 0)


class CodeReader:
    """Reads the code of a run beside that of another.

    Args:
        run: The run.
        other: Names the other run; empty for none.
        asker: Who asks.
    """

    def __init__(self, run: RunReader, other: str, asker: Asker) -> None:
        self._run, self._asker = run, asker
        self._other: RunRecord | None = other_run(run, other, asker, DagAccessEntity.CODE) if other else None

    def view(self) -> CodeView:
        """The files of both."""
        mine, theirs = self._mine.files, self._theirs.files
        other = self._other
        return CodeView(
            digest=self._run.record.code,
            script=self._run.manifest.code.script,
            files=[self._file(path) for path in sorted({*mine, *theirs})],
            left_out=self._mine.left_out,
            other=self._run.reference(other.run, self._asker) if other else None,
            other_digest=other.code if other else "",
        )

    def text(self, path: str) -> CodeText:
        """A file of both.

        Raises:
            MetaflowNotFound: Neither has it.
        """
        mine, theirs = self._mine.files.get(path), self._theirs.files.get(path)
        if mine is None and theirs is None:
            raise MetaflowNotFound(
                f"The code has no file {path}.", fix="List its files.", where={"path": path}
            )
        unreadable = any(file is not None and file.text is None for file in (mine, theirs))
        return CodeText(
            path=path,
            text=mine.text if mine else None,
            other=theirs.text if theirs else None,
            note="It is not text, or too long to be shown." if unreadable else "",
        )

    @functools.cached_property
    def _mine(self) -> Package:
        return self._package(self._run.record)

    @functools.cached_property
    def _theirs(self) -> Package:
        return self._package(self._other) if self._other else _NONE

    def _package(self, record: RunRecord) -> Package:
        return read_package(self._run.store, record.code) if record.code else _NONE

    def _file(self, path: str) -> CodeFile:
        mine, theirs = self._mine.files.get(path), self._theirs.files.get(path)
        known = mine or theirs
        change = self._change(mine, theirs) if self._other else ""
        return CodeFile(path=path, size=known.size if known else 0, change=change)

    @staticmethod
    def _change(mine: PackagedFile | None, theirs: PackagedFile | None) -> Change:
        if mine is None or theirs is None:
            return "removed" if mine is None else "added"
        return "same" if mine.digest == theirs.digest else "changed"
