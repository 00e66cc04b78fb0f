"""`airflow-flow` and the commands of a flow that read and change what runs have left."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from airflow_mlflow_provider import __version__
from tests.flow_runs import FlowFile, FlowRun

FLOW = """
    class Kept(FlowSpec):
        '''Keeps.'''

        @step
        def start(self):
            self.next(self.end)

        @step
        def end(self):
            pass
"""


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> FlowFile:
    """The flow, with a module beside it."""
    made = FlowFile(tmp_path_factory.mktemp("kept"), FLOW)
    (made.folder / "helper.py").write_text("A = 1\n")
    return made


@pytest.fixture(scope="module")
def made(flow: FlowFile) -> FlowRun:
    """A run of it."""
    run = flow.run("--tag", "first").succeeded()
    assert run.run
    return run


def console(
    flow: FlowFile, *arguments: str, code: int = 0, variables: Mapping[str, str] | None = None
) -> str:
    """Standard output of `airflow-flow`."""
    program = "import sys; from airflow_mlflow_provider.cli.console import main; main()"
    ended = subprocess.run(
        [sys.executable, "-c", program, "--datastore-root", flow.store, *arguments],
        cwd=flow.folder,
        env=flow.environment(variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == code, ended.stderr
    return ended.stdout if code == 0 else ended.stderr


def test_status_names_store_and_flows(flow: FlowFile, made: FlowRun) -> None:
    told = json.loads(console(flow, "status", "--as-json"))

    assert told["store"] == flow.store
    assert [row["flow"] for row in told["flows"]] == ["Kept"]
    assert told["flows"][0]["status"] == "succeeded"
    assert made.run in console(flow, "status")


def test_config_show_tells_values_and_sources_and_hides_secrets(flow: FlowFile) -> None:
    variables = {
        "AIRFLOW__MLFLOW_PROVIDER__API_PASSWORD": "hush-hush",
        "AIRFLOW__MLFLOW_PROVIDER__MAX_WORKERS": "3",
    }
    text = console(flow, "config", "show", variables=variables)
    rows = {
        row["key"]: row
        for row in json.loads(console(flow, "config", "show", "--as-json", variables=variables))
    }

    assert "hush-hush" not in text
    assert rows["api_password"]["value"] == "***"
    assert rows["max_workers"]["value"] == 3
    assert "AIRFLOW__MLFLOW_PROVIDER__MAX_WORKERS" in rows["max_workers"]["source"]
    assert rows["heartbeat_s"]["value"] == 10.0


def test_version_and_completion(flow: FlowFile) -> None:
    assert console(flow, "version") == f"{__version__}\n"
    assert "compdef _flow_file_completion python" in console(flow, "completion", "zsh")
    assert "nonsense" in console(flow, "nonsense", code=2)


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes_the_commands_of_a_flows_file(flow: FlowFile) -> None:
    script = console(flow, "completion", "bash") + (
        'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _flow_file_completion; echo "${COMPREPLY[*]}"'
    )

    def completed(*words: str) -> str:
        bash = ["bash", "-c", script, "bash", sys.executable, *words]
        return subprocess.run(
            bash, cwd=flow.folder, capture_output=True, text=True, check=True
        ).stdout.strip()

    assert completed("flow.py", "re") == "replay resume"
    assert completed("helper.py", "re") == ""


def test_code_of_a_run_is_compared_pulled_and_patched(flow: FlowFile, made: FlowRun) -> None:
    run, helper = f"Kept/{made.run}", flow.folder / "helper.py"
    assert console(flow, "code", "diff", run) == ""
    helper.write_text("A = 2\n")
    try:
        changed = console(flow, "code", "diff", run)
        assert "-A = 1\n+A = 2\n" in changed
        second = flow.run().succeeded()
        assert changed == console(flow, "code", "diff-runs", run, f"Kept/{second.run}")

        console(flow, "code", "patch", run)
        assert "patch.patch" in console(flow, "code", "patch", run, code=1)
        console(flow, "code", "patch", run, "--overwrite")
        patch = flow.folder / "patch.patch"
        subprocess.run(["git", "apply", str(patch)], cwd=flow.folder, check=True)
        assert helper.read_text() == "A = 1\n"
        patch.unlink()
    finally:
        helper.write_text("A = 1\n")
    console(flow, "code", "pull", run, "--dir", "pulled")
    assert (flow.folder / "pulled" / "helper.py").read_text() == "A = 1\n"
    assert "not empty" in console(flow, "code", "pull", run, "--dir", "pulled", code=1)
    assert "Kept/none" in console(flow, "code", "diff", "Kept/none", code=1)


def test_tags_are_listed_added_removed_and_replaced(flow: FlowFile) -> None:
    made = flow.run("--tag", "one").succeeded()
    assert made.run
    listed = flow.run("list", command="tag").succeeded()
    assert listed.stdout == ""
    assert listed.stderr.splitlines()[0] == f"Tags of run {made.run}:"
    assert {"one", "user:tester", "runtime:dev"} <= set(listed.stderr.splitlines())

    flow.run("add", "two", "three", command="tag").succeeded()
    flow.run("remove", "--run-id", made.run, "one", command="tag").succeeded()
    flow.run("replace", "--remove", "two", "--add", "2", command="tag").succeeded()

    as_json = flow.run("list", "--hide-system-tags", "--as-json", made.run, command="tag").succeeded()
    assert json.loads(as_json.stdout) == {made.run: ["2", "three"]}
    grouped = flow.run("list", "--all", "--group-by-tag", "--as-json", command="tag").succeeded()
    assert json.loads(grouped.stdout)["three"] == [made.run]
    mine = flow.run("list", "--my-runs", "--group-by-run", command="tag").succeeded()
    assert made.run in mine.stderr.splitlines()
    assert "  three" in mine.stderr.splitlines()
    flat = flow.run("list", "--flat", "--hide-system-tags", command="tag").succeeded()
    assert flat.stderr.splitlines() == ["2", "three"]


def test_wrong_tag_commands_are_refused(flow: FlowFile, made: FlowRun) -> None:
    run = ("--run-id", made.run)
    assert "runtime:dev" in flow.run("remove", *run, "runtime:dev", command="tag").failed().stderr
    assert "--add" in flow.run("replace", "--remove", "x", command="tag").failed(2).stderr
    assert "one of" in flow.run("list", "--flat", "--group-by-tag", command="tag").failed(2).stderr
    assert "one of" in flow.run("list", "--all", "--my-runs", command="tag").failed(2).stderr
    assert "none" in flow.run("list", "none", command="tag").failed().stderr


def test_tags_that_cannot_be_start_nothing(tmp_path: Path) -> None:
    untagged = FlowFile(tmp_path, FLOW)
    many = [word for number in range(51) for word in ("--tag", f"t{number}")]

    assert "500" in untagged.run("--tag", "x" * 501).failed().stderr
    assert "50" in untagged.run(*many).failed().stderr
    assert not untagged.ledger.flows()


def test_the_package_is_told_listed_and_saved(tmp_path: Path) -> None:
    import zstandard

    flow = FlowFile(tmp_path / "packed", FLOW)
    (flow.folder / "helper.py").write_text("A = 1\n")
    info = flow.run("info", command="package").succeeded()
    assert flow.run().succeeded().record.code in info.stdout
    listed = flow.run("list", command="package").succeeded().stdout.splitlines()
    assert {str(flow.path), str(flow.folder / "helper.py")} <= set(listed)
    archived = flow.run("list", "--archive", command="package").succeeded().stdout.splitlines()
    assert {"flow/flow.py", "flow/helper.py"} <= set(archived)
    as_json = flow.run("list", "--archive", "--as-json", command="package").succeeded().stdout
    assert json.loads(as_json) == archived
    told = json.loads(flow.run("info", "--as-json", command="package").succeeded().stdout)
    assert told["digest"] in info.stdout
    saved = tmp_path / "code.tar.zst"
    flow.run("save", str(saved), command="package").succeeded()
    with (
        saved.open("rb") as file,
        zstandard.ZstdDecompressor().stream_reader(file) as reader,
        tarfile.open(fileobj=reader, mode="r|") as tar,
    ):
        assert tar.getnames() == archived


def test_help_shows_commands_and_their_options(flow: FlowFile) -> None:
    everything = flow.run(command="help").succeeded().stdout
    assert "Keeps." in everything
    assert "resume" in everything
    assert "--max-workers" in flow.run("run", command="help").succeeded().stdout
    assert "nonsense" in flow.run("nonsense", command="help").failed(2).stderr


PYLINT = """
import sys
print("************* Module flow", *sys.argv[1:])
print("12:4:E0602:Undefined variable 'nothing'")
sys.exit(2)
"""


def test_errors_of_pylint_stop_a_run_where_it_is_installed(tmp_path: Path) -> None:
    checked = FlowFile(tmp_path / "checked", FLOW)
    stand_in = tmp_path / "site" / "pylint"
    stand_in.mkdir(parents=True)
    (stand_in / "__init__.py").touch()
    (stand_in / "__main__.py").write_text(PYLINT)
    path = os.pathsep.join(filter(None, (str(tmp_path / "site"), os.environ.get("PYTHONPATH"))))
    variables = {"PYTHONPATH": path}

    stopped = checked.run(environment=variables).failed()
    assert f"{checked.path}:12:5 E0602 Undefined variable 'nothing'" in stopped.stderr
    assert "--no-pylint" in stopped.stderr
    assert not checked.ledger.flows()
    listed = checked.run("--format", "json", command="check", environment=variables).failed()
    assert [issue["rule"] for issue in json.loads(listed.stdout)] == ["E0602"]
    checked.run(top=["--no-pylint"], environment=variables).succeeded()
