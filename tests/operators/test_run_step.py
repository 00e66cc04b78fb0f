"""Single steps as tasks of hand-written DAGs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.operators.run_step import RunStepOperator
from airflow_mlflow_provider.plan.identity import airflow_run_id
from airflow_mlflow_provider.plan.manifest import encode
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from tests.dag.deployed import Finished, deploy, manifest_from
from tests.dag.manifests import decorated, manifest_of
from tests.services.dag_test import run_dag

EXAMPLES = Path(__file__).parents[2] / "dags_examples" / "airflow_parts"


def written(manifest: Any, folder: Path) -> Path:
    """A manifest as a file."""
    path = folder / "flow.json"
    path.write_bytes(encode(manifest))
    return path


def test_decorators_become_arguments_which_those_of_the_task_go_before(tmp_path: Path) -> None:
    path = written(decorated("linear", "middle", retry={"times": 4}), tmp_path)
    with DAG("arguments", default_args={"owner": "me", "retries": 1}):
        task = RunStepOperator(task_id="middle", flow=path)
        other = RunStepOperator(task_id="other", flow=path, step="middle", retries=2, pool="small")
    assert (task.retries, task.owner) == (4, "me")
    assert (other.retries, other.pool, other.unit) == (2, "small", "middle")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"task_id": "strat"}, "has no step 'strat'"),
        ({"task_id": "a", "step": "body"}, "inside the foreach of start"),
        ({"task_id": "end", "parameters": {"x": 1}}, "fixed when its run starts"),
        ({"task_id": "start", "parameters": {"x": 1}}, "no parameter x"),
    ],
)
def test_what_cannot_be_is_an_import_error(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    path = written(manifest_of("foreach"), tmp_path)
    with DAG("wrong"), pytest.raises(CommandException, match=message):
        RunStepOperator(flow=path, **arguments)


def test_steps_of_one_dag_run_are_one_run_and_a_step_with_inputs_of_its_own_another(tmp_path: Path) -> None:
    store = tmp_path / "store"
    path = written(manifest_from(EXAMPLES / "quote_flow.py", store), tmp_path)
    with DAG("by_hand") as dag:
        start = RunStepOperator(task_id="start", flow=path, parameters={"price": "{{ 2 + 0.5 }}"})
        check = RunStepOperator(task_id="check", flow=path)
        end = RunStepOperator(task_id="end", flow=path)
        again = RunStepOperator(
            task_id="check_again", flow=path, step="check", inputs_from="QuoteFlow/latest-successful"
        )
        late = RunStepOperator(task_id="end_again", flow=path, step="end", inputs_from=again.output)
        start >> check >> end >> again >> late
    run = run_dag(dag)
    ledger = Ledger(open_store(store.as_uri()))
    whole = Finished(ledger, "QuoteFlow", airflow_run_id("by_hand", run.run_id))
    assert whole.artifact("end", "quote") == "2.25 each"
    assert (whole.status, whole.record.parameters) == ("succeeded", {"price": 2.5})
    assert run.xcom("end") == f"QuoteFlow/{whole.run}/end/0"
    alone = Finished(ledger, "QuoteFlow", airflow_run_id("by_hand", run.run_id, "check_again"))
    assert run.xcom("check_again") == f"QuoteFlow/{alone.run}/check/0"
    assert (alone.status, alone.record.origin) == ("succeeded", whole.run)
    assert {key.run for key in ledger.newest_done_keys("QuoteFlow", alone.run, "start").values()} == {
        whole.run
    }
    assert alone.artifact("check", "fair") is True
    assert run.xcom("end_again", "pathspec") == "/".join(run.xcom("end_again").split("/")[:2])


def test_a_switch_skips_the_steps_it_did_not_choose_whatever_their_tasks_are_called(tmp_path: Path) -> None:
    store = tmp_path / "store"
    path = written(deploy("changed_mind", store), tmp_path)
    (tmp_path / "way.txt").write_text("b 2")
    rule: Any = {"trigger_rule": "none_failed"}
    with DAG("switch_by_hand") as dag:
        start = RunStepOperator(
            task_id="one", flow=path, step="start", parameters={"file": str(tmp_path / "way.txt")}
        )
        a = RunStepOperator(task_id="two", flow=path, step="a", **rule)
        b = RunStepOperator(task_id="three", flow=path, step="b", **rule)
        merge = RunStepOperator(
            task_id="four", flow=path, step="merge", trigger_rule="none_failed_min_one_success"
        )
        start >> [a, b] >> merge
    states = run_dag(dag).states
    assert states == {"one": "success", "two": "skipped", "three": "success", "four": "success"}


def test_inputs_that_are_not_there_are_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = written(manifest_from(EXAMPLES / "quote_flow.py", tmp_path / "store"), tmp_path)
    with DAG("nothing") as dag:
        RunStepOperator(task_id="check", flow=path, inputs_from="QuoteFlow/latest")
    run_dag(dag, expected="failed")
    assert "QuoteFlow/latest is no run of QuoteFlow" in "".join(capfd.readouterr())
