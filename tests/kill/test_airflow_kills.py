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
from tests.parity.flows_under_test import FlowUnderTest
from tests.parity.ways import deploy_on_airflow
from tests.services.airflow import LiveAirflow
from tests.services.cluster import SharedCluster
from tests.services.s3 import S3Server
from tests.services.waiting import wait_until

ROUNDS = 10
RUNS = 4
POLL_SECONDS = 0.2
ENDED_SECONDS = 240.0
ORPHAN_SECONDS = 20.0
BODY_SECONDS = 1.5
# start, and work and digest of each split: any of them, and so any moment before the join, can be chosen.
TASKS_BEFORE_JOIN = 1 + 2 * SPLITS
VICTIMS = ("airflow", "zygote", "task")
# Killing a pod costs minutes, as every try is a pod: `make test-full` does it.
POD_SEEDS = [pytest.param(n, marks=[pytest.mark.slow]) for n in range(ROUNDS)]
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

    def ended(self, dag_run_id: str) -> bool:
        """Whether Airflow is through with a run."""
        return self.airflow.api.run(self.dag_id, dag_run_id)["state"] in ("success", "failed")


@dataclass(frozen=True)
class Hit:
    """A run of which something was killed.

    Attributes:
        dag_run_id: Airflow's id of the run.
        run: The store's.
        victim: The attempt that was hit.
        pid: Of its task process, 0 if it ran elsewhere.
    """

    dag_run_id: str
    run: str
    victim: AttemptKey
    pid: int = 0


# Kills something of a run, if it finds it: the attempt, and the process id or 0.
Kill = Callable[[str], "tuple[AttemptKey, int] | None"]


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

    def kill(run: str) -> tuple[AttemptKey, int] | None:
        running = in_worker.running(run)
        begin = chance.choice(running) if running else None
        return (begin.key, begin.pid) if begin and _kill_process(begin.pid, victim) else None

    hit = _kill_once(in_worker, chance, kill)
    _check_end(in_worker, hit)
    wait_until(lambda: not psutil.pid_exists(hit.pid), ORPHAN_SECONDS, f"process {hit.pid} to end")


def _kill_once(flow: Deployed, chance: random.Random, kill: Kill) -> Hit:
    """Start runs until something of one was killed, at a random time after a random number of its attempts had begun."""
    for _ in range(RUNS):
        dag_run_id, run = flow.trigger()
        count, later = chance.randint(1, TASKS_BEFORE_JOIN), chance.uniform(0.0, BODY_SECONDS)
        wait_until(
            lambda run=run, count=count: len(flow.begun(run)) >= count,  # type: ignore[misc]
            ENDED_SECONDS,
            lambda run=run, count=count: f"{count} attempts to begin: {flow.begun(run)}",  # type: ignore[misc]
            interval=POLL_SECONDS,
        )
        time.sleep(later)
        while not flow.ended(dag_run_id):
            if found := kill(run):
                return Hit(dag_run_id, run, *found)
            Records(flow.store).check()
    raise AssertionError(f"nothing was there to be killed in {RUNS} runs")


def _kill_process(pid: int, victim: str) -> bool:
    """Kill a task process, or the one above it, or the one above that; whether it was there."""
    with suppress(psutil.NoSuchProcess):
        task = psutil.Process(pid)
        line = [task, *task.parents()]
        line[VICTIMS[::-1].index(victim)].send_signal(signal.SIGKILL)
        return True
    return False


def _check_end(flow: Deployed, hit: Hit) -> None:
    flow.airflow.api.wait_for_run(flow.dag_id, hit.dag_run_id, timeout=ENDED_SECONDS)
    check_result(flow.store, FLOW, hit.run)
    Records(flow.store).check()
    ledger = Ledger(flow.store)
    record = ledger.done(hit.victim)
    attempts = ledger.attempts(FLOW, hit.run, hit.victim.step, hit.victim.task)
    # Killed before the commit: another attempt was made. Killed after it: the record counts, and no other was needed.
    assert (record is not None and record.finished) or max(attempts) > hit.victim.attempt


@pytest.fixture(scope="module")
def in_pods(live_airflow_sqlite: LiveAirflow, s3_server: S3Server) -> Iterator[Deployed]:
    """Steps in pods."""
    store = f"s3://{s3_server.bucket()}/flows"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3_server.environment().items():
            patch.setenv(name, value)
        yield _deploy(live_airflow_sqlite, store, f"KillPods{os.getpid()}", "kubernetes")


@pytest.mark.kubernetes
@pytest.mark.parametrize("seed", POD_SEEDS)
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

    def kill(run: str) -> tuple[AttemptKey, int] | None:
        pods = _running_pods(pod_cluster, run)
        pod = chance.choice(pods) if pods else None
        # It may have ended since; then another one is hit.
        with suppress(ValueError):
            if pod is not None:
                order(pod["metadata"]["name"])
                return _attempt_of(pod), 0
        return None

    hit = _kill_once(in_pods, chance, kill)
    _check_end(in_pods, hit)
    wait_until(lambda: not _running_pods(pod_cluster, hit.run), ORPHAN_SECONDS, "all pods of the run to end")


@pytest.mark.kubernetes
def test_a_pod_that_succeeds_without_a_record_fails_its_step_and_says_so(
    live_airflow_sqlite: LiveAirflow, s3_bucket: str
) -> None:
    store, name = f"s3://{s3_bucket}/flows", f"Silent{os.getpid()}"
    file = FILE.with_name("silent_flow.py")
    deploy_on_airflow(
        FlowUnderTest("SilentFlow", file, lambda tasks: None), store, live_airflow_sqlite, name, "worker"
    )
    api = live_airflow_sqlite.api
    dag_run_id = api.trigger(name)
    api.wait_for_run(name, dag_run_id, timeout=ENDED_SECONDS, expected="failed")
    assert api.states(name, dag_run_id) == {"start": "success", "silent": "failed", "end": "upstream_failed"}
    log = api.task_log(name, dag_run_id, "silent")
    assert "The pod ended without a record of silent/0" in log
    ledger = Ledger(open_store(store, cache=None))
    run = airflow_run_id(name, dag_run_id)
    # Airflow calls the sealing callback some time after the DAG run has failed.
    wait_until(lambda: ledger.run_end("SilentFlow", run) is not None, 60, "the verdict on the run")
    end = ledger.run_end("SilentFlow", run)
    assert end is not None
    assert end.status == "failed"


def _running_pods(cluster: SharedCluster, run: str) -> list[dict[str, Any]]:
    pods = [record["last"] for record in cluster.admin.pods() if not record["deleted"]]
    running = [pod for pod in pods if pod["status"].get("phase") == "Running"]
    return [pod for pod in running if pod["metadata"]["annotations"].get(f"{PREFIX}/run") == run]


def _attempt_of(pod: dict[str, Any]) -> AttemptKey:
    annotations = pod["metadata"]["annotations"]
    run, step, task, attempt = (
        annotations[f"{PREFIX}/{name}"] for name in ("run", "steps", "task", "attempt")
    )
    return AttemptKey(FLOW, run, step, task, int(attempt))
