"""Every way in which a step fails, with `@retry`, `@catch`, both and neither, on this machine and by Airflow's rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_mlflow_provider.dag import build_dag
from airflow_mlflow_provider.plan.identity import airflow_run_id
from airflow_mlflow_provider.plan.manifest import decode
from airflow_mlflow_provider.store.artifacts import ArtifactReader
from airflow_mlflow_provider.store.ledger import Ledger
from tests.flow_runs import FlowFile
from tests.services.dag_test import run_dag

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

SOURCE = """
import os, signal, time

def fail(way, attempt, until=99):
    if attempt >= until:
        return
    if way == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if way == "memory":
        raise MemoryError("no more of it")
    if way == "timeout":
        time.sleep(60)
    raise ValueError("on purpose")

class Failing(FlowSpec):
    way = Parameter("way", default="exception")
    bare = Parameter("bare", default=False)

    @step
    def start(self):
        self.next(self.retried, self.caught, self.both, self.neither)

    @timeout(seconds=1)
    @retry(times=1, minutes_between_retries=0)
    @step
    def retried(self):
        fail(self.way, current.retry_count, until=1)
        self.found = current.retry_count
        self.next(self.join)

    @timeout(seconds=1)
    @catch(var="problem", print_exception=False)
    @step
    def caught(self):
        fail(self.way, current.retry_count)
        self.next(self.join)

    @timeout(seconds=1)
    @retry(times=1, minutes_between_retries=0)
    @catch(var="problem", print_exception=False)
    @step
    def both(self):
        fail(self.way, current.retry_count)
        self.next(self.join)

    @timeout(seconds=1)
    @step
    def neither(self):
        if self.bare:
            fail(self.way, 0)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.found = inputs.retried.found
        self.problems = [inputs.caught.problem.type, inputs.both.problem.type]
        self.next(self.end)

    @step
    def end(self):
        pass
"""
CAUGHT = {
    "exception": "ValueError",
    "memory": "MemoryError",
    "timeout": "TimeoutException",
    "kill": "FailureHandledByCatch",
}


def _check(ledger: Ledger, run: str, way: str) -> None:
    done = ledger.newest_done("Failing", run, "end", "0")
    assert done is not None
    value = ArtifactReader(ledger.store).load

    def artifact(name: str) -> Any:
        return value(name, done.artifacts[name])

    assert artifact("found") == 1
    assert [kind.rpartition(".")[2] for kind in artifact("problems")] == [CAUGHT[way]] * 2
    attempts = {step: ledger.attempts("Failing", run, step, "0") for step in ("retried", "caught", "both")}
    assert attempts == {"retried": [0, 1], "caught": [0], "both": [0, 1]}


def _check_bare(ledger: Ledger, run: str, way: str) -> None:
    failed = ledger.newest_done("Failing", run, "neither", "0")
    assert failed is not None
    assert failed.exception is not None
    kind = failed.exception.type.rpartition(".")[2]
    assert kind == ("process" if way == "kill" else CAUGHT[way])


@pytest.mark.parametrize("way", CAUGHT)
def test_each_failure_is_retried_caught_or_fatal_on_this_machine(tmp_path: Path, way: str) -> None:
    flow = FlowFile(tmp_path, SOURCE)
    run = flow.run("--way", way).succeeded()
    _check(run.ledger, run.run, way)
    bare = flow.run("--way", way, "--bare", "true").failed()
    _check_bare(bare.ledger, bare.run, way)


@pytest.mark.parametrize("way", CAUGHT)
def test_each_failure_is_retried_caught_or_fatal_by_airflows_rules(tmp_path: Path, way: str) -> None:
    flow = FlowFile(tmp_path / "flow", SOURCE)
    shared = {"AIRFLOW__MLFLOW_PROVIDER__DATASTORE_SHARED": "true"}
    flow.run("create", str(tmp_path / "dag.py"), command="airflow", environment=shared).succeeded()
    dag = build_dag(decode((tmp_path / "dag.json").read_bytes()))
    run = run_dag(dag, {"way": way})
    _check(flow.ledger, airflow_run_id(run.dag_id, run.run_id), way)
    bare = run_dag(dag, {"way": way, "bare": True}, expected="failed")
    _check_bare(flow.ledger, airflow_run_id(bare.dag_id, bare.run_id), way)
