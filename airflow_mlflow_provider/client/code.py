"""``MetaflowCode``: the code that a run was started with."""

from __future__ import annotations

import io
import tarfile
import tempfile

from airflow_mlflow_provider.runtime.package import FLOW_FOLDER, open_package
from airflow_mlflow_provider.store.ledger import Ledger


class MetaflowCode:
    """A code package.

    Args:
        ledger: The records of the store.
        digest: Digest of the package.
        script: Path of the flow's file in it.
    """

    def __init__(self, ledger: Ledger, digest: str, script: str) -> None:
        self._ledger = ledger
        self._digest = digest
        self._script = script

    @property
    def path(self) -> str:
        """Key of the package in the store."""
        return f"code/{self._digest}.tar.zst"

    @property
    def info(self) -> dict[str, str]:
        """Digest and script."""
        return {"digest": self._digest, "script": self._script}

    @property
    def script_name(self) -> str:
        """Path of the flow's file in the package."""
        return self._script

    @property
    def flowspec(self) -> str:
        """Source of the flow's file."""
        member = self.tarball.extractfile(f"{FLOW_FOLDER}/{self._script}")
        return member.read().decode() if member is not None else ""

    @property
    def tarball(self) -> tarfile.TarFile:
        """The package, open for reading."""
        return tarfile.open(fileobj=io.BytesIO(open_package(self._ledger, self._digest)))

    def extract(self) -> tempfile.TemporaryDirectory[str]:
        """Unpack the flow's files into a temporary folder, which is deleted with the object returned.

        ```python
        from pathlib import Path

        run = Runner("train.py").run().run
        with run.code.extract() as folder:
            source = (Path(folder) / run.code.script_name).read_text()
        ```
        """
        folder: tempfile.TemporaryDirectory[str] = tempfile.TemporaryDirectory()
        with self.tarball as tar:
            for member in tar.getmembers():
                if member.name.startswith(f"{FLOW_FOLDER}/"):
                    member.name = member.name.removeprefix(f"{FLOW_FOLDER}/")
                    tar.extract(member, folder.name, filter="data")
        return folder

    def __repr__(self) -> str:
        return f"<MetaflowCode {self._script} {self._digest[:12]}>"
