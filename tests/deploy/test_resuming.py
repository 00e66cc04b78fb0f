"""What is stored of a run that Airflow is about to resume."""

from __future__ import annotations

from pathlib import Path

import msgspec

from airflow_mlflow_provider.deploy.resuming import ResumeOptions, plan_deployed_resume, store_resumed
from airflow_mlflow_provider.plan.manifest import decode
from airflow_mlflow_provider.store.records import RunRecord
from tests.flow_runs import FlowFile

SOURCE = """
class ResumedFlow(FlowSpec):
    fails = Parameter("fails", default=True)

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        assert not self.fails
"""


def test_a_resumed_run_keeps_parameters_trigger_and_origin_and_names_what_it_took_over(
    tmp_path: Path,
) -> None:
    flow = FlowFile(tmp_path, SOURCE)
    origin = flow.run().failed().run
    ledger = flow.ledger
    manifest = decode(ledger.blob(ledger.run("ResumedFlow", origin).manifest), "manifest")
    triggered = msgspec.structs.replace(
        ledger.run("ResumedFlow", origin), trigger={"events": [{"name": "arrived", "id": "1"}]}
    )
    ledger.store.put(f"flows/ResumedFlow/runs/{origin}/run.json", msgspec.json.encode(triggered))
    plan = plan_deployed_resume(ledger, manifest, ResumeOptions(origin, parameters={"fails": False}))
    record: RunRecord = store_resumed(ledger, manifest, plan, {"fails": False}, "manual__again")

    stored = ledger.run("ResumedFlow", record.run)
    assert (stored.origin, stored.parameters) == (origin, {"fails": False})
    assert stored.trigger == triggered.trigger
    assert ledger.newest_done_keys("ResumedFlow", record.run, "start")["0"].run == origin
    # It reads `fails`, which has another value.
    assert ledger.newest_done_keys("ResumedFlow", record.run, "end") == {}
