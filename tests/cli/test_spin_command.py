"""`spin`: one step again on the inputs of a past task."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mlflow_provider import Flow, Task, inspect_spin, metadata, namespace
from airflow_mlflow_provider.runner import Runner
from tests.flow_runs import FlowFile, FlowRun

SOURCE = """
class SpunFlow(FlowSpec):
    n = Parameter("n", default=2)

    @step
    def start(self):
        self.numbers = [10, 20, 30][: self.n]
        self.offset = 1
        self.next(self.body, foreach="numbers")

    @retry(times=2)
    @step
    def body(self):
        self.value = self.input + self.offset
        print("value", self.value)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(one.value for one in inputs)
        self.next({"more": self.grow, "done": self.end}, condition="way")

    @step
    def grow(self):
        self.total *= 2
        self.next(self.end)

    @step
    def end(self):
        print("total", self.total)
"""


@pytest.fixture
def flow(tmp_path: Path) -> FlowFile:
    """The flow above, with a switch after its join."""
    source = SOURCE.replace(
        "        self.next({", '        self.way = "more" if self.total > 20 else "done"\n        self.next({'
    )
    return FlowFile(tmp_path, source)


@pytest.fixture(autouse=True)
def _client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METAFLOW_USER", "tester")


def spun(flow: FlowFile, *arguments: str) -> FlowRun:
    """A spin that has succeeded."""
    return flow.run(*arguments, command="spin").succeeded()


def edited(flow: FlowFile, before: str, after: str) -> None:
    """Change the flow's file."""
    text = flow.path.read_text("utf-8")
    assert before in text
    flow.path.write_text(text.replace(before, after), "utf-8")


def test_the_edited_step_runs_on_the_inputs_of_the_past_task_and_changes_nothing(flow: FlowFile) -> None:
    run = flow.run().succeeded()
    before = {item.key for item in flow.ledger.store.list("flows")}
    edited(flow, "self.input + self.offset", "self.input * 100 + self.offset")

    told = spun(flow, f"{run.run}/body/0001")
    assert "value 2001" in told.stdout
    assert "@retry" in told.stderr
    assert "value 1001" in spun(flow, "body").stdout
    assert {item.key for item in flow.ledger.store.list("flows")} == before
    assert not (flow.folder / ".mlflow_provider_spin").exists()


def test_joins_switches_and_the_end_have_their_inputs(flow: FlowFile) -> None:
    run = flow.run().succeeded()
    edited(flow, "sum(one.value for one in inputs)", "max(one.value for one in inputs)")
    spun(flow, f"SpunFlow/{run.run}/join", "--persist")
    inspect_spin(str(flow.folder))
    namespace(None)
    try:
        spun_run = Flow("SpunFlow").latest_run
        assert spun_run is not None
        task = Task(f"{spun_run.pathspec}/join/0")
        assert (task.data.total, task.data.way, task.successful) == (21, "more", True)
        # What it did not set is that of the origin, read from the origin's store.
        assert task.data.n == 2
        assert spun_run.origin_pathspec == f"SpunFlow/{run.run}"
        assert "runtime:spin" in spun_run.system_tags
        assert len(list(Flow("SpunFlow"))) == 1
    finally:
        metadata(flow.store)
    assert "total 64" in spun(flow, "end").stdout


def test_a_failed_task_is_spun_and_a_failure_is_exit_code_1(flow: FlowFile) -> None:
    edited(flow, "self.total *= 2", "self.total /= 0")
    run = flow.run().failed()
    again = flow.run(f"{run.run}/grow", command="spin").failed()
    assert "ZeroDivisionError" in again.stderr
    edited(flow, "self.total /= 0", "self.total += 5; print('grown', self.total)")
    assert "grown 37" in spun(flow, f"{run.run}/grow").stdout


def test_a_module_gives_artifacts_other_values(flow: FlowFile) -> None:
    flow.run().succeeded()
    module = flow.folder / "other.py"
    module.write_text("ARTIFACTS = {'offset': 5}\n", "utf-8")
    assert "value 15" in spun(flow, "body", "--artifacts-module", str(module)).stdout
    module.write_text("ARTIFACTS = 3\n", "utf-8")
    refused = flow.run("body", "--artifacts-module", str(module), command="spin").failed()
    assert "defines no dict ARTIFACTS" in refused.stderr


def test_what_is_not_there_is_named(flow: FlowFile) -> None:
    assert "has no step 'nowhere'" in flow.run("nowhere", command="spin").failed().stderr
    assert "No task at body has ended" in flow.run("body", command="spin").failed().stderr
    flow.run().succeeded()
    assert "names no task" in flow.run("a/b/c/d/e", command="spin").failed().stderr
    with pytest.raises(LookupError, match="no spun task"):
        inspect_spin(str(flow.folder))


def test_a_program_spins_a_step(flow: FlowFile) -> None:
    run = flow.run().succeeded()
    with Runner(str(flow.path), show_output=False, datastore_root=flow.store, cwd=str(flow.folder)) as runner:
        spinning = runner.spin(f"{run.run}/body/0001")
        assert spinning.status == "successful"
        assert spinning.task.data.value == 21
        with pytest.raises(ValueError, match="colour"):
            runner.spin("body", colour="red")
