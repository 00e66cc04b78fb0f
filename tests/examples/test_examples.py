"""The examples are what a new user sees first: no findings of the linter, documented, short, honest about parameters."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_mlflow_provider.flow.source import read_graph
from airflow_mlflow_provider.runtime.flow_code import load_flow_class

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = sorted((REPOSITORY / "dags_examples").glob("*_flow.py"))
LONGEST = 100


def example(arguments: list[str], file: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run an example's command line with a store of its own."""
    return subprocess.run(
        [sys.executable, str(file), "--datastore-root", str(folder / "store"), *arguments],
        env={**os.environ, "METAFLOW_USER": "tester"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture(params=EXAMPLES, ids=[file.stem for file in EXAMPLES])
def file(request: pytest.FixtureRequest) -> Path:
    """Each example in turn."""
    path: Path = request.param
    return path


def test_there_are_at_least_four_examples() -> None:
    assert len(EXAMPLES) >= 4


def test_the_linter_finds_nothing_not_even_warnings(file: Path, tmp_path: Path) -> None:
    done = example(["--strict", "check"], file, tmp_path)
    assert done.returncode == 0, done.stderr


def test_flow_and_every_step_are_documented_and_the_file_is_short(file: Path) -> None:
    flow_class = load_flow_class(file)
    assert flow_class.__doc__
    assert [node.name for node in read_graph(flow_class) if not node.doc] == []
    assert len(file.read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_it_runs_with_its_defaults_and_without_a_network(file: Path, tmp_path: Path) -> None:
    done = example(["run"], file, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "succeeded" in done.stderr
    assert "Warning" not in done.stdout + done.stderr


def test_the_commands_in_its_docstring_are_taken(file: Path, tmp_path: Path) -> None:
    text = file.read_text(encoding="utf-8").split('"""')[1]
    commands = re.findall(rf"^python {file.name} run(.*)$", text, re.MULTILINE)
    assert len(commands) >= 2
    options = shlex.split(commands[-1])
    done = example(["run", *options], file, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_readme_shows_the_hello_flow_as_it_is() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    shown = readme.split("```python")[1].split("```")[0]
    names = re.compile(r"^ *(?:class|def) .*|^ *self\.\w+.*|^ *print.*", re.MULTILINE)
    hello = (REPOSITORY / "dags_examples" / "hello_flow.py").read_text(encoding="utf-8")
    assert names.findall(shown) == names.findall(hello)
