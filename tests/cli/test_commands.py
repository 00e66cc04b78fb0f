"""The command line: exit codes, what goes where, and what is said when something is wrong."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
from pathlib import Path

import pytest

from tests.flow_runs import SECONDS, USER, FlowFile, FlowRun

SOURCE = """
    class Commands(FlowSpec):
        '''Shows what there is.'''

        alpha = Parameter("alpha", default=0.5, help="How much.")
        names = Parameter("names", default="a,b", separator=",")
        settings = Parameter("settings", type=JSONType, default={"k": 1})
        my_flag = Parameter("my-flag", default=False)

        @step
        def start(self):
            '''Where it starts.'''
            self.items = [1, 2]
            print("started with", self.alpha, self.names, self.settings, self.my_flag)
            self.next(self.each, foreach="items")

        @step
        def each(self):
            self._hidden = "private"
            self.long = "x" * 3000
            self.answer = {1: self.input}
            self.next(self.join)

        @step
        def join(self, inputs):
            self.sum = sum(i.answer[1] for i in inputs)
            self.next(self.end)

        @step
        def end(self):
            pass
"""


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> FlowFile:
    return FlowFile(tmp_path_factory.mktemp("commands"), SOURCE)


@pytest.fixture(scope="module")
def ended(flow: FlowFile) -> FlowRun:
    options = ["--alpha", "2", "--names", "x,y", "--settings", '{"k": [1]}', "--my-flag", "true"]
    return flow.run(*options, "--tag", "one", "--tag", "two", "--run-id-file", "id.txt").succeeded()


def test_parameters_reach_the_steps_with_their_types(ended: FlowRun) -> None:
    assert ended.text("start") == "started with 2.0 ['x', 'y'] {'k': [1]} True"
    assert ended.record.parameters == {
        "alpha": 2.0,
        "names": ["x", "y"],
        "settings": {"k": [1]},
        "my-flag": True,
    }


def test_the_run_id_is_in_the_file_and_told_before_any_task(ended: FlowRun, flow: FlowFile) -> None:
    assert (flow.folder / "id.txt").read_text("utf-8") == ended.run
    assert f"Commands/{ended.run}" in ended.stderr.splitlines()[0]


def test_the_run_holds_tags_user_and_code(ended: FlowRun) -> None:
    record = ended.record
    assert record.tags == ("one", "two")
    assert record.user == USER
    assert {f"user:{USER}", "runtime:dev"} <= set(record.system_tags)
    assert ended.ledger.code(record.code)


def test_task_output_and_progress_go_to_stdout_and_headers_to_stderr(ended: FlowRun) -> None:
    assert f"[{ended.run}/start/0 (pid" in ended.stdout
    assert "started with" in ended.stdout
    assert "succeeded: 5 tasks" in ended.stderr
    assert "started with" not in ended.stderr
    assert "\x1b[" not in ended.stdout + ended.stderr


def test_quiet_drops_headers_and_progress_and_keeps_task_output(flow: FlowFile) -> None:
    run = flow.run(top=["--quiet"]).succeeded()
    assert run.stderr == ""
    (line,) = run.stdout.splitlines()
    assert line.endswith("started with 0.5 ['a', 'b'] {'k': 1} False")


def test_parameters_come_from_the_environment_unless_given(flow: FlowFile) -> None:
    environment = {
        "AIRFLOW__MLFLOW_PROVIDER_PARAMS__ALPHA": "7",
        "AIRFLOW__MLFLOW_PROVIDER_PARAMS__MY_FLAG": "true",
    }
    run = flow.run("--alpha", "3", environment=environment).succeeded()
    assert "started with 3.0 ['a', 'b'] {'k': 1} True" in run.text("start")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--no-such-option"], ["--no-such-option"]),
        (["--alpha", "much"], ["alpha", "much"]),
        (["--settings", "{"], ["settings"]),
        (["--max-workers", "0"], ["max-workers"]),
        (["--my-flag", "perhaps"], ["my-flag", "perhaps"]),
    ],
)
def test_a_usage_error_has_code_2_names_the_option_and_starts_nothing(
    flow: FlowFile, ended: FlowRun, options: list[str], told: list[str]
) -> None:
    before = ended.ledger.latest("Commands", 100)
    run = flow.run(*options).failed(2)
    for text in told:
        assert text in run.stderr
    assert "Traceback" not in run.stderr
    assert ended.ledger.latest("Commands", 100) == before


def test_a_bad_value_in_the_environment_is_a_usage_error_that_names_the_variable(flow: FlowFile) -> None:
    variable = "AIRFLOW__MLFLOW_PROVIDER_PARAMS__ALPHA"
    run = flow.run(environment={variable: "much"}).failed(2)
    assert variable in run.stderr
    assert "much" in run.stderr


def test_a_required_parameter_without_a_value_is_a_usage_error(tmp_path: Path) -> None:
    source = SOURCE.replace("default=0.5", "required=True, type=float")
    run = FlowFile(tmp_path, source).run().failed(2)
    assert "--alpha" in run.stderr


def test_a_parameter_may_have_the_name_of_an_option_which_steps_aside(tmp_path: Path) -> None:
    source = SOURCE.replace('"my-flag"', '"keep-going"')
    flow = FlowFile(tmp_path, source)
    run = flow.run("--keep-going", "true", "--x-keep-going").succeeded()
    assert run.record.parameters == {"keep-going": True}


def test_an_unknown_command_is_a_usage_error(flow: FlowFile) -> None:
    assert "walk" in flow.run(command="walk").failed(2).stderr


def test_the_user_must_be_known(flow: FlowFile) -> None:
    empty = dict.fromkeys(("METAFLOW_USER", "SUDO_USER", "USERNAME", "USER"), "")
    run = flow.run(environment=empty).failed(1)
    assert "METAFLOW_USER" in run.stderr
    assert "Traceback" not in run.stderr


def test_check_is_the_default_command(flow: FlowFile) -> None:
    ended = subprocess.run(
        flow.command(),
        cwd=flow.folder,
        env=flow.environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert ended.returncode == 0
    assert "0 error(s)" in ended.stderr


def test_check_lists_every_error_with_its_place_and_a_run_of_such_a_flow_starts_nothing(
    tmp_path: Path,
) -> None:
    source = SOURCE.replace("self.next(self.join)", "self.next(self.jion)").replace(
        "self.next(self.end)", "self.next(self.edn)"
    )
    flow = FlowFile(tmp_path, source)
    checked = flow.run(command="check").failed(1)
    for name in ("jion", "edn"):
        line = flow.line_of(f"self.next(self.{name})")
        assert f"flow.py:{line}" in checked.stderr
    run = flow.run().failed(1)
    assert "jion" in run.stderr
    assert run.ledger.flows() == []


def test_show_tells_steps_documentation_and_transitions(flow: FlowFile) -> None:
    shown = flow.run(command="show").succeeded().stdout
    for text in (
        "Commands",
        "Shows what there is.",
        "Where it starts.",
        "for each of items",
        "split-foreach",
    ):
        assert text in shown


def test_the_graph_is_told_as_json_and_for_graphviz(flow: FlowFile) -> None:
    graph = json.loads(flow.run("--json", command="output-raw").succeeded().stdout)
    assert list(graph["steps"]) == ["start", "each", "join", "end"]
    dot = flow.run(command="output-dot").succeeded().stdout
    assert '"start" -> "each"' in dot
    assert dot.count("{") == dot.count("}") == 1


def test_dump_prints_values_without_private_ones_and_cut(flow: FlowFile, ended: FlowRun) -> None:
    text = flow.run(f"{ended.run}/each", command="dump").succeeded().stdout
    assert text.count("answer") == 2
    assert "_hidden" not in text
    assert "x" * 1001 not in text
    assert "3000" not in text.partition("bytes")[0]


def test_dump_takes_one_task_names_and_private_ones(flow: FlowFile, ended: FlowRun) -> None:
    task = ended.records("each")[1].key.task
    options = ["--private", "--include", "_hidden,answer", "--max-value-size", "0"]
    text = flow.run(f"{ended.run}/each/{task}", *options, command="dump").succeeded().stdout
    assert "_hidden" in text
    assert "answer" in text
    assert "private'" not in text
    assert "long" not in text


def test_dump_writes_a_pickle(flow: FlowFile, ended: FlowRun) -> None:
    flow.run(f"{ended.run}/join", "--file", "out.pickle", command="dump").succeeded()
    values = pickle.loads((flow.folder / "out.pickle").read_bytes())
    assert values[f"{ended.run}/join/0"]["sum"] == 3


@pytest.mark.parametrize("command", ["dump", "logs"])
def test_a_path_where_nothing_is_tells_what_there_is(flow: FlowFile, ended: FlowRun, command: str) -> None:
    assert "start" in flow.run(f"{ended.run}/nowhere", command=command).failed(1).stderr
    assert ended.run in flow.run("no-such-run/start", command=command).failed(1).stderr
    assert "RUN/STEP" in flow.run("start", command=command).failed(1).stderr


def test_logs_show_is_the_default_and_takes_streams_times_and_attempts(
    flow: FlowFile, ended: FlowRun
) -> None:
    plain = flow.run(f"{ended.run}/start", command="logs").succeeded()
    assert plain.stdout.startswith("started with 2.0")
    assert flow.run("show", f"{ended.run}/start/0", command="logs").succeeded().stdout == plain.stdout
    assert flow.run("show", f"{ended.run}/start", "--stderr", command="logs").succeeded().stdout == ""
    timed = flow.run("show", f"{ended.run}/start", "--timestamps", command="logs").succeeded().stdout
    assert timed.split()[0].endswith("Z")
    assert (
        "no attempt 3"
        in flow.run("show", f"{ended.run}/start", "--attempt", "3", command="logs").failed(1).stderr
    )


def test_a_reader_that_goes_away_is_no_error_of_python(flow: FlowFile) -> None:
    command = " ".join(flow.command("show"))
    ended = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} | true"],
        cwd=flow.folder,
        env=flow.environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert "BrokenPipe" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_store_is_in_the_nearest_folder_that_has_one(tmp_path: Path) -> None:
    flow = FlowFile(tmp_path / "a" / "b", SOURCE)
    command = [*flow.command()[:2], "run"]
    (tmp_path / ".mlflow_provider").mkdir()
    environment = {k: v for k, v in flow.environment().items() if not k.startswith("AIRFLOW__MLFLOW")}
    subprocess.run(
        command, cwd=flow.folder, env=environment, capture_output=True, timeout=SECONDS, check=True
    )
    assert (tmp_path / ".mlflow_provider" / "flows" / "Commands").is_dir()
    assert not (flow.folder / ".mlflow_provider").exists()


def test_a_kind_of_store_that_contradicts_its_root_is_refused(flow: FlowFile) -> None:
    run = flow.run(top=["--datastore", "s3"]).failed(1)
    assert "s3://" in run.stderr


def test_the_version_is_told(flow: FlowFile) -> None:
    from airflow_mlflow_provider import __version__

    assert flow.run(command="version").succeeded().stdout.strip() == __version__


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_a_terminal_gets_colours_and_a_display_of_progress_that_leaves_nothing_behind(flow: FlowFile) -> None:
    ours, theirs = os.openpty()
    environment = {**flow.environment(), "TERM": "xterm-256color", "COLUMNS": "120"}
    with subprocess.Popen(
        flow.command("run"), cwd=flow.folder, env=environment, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:
                break
            if not part:
                break
            shown += part
    os.close(ours)
    text = shown.decode("utf-8", "replace")
    assert process.returncode == 0, text
    assert "\x1b[" in text
    assert "running" in text
    assert "started with 0.5" in text
    # The cursor is shown again, and the last line is the summary, not the display.
    assert "\x1b[?25h" in text
    assert "succeeded: 5 tasks" in text.rstrip().splitlines()[-1]
