"""The values of secrets are not in what is kept of a task."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mlflow_provider.runtime.masking import Mask
from tests.flow_runs import FlowFile

SOURCE = """
    import os
    import subprocess

    VALUES = {"TOKEN": "tok-123456", "KEY": "first line\\nsecond line", "FLAG": "yes"}

    class Secretive(FlowSpec):
        fails = Parameter("fails", default=False)

        @secrets(sources=[{"type": "inline", "id": "", "options": {"env_vars": VALUES}}])
        @step
        def start(self):
            print(f"token={os.environ['TOKEN']} flag={os.environ['FLAG']}")
            print(os.environ["KEY"])
            subprocess.run(["sh", "-c", "echo $TOKEN >&2"], check=True)
            if self.fails:
                raise ValueError(f"bad {os.environ['TOKEN']}")
            self.next(self.end)

        @step
        def end(self):
            print("tok-123456 is not a secret here")
"""


def test_logs_shown_and_kept_do_not_hold_the_values_of_secrets(tmp_path: Path) -> None:
    run = FlowFile(tmp_path, SOURCE).run().succeeded()
    assert run.text("start").splitlines() == ["token=*** flag=yes", "***", "***"]
    assert run.text("start", "stderr").splitlines() == ["***"]
    shown = run.stdout.partition("end/0")[0]
    assert "token=***" in shown
    assert "tok-123456" not in shown
    assert "tok-123456" in run.text("end")


def test_the_text_of_an_exception_does_not_hold_them_either(tmp_path: Path) -> None:
    run = FlowFile(tmp_path, SOURCE).run("--fails", "true").failed()
    exception = run.done("start").exception
    assert exception is not None
    assert exception.message == "bad ***"
    assert "tok-123456" not in exception.traceback + run.stdout + run.stderr


@pytest.mark.parametrize(
    ("secrets", "line", "shown"),
    [
        (["abcde", "abcdefgh"], "abcdefgh abcde", "*** ***"),
        (["1", "true", ""], "1 true", "1 true"),
        (["a.c*e"], "a.c*e abcde", "*** abcde"),
        (["schlüssel"], "der schlüssel", "der ***"),
    ],
)
def test_the_longest_secret_is_hidden_and_short_ones_are_not(
    secrets: list[str], line: str, shown: str
) -> None:
    mask = Mask()
    mask.add(secrets)
    assert mask.text(line) == shown
    assert mask.line(line.encode()).decode() == shown
