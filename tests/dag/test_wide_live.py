"""Thousands of splits on a real Airflow: shards that nobody asked for, and shards that were."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from airflow_mlflow_provider.plan.manifest import Limits
from airflow_mlflow_provider.store.records import AttemptKey
from tests.dag.deployed import Finished, manifest_from
from tests.dag.test_live import put
from tests.flow_runs import FlowFile
from tests.services.airflow import LiveAirflow

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.postgres, pytest.mark.timeout(2400)]

_SECONDS = 2000.0
_WIDE = """
    class WideFlow(FlowSpec):
        splits = Parameter("splits", default=10)

        @step
        def start(self):
            self.items = list(range(self.splits))
            self.next(self.work, foreach="items")

        @retry(times=1, minutes_between_retries=0)
        @step
        def work(self):
            if self.input == 7 and current.retry_count == 0:
                raise ValueError("told to fail")
            self.doubled = self.input * 2
            self.next(self.join)

        @step
        def join(self, inputs):
            self.total = sum(i.doubled for i in inputs)
            self.next(self.end)

        @step
        def end(self):
            pass
"""


@pytest.mark.parametrize(
    ("splits", "limits"),
    [
        (5000, Limits(max_num_splits=100_000)),
        (10_000, Limits(max_num_splits=100_000, splits_per_task=100)),
    ],
)
def test_thousands_of_splits_finish_and_one_that_fails_is_tried_again_alone(
    live_airflow_postgres: LiveAirflow, tmp_path: Path, splits: int, limits: Limits
) -> None:
    file = FlowFile(tmp_path, _WIDE)
    manifest = msgspec.structs.replace(manifest_from(file.path, file.store), limits=limits)
    manifest = put(live_airflow_postgres, manifest, f"wide_{splits}")
    api = live_airflow_postgres.api
    run_id = api.trigger(manifest.dag_id, conf={"splits": splits})
    api.wait_for_run(manifest.dag_id, run_id, timeout=_SECONDS)
    found = Finished.of_dag_run(manifest, manifest.dag_id, run_id)
    assert found.artifact("end", "total") == splits * (splits - 1)
    assert len(found.tasks("work")) == splits
    assert _outcomes(found, "0007") == ["failed", "succeeded"]
    assert [_outcomes(found, f"{index:04d}") for index in (0, 6, 8, 99, 4999)] == [["succeeded"]] * 5


def _outcomes(found: Finished, task: str) -> list[str]:
    """How the attempts of a split ended; on a busy machine Airflow itself may lose a try, which leaves none."""
    keys = [
        AttemptKey(found.flow, found.run, "work", task, number) for number in found.attempts("work", task)
    ]
    return [record.outcome for key in keys if (record := found.ledger.done(key)) is not None]
