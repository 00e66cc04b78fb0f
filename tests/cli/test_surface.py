"""The command line as it is promised: every command and option, with its default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from airflow_mlflow_provider import FlowSpec, step
from airflow_mlflow_provider.cli.commands import flow_command
from airflow_mlflow_provider.cli.main import run_command_line
from airflow_mlflow_provider.plan.manifest import decode
from tests.flow_runs import FlowFile


class Surface(FlowSpec):
    """A flow of one step."""

    @step
    def start(self) -> None:
        """Do nothing."""


def test_options_before_the_command_may_come_from_the_configuration_and_a_profile(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__PROFILE", "")
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__QUIET", "true")
    (tmp_path / "mlflow_provider").mkdir()
    profile = tmp_path / "mlflow_provider" / "strict.cfg"
    profile.write_text("[mlflow_provider]\ndefault_environment = uv\nstrict = true\nbranch = mine\n")
    given = ["--environment", "pypi", "--profile", "strict", "check"]
    options = flow_command(Surface).make_context("flow", given).params
    assert (options["quiet"], options["strict"], options["branch"], options["pylint"]) == (
        True,
        True,
        "mine",
        True,
    )
    assert options["environment"] == "pypi"


NONE = None
WITH = """
    class With(FlowSpec):
        @step
        def start(self):
            pass
"""
# Command: options (or arguments) with the default that is seen by the command.
PROMISED: dict[str, dict[str, Any]] = {
    "": {
        "--quiet": False,
        "--with": (),
        "--pylint": True,
        "--environment": "local",
        "--datastore": NONE,
        "--datastore-root": NONE,
        "--package-suffixes": ".py,.R,.RDS",
        "--config": (),
        "--config-value": (),
        "--branch": NONE,
        "--production": False,
        "--trigger": (),
        "--trigger-event": (),
        "--debug": False,
        "--strict": False,
        "--profile": NONE,
        "--mode": NONE,
        "--metadata": NONE,
        "--event-logger": NONE,
        "--monitor": NONE,
    },
    "check": {"--warnings": False, "--format": "text"},
    "show": {},
    "output-dot": {},
    "output-raw": {"--json": False},
    "version": {},
    "help": {},
    "run": {
        "--tag": (),
        "--max-workers": 16,
        "--max-num-splits": 100,
        "--max-log-size": 10,
        "--with": (),
        "--run-id-file": NONE,
        "--runner-attribute-file": NONE,
        "--namespace": NONE,
        "--keep-going": False,
        "--max-iterations": 10_000,
    },
    "resume": {
        "step_to_rerun": NONE,
        "--origin-run-id": NONE,
        "--tag": (),
        "--max-workers": 16,
        "--max-num-splits": 100,
        "--max-log-size": 10,
        "--with": (),
        "--run-id-file": NONE,
        "--runner-attribute-file": NONE,
        "--dry-run": False,
    },
    "dump": {
        "input_path": NONE,
        "--private": False,
        "--max-value-size": 1000,
        "--include": NONE,
        "--file": NONE,
    },
    "logs show": {
        "input_path": NONE,
        "--stdout": False,
        "--stderr": False,
        "--both": True,
        "--timestamps": False,
        "--attempt": NONE,
        "--follow": False,
        "--foreach": NONE,
    },
    "logs scrub": {
        "input_path": NONE,
        "--stdout": False,
        "--stderr": False,
        "--both": True,
        "--attempt": NONE,
        "--latest": True,
        "--include-not-done": False,
    },
    "tag add": {"tags": NONE, "--run-id": NONE, "--namespace": NONE},
    "tag remove": {"tags": NONE, "--run-id": NONE, "--namespace": NONE},
    "tag replace": {"--add": (), "--remove": (), "--run-id": NONE, "--namespace": NONE},
    "tag list": {
        "--run-id": NONE,
        "--all": False,
        "--my-runs": False,
        "--hide-system-tags": False,
        "--group-by-tag": False,
        "--group-by-run": False,
        "--flat": False,
        "--as-json": False,
    },
    "package": {"--timeout": 60},
    "package info": {"--as-json": False},
    "package list": {"--archive": False, "--as-json": False},
    "cache explain": {"input_path": NONE, "--as-json": False},
    "package save": {"path": NONE},
    "airflow": {"--name": NONE},
    "airflow create": {
        "file": NONE,
        "--authorize": NONE,
        "--generate-new-token": False,
        "--new-token": NONE,
        "--tag": (),
        "--is-paused-upon-creation": False,
        "--namespace": NONE,
        "--max-workers": 100,
        "--workflow-timeout": NONE,
        "--worker-pool": NONE,
        "--max-num-splits": NONE,
        "--fail-fast": False,
        "--compute": NONE,
        "--code": "package",
        "--editable-config": (),
        "--dry-run": False,
        "--wait": NONE,
        "--notify-on-error": NONE,
        "--notify-on-success": NONE,
        "--deployer-attribute-file": NONE,
    },
    "airflow trigger": {
        "--run-id-file": NONE,
        "--deployer-attribute-file": NONE,
        "--wait": False,
        "--conf-file": NONE,
        "--unpause": False,
        "--tag": (),
    },
    "airflow list-runs": {
        "--running": (),
        "--succeeded": (),
        "--failed": (),
        "--queued": (),
        "--limit": 50,
        "--as-json": False,
    },
    "airflow status": {"run_id": NONE, "--as-json": False, "--exit-code": False},
    "airflow terminate": {"run_id": NONE, "--authorize": NONE},
    "airflow delete": {"--authorize": NONE, "--purge": False},
    "airflow resume": {
        "step_to_rerun": NONE,
        "--origin-run-id": NONE,
        "--rerun-changed": False,
        "--code": "current",
        "--dry-run": False,
    },
    "airflow pause": {},
    "airflow unpause": {},
    "airflow list-deployments": {"--all": False},
}


def _command(path: str) -> click.Command:
    command: click.Command = flow_command(Surface)
    for word in path.split():
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found is not None, f"there is no {path}"
        command = found
    return command


@pytest.mark.parametrize("path", PROMISED)
def test_a_command_has_the_options_promised_with_their_defaults(path: str) -> None:
    command = _command(path)
    context = click.Context(command)
    found = {
        name: _default(parameter, context)
        for parameter in command.params
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    missing = [name for name in PROMISED[path] if name not in found]
    assert not missing, f"{path} lacks {missing}; it has {sorted(found)}"
    differing = {
        name: (found[name], default)
        for name, default in PROMISED[path].items()
        if (found[name] or NONE) != (default or NONE)
    }
    assert not differing


def _default(parameter: click.Parameter, context: click.Context) -> Any:
    # click has a mark of its own for what has no default.
    default = parameter.get_default(context)
    return NONE if type(default).__name__ == "Sentinel" else default


@pytest.mark.parametrize("words", [("--with", "retry:times=0"), ("--with=retry:times=0",)])
def test_with_after_the_command_adds_the_decorator(tmp_path: Path, words: tuple[str, ...]) -> None:
    flow = FlowFile(tmp_path, WITH)
    run = flow.run("--max-workers", "2", *words).succeeded()
    manifest = decode(run.ledger.blob(run.record.manifest))
    assert manifest.decospecs == ("retry:times=0",)
    assert manifest.graph["start"].decorator("retry") is not None


def test_steps_that_would_be_pods_are_told_once_with_the_way_to_get_them(tmp_path: Path) -> None:
    run = FlowFile(tmp_path, WITH).run("--with", "kubernetes:cpu=2").succeeded()
    assert run.stderr.count("in no pod: start. For pods: python flow.py airflow create") == 1


@pytest.mark.parametrize(
    "words", [("run", "--run-id-file"), ("package", "save"), ("dump", "1/start", "--file")]
)
def test_a_file_that_cannot_be_written_is_a_usage_error_before_anything_is_done(
    words: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command_line(Surface, [*words, str(tmp_path / "nowhere" / "file")]) == 2
    assert "there is no folder" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_with_after_the_command_needs_a_decorator(tmp_path: Path) -> None:
    assert "--with" in FlowFile(tmp_path, WITH).run("--with").failed(2).stderr


@pytest.mark.parametrize(
    ("words", "instead"),
    [
        (["step-functions", "create"], "`airflow` group"),
        (["argo-workflows", "create"], "`airflow` group"),
        (["kubernetes", "step"], "@kubernetes"),
        (["batch", "step"], "@kubernetes or @resources"),
        (["airflow", "suspend", "1"], "`airflow pause`"),
        (["airflow", "unsuspend", "1"], "`airflow unpause`"),
        (["--environment", "conda", "run"], "@pypi"),
        (["--environment=fast-bakery", "run"], "--environment uv"),
        (["--metadata", "service@http://x", "run"], "--datastore-root"),
        (["--event-logger", "other", "run"], "no events are logged"),
    ],
)
def test_what_metaflow_has_and_this_has_not_is_a_usage_error_that_names_the_alternative(
    words: list[str], instead: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(Surface, words) == 2
    assert instead in capsys.readouterr().err


def test_metaflows_own_words_for_what_is_always_so_have_no_effect(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--metadata", "local", "--event-logger", "nullSidecarLogger", "--monitor", "nullSidecarMonitor"]
    assert run_command_line(Surface, [*words, "--mode", "spin", "version"]) == 0
