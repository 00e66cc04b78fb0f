"""A gang does a real distributed computation: gradient descent whose gradients are summed over sockets in every round."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from airflow_mlflow_provider.dag import build_dag
from tests.dag.deployed import Finished, manifest_from
from tests.dag.pods import deployed_to_pods
from tests.flow_runs import FlowFile
from tests.kubernetes_standin import KubernetesStandin
from tests.services.dag_test import run_dag
from tests.services.s3 import S3Server

NODES, POINTS, ROUNDS, RATE = 3, 12, 40, 0.01

FLOW = f"""
    import json
    import socket
    import time

    NODES, POINTS, ROUNDS, RATE = {NODES}, {POINTS}, {ROUNDS}, {RATE}


    def sent(channel, value):
        channel.write(json.dumps(value) + "\\n")
        channel.flush()


    class AllReduce:
        '''Sums vectors over the nodes of a gang: every node gets the same sum, which the first node forms.'''

        def __init__(self, gang, port):
            self.index, self.channels = gang.node_index, []
            if self.index == 0:
                server = socket.create_server((gang.main_ip, port), backlog=gang.num_nodes)
                server.settimeout(60)
                channels = [server.accept()[0].makefile("rw") for _ in range(gang.num_nodes - 1)]
                # In the order of the nodes, so that sums of floats are the same in every run.
                self.channels = [c for _, c in sorted((json.loads(c.readline()), c) for c in channels)]
            else:
                self.channels = [self.connected(gang.main_ip, port).makefile("rw")]
                sent(self.channels[0], self.index)

        def connected(self, address, port):
            give_up = time.monotonic() + 60
            while True:
                try:
                    return socket.create_connection((address, port), timeout=60)
                except ConnectionRefusedError:
                    # The first node may not listen yet.
                    if time.monotonic() > give_up:
                        raise
                    time.sleep(0.02)

        def __call__(self, vector):
            if self.index:
                sent(self.channels[0], vector)
                return json.loads(self.channels[0].readline())
            vectors = [vector, *(json.loads(channel.readline()) for channel in self.channels)]
            total = [sum(column) for column in zip(*vectors)]
            for channel in self.channels:
                sent(channel, total)
            return total


    class AllReduceFlow(FlowSpec):
        port = Parameter("port", type=int, required=True)

        @step
        def start(self):
            self.points = [(x, 3.0 * x - 2.0) for x in range(POINTS)]
            self.next(self.train, num_parallel=NODES)

        @parallel
        @step
        def train(self):
            gang = current.parallel
            self.shard = self.points[gang.node_index :: gang.num_nodes]
            all_reduce = AllReduce(gang, self.port)
            slope, offset = 0.0, 0.0
            for _ in range(ROUNDS):
                errors = [(slope * x + offset - y, x) for x, y in self.shard]
                by_slope, by_offset = all_reduce([sum(e * x for e, x in errors), sum(e for e, _ in errors)])
                slope -= RATE * by_slope / POINTS
                offset -= RATE * by_offset / POINTS
            self.model = (slope, offset)
            self.next(self.join)

        @step
        def join(self, inputs):
            self.models = [i.model for i in inputs]
            self.shards = [i.shard for i in inputs]
            self.next(self.end)

        @step
        def end(self):
            pass
"""


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        found: int = server.getsockname()[1]
        return found


def test_nodes_on_this_machine_train_one_model_together(port: int, tmp_path: Path) -> None:
    run = FlowFile(tmp_path, FLOW).run("--port", str(port)).succeeded()
    _check(run.value("models"), run.value("shards"))


def test_nodes_under_one_airflow_task_train_one_model_together(port: int, tmp_path: Path) -> None:
    file = FlowFile(tmp_path, FLOW)
    manifest = manifest_from(file.path, file.store)
    finished = Finished.of(manifest, run_dag(build_dag(manifest), {"port": port}))
    _check(finished.artifact("end", "models"), finished.artifact("end", "shards"))


@pytest.mark.slow
@pytest.mark.kubernetes
def test_nodes_in_pods_of_their_own_train_one_model_together(
    port: int, s3_server: S3Server, s3_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = FlowFile(tmp_path, FLOW, store=f"s3://{s3_bucket}/flows")
    with KubernetesStandin(tmp_path / "cluster") as cluster:
        monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", cluster.airflow_connection)
        manifest = deployed_to_pods(manifest_from(file.path, file.store), file.path, cluster, s3_server)
        finished = Finished.of(manifest, run_dag(build_dag(manifest), {"port": port}))
        assert len(cluster.admin.pods()) == NODES + 3
    _check(finished.artifact("end", "models"), finished.artifact("end", "shards"))


def _check(models: list[Any], shards: list[Any]) -> None:
    """Every node has the model that one process alone would have trained, of a part of the points that is its own."""
    assert len({tuple(model) for model in models}) == 1
    assert models[0] == pytest.approx(_trained_alone(), rel=1e-9)
    assert [len(shard) for shard in shards] == [POINTS // NODES] * NODES
    assert sorted(point for shard in shards for point in shard) == _points()


def _points() -> list[tuple[int, float]]:
    return [(x, 3.0 * x - 2.0) for x in range(POINTS)]


def _trained_alone() -> tuple[float, float]:
    slope, offset = 0.0, 0.0
    for _ in range(ROUNDS):
        errors = [(slope * x + offset - y, x) for x, y in _points()]
        by_slope, by_offset = sum(error * x for error, x in errors), sum(error for error, _ in errors)
        slope, offset = slope - RATE * by_slope / POINTS, offset - RATE * by_offset / POINTS
    return slope, offset
