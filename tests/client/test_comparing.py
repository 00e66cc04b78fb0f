"""Runs of a flow side by side, how their numbers went, and what the cache did for them."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from airflow_mlflow_provider.client.comparing import compare
from airflow_mlflow_provider.client.reuse import step_reuse
from airflow_mlflow_provider.client.summaries import dag_runs, last_runs, summaries
from airflow_mlflow_provider.client.trends import numeric_artifacts, trend
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import RunRecord
from tests.flow_runs import FlowFile

SOURCE = """
import numpy

class MeasuredFlow(FlowSpec):
    base = Parameter("base", default=1.0)

    @step
    def start(self):
        self.parts = [1, 2, 3]
        self.next(self.measure, foreach="parts")

    @cache(ignore=["base"])
    @step
    def measure(self):
        self.length = self.input * 1.0
        self.weight = numpy.float32(self.input * self.base)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = float(sum(one.weight for one in inputs))
        self.next(self.end)

    @step
    def end(self):
        self.is_large = self.total > 10
"""


class Runs(NamedTuple):
    """Two runs, newest first."""

    ledger: Ledger
    records: list[RunRecord]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    flow = FlowFile(tmp_path_factory.mktemp("measured"), SOURCE)
    for base in ("1", "2"):
        flow.run("--base", base).succeeded()
    return Runs(flow.ledger, [one.record for one in last_runs(flow.ledger, flow.flow)])


def test_what_differs_between_runs_is_marked(runs: Runs) -> None:
    found = compare(
        runs.ledger, summaries(runs.ledger, runs.records), [{"start": 1.5}, {"start": 2.5, "end": 1.0}]
    )
    (base,) = found.parameters
    assert (base.name, base.values, base.differs) == ("base", (2.0, 1.0), True)
    metrics = {row.name: row for row in found.metrics}
    assert metrics["total"].values == (6.0, 6.0)
    assert not metrics["total"].differs
    assert [row.name for row in found.seconds] == ["start", "measure", "join", "end"]
    assert found.seconds[0].values == (1.5, 2.5)
    assert found.seconds[3].values == (None, 1.0)
    assert "Code package" in {row.name for row in found.circumstances}


def test_numbers_of_every_step_can_be_followed_where_they_were_first_set(runs: Runs) -> None:
    assert numeric_artifacts(runs.ledger, runs.records[0]) == {
        "measure": ("length", "weight"),
        "join": ("total",),
        "end": ("is_large",),
    }


def test_the_trend_of_a_foreach_is_the_mean_with_its_bounds(runs: Runs) -> None:
    points = trend(runs.ledger, runs.records, "measure", "length")
    assert [(p.run, p.mean, p.lowest, p.highest, p.tasks) for p in points] == [
        (record.run, 2.0, 1.0, 3.0, 3) for record in runs.records
    ]
    assert trend(runs.ledger, runs.records, "measure", "nothing") == []
    assert trend(runs.ledger, runs.records, "no_step", "length") == []


def test_the_cache_says_what_it_gave_and_why_not_more(runs: Runs) -> None:
    newest, first = (step_reuse(runs.ledger, record) for record in runs.records)
    assert [(one.step, one.hits, one.looked) for one in newest] == [("measure", 3, 3)]
    assert [(one.step, one.hits, one.looked) for one in first] == [("measure", 0, 3)]
    assert first[0].why == ("nothing has been kept yet",)


def test_runs_of_another_dag_are_left_out(runs: Runs) -> None:
    assert list(dag_runs(runs.ledger, "MeasuredFlow", "MeasuredFlow")) == []
