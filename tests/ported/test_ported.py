"""A Metaflow user's flow file runs after changing its import line, and leaves what it left before.

Each flow of `flows/` is run by Metaflow from PyPI as it is, and by this package with `metaflow` replaced in its imports; so is the
script that reads the runs by the client.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.bench.bench import Bench

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

HERE = Path(__file__).parent
IMPORT = re.compile(r"^(\s*)(from|import) metaflow\b", re.MULTILINE)
# File, options, and the flow's name; `report_flow` reads what `statistics_flow` has left.
FLOWS = {
    "hello_flow": ("GreetingFlow", ["--who", "Ada $5 `x`", "--times", "3", "--tag", "ported"]),
    "library_flow": ("LibraryFlow", ["--limits", '{"pages": 250}', "--names", "x y,z"]),
    "statistics_flow": ("StatisticsFlow", ["--quantile", "0.25"]),
    "failures_flow": ("FailuresFlow", []),
    "nested_flow": ("NestedFlow", []),
    "choices_flow": ("ChoicesFlow", ["--goal", "4"]),
    "configured_flow": ("ConfiguredFlow", ["--seed", "5"]),
    "report_flow": ("ReportFlow", []),
}
SECONDS = 400.0
ABSENT = "(absent)"


class Side:
    """One of the two packages, with copies of the flows in a folder, and a store there."""

    def __init__(self, folder: Path, python: str, *, ported: bool) -> None:
        self.folder, self.python = folder, python
        shutil.copytree(HERE / "flows", folder)
        shutil.copy(HERE / "reader.py", folder)
        for file in folder.glob("*.py") if ported else ():
            file.write_text(IMPORT.sub(r"\1\2 airflow_mlflow_provider", file.read_text()))

    def call(self, *arguments: str) -> str:
        """Run a Python file; what it printed on standard output."""
        kept = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "METAFLOW_USER": "tester"}
        ended = subprocess.run(
            [self.python, *arguments],
            cwd=self.folder,
            env=kept,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert ended.returncode == 0, f"{arguments}: {ended.stdout[-3000:]}\n{ended.stderr[-3000:]}"
        return ended.stdout

    def left(self, flow: str) -> dict[str, Any]:
        """What the latest run of a flow left."""
        found: dict[str, Any] = json.loads(self.call("reader.py", flow).splitlines()[-1])
        return found


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Side]:
    """Both packages."""
    folder = tmp_path_factory.mktemp("ported")
    peer = Bench(rounds=1).peer_python
    return {
        "metaflow": Side(folder / "metaflow", peer, ported=False),
        "ours": Side(folder / "ours", sys.executable, ported=True),
    }


@pytest.mark.parametrize("file", FLOWS)
def test_a_flow_file_leaves_the_same_after_changing_its_import(file: str, sides: Mapping[str, Side]) -> None:
    name, options = FLOWS[file]
    left = {}
    for side in sides.values():
        side.call(f"{file}.py", "--no-pylint", "run", *options)
        left[side.folder.name] = side.left(name)
    assert list(differences(left["metaflow"], left["ours"])) == []


def differences(theirs: Any, ours: Any, place: str = "run") -> Iterator[str]:
    """Where two answers of the reader differ, one line each."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in sorted({*theirs, *ours}):
            yield from differences(theirs.get(key, ABSENT), ours.get(key, ABSENT), f"{place}/{key}")
    elif theirs != ours and not (place.endswith("artifacts/name") and ours == ABSENT):
        # Metaflow lists the flow's own name among the artifacts of each task.
        yield f"{place}: {theirs} became {ours}"
