"""`airflow delete --purge`: the runs of a deployment leave the store, and no others do."""

from __future__ import annotations

from pathlib import Path

import msgspec

from airflow_mlflow_provider.store.records import run_prefix
from tests.flow_runs import FlowFile

SHARED = {"AIRFLOW__MLFLOW_PROVIDER__DATASTORE_SHARED": "true"}
SOURCE = """
    class Purged(FlowSpec):
        @step
        def start(self):
            self.value = "kept"
            self.next(self.end)

        @step
        def end(self):
            pass
"""


def test_runs_of_the_deployment_are_deleted_and_local_ones_and_what_they_took_over_are_not(
    tmp_path: Path,
) -> None:
    flow = FlowFile(tmp_path / "flow", SOURCE)
    flow.run("create", str(tmp_path / "dag.py"), command="airflow", environment=SHARED).succeeded()
    first, second = (_as_if_by_airflow(flow, flow.run().succeeded().run) for _ in range(2))
    resumed = flow.run("end", "--origin-run-id", first, command="resume").succeeded()

    told = flow.run("delete", "--purge", command="airflow", environment=SHARED).succeeded()

    assert "Deleted 2 runs" in told.stdout
    ledger = flow.ledger
    assert ledger.latest("Purged", 10) == [resumed.run]
    assert not list(ledger.store.list(run_prefix("Purged", second)))
    assert resumed.value("value", "start") == "kept", "what another run took over stays"


def test_without_purge_the_runs_stay(tmp_path: Path) -> None:
    flow = FlowFile(tmp_path / "flow", SOURCE)
    flow.run("create", str(tmp_path / "dag.py"), command="airflow", environment=SHARED).succeeded()
    run = _as_if_by_airflow(flow, flow.run().succeeded().run)
    flow.run("delete", command="airflow", environment=SHARED).succeeded()
    assert flow.ledger.latest("Purged", 10) == [run]


def _as_if_by_airflow(flow: FlowFile, run: str) -> str:
    """Record a run as one that the DAG of the deployment started."""
    ledger = flow.ledger
    record = msgspec.structs.replace(
        ledger.run("Purged", run), airflow={"dag_id": "Purged", "dag_run_id": run}
    )
    ledger.store.put(f"{run_prefix('Purged', run)}/run.json", msgspec.json.encode(record))
    return run
