"""What is stored of a run that Airflow is about to resume."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from airflow_mlflow_provider.deploy.resuming import (
    ResumeOptions,
    find_origin,
    plan_deployed_resume,
    resumed_manifest,
    store_resumed,
)
from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.plan.identity import airflow_run_id
from airflow_mlflow_provider.plan.manifest import FlowManifest, decode
from airflow_mlflow_provider.store.records import RunRecord
from tests.dag.manifests import manifest_of
from tests.flow_runs import FlowFile, FlowRun

SOURCE = """
class ResumedFlow(FlowSpec):
    fails = Parameter("fails", default=True)

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        assert not self.fails
"""


def test_a_resumed_run_keeps_parameters_trigger_and_origin_and_names_what_it_took_over(
    tmp_path: Path,
) -> None:
    flow = FlowFile(tmp_path, SOURCE)
    origin = flow.run().failed().run
    ledger = flow.ledger
    manifest = decode(ledger.blob(ledger.run("ResumedFlow", origin).manifest), "manifest")
    triggered = msgspec.structs.replace(
        ledger.run("ResumedFlow", origin), trigger={"events": [{"name": "arrived", "id": "1"}]}
    )
    ledger.store.put(f"flows/ResumedFlow/runs/{origin}/run.json", msgspec.json.encode(triggered))
    plan = plan_deployed_resume(ledger, manifest, ResumeOptions(origin, parameters={"fails": False}))
    record: RunRecord = store_resumed(ledger, manifest, plan, "manual__again")

    stored = ledger.run("ResumedFlow", record.run)
    assert (stored.origin, stored.parameters) == (origin, {"fails": False})
    assert stored.trigger == triggered.trigger
    assert ledger.newest_done_keys("ResumedFlow", record.run, "start")["0"].run == origin
    # It reads `fails`, which has another value.
    assert ledger.newest_done_keys("ResumedFlow", record.run, "end") == {}


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> FlowRun:
    """A local run that has failed."""
    run = FlowFile(tmp_path_factory.mktemp("resuming"), SOURCE).run().failed()
    assert run.run
    return run


def _manifest(run: FlowRun) -> FlowManifest:
    return msgspec.structs.replace(decode(run.ledger.blob(run.record.manifest)), dag_id="ResumedFlow")


def test_the_origin_is_named_by_run_id_pathspec_or_dag_run_id(failed: FlowRun) -> None:
    manifest, ledger = _manifest(failed), failed.ledger
    dag_run = "manual__2026-11-29T09:00:00+00:00"
    of_airflow = msgspec.structs.replace(failed.record, run=airflow_run_id("ResumedFlow", dag_run))
    ledger.create_run(of_airflow)
    for text, run in (
        (failed.run, failed.run),
        (f"ResumedFlow/{failed.run}", failed.run),
        (dag_run, of_airflow.run),
        (of_airflow.run, of_airflow.run),
    ):
        assert find_origin(ledger, manifest, text).run == run
    with pytest.raises(CommandException, match=f"no run ResumedFlow/none to resume.*{failed.run}"):
        find_origin(ledger, manifest, "none")


def test_the_origins_code_runs_in_the_deployed_dag_if_its_steps_make_the_same(failed: FlowRun) -> None:
    manifest, ledger = _manifest(failed), failed.ledger
    options = ResumeOptions(failed.run, code="origin")
    deployed = msgspec.structs.replace(
        manifest, code=msgspec.structs.replace(manifest.code, digest="0" * 64), tags=("new",)
    )
    seen = resumed_manifest(ledger, deployed, options)
    assert (seen.code, seen.tags) == (manifest.code, ("new",))
    assert resumed_manifest(ledger, deployed, ResumeOptions(failed.run)) is deployed


@pytest.mark.parametrize("change", ["steps", "pods"])
def test_the_origins_code_is_refused_where_it_cannot_run(failed: FlowRun, change: str) -> None:
    manifest = _manifest(failed)
    if change == "steps":
        deployed = msgspec.structs.replace(manifest, graph=manifest_of("linear").graph)
        deployed = msgspec.structs.replace(
            deployed, graph=msgspec.structs.replace(deployed.graph, name="ResumedFlow")
        )
    else:
        deployed = msgspec.structs.replace(manifest, compute="kubernetes")
    with pytest.raises(CommandException) as refused:
        resumed_manifest(failed.ledger, deployed, ResumeOptions(failed.run, code="origin"))
    assert {"steps": "make another DAG", "pods": "no code package for pods"}[change] in str(refused.value)
    assert refused.value.fix
