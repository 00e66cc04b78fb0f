"""Configs, mutators, `--with` and user decorators in whole runs: locally, and the same flow as a DAG."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.flow_runs import FlowFile, FlowRun

SOURCE = """
import os

@user_step_decorator
def traced(step_name, flow, inputs, attributes):
    flow.trace = getattr(flow, "trace", []) + [attributes["word"] + " " + step_name]
    yield
    flow.trace = flow.trace + ["after " + step_name]

@user_step_decorator
def skipped(step_name, flow, inputs):
    flow.skipped = step_name
    yield USER_SKIP_STEP

class AddEnvironment(FlowMutator):
    def init(self, variables):
        self.variables = variables

    def pre_mutate(self, mutable_flow):
        mutable_flow.add_parameter("added", Parameter("added", default=mutable_flow.cfg.model.depth))

    def mutate(self, mutable_flow):
        for _, mutable_step in mutable_flow.steps:
            mutable_step.add_decorator(environment, deco_kwargs={"vars": self.variables})

@AddEnvironment(config_expr("cfg.variables"))
class Configured(FlowSpec):
    cfg = Config("cfg", default="cfg.json")
    words = Config("words", default_value="a\\nb", parser=str.split, plain=True)
    alpha = Parameter("alpha", default=cfg.alpha)

    @traced(word=config_expr("cfg.model.word"))
    @retry(times=cfg.retries, minutes_between_retries=0)
    @step
    def start(self):
        if current.retry_count < self.cfg.retries:
            raise ValueError("not yet")
        self.region = os.environ["REGION"]
        self.next(self.middle)

    @skipped
    @step
    def middle(self):
        self.never = True
        self.next(self.end)

    @step
    def end(self):
        self.depth = self.cfg.model.depth + self.cfg["model"]["depth"]
        self.sizes = [layer.size for layer in self.cfg.model.layers]
        self.list = self.words
        self.both = (self.alpha, self.added)
        self.end_region = os.environ["REGION"]
        try:
            self.cfg.model.depth = 9
        except TypeError as error:
            self.refused = str(error)
"""
CONFIG = {
    "alpha": 0.25,
    "retries": 1,
    "variables": {"REGION": "eu"},
    "model": {"depth": 4, "word": "before", "layers": [{"size": 8}, {"size": 16}]},
}
RESULT = {
    "depth": 8,
    "sizes": [8, 16],
    "list": ["a", "b"],
    "both": (0.25, 4),
    "end_region": "eu",
    "region": "eu",
    "trace": ["before start", "after start"],
    "skipped": "middle",
}


@pytest.fixture
def flow(tmp_path: Path) -> FlowFile:
    (tmp_path / "cfg.json").write_text(json.dumps(CONFIG))
    return FlowFile(tmp_path, SOURCE)


def results(run: FlowRun) -> dict[str, Any]:
    return {name: run.value(name) for name in RESULT}


def test_configs_mutators_and_user_decorators_work_together_in_a_run(flow: FlowFile) -> None:
    run = flow.run().succeeded()
    assert results(run) == RESULT
    assert "'depth'" in run.value("refused")
    assert "never" not in run.names("middle")
    assert run.value("cfg") == CONFIG
    assert run.value("cfg").model.depth == 4
    assert run.done("start").key.attempt == 1


def test_a_value_of_the_command_line_reaches_decorators_parameters_and_steps(flow: FlowFile) -> None:
    value = json.dumps({**CONFIG, "retries": 0, "variables": {"REGION": "us"}, "alpha": 3})
    run = flow.run(top=["--config-value", "cfg", value]).succeeded()
    assert run.value("region") == run.value("end_region") == "us"
    assert run.value("both") == (3, 4)
    assert run.done("start").key.attempt == 0


def test_parameters_that_mutators_add_are_options(flow: FlowFile) -> None:
    run = flow.run("--added", "7", "--alpha", "1").succeeded()
    assert run.value("both") == (1.0, 7)


def test_with_adds_user_decorators_and_built_in_ones(flow: FlowFile) -> None:
    (flow.folder / "extra.py").write_text(
        "from airflow_mlflow_provider import user_step_decorator\n"
        "@user_step_decorator\n"
        "def counted(step_name, flow, inputs, attributes):\n"
        "    yield\n"
        "    flow.count = getattr(flow, 'count', 0) + attributes['by']\n"
    )
    run = flow.run(top=["--with", "extra.counted:by=2", "--with", "timeout:minutes=5"]).succeeded()
    assert run.value("count") == 4
    graph = json.loads(flow.run("--json", top=["--with", "timeout:minutes=5"], command="output-raw").stdout)
    first, second = graph["steps"]["end"]["decorators"]
    assert (first["name"], first["statically_defined"]) == ("timeout", False)
    assert (second["name"], second["inserted_by"]) == ("environment", ["__main__.AddEnvironment"])


@pytest.mark.parametrize(
    ("top", "code", "parts"),
    [
        (["--config", "cfg", "no-such.json"], 2, ["'cfg'", "no-such.json", "--config"]),
        (["--config-value", "cfg", "["], 2, ["'cfg'", "--config-value", "JSON"]),
        (["--config-value", "cgf", "{}"], 2, ["'cgf'", "cfg, words"]),
        (["--config-value", "cfg", "{}"], 1, ["`cfg.alpha`", "no key 'alpha'", "flow.py:"]),
        (["--with", "retyr"], 1, ["'retyr'", "did you mean 'retry'"]),
        (["--with", "retry:times=99"], 1, ["'times'", "99", "0 to 20"]),
        (["--with", "retry:"], 2, ["'retry:'"]),
    ],
)
def test_a_wrong_option_is_named_and_nothing_is_started(
    flow: FlowFile, top: list[str], code: int, parts: list[str]
) -> None:
    run = flow.run(top=top).failed(code)
    for part in parts:
        assert part in run.stderr
    assert "Traceback" not in run.stderr
    assert not (flow.folder / "store").exists()


def test_check_reports_what_decorators_say_once_configs_have_values(flow: FlowFile) -> None:
    assert flow.run(command="check").succeeded().stderr.endswith("0 error(s), 0 warning(s)\n")
    bad = json.dumps({**CONFIG, "retries": -1})
    run = flow.run(top=["--config-value", "cfg", bad], command="check").failed()
    assert f"flow.py:{flow.line_of('@retry(times=cfg.retries')}:1 D005" in run.stderr
    assert "'times' is -1" in run.stderr


@pytest.mark.slow
def test_the_same_flow_as_a_dag_gives_the_same_without_its_config_file(
    flow: FlowFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_mlflow_provider.dag import FlowDag
    from airflow_mlflow_provider.runtime.flow_code import find_flow_class
    from tests.dag.deployed import Finished
    from tests.services.dag_test import run_dag

    monkeypatch.chdir(flow.folder)
    monkeypatch.setenv("METAFLOW_USER", "tester")
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__DATASTORE_SHARED", "true")
    flow_class = find_flow_class(imported(flow.path), flow.path, None)
    dag = FlowDag(flow_class, store=flow.store)
    (flow.folder / "cfg.json").unlink()
    monkeypatch.chdir("/")
    run = run_dag(dag)
    ledger = flow.ledger
    finished = Finished(ledger, flow.flow, ledger.latest(flow.flow)[0])
    assert {name: finished.artifact("end", name) for name in RESULT} == RESULT
    assert run.states["middle"] == "success"


def imported(path: Path) -> Any:
    """The module of a flow's file, as a DAG file would import it."""
    import importlib.util
    import sys

    specification = importlib.util.spec_from_file_location("configured_flow", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[module.__name__] = module
    specification.loader.exec_module(module)
    return module
