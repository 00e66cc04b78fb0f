"""Runs of flows in DAGs of somebody else's, as the views find them, after a run by Airflow's own rules in this process."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_mlflow_provider.dag import FlowTaskGroup
from airflow_mlflow_provider.exception import MetaflowNotFound
from airflow_mlflow_provider.operators.run_step import RunStepOperator
from airflow_mlflow_provider.plan.identity import airflow_run_id
from airflow_mlflow_provider.plan.manifest import encode
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from tests.dag.deployed import manifest_from
from tests.services.dag_test import DagTestRun, run_dag

EXAMPLES = Path(__file__).parents[2] / "dags_examples" / "airflow_parts"
MAY_ALL: Any = SimpleNamespace(may=lambda *_: True)

pytestmark = pytest.mark.slow


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DagTestRun:
    """A run of a DAG with a flow as a task group and a step of another run of it."""
    store = tmp_path / "store"
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__DATASTORE_ROOT", store.as_uri())
    path = tmp_path / "flow.json"
    path.write_bytes(encode(manifest_from(EXAMPLES / "quote_flow.py", store)))
    with DAG("somebody_elses", schedule=None) as dag:
        group = FlowTaskGroup("outer", path, parameters={"price": 2.5})
        group >> RunStepOperator(task_id="again", flow=path, step="check", inputs_from=group.pathspec)
    return run_dag(dag)


def test_each_part_is_a_run_with_its_tasks(run: DagTestRun) -> None:
    from airflow_mlflow_provider.plugins.reading.instances import instance_view
    from airflow_mlflow_provider.plugins.reading.parts import part_of_task
    from airflow_mlflow_provider.plugins.reading.run import RunReader

    first = RunReader("somebody_elses", run.run_id)
    view = first.view(MAY_ALL)
    assert view.pathspec == f"QuoteFlow/{airflow_run_id('somebody_elses', run.run_id, 'outer')}"
    assert (view.status, view.parts, view.may_resume) == ("succeeded", ["outer", "again"], False)
    again = RunReader("somebody_elses", run.run_id, "again")
    assert again.view(MAY_ALL).origin is not None
    for reader, task, step in ((first, "outer.check", "check"), (again, "again", "check")):
        assert [one.step for one in instance_view(reader, task, -1).tasks] == [step]
        assert part_of_task("somebody_elses", run.run_id, task, -1) == reader.parts[reader is again].name
    with pytest.raises(MetaflowNotFound, match="no part other"):
        RunReader("somebody_elses", run.run_id, "other")


def test_what_a_task_tells_does_not_lead_to_runs_of_other_dags(run: DagTestRun, tmp_path: Path) -> None:
    from airflow_mlflow_provider.plugins.reading.parts import checked, parts_of

    ledger = Ledger(open_store((tmp_path / "store").as_uri()))
    part = parts_of("somebody_elses", run.run_id)[0]
    assert checked(ledger, part, "somebody_elses", run.run_id) == part
    with pytest.raises(MetaflowNotFound, match="not a run of this DAG run"):
        checked(ledger, part, "another_dag", run.run_id)


def test_links_lead_to_the_run_its_artifacts_and_its_origin(run: DagTestRun) -> None:
    from airflow_mlflow_provider.plugins.links import LINKS

    key = SimpleNamespace(
        dag_id="somebody_elses", run_id=run.run_id, task_id="again", map_index=-1, try_number=1
    )
    links = {
        link.name: link.get_link(None, ti_key=key) for link in LINKS if RunStepOperator in link.operators
    }
    assert set(links) == {"Flow run", "Artifacts", "Card", "Origin run", "Resume"}
    assert links["Flow run"].endswith("/plugin/flow")
    assert links["Artifacts"].endswith("/tasks/again/plugin/step")
    assert links["Card"] == f"{links['Artifacts']}#show=cards"
    assert links["Origin run"] == links["Flow run"].removesuffix("/plugin/flow")
