"""The code of a run."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from airflow_mlflow_provider.plugins.models.runs import RunReference

Change = Literal["", "same", "changed", "added", "removed"]


class CodeFile(BaseModel):
    """A file of the code.

    Attributes:
        path: Path in the package.
        size: Bytes.
        change: Against the code of the other run; empty where there is none.
    """

    path: str
    size: int
    change: Change


class CodeView(BaseModel):
    """The files of a run's code.

    Attributes:
        digest: Of the package; empty if the run took its code from the DAG bundle, which is not kept.
        script: Path of the flow's file.
        files: The files, by path.
        left_out: How many more there are.
        other: The run that the code is compared with.
        other_digest: Digest of its package.
    """

    digest: str
    script: str
    files: list[CodeFile]
    left_out: int
    other: RunReference | None
    other_digest: str


class CodeText(BaseModel):
    """A file of the code, and the same file of the other run.

    Attributes:
        path: Path in the package.
        text: What it says; ``None`` if the run does not have it, or if it is no text or too long.
        other: The same of the other run.
        note: Why there is no text.
    """

    path: str
    text: str | None
    other: str | None
    note: str
