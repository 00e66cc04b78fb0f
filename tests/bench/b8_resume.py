"""B8: resuming a run of 1,000 splits of which one failed, here against running the rest alone, and on Airflow with PostgreSQL."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import datetime

from airflow_mlflow_provider.deploy.rest import AirflowRest
from airflow_mlflow_provider.deploy.resuming import ResumeOptions, start_resumed
from airflow_mlflow_provider.plan.manifest import decode
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from tests.bench.airflow_side import deploy_copy
from tests.bench.bench import Bench, BenchFailed, FlowCopy
from tests.bench.outcome import Bar, Figure, Samples, at_most, seconds
from tests.services.airflow import PASSWORDS, LiveAirflow
from tests.services.postgres import PostgresServer
from tests.services.waiting import wait_until

_SPLITS = int(os.environ.get("BENCH_B8_SPLITS", "1000"))
_FAILING = 7
_TIMES = 1.1
_FIRST_TASK_SECONDS = 5.0
_LONGEST_SECONDS = 900.0
# All other splits are to finish.
_RUN = ("--splits", str(_SPLITS), "--max-num-splits", "100000", "--max-workers", "2", "--keep-going")
_FAIL = {"BENCH_FAIL": str(_FAILING)}


def run(bench: Bench) -> Iterator[Figure]:
    """Measure here, then on Airflow."""
    flow = bench.side("ours").flow("wide")
    flow.seconds("run", *_RUN, environment=_FAIL, expected=1)
    origin = _latest(flow)
    alone = bench.side("ours").flow("wide")
    samples = bench.alternate(lambda: _resumed(flow, origin), lambda: _rest(flow, alone))
    yield at_most(
        "B8",
        f"`resume` of a run of {_SPLITS:,} splits with one failed, against running the rest alone",
        samples,
        _TIMES,
    )
    for each in (flow, alone):
        each.remove()
    flow = bench.side("ours").flow("wide")
    with (
        PostgresServer() as postgres,
        LiveAirflow(
            # The API server, which makes the run, looks into the store, too.
            environment={"AIRFLOW__MLFLOW_PROVIDER__DATASTORE_ROOT": flow.store.as_uri()},
            sql_alchemy_conn=postgres.airflow_database(),
        ) as airflow,
    ):
        yield _on_airflow(bench, airflow, flow)
    flow.remove()


def _resumed(flow: FlowCopy, origin: str) -> float:
    return flow.seconds("resume", "--origin-run-id", origin, "--max-workers", "2")


def _rest(flow: FlowCopy, alone: FlowCopy) -> float:
    """What running the rest alone takes: a run of one split, without its start, and with the join of the wide run."""
    took = alone.seconds("run", "--splits", "1", "--max-workers", "2")
    join = _task_seconds(flow, "join", "0")
    return took - _task_seconds(alone, "start", "0") + join - _task_seconds(alone, "join", "0")


def _ledger(flow: FlowCopy) -> Ledger:
    return Ledger(open_store(flow.store.as_uri(), cache=None))


def _latest(flow: FlowCopy) -> str:
    return _ledger(flow).latest("Wide")[0]


def _task_seconds(flow: FlowCopy, step: str, task: str) -> float:
    """Seconds that a task of the newest run took, without the start of its process."""
    record = _ledger(flow).newest_done("Wide", _latest(flow), step, task)
    if record is None:
        raise BenchFailed(f"{step}/{task} of {flow.folder} has no record")
    return record.ended_at - record.started_at


def _on_airflow(bench: Bench, airflow: LiveAirflow, flow: FlowCopy) -> Figure:
    deployed = bench.side("ours").flow("wide")
    store, options = str(flow.store), ("--splits-per-task", "1", "--max-map-width", str(_SPLITS))
    deploy_copy(deployed, airflow, "Wide", store, options=options)
    flow.seconds("run", *_RUN, environment=_FAIL, expected=1)
    ledger = _ledger(flow)
    manifest = decode((airflow.dags_folder / "Wide.json").read_bytes())
    origin = ledger.latest("Wide")[0]
    rest = AirflowRest(airflow.base_url, user="admin", password=PASSWORDS["admin"])
    waits, answers = [], []
    for number in range(bench.rounds):
        begun = time.time()
        resumed = start_resumed(rest, ledger, manifest, ResumeOptions(origin), f"resumed-{number}")
        answers.append(time.time() - begun)
        if not resumed.in_one_go:
            raise BenchFailed("The plugin did not make the run.")
        waits.append(_first_start(airflow, resumed.started.dag_run_id) - begun)
        airflow.api.wait_for_run("Wide", resumed.started.dag_run_id, timeout=_LONGEST_SECONDS)
        end = ledger.newest_done("Wide", resumed.started.run, "end", "0")
        if end is None:
            raise BenchFailed(airflow.api.report("Wide", resumed.started.dag_run_id))
    samples = Samples(waits, answers)
    return Figure(
        "B8",
        f"the same run resumed on Airflow, PostgreSQL: until the failed split starts "
        f"({seconds(answers)} of it the one transaction and its request)",
        seconds(waits),
        "-",
        seconds(waits),
        Bar(f"< {_FIRST_TASK_SECONDS:g} s", sorted(waits)[len(waits) // 2] < _FIRST_TASK_SECONDS),
        samples.raw,
    )


def _first_start(airflow: LiveAirflow, dag_run_id: str) -> float:
    """When the one task that has to run has started, in Unix seconds."""
    path = f"/dags/Wide/dagRuns/{dag_run_id}/taskInstances/work/{_FAILING}"

    def started() -> str | None:
        found: str | None = airflow.api.request("GET", path)["start_date"]
        return found

    told = wait_until(started, _LONGEST_SECONDS, "the failed split to start")
    assert told is not None
    return datetime.fromisoformat(told).timestamp()
