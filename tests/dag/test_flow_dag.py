"""Flows that live in the DAGs folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG

from airflow_mlflow_provider.plan.identity import airflow_run_id
from airflow_mlflow_provider.store.artifacts import ArtifactReader
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from tests.services.dag_test import run_dag

FLOW = """
from airflow_mlflow_provider import FlowSpec, Parameter, step
from airflow_mlflow_provider.dag import FlowDag


class SmallFlow(FlowSpec):
    '''A small flow.'''

    alpha = Parameter("alpha", default=0.5)

    @step
    def start(self):
        self.next({target})

    @step
    def end(self):
        print("alpha is", self.alpha)


dag = FlowDag(SmallFlow, store={store!r}, tags=("small",), name="small")
"""


@pytest.fixture(autouse=True)
def shared_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Say that workers see the store's folder, as they do here."""
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__DATASTORE_SHARED", "true")


def dag_in(folder: Path, text: str) -> DAG:
    """The one DAG of a DAG file with this text."""
    (folder / "flow.py").write_text(dedent(text))
    bag = DagBag(dag_folder=str(folder / "flow.py"))
    assert bag.import_errors == {}
    (dag,) = bag.dags.values()
    return dag


def test_three_lines_make_a_dag_of_a_class(tmp_path: Path) -> None:
    dag = dag_in(tmp_path, FLOW.format(target="self.end", store=str(tmp_path / "store")))
    assert dag.dag_id == "small"
    assert dag.tags == {"small"}
    assert set(dag.task_dict) == {"start", "end"}
    assert dag.params.dump() == {"alpha": 0.5}
    assert dag.doc_md == "A small flow."
    assert dag.fileloc == str(tmp_path / "flow.py")


def test_a_run_of_it_runs_from_a_code_package_made_when_it_starts(tmp_path: Path) -> None:
    store = tmp_path / "store"
    dag = dag_in(tmp_path, FLOW.format(target="self.end", store=str(store)))
    run = run_dag(dag, {"alpha": 2})
    ledger = Ledger(open_store(str(store)))
    record = ledger.run("SmallFlow", airflow_run_id(run.dag_id, run.run_id))
    assert record.parameters == {"alpha": 2}
    assert len(record.code) == 64
    assert ledger.code(record.code)


@pytest.mark.slow
def test_packages_of_its_steps_are_locked_when_a_run_starts(tmp_path: Path) -> None:
    text = FLOW.format(target="self.end", store=str(tmp_path / "store"))
    text = text.replace('name="small"', 'name="small", environment="pypi"')
    text = text.replace(
        "    @step\n    def end(self):\n",
        """    @pypi(packages={"docopt": "0.6.2"})
    @step
    def end(self):
        import docopt

        self.version = docopt.__version__
""",
    ).replace("Parameter, step", "Parameter, pypi, step")
    dag = dag_in(tmp_path, text)
    run = run_dag(dag, {})
    ledger = Ledger(open_store(str(tmp_path / "store")))
    identity = airflow_run_id(run.dag_id, run.run_id)
    assert list(ledger.run("SmallFlow", identity).environments) == ["end"]
    done = ledger.newest_done("SmallFlow", identity, "end", "0")
    assert done is not None
    assert ArtifactReader(ledger.store).load("version", done.artifacts["version"]) == "0.6.2"


def test_the_file_runs_where_airflow_is_not_installed(tmp_path: Path) -> None:
    text = FLOW.format(target="self.end", store=str(tmp_path / "store"))
    ending = 'dag.doc_md = "done to what there is not"\n\nif __name__ == "__main__":\n    SmallFlow()\n'
    (tmp_path / "flow.py").write_text(f"{text}{ending}")
    code = (
        "import runpy, sys; sys.modules['airflow'] = None; sys.argv = ['flow.py', 'run'];"
        "runpy.run_path('flow.py', run_name='__main__')"
    )
    environment = {**os.environ, "METAFLOW_USER": "tester"}
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "alpha is 0.5" in ran.stdout, ran.stderr


def test_every_error_of_the_flow_is_in_the_import_error(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(FLOW.format(target="self.nowhere", store=str(tmp_path)))
    (error,) = DagBag(dag_folder=str(tmp_path / "flow.py")).import_errors.values()
    assert "T306" in error
    assert "nowhere" in error


def test_without_a_store_the_file_says_how_to_name_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW__MLFLOW_PROVIDER__DATASTORE_ROOT", raising=False)
    (tmp_path / "flow.py").write_text(FLOW.format(target="self.end", store=None))
    (error,) = DagBag(dag_folder=str(tmp_path / "flow.py")).import_errors.values()
    assert "No artifact store is configured for SmallFlow" in error
