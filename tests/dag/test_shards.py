"""Splits that share an Airflow task run in the worker, beside all of Airflow."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import msgspec

from airflow_mlflow_provider.dag import build_dag
from airflow_mlflow_provider.plan.manifest import Limits
from tests.dag.deployed import Finished, manifest_from
from tests.flow_runs import FlowFile
from tests.services.dag_test import run_dag

_SPLITS = 20
_SHARD = """
    class ShardFlow(FlowSpec):
        @step
        def start(self):
            self.items = list(range(20))
            self.next(self.work, foreach="items")

        @step
        def work(self):
            import os, sys
            self.forked_from = os.getppid()
            status = dict(line.split(":", 1) for line in open(f"/proc/{self.forked_from}/status"))
            self.kilobytes = int(status["VmHWM"].split()[0])
            self.path = sys.path
            self.niceness = os.nice(0)
            self.next(self.join)

        @step
        def join(self, inputs):
            self.zygotes = sorted({i.forked_from for i in inputs})
            self.largest = max(i.kilobytes for i in inputs)
            self.paths = {tuple(i.path) for i in inputs}
            self.niceness = {i.niceness for i in inputs}
            self.next(self.end)

        @step
        def end(self):
            pass
"""


def test_many_splits_of_a_shard_are_forked_from_a_small_process_of_their_own(tmp_path: Path) -> None:
    file = FlowFile(tmp_path, _SHARD)
    limits = Limits(splits_per_task=_SPLITS)
    manifest = msgspec.structs.replace(manifest_from(file.path, file.store), limits=limits)
    found = Finished.of(manifest, run_dag(build_dag(manifest)))
    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert len(found.tasks("work")) == _SPLITS
    assert len(found.artifact("join", "zygotes")) == 1
    # A fork has all the memory of this process, Airflow and the tests' tools, and counts it as its own.
    assert found.artifact("join", "largest") < ours / 2
    # Airflow's own processes go first.
    assert found.artifact("join", "niceness") == {os.nice(0) + 5}
    (path,) = found.artifact("join", "paths")
    assert path[0] == str(file.path.parent)
