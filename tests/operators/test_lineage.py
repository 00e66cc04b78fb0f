"""What steps read and wrote, told from their records."""

from __future__ import annotations

from pathlib import Path

from airflow_mlflow_provider.operators.lineage import LineageDataset, step_lineage
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import ArtifactEntry
from tests.flow_runs import FlowFile

SOURCE = """
import pandas as pd

class LineFlow(FlowSpec):
    n = Parameter("n", default=3)

    @step
    def start(self):
        self.numbers = list(range(self.n))
        self.untouched = "x" * 100
        self.next(self.body, foreach="numbers")

    @step
    def body(self):
        self.value = self.input * 2
        self.next(self.join)

    @step
    def join(self, inputs):
        self.table = pd.DataFrame({"value": [one.value for one in inputs]})
        self.next(self.end)

    @step
    def end(self):
        print(len(self.table))
"""


def test_a_step_read_what_it_touched_and_wrote_what_it_changed(tmp_path: Path) -> None:
    run = FlowFile(tmp_path, SOURCE).run().succeeded()

    def lineage(step: str) -> tuple[dict[str, LineageDataset], dict[str, LineageDataset]]:
        found = step_lineage(run.ledger, [record.key for record in run.records(step)])
        inputs, outputs = ({each.name: each for each in part} for part in (found.inputs, found.outputs))
        return inputs, outputs

    read, wrote = lineage("start")
    assert set(read) == {"n"}
    assert set(wrote) == {"numbers", "untouched"}
    assert wrote["numbers"].version == run.done("start").artifacts["numbers"].digest
    _, wrote = lineage("body")
    assert set(wrote) == {"value"}
    assert len(wrote["value"].versions) == 3
    read, wrote = lineage("join")
    assert len(read["value"].versions) == 3
    assert wrote["table"].columns == [("value", "int64")]
    read, wrote = lineage("end")
    assert (set(read), set(wrote)) == ({"table"}, set())


def test_many_versions_are_named_by_their_beginnings() -> None:
    dataset = LineageDataset("F", "x")
    for number in range(30):
        digest = f"{number:064d}"
        dataset.versions[digest] = ArtifactEntry(digest, 10, "json", "int")
    assert dataset.version.endswith(" and 10 more")
    assert dataset.size == 300


def test_no_task_has_no_lineage(tmp_path: Path) -> None:
    from airflow_mlflow_provider.store.location import open_store

    found = step_lineage(Ledger(open_store(tmp_path.as_uri())), [])
    assert (found.inputs, found.outputs) == ([], [])
