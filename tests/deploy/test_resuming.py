"""What is stored of a run that Airflow is about to resume."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from airflow_mlflow_provider.dag import build_dag
from airflow_mlflow_provider.deploy.resuming import (
    ResumeOptions,
    find_origin,
    plan_deployed_resume,
    resumed_manifest,
    store_resumed,
)
from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.operators.sealing import seal_failed
from airflow_mlflow_provider.plan.identity import airflow_run_id
from airflow_mlflow_provider.plan.manifest import FlowManifest, decode
from airflow_mlflow_provider.store.records import RunRecord
from tests.dag.deployed import Finished, manifest_from
from tests.dag.manifests import manifest_of
from tests.flow_runs import FlowFile, FlowRun
from tests.services.dag_test import DagTestRun, run_dag

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


STOPS = """
import os

class StopsFlow(FlowSpec):
    @step
    def start(self):
        self.items = [1, 2, 3]
        self.next(self.wide, self.side)

    @step
    def wide(self):
        self.next(self.body, foreach="items")

    @step
    def body(self):
        if os.path.exists("broken"):
            raise ValueError("told to fail")
        self.value = self.input * 10
        self.next(self.polish)

    @step
    def polish(self):
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.values = [one.value for one in inputs]
        self.next(self.meet)

    @step
    def side(self):
        self.next(self.meet)

    @step
    def meet(self, inputs):
        self.values = inputs.gather.values
        self.next(self.end)

    @step
    def end(self):
        pass
"""


class _Stopping:
    """A flow whose local run failed in the body of a foreach, resumed by `dag.test()` up to a step."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.file = FlowFile(folder, STOPS)
        monkeypatch.chdir(folder)
        self.broken = folder / "broken"
        self.broken.touch()
        self.origin = self.file.run("--keep-going").failed().run
        self.broken.unlink()

    def resume(self, origin: str, expected: str = "success", **options: Any) -> tuple[DagTestRun, Finished]:
        """A DAG run that resumes another run, and what it left."""
        manifest = manifest_from(self.file.path, self.file.store)
        moment = datetime.datetime.now(datetime.timezone.utc)
        plan = plan_deployed_resume(self.file.ledger, manifest, ResumeOptions(origin, **options))
        store_resumed(self.file.ledger, manifest, plan, f"manual__{moment.isoformat()}")
        run = run_dag(build_dag(manifest), plan.parameters, expected=expected, logical_date=moment)
        return run, Finished.of(manifest, run)


@pytest.fixture
def stopping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Stopping:
    """The flow above."""
    return _Stopping(tmp_path, monkeypatch)


@pytest.mark.slow
def test_a_resumed_dag_run_stops_after_a_step_and_is_resumed_to_its_end(stopping: _Stopping) -> None:
    run, stopped = stopping.resume(stopping.origin, until="body")
    assert [run.states[label] for label in ("body[2]", "side", "polish[2]", "end")] == [
        "success",
        "success",
        "skipped",
        "skipped",
    ]
    assert [stopped.artifact("body", "value", f"000{n}") for n in range(3)] == [10, 20, 30]
    assert stopped.tasks("side") == stopped.tasks("polish") == stopped.tasks("end") == []
    end = stopped.ledger.run_end("StopsFlow", stopped.run)
    assert end is not None
    assert (end.status, end.reason.partition(" ")[0]) == ("terminated", "stopped")

    _, rest = stopping.resume(stopped.run)
    assert (rest.status, rest.artifact("end", "values")) == ("succeeded", [10, 20, 30])
    assert {key.run for key in rest.ledger.newest_done_keys("StopsFlow", rest.run, "body").values()} == {
        stopped.run
    }


@pytest.mark.slow
def test_a_resumed_dag_run_that_only_takes_over_runs_nothing(stopping: _Stopping) -> None:
    _, cloned = stopping.resume(stopping.origin, clone_only=True)
    assert cloned.status == "terminated"
    assert cloned.ledger.steps("StopsFlow", cloned.run) == ["_parameters", "side", "start", "wide"]
    assert not cloned.ledger.store.children(f"flows/StopsFlow/runs/{cloned.run}/tasks")


@pytest.mark.slow
def test_a_resumed_dag_run_that_was_to_stop_and_failed_before_has_failed(stopping: _Stopping) -> None:
    stopping.broken.touch()
    _, failed = stopping.resume(stopping.origin, expected="failed", until="gather")
    seal_failed(failed.ledger, "StopsFlow", failed.run, "Airflow says so")
    end = failed.ledger.run_end("StopsFlow", failed.run)
    assert end is not None
    assert (end.status, len(end.failed_tasks)) == ("failed", 3)


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
