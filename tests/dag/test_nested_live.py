"""What clearing does in a nested foreach, whose index paths are gathered by a task of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dag.deployed import manifest_from
from tests.dag.test_live import finished, put
from tests.flow_runs import FlowFile
from tests.services.airflow import LiveAirflow

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(300)]

_NESTED = """
    from pathlib import Path


    class NestedFlow(FlowSpec):
        broken = Parameter("broken", help="folder with a file for each task that is to fail")

        def check(self):
            if Path(self.broken, f"{current.step_name}-{current.task_id}").exists():
                raise ValueError("told to fail")

        @step
        def start(self):
            self.letters = ["a", "b"]
            self.next(self.outer, foreach="letters")

        @step
        def outer(self):
            self.check()
            self.words = [self.input * times for times in (1, 2)]
            self.next(self.inner, foreach="words")

        @step
        def inner(self):
            self.check()
            self.word = self.input
            self.next(self.inner_join)

        @step
        def inner_join(self, inputs):
            self.seen = [i.word for i in inputs]
            self.next(self.join)

        @step
        def join(self, inputs):
            self.seen = [i.seen for i in inputs]
            self.next(self.end)

        @step
        def end(self):
            pass
"""


def test_a_failure_keeps_to_its_index_path_and_a_clear_goes_on_from_there(
    live_airflow_sqlite: LiveAirflow, tmp_path: Path
) -> None:
    file = FlowFile(tmp_path / "flow", _NESTED)
    manifest = put(live_airflow_sqlite, manifest_from(file.path, file.store), "nested_cleared")
    api, name, broken = live_airflow_sqlite.api, manifest.dag_id, tmp_path / "broken"
    broken.mkdir()

    # An inner split: the other index path is done to its inner join.
    (broken / "inner-0000-0001").touch()
    run_id = api.trigger(name, conf={"broken": str(broken)})
    api.wait_for_run(name, run_id, expected="failed")
    states = api.states(name, run_id)
    assert [states[f"inner[{index}]"] for index in range(4)] == ["success", "failed", "success", "success"]
    assert (states["inner_join[0]"], states["inner_join[1]"]) == ("failed", "success")
    assert states["join"] == "upstream_failed"
    (broken / "inner-0000-0001").unlink()
    api.clear(name, run_id, only_failed=True)
    api.wait_for_run(name, run_id)
    found = finished(manifest, run_id)
    assert found.artifact("end", "seen") == [["a", "aa"], ["b", "bb"]]
    assert found.attempts("inner", "0001-0000") == [0]

    # An outer split, cleared with what comes after it: of what it did before, nothing counts.
    (broken / "outer-0000").touch()
    api.clear(name, run_id, [("outer", 0)], downstream=True)
    api.wait_for_run(name, run_id, expected="failed")
    states = api.states(name, run_id)
    assert (states["outer[0]"], states["inner_join[0]"], states["inner_join[1]"]) == (
        "failed",
        "failed",
        "success",
    )
    assert found.attempts("inner", "0000-0000") == [0]

    # The same instances of Airflow's now stand for other index paths.
    (broken / "outer-0000").unlink()
    api.clear(name, run_id, [("outer", 0)], downstream=True)
    api.wait_for_run(name, run_id)
    assert found.artifact("end", "seen") == [["a", "aa"], ["b", "bb"]]
    assert found.status == "succeeded"
