"""`NBRunner` and `NBDeployer` take the flow from the notebook cell that defines it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from airflow_mlflow_provider.programs.deploying import NBDeployer
from airflow_mlflow_provider.programs.notebook import (
    NBDeployerInitializationError,
    NBRunnerInitializationError,
)
from airflow_mlflow_provider.programs.notebook_runner import NBRunner
from tests.flow_runs import USER

CLASS = """
from airflow_mlflow_provider import FlowSpec, NBDeployer, NBRunner, Parameter, step

class Cell(FlowSpec):
    x = Parameter("x", default=1)

    @step
    def start(self):
        self.y = self.x + 1
"""


class Elsewhere:
    """Stands for a flow that was defined in another cell."""


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """A notebook's shell."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("METAFLOW_USER", USER)
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__DATASTORE_ROOT", (tmp_path / "store").as_uri())
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__DATASTORE_SHARED", "true")
    made = InteractiveShell.instance()
    history: Any = made.history_manager
    history.enabled = False
    yield made
    InteractiveShell.clear_instance()
    history.end_session()


def value(shell: Any, cell: str) -> Any:
    """The value of the last line of a cell."""
    ended = shell.run_cell(cell, store_history=True)
    ended.raise_error()
    return ended.result


def test_a_flow_of_a_cell_is_run(shell: InteractiveShell, tmp_path: Path) -> None:
    run = value(
        shell, f"{CLASS}\nNBRunner(Cell, show_output=False, base_dir={str(tmp_path / 'nb')!r}).nbrun(x=41)"
    )

    assert run.data.y == 42
    assert os.listdir(tmp_path / "nb") == []  # noqa: PTH208 - names are enough


def test_a_flow_of_a_cell_is_deployed(shell: InteractiveShell, tmp_path: Path) -> None:
    target = str(tmp_path / "dag.py")

    deployed = value(shell, f"{CLASS}\nNBDeployer(Cell, show_output=False).airflow().create({target!r})")

    assert deployed.name == "Cell"
    assert Path(target).exists()


def test_a_flow_of_another_cell_is_refused(shell: InteractiveShell) -> None:
    value(shell, CLASS)

    with pytest.raises(NBRunnerInitializationError, match="not defined in the cell"):
        value(shell, "NBRunner(Cell)")


def test_outside_of_a_notebook_there_is_no_cell() -> None:
    with pytest.raises(NBRunnerInitializationError, match="notebook") as caught:
        NBRunner(Elsewhere)
    assert "Runner" in caught.value.fix
    with pytest.raises(NBDeployerInitializationError, match="notebook"):
        NBDeployer(Elsewhere)
