"""`resume --until`, `--rerun-changed` and `--clone-only`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flow_runs import FlowFile, FlowRun

SOURCE = """
def half(x):
    return x / 2

class OptionsFlow(FlowSpec):
    divisor = Parameter("divisor", default=0)

    @step
    def start(self):
        self.x = half(8)
        self.next(self.left, self.right)

    @step
    def left(self):
        self.value = self.x / self.divisor
        self.next(self.join)

    @step
    def right(self):
        self.value = 1
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(one.value for one in inputs)
        self.next(self.end)

    @step
    def end(self):
        pass
"""


@pytest.fixture
def flow(tmp_path: Path) -> FlowFile:
    """The flow above."""
    return FlowFile(tmp_path, SOURCE)


def resumed(flow: FlowFile, *options: str) -> FlowRun:
    """A resume that has succeeded; its id is looked up now."""
    run = flow.run(*options, command="resume").succeeded()
    assert run.run
    return run


def edited(flow: FlowFile, before: str, after: str) -> None:
    """Change the flow's file."""
    text = flow.path.read_text("utf-8")
    assert before in text
    flow.path.write_text(text.replace(before, after), "utf-8")


def test_until_runs_a_step_and_what_it_needs_and_can_be_resumed(flow: FlowFile) -> None:
    flow.run().failed()
    first = resumed(flow, "--divisor", "2", "--until", "left")
    assert (first.end.status, first.end.reason) == ("terminated", "stopped after left, as asked")
    assert first.value("value", "left") == 2
    assert "join" not in first.ledger.steps("OptionsFlow", first.run)
    rest = resumed(flow)
    assert rest.record.origin == first.run
    assert rest.end.status == "succeeded"
    assert rest.value("total", "join") == 3
    assert rest.done("left").key.run == first.run


def test_clone_only_takes_over_and_runs_nothing(flow: FlowFile) -> None:
    origin = flow.run().failed().run
    clone = resumed(flow, "--clone-only")
    assert clone.end.status == "terminated"
    assert clone.done("start").key.run == origin
    assert "left" not in clone.ledger.steps("OptionsFlow", clone.run)


def test_changed_code_is_told_and_rerun_on_demand(flow: FlowFile) -> None:
    origin = flow.run().failed().run
    edited(flow, "return x / 2", "return x / 4")
    told = flow.run("--dry-run", "--divisor", "1", command="resume").succeeded().stdout
    assert "taken over although their code has changed: start (--rerun-changed)" in told
    kept = resumed(flow, "--divisor", "1", "--origin-run-id", origin)
    assert kept.value("total", "join") == 5
    again = (
        flow.run("--rerun-changed", "--dry-run", "--origin-run-id", origin, command="resume")
        .succeeded()
        .stdout
    )
    assert "start/0, which has other code now" in again
    changed = resumed(flow, "--rerun-changed", "--divisor", "1", "--origin-run-id", origin)
    assert changed.value("total", "join") == 3
    assert changed.done("start").key.run == changed.run


def test_a_run_that_has_succeeded_resumes_to_success_with_nothing_to_do(flow: FlowFile) -> None:
    flow.run("--divisor", "1").succeeded()
    run = resumed(flow)
    assert run.end.status == "succeeded"
    assert run.done("end").key.run == run.record.origin


def test_a_step_that_does_not_exist_is_refused(flow: FlowFile) -> None:
    flow.run().failed()
    refused = flow.run("--until", "lefd", command="resume").failed()
    assert "has no step 'lefd' (close: left)" in refused.stderr
