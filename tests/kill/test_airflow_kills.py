"""`kill -9` at random points of a run on Airflow: of a task, of its zygote, of Airflow's own task process, of a pod."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psutil
import pytest

from airflow_mlflow_provider.operators.kubernetes.names import PREFIX
from airflow_mlflow_provider.plan.identity import airflow_run_id
from airflow_mlflow_provider.store.abc import Store
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.store.records import AttemptKey, BeginRecord
from tests.kill.runs import FILE, FLOW, SPLITS, Records, check_result
from tests.parity.cluster import SharedCluster
from tests.parity.flows_under_test import FlowUnderTest
from tests.parity.ways import deploy_on_airflow
from tests.services.airflow import LiveAirflow
from tests.services.s3 import S3Server
from tests.services.waiting import wait_until

ROUNDS = 10
ENDED_SECONDS = 240.0
ORPHAN_SECONDS = 20.0
BODY_SECONDS = 1.5
# start, and work and digest of each split: any of them, and so any moment before the join, can be chosen.
TASKS_BEFORE_JOIN = 1 + 2 * SPLITS
VICTIMS = ("airflow", "zygote", "task")
SEEDS = [pytest.param(n, marks=[pytest.mark.slow] if n else []) for n in range(ROUNDS)]

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]


@dataclass
class Deployed:
    """The flow, deployed once for a test process."""

    airflow: LiveAirflow
    dag_id: str
    store: Store

    def trigger(self) -> tuple[str, str]:
        """Start a run; Airflow's id of it and the store's."""
        conf = {"splits": SPLITS, "seconds": BODY_SECONDS}
        dag_run_id = self.airflow.api.trigger(self.dag_id, conf)
        return dag_run_id, airflow_run_id(self.dag_id, dag_run_id)

    def begun(self, run: str) -> list[AttemptKey]:
        """Attempts of a run that have begun."""
        ledger = Ledger(self.store)
        return [
            AttemptKey(FLOW, run, step, task, attempt)
            for step in ledger.steps(FLOW, run)
            for task in ledger.tasks(FLOW, run, step)
            for attempt in ledger.attempts(FLOW, run, step, task)
            if not step.startswith("_")
        ]

    def running(self, run: str) -> list[BeginRecord]:
        """The beginnings of the attempts that have no end yet."""
        ledger = Ledger(self.store)
        keys = [key for key in self.begun(run) if ledger.done(key) is None]
        return [begin for key in keys if (begin := ledger.begun(key)) is not None]


def _deploy(airflow: LiveAirflow, store: str, name: str, compute: str) -> Deployed:
    deploy_on_airflow(FlowUnderTest(FLOW, FILE, lambda tasks: None), store, airflow, name, compute)
    return Deployed(airflow, name, open_store(store, cache=None))


@pytest.fixture(scope="module")
def in_worker(live_airflow_sqlite: LiveAirflow, tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    """Steps in the worker. Each test process has a deployment of its own."""
    store = (tmp_path_factory.mktemp("store") / "store").as_uri()
    return _deploy(live_airflow_sqlite, store, f"KillWorker{os.getpid()}", "worker")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_killed_process_of_a_worker_step_costs_an_attempt_and_nothing_else(
    seed: int, in_worker: Deployed
) -> None:
    chance = random.Random(seed)
    victim = VICTIMS[seed % len(VICTIMS)]

    def kill(begin: BeginRecord) -> bool:
        return _kill_process(begin.pid, victim)

    dag_run_id, run = in_worker.trigger()
    killed = _kill_once(in_worker, run, chance, kill)
    _check_end(in_worker, dag_run_id, run, killed)
    wait_until(lambda: not psutil.pid_exists(killed.pid), ORPHAN_SECONDS, f"process {killed.pid} to end")


def _kill_once(
    flow: Deployed, run: str, chance: random.Random, kill: Callable[[BeginRecord], bool]
) -> BeginRecord:
    """Wait for a random number of attempts and a random time, then kill one of those that run; its beginning."""
    count, later = chance.randint(1, TASKS_BEFORE_JOIN), chance.uniform(0.0, BODY_SECONDS)
    records = Records(flow.store)

    def reached() -> bool:
        records.check()
        return len(flow.begun(run)) >= count

    wait_until(reached, ENDED_SECONDS, lambda: f"{count} attempts to begin: {flow.begun(run)}")
    time.sleep(later)

    def hit() -> BeginRecord | None:
        records.check()
        running = flow.running(run)
        begin = chance.choice(running) if running else None
        return begin if begin is not None and kill(begin) else None

    found = wait_until(hit, ENDED_SECONDS, "a running attempt to be killed")
    assert found is not None
    return found


def _kill_process(pid: int, victim: str) -> bool:
    """Kill a task process, or the one above it, or the one above that; whether it was there."""
    with suppress(psutil.NoSuchProcess):
        task = psutil.Process(pid)
        line = [task, *task.parents()]
        line[VICTIMS[::-1].index(victim)].send_signal(signal.SIGKILL)
        return True
    return False


def _check_end(flow: Deployed, dag_run_id: str, run: str, killed: BeginRecord) -> None:
    flow.airflow.api.wait_for_run(flow.dag_id, dag_run_id, timeout=ENDED_SECONDS)
    check_result(flow.store, FLOW, run)
    Records(flow.store).check()
    ledger = Ledger(flow.store)
    key = killed.key
    attempts = ledger.attempts(FLOW, run, key.step, key.task)
    record = ledger.done(key)
    # Killed before the commit: another attempt was made. Killed after it: the record counts, and no other was needed.
    assert (record is not None and record.finished) or len(attempts) > key.attempt + 1


@pytest.fixture(scope="module")
def in_pods(live_airflow_pods: LiveAirflow, s3_server: S3Server) -> Iterator[Deployed]:
    """Steps in pods."""
    store = f"s3://{s3_server.bucket()}/flows"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3_server.environment().items():
            patch.setenv(name, value)
        yield _deploy(live_airflow_pods, store, f"KillPods{os.getpid()}", "kubernetes")


@pytest.mark.kubernetes
@pytest.mark.parametrize("seed", SEEDS)
def test_a_killed_pod_costs_an_attempt_and_nothing_else(
    seed: int, in_pods: Deployed, pod_cluster: SharedCluster
) -> None:
    chance = random.Random(1000 + seed)
    orders: tuple[Callable[[str], None], ...] = (
        pod_cluster.admin.kill,
        pod_cluster.admin.out_of_memory,
        pod_cluster.admin.evict,
        pod_cluster.admin.vanish,
    )
    order = orders[seed % len(orders)]

    def kill(begin: BeginRecord) -> bool:
        pods = [
            pod
            for pod in _running_pods(pod_cluster, run)
            if _task_of(pod) == (begin.key.step, begin.key.task)
        ]
        for pod in pods:
            # It may have ended since; then another one is hit.
            with suppress(ValueError):
                order(pod["metadata"]["name"])
                return True
        return False

    dag_run_id, run = in_pods.trigger()
    killed = _kill_once(in_pods, run, chance, kill)
    _check_end(in_pods, dag_run_id, run, killed)
    wait_until(lambda: not _running_pods(pod_cluster, run), ORPHAN_SECONDS, "all pods of the run to end")


def _running_pods(cluster: SharedCluster, run: str) -> list[dict[str, Any]]:
    pods = [record["last"] for record in cluster.admin.pods() if not record["deleted"]]
    running = [pod for pod in pods if pod["status"].get("phase") == "Running"]
    return [pod for pod in running if pod["metadata"]["annotations"].get(f"{PREFIX}/run") == run]


def _task_of(pod: dict[str, Any]) -> tuple[str, str]:
    annotations = pod["metadata"]["annotations"]
    return annotations[f"{PREFIX}/steps"], annotations[f"{PREFIX}/task"]
