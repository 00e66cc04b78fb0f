"""Exit hooks of local runs: after the run is sealed, each in a process of its own, without influence on the run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from airflow_mlflow_provider.plan.manifest import ExitHook
from airflow_mlflow_provider.runtime.exit_hooks import HookRequest, run_hook
from tests.dag.deployed import FLOWS, manifest_from
from tests.flow_runs import FlowFile

ENDLESS = """
    import subprocess, sys, time

    def endless():
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        print("sleeping", flush=True)
        time.sleep(60)

    def dies():
        import os
        os.abort()

    @exit_hook(on_success=[endless, dies])
    class Hooked(FlowSpec):
        @step
        def start(self):
            self.next(self.end)

        @step
        def end(self):
            pass
"""


def _run(seen: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(FLOWS / "with_hooks.py"), "run", *options],
        env={**os.environ, "HOOKS_SEEN": str(seen), "METAFLOW_USER": "tester"},
        cwd=seen.parent,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ((), 0, [["success", "told", "succeeded"], ["plain"]]),
        (("--fails", "true"), 1, [["error", "failed"], ["plain"]]),
    ],
)
def test_the_hooks_of_the_outcome_run_and_see_the_sealed_run(
    tmp_path: Path, options: tuple[str, ...], code: int, words: list[list[str]]
) -> None:
    seen = tmp_path / "seen"
    made = _run(seen, *options)
    assert made.returncode == code, made.stderr
    lines = [line.split() for line in seen.read_text("utf-8").splitlines()]
    assert [line[:-1] for line in lines] == words
    assert len({line[-1] for line in lines}) == 2
    if code == 0:
        assert "told from the hook" in made.stderr
        assert "RuntimeError: the hook is broken" in made.stderr
        assert "The exit hook broken failed: it ended with exit code 1." in made.stderr


def test_hooks_that_take_too_long_or_die_change_neither_status_nor_exit_code(tmp_path: Path) -> None:
    environment = {"AIRFLOW__MLFLOW_PROVIDER__EXIT_HOOK_TIMEOUT_S": "2"}
    run = FlowFile(tmp_path, ENDLESS).run(environment=environment).succeeded()
    assert run.end.status == "succeeded"
    assert "The exit hook endless failed: it did not end within 2 seconds, and was killed." in run.stderr
    assert "The exit hook dies failed: it was killed by SIGABRT." in run.stderr


def test_what_a_hook_has_started_ends_with_it(tmp_path: Path) -> None:
    file = FlowFile(tmp_path, ENDLESS).path
    manifest = manifest_from(file, tmp_path / "store")
    printed: list[bytes] = []
    began = time.monotonic()
    request = HookRequest(manifest, str(file), ExitHook("endless", "success"), None)
    assert "did not end" in run_hook(request, 3.0, printed.append)
    assert printed == [b"sleeping"]
    assert time.monotonic() - began < 30, "a grandchild held the output open"
