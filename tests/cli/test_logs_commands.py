"""`logs` prints, follows and scrubs what tasks printed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from airflow_mlflow_provider.client import Task
from tests.flow_runs import FlowFile, FlowRun
from tests.services.waiting import wait_until

FLOW = """
    import pathlib, sys, time

    class Talking(FlowSpec):
        slow = Parameter("slow", default=False)

        @step
        def start(self):
            self.items = ["a", "b"]
            self.next(self.body, foreach="items")

        @retry(times=1, minutes_between_retries=0)
        @step
        def body(self):
            print("out", self.input, current.retry_count, flush=True)
            print("err", self.input, file=sys.stderr)
            if self.slow and self.index == 0:
                pathlib.Path("begun").touch()
                while not pathlib.Path("go").exists():
                    time.sleep(0.02)
                print("at last")
            if not self.slow and self.index == 1 and not current.retry_count:
                raise ValueError("again")
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
"""


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> FlowFile:
    """The flow."""
    return FlowFile(tmp_path_factory.mktemp("talking"), FLOW)


@pytest.fixture(scope="module")
def made(flow: FlowFile) -> FlowRun:
    """A run of it."""
    run = flow.run().succeeded()
    assert run.run
    return run


def logs(flow: FlowFile, *arguments: str) -> FlowRun:
    return flow.run(*arguments, command="logs")


def test_logs_are_shown_by_task_stream_attempt_and_split(flow: FlowFile, made: FlowRun) -> None:
    everything = logs(flow, f"{made.run}/body").succeeded()
    assert everything.stdout.splitlines() == ["out a 0", "err a", "out b 1", "err b"]
    assert f"{made.run}/body/0001 (attempt 1)" in everything.stderr

    assert logs(flow, "show", f"{made.run}/body/0000", "--stderr").stdout == "err a\n"
    assert logs(flow, f"{made.run}/body/0000", "--stdout", "--stderr").stdout == "out a 0\nerr a\n"
    assert "--no-both" in logs(flow, f"{made.run}/body/0000", "--no-both").stderr
    first = logs(flow, f"{made.run}/body", "--foreach", "1", "--attempt", "0", "--stdout").succeeded()
    assert first.stdout == "out b 0\n"
    stamped = logs(flow, f"{made.run}/body/0000", "--stdout", "--timestamps").stdout
    assert stamped.endswith("Z out a 0\n")


def test_what_is_not_there_is_named(flow: FlowFile, made: FlowRun) -> None:
    assert "0000, 0001" in logs(flow, f"{made.run}/body", "--foreach", "7").failed().stderr
    assert "it has 0, 1" in logs(flow, f"{made.run}/body/0001", "--attempt", "5").failed().stderr
    assert "body" in logs(flow, f"{made.run}/nowhere").failed().stderr


def test_a_log_is_followed_until_the_task_has_ended(flow: FlowFile, tmp_path: Path) -> None:
    for name in ("begun", "go"):
        (flow.folder / name).unlink(missing_ok=True)
    shown = tmp_path / "shown.txt"
    with flow.start("--slow", "true") as running:
        running.wait_for("begun")
        run = flow.ledger.latest(flow.flow)[0]
        with shown.open("wb") as out:
            command = flow.command("logs", f"{run}/body/0000", "--follow", "--stdout")
            follower = subprocess.Popen(command, stdout=out, env=flow.environment(), cwd=flow.folder)
        try:
            wait_until(lambda: "out a 0" in shown.read_text(), 30, "the first line")
            assert follower.poll() is None
            (flow.folder / "go").touch()
            assert follower.wait(30) == 0
        finally:
            follower.kill()
            follower.wait()
        running.ended()
    assert shown.read_text() == "out a 0\nat last\n"


def test_a_scrubbed_log_is_gone_and_says_so(flow: FlowFile) -> None:
    made = flow.run().succeeded()
    path = f"{made.run}/body/0001"
    task = f"{made.flow}/{path}"

    done = logs(flow, "scrub", path, "--stdout").succeeded()
    assert f"{path} (attempt 1): scrubbed" in done.stdout
    assert "Airflow" in done.stderr
    shown = logs(flow, path).succeeded().stdout
    assert "out b" not in shown
    assert "scrubbed by tester" in shown
    assert "err b" in shown
    assert "out b 0" in logs(flow, path, "--attempt", "0").stdout
    facts = Task(task, _namespace_check=False, _store=flow.store).metadata_dict
    assert facts["log-scrubbed"].endswith("tester")

    logs(flow, "scrub", path, "--all").succeeded()
    for attempt in ("0", "1"):
        assert "b" not in logs(flow, path, "--attempt", attempt).stdout.replace("scrubbed by", "")
