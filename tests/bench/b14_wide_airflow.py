"""B14: a foreach of 5,000 splits on a live Airflow on PostgreSQL, against one mapped task per split; one of 10,000 splits."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from tests.bench.airflow_side import deploy, seconds_of_run
from tests.bench.bench import FLOWS, Bench
from tests.bench.outcome import Bar, Figure, Samples, at_least
from tests.services.airflow import LiveAirflow
from tests.services.postgres import PostgresServer

_SPLITS = int(os.environ.get("BENCH_B14_SPLITS", "5000"))
# One mapped task per split takes so long that a busy machine may be spared some: the time is then extrapolated, and the table says so.
_PEER_SPLITS = int(os.environ.get("BENCH_B14_PEER_SPLITS", _SPLITS))
_SPLITS_PER_TASK = 100
_TIMES = 5
# After so long without a heartbeat, Airflow takes a scheduler for dead.
_STALL_SECONDS = 30.0
_LONGEST_SECONDS = 7200.0
_LOOK_SECONDS = 1.0
# As Airflow refuses to map over a longer list by default; our side needs no such change, and has it too.
_SETTINGS = {"AIRFLOW__CORE__MAX_MAP_LENGTH": "10000"}
_TASKFLOW = """
    from airflow.sdk import Param, dag, task

    @dag("taskflow_wide", schedule=None, params={"splits": Param(5000, type="integer")})
    def wide():
        @task
        def items(params=None):
            return list(range(params["splits"]))

        @task
        def double(x):
            return 2 * x

        @task
        def total(values, params=None):
            assert sum(values) == params["splits"] * (params["splits"] - 1)

        @task
        def end():
            pass

        total(double.expand(x=items())) >> end()

    wide()
"""


def run(bench: Bench) -> Iterator[Figure]:
    """Compare with TaskFlow, each side once, as that side takes many minutes; watch the scheduler's heartbeat meanwhile."""
    with (
        PostgresServer() as postgres,
        LiveAirflow(environment=_SETTINGS, sql_alchemy_conn=postgres.airflow_database()) as airflow,
    ):
        airflow.add_dag("taskflow_wide", _TASKFLOW)
        source = (
            (FLOWS / "wide.py").read_text("utf-8").replace("from metaflow", "from airflow_mlflow_provider")
        )
        deploy(bench.side("ours"), airflow, "Wide", source, "--splits-per-task", str(_SPLITS_PER_TASK))
        for dag_id in ("Wide", "taskflow_wide"):
            _seconds(airflow, dag_id, 50)
        with _heartbeats(airflow) as pauses:
            ours, wider = _seconds(airflow, "Wide", _SPLITS), _seconds(airflow, "Wide", 2 * _SPLITS)
        yield Figure(
            "B14",
            f"a foreach of {2 * _SPLITS:,} splits on Airflow, PostgreSQL",
            f"{wider:.0f} s",
            "-",
            f"{wider / ours:.1f}x the time of {_SPLITS:,}",
        )
        yield Figure(
            "B14",
            "longest pause between two heartbeats of the scheduler meanwhile",
            f"{max(pauses):.1f} s",
            "-",
            f"{max(pauses):.1f} s",
            Bar(f"< {_STALL_SECONDS:g} s", max(pauses) < _STALL_SECONDS),
        )
        peer = _seconds(airflow, "taskflow_wide", _PEER_SPLITS)
        work = (
            f"a foreach of {_SPLITS:,} splits on Airflow, PostgreSQL, {_SPLITS_PER_TASK} to a task, "
            "against one mapped task per split"
        )
        if _PEER_SPLITS != _SPLITS:
            work += f" (that side extrapolated from {_PEER_SPLITS:,}: {peer:.0f} s)"
        yield at_least("B14", work, Samples([ours], [peer * _SPLITS / _PEER_SPLITS]), _TIMES)


def _seconds(airflow: LiveAirflow, dag_id: str, splits: int) -> float:
    found = seconds_of_run(airflow, dag_id, {"splits": splits}, _LONGEST_SECONDS)
    print(f"    {dag_id}, {splits:,} splits: {found:.1f} s", flush=True)
    return found


@contextmanager
def _heartbeats(airflow: LiveAirflow) -> Iterator[list[float]]:
    """Seconds between the heartbeats that the scheduler shows, gathered until the block ends."""
    pauses, over = [0.0], threading.Event()

    def look() -> None:
        last: datetime | None = None
        while not over.wait(_LOOK_SECONDS):
            health = airflow.api.request("GET", "/monitor/health")
            told = health["scheduler"]["latest_scheduler_heartbeat"]
            seen = datetime.fromisoformat(told)
            if last is not None and seen != last:
                pauses.append((seen - last).total_seconds())
            last = seen

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield pauses
    finally:
        over.set()
        watcher.join()
