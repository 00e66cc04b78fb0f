"""The iterations of a loop are one Airflow task, and each has the attempts that `@retry` says."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from airflow_mlflow_provider.dag import build_dag
from airflow_mlflow_provider.plan.manifest import FlowManifest, Limits
from tests.dag.deployed import Finished, manifest_from
from tests.flow_runs import FlowFile
from tests.services.dag_test import run_dag

LOOP = """
import os
import signal


class LoopFlow(FlowSpec):
    failing = Parameter("failing", default="0:1:1,0:3:1", help="index:iteration:attempts that fail, …")

    @step
    def start(self):
        self.elements = [0, 1]
        self.next(self.again, foreach="elements")

    @retry(times=1, minutes_between_retries=0)
    @step
    def again(self):
        self.turn = getattr(self, "turn", -1) + 1
        told = {tuple(map(int, each.split(":"))) for each in self.failing.split(",")}
        attempts = {(index, turn): count for index, turn, count in told}.get((self.index, self.turn), 0)
        if current.retry_count < attempts:
            if self.turn % 2:
                raise ValueError("told to fail")
            os.kill(os.getpid(), signal.SIGKILL)
        self.seen = [*getattr(self, "seen", []), current.retry_count]
        self.more = self.turn < 4
        self.next({True: self.again, False: self.done}, condition="more")

    @step
    def done(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        self.seen = [i.seen for i in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass
"""


@pytest.fixture
def manifest(tmp_path: Path) -> FlowManifest:
    """The flow, deployed."""
    file = FlowFile(tmp_path, LOOP)
    return manifest_from(file.path, file.store)


@pytest.mark.slow
def test_a_failure_in_one_iteration_leaves_the_others_their_retries(manifest: FlowManifest) -> None:
    found = Finished.of(manifest, run_dag(build_dag(manifest), {"failing": "0:1:1,0:2:1,0:3:1,1:0:1"}))
    assert found.artifact("end", "seen") == [[0, 1, 1, 1, 0], [1, 0, 0, 0, 0]]
    assert [found.attempts("again", f"0000-i000{turn}") for turn in range(5)] == [
        [0],
        [0, 1],
        [1, 2],
        [2, 3],
        [3],
    ]


@pytest.mark.slow
def test_an_iteration_that_has_used_up_its_attempts_ends_the_loop_at_once(manifest: FlowManifest) -> None:
    run = run_dag(build_dag(manifest), {"failing": "0:1:1,0:3:9"}, expected="failed")
    found = Finished.of(manifest, run)
    assert run.states["again[0]"] == "failed"
    assert found.attempts("again", "0000-i0003") == [1, 2]
    assert found.status == "failed"
    assert run.states["done[1]"] == "success"


@pytest.mark.slow
def test_loops_of_a_shard_are_tried_again_each_by_itself(manifest: FlowManifest) -> None:
    manifest = msgspec.structs.replace(manifest, limits=Limits(splits_per_task=2))
    run = run_dag(build_dag(manifest), {"failing": "0:1:9,1:2:1,1:3:1"}, expected="failed")
    found = Finished.of(manifest, run)
    assert found.attempts("again", "0000-i0001") == [0, 1]
    assert found.attempts("again", "0001-i0003") == [1, 2]
    assert found.artifact("done", "seen", "0001") == [0, 0, 1, 1, 0]
    assert found.tasks("done") == ["0001"]


def test_the_airflow_task_of_a_loop_has_retries_for_all_iterations(manifest: FlowManifest) -> None:
    manifest = msgspec.structs.replace(manifest, limits=Limits(max_iterations=50))
    assert build_dag(manifest).task_dict["again"].retries == 50
