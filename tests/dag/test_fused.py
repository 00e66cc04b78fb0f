"""Chains of steps that run as one Airflow task: a record for each step, and a retry goes on where the chain stopped."""

from __future__ import annotations

from pathlib import Path

import msgspec

from airflow_mlflow_provider.dag import build_dag
from airflow_mlflow_provider.plan.manifest import FlowManifest
from tests.dag.deployed import Finished, manifest_from
from tests.flow_runs import FlowFile
from tests.services.dag_test import run_dag

CHAIN = """
class FusedFlow(FlowSpec):
    @retry(times=1, minutes_between_retries=0)
    @step
    def start(self):
        self.numbers = [1, 2]
        self.next(self.prepare, foreach="numbers")

    @retry(times=1, minutes_between_retries=0)
    @step
    def prepare(self):
        self.seen = [current.step_name]
        self.next(self.train)

    @retry(times=1, minutes_between_retries=0)
    @step
    def train(self):
        if self.index == 1 and current.retry_count == 0:
            raise ValueError("told to fail")
        self.seen = [*self.seen, current.step_name]
        self.next(self.score)

    @retry(times=1, minutes_between_retries=0)
    @step
    def score(self):
        self.seen = [*self.seen, current.step_name, self.input]
        self.next(self.join)

    @step
    def join(self, inputs):
        self.seen = [i.seen for i in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass
"""


def _fused(folder: Path) -> FlowManifest:
    file = FlowFile(folder, CHAIN)
    manifest = manifest_from(file.path, file.store)
    return msgspec.structs.replace(manifest, settings={**manifest.settings, "fuse": True})


def test_a_chain_is_one_airflow_task_that_goes_on_at_its_first_unfinished_step(tmp_path: Path) -> None:
    manifest = _fused(tmp_path)
    run = run_dag(build_dag(manifest))
    assert set(run.states) == {"start", "prepare[0]", "prepare[1]", "join"}
    found = Finished.of(manifest, run)
    assert found.artifact("end", "seen") == [["prepare", "train", "score", n] for n in (1, 2)]
    attempts = {step: found.attempts(step, "0001") for step in ("prepare", "train", "score")}
    assert attempts == {"prepare": [0], "train": [0, 1], "score": [1]}
    assert found.attempts("score", "0000") == [0]
    assert found.status == "succeeded"
