"""A gang ends as a whole: a node that fails, caught or not, stops the others, which may wait for it for ever."""

from __future__ import annotations

from pathlib import Path

from airflow_mlflow_provider.dag import build_dag
from tests.dag.deployed import Finished, manifest_from
from tests.flow_runs import FlowFile
from tests.services.dag_test import run_dag

WAITS_S = 600
FLOW = f"""
import time

class GangFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.train, num_parallel=3)

    @catch(var="error", print_exception=False)
    @parallel
    @step
    def train(self):
        if current.parallel.node_index == 1:
            raise ValueError("told to fail")
        time.sleep({WAITS_S})
        self.next(self.join)

    @step
    def join(self, inputs):
        self.errors = [i.error.type.rpartition(".")[2] for i in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass
"""
ERRORS = ["FailureHandledByCatch", "ValueError", "FailureHandledByCatch"]


def test_a_caught_exception_in_one_node_stops_the_others(tmp_path: Path) -> None:
    run = FlowFile(tmp_path, FLOW).run().succeeded()
    assert run.value("errors") == ERRORS


def test_a_caught_exception_in_one_node_stops_the_others_under_airflow(tmp_path: Path) -> None:
    file = FlowFile(tmp_path, FLOW)
    manifest = manifest_from(file.path, file.store)
    found = Finished.of(manifest, run_dag(build_dag(manifest)))
    assert found.artifact("end", "errors") == ERRORS
    assert found.attempts("train", "0001") == [0]
