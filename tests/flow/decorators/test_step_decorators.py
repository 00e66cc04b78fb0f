from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_mlflow_provider.exception import (
    InvalidDecoratorAttribute,
    MetaflowException,
    MetaflowInternalError,
)
from airflow_mlflow_provider.flow import decorators
from airflow_mlflow_provider.flow.decorators.airflow_tasks import AirflowTaskDecorator
from airflow_mlflow_provider.flow.decorators.attempts import CatchDecorator, RetryDecorator
from airflow_mlflow_provider.flow.decorators.base import FlowDecorator, StepDecorator
from airflow_mlflow_provider.flow.decorators.caching import CacheDecorator, seconds
from airflow_mlflow_provider.flow.decorators.cards import CardDecorator
from airflow_mlflow_provider.flow.decorators.checks import decorator_findings
from airflow_mlflow_provider.flow.decorators.gangs import PytorchParallelDecorator
from airflow_mlflow_provider.flow.decorators.lifecycle import DecoratedTask, StepCode, run_attempt
from airflow_mlflow_provider.flow.decorators.packages import (
    PackageRequest,
    PypiBaseDecorator,
    PypiDecorator,
    package_request,
)
from airflow_mlflow_provider.flow.decorators.registry import (
    FLOW_DECORATORS,
    STEP_DECORATORS,
    flow_decorator_class,
    step_decorator_class,
)
from airflow_mlflow_provider.flow.graph import FlowGraph, StepNode
from airflow_mlflow_provider.flow.source import read_graph
from airflow_mlflow_provider.flow.spec import FlowSpec
from airflow_mlflow_provider.flow.step import step
from tests.flow.decorators.attempt import Attempt

GRAPH = FlowGraph("Train", "fit", "fit", {"fit": StepNode("fit")})
REFUSED = {
    "conda": "@pypi",
    "batch": "@kubernetes",
    "checkpoint": "artifacts",
    "slurm": "@kubernetes",
    "conda_base": "@pypi_base",
}


@pytest.mark.parametrize("name", [*STEP_DECORATORS, *FLOW_DECORATORS])
def test_every_decorator_is_importable_documented_and_known_by_its_name(name: str) -> None:
    authored: Callable[..., Any] = getattr(decorators, name)
    known = STEP_DECORATORS if name in STEP_DECORATORS else FLOW_DECORATORS
    found: type[StepDecorator | FlowDecorator]
    found = step_decorator_class(name) if known is STEP_DECORATORS else flow_decorator_class(name)
    assert found.name == name
    assert inspect.getdoc(authored)
    assert inspect.getdoc(found)
    assert name in decorators.__all__


def signature(authored: Callable[..., Any]) -> dict[str, Any]:
    """Names and defaults that the typed overload of a decorator with parentheses shows; ``...`` where it leaves one open."""
    tree = ast.parse(Path(inspect.getfile(authored)).read_text())
    forms = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == authored.__name__]
    (_, written, _) = sorted(forms, key=lambda node: node.lineno)
    arguments = [(a.arg, d) for a, d in zip(written.args.kwonlyargs, written.args.kw_defaults, strict=True)]
    arguments += zip((a.arg for a in written.args.args), written.args.defaults, strict=True)
    return {name: ... if default is None else ast.literal_eval(default) for name, default in arguments}


@pytest.mark.parametrize(
    "name", [name for name in (*STEP_DECORATORS, *FLOW_DECORATORS) if name not in REFUSED]
)
def test_the_typed_signature_is_that_of_the_attributes(name: str) -> None:
    found: type[StepDecorator | FlowDecorator]
    found = step_decorator_class(name) if name in STEP_DECORATORS else flow_decorator_class(name)
    shown = signature(getattr(decorators, name))
    assert list(shown) == list(found.fields)
    for attribute, default in shown.items():
        if default is not ...:
            kept = found.fields[attribute].default
            assert default == (tuple(kept) if isinstance(default, tuple) else kept), attribute


def test_a_name_that_is_no_decorator_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="no_such"):
        _ = decorators.no_such


def test_no_family_is_imported_before_it_is_used() -> None:
    code = (
        "import sys, airflow_mlflow_provider.flow.decorators as d; d.retry; "
        "print(sorted(m.rsplit('.', 1)[1] for m in sys.modules if m.startswith(d.__name__ + '.')))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "['attempts', 'attributes', 'base', 'lifecycle']"


@pytest.mark.parametrize("name", [name for name in REFUSED if name != "conda_base"])
def test_a_step_decorator_that_is_not_offered_names_the_alternative(name: str) -> None:
    class Train(FlowSpec):
        @getattr(decorators, name)(anything="goes", at=3)
        @step
        def fit(self) -> None: ...

    (issue,) = decorator_findings(Train, read_graph(Train))
    assert (issue.rule, issue.severity, issue.step, issue.file) == ("D007", "E", "fit", __file__)
    assert f"@{name} is not offered" in issue.message
    assert REFUSED[name] in issue.fix


def test_a_flow_decorator_that_is_not_offered_names_the_alternative() -> None:
    @decorators.conda_base(libraries={"numpy": "1"})
    class Train(FlowSpec):
        @step
        def fit(self) -> None: ...

    (issue,) = decorator_findings(Train, read_graph(Train))
    assert issue.rule == "D007"
    assert "@pypi_base" in issue.fix


def test_a_single_use_decorator_that_stands_twice_is_found_with_both_lines() -> None:
    class Train(FlowSpec):
        @decorators.retry(times=1)
        @decorators.card
        @decorators.card
        @decorators.retry(times=2)
        @step
        def fit(self) -> None: ...

    first, second = (d.location.line for d in vars(Train.fit)["decorators"] if d.name == "retry")
    (issue,) = decorator_findings(Train, read_graph(Train))
    assert issue.rule == "D003"
    assert (issue.step, issue.line) == ("fit", second)
    for part in ("@retry", "'fit'", f"{__file__}:{first}", f"{__file__}:{second}"):
        assert part in issue.message


def test_a_flow_decorator_that_is_inherited_and_written_again_is_found_with_both_classes() -> None:
    @decorators.schedule(hourly=True)
    @decorators.exit_hook(on_error=[print])
    class Base(FlowSpec):
        @step
        def fit(self) -> None: ...

    @decorators.schedule(weekly=True)
    @decorators.exit_hook(on_error=[print])
    class Train(Base): ...

    (issue,) = decorator_findings(Train, read_graph(Train))
    assert issue.rule == "D003"
    for part in ("@schedule", "(class Base)", "(class Train)"):
        assert part in issue.message


def test_all_findings_of_all_decorators_are_reported_together() -> None:
    @decorators.project(name="No!")
    class Train(FlowSpec):
        @decorators.retry(tims=1, times=-1)  # type: ignore[call-overload]
        @decorators.timeout
        @step
        def fit(self) -> None: ...

    found = [issue.rule for issue in decorator_findings(Train, read_graph(Train))]
    assert sorted(found) == ["D002", "D005", "D005", "D005"]


def test_an_error_raised_for_a_problem_has_line_attribute_and_remedy() -> None:
    with pytest.raises(InvalidDecoratorAttribute) as caught:
        RetryDecorator({"tims": 3}).raise_problem()
    assert caught.value.source_file == __file__
    assert caught.value.where == {"decorator": "retry"}
    assert "'tims'" in caught.value.fix
    with pytest.raises(MetaflowException, match="not offered"):
        step_decorator_class("conda")().raise_problem()


class Logging(StepDecorator):
    name = "logging"

    def __init__(self, label: str, log: list[str], **errors: Any) -> None:
        super().__init__()
        self.label, self.log, self.errors = label, log, errors

    def _note(self, event: str) -> None:
        self.log.append(f"{event} {self.label}")
        if event in self.errors:
            raise self.errors[event]

    def task_pre_step(self, task: DecoratedTask) -> None:
        self._note("pre")

    def task_decorate(self, code: StepCode, task: DecoratedTask) -> StepCode:
        def wrapped() -> None:
            self.log.append(f"in {self.label}")
            code()

        return wrapped

    def task_post_step(self, task: DecoratedTask) -> None:
        self._note("post")

    def task_exception(self, error: BaseException, task: DecoratedTask) -> bool:
        self._note("exception")
        return bool(self.errors.get("handles"))

    def task_finished(self, task: DecoratedTask) -> None:
        self._note("finished")


def fail() -> None:
    raise ValueError("broken")


def test_hooks_are_entered_in_source_order_and_left_in_reverse() -> None:
    log: list[str] = []
    run_attempt([Logging("a", log), Logging("b", log)], Attempt(), lambda: log.append("code"))
    assert log == ["pre a", "pre b", "in a", "in b", "code", "post b", "post a", "finished b", "finished a"]


def test_an_error_is_offered_in_reverse_order_until_one_handles_it() -> None:
    log: list[str] = []
    verdict = run_attempt(
        [Logging("a", log), Logging("b", log, handles=True), Logging("c", log)], Attempt(), fail
    )
    assert isinstance(verdict.caught, ValueError)
    assert [line for line in log if line.startswith(("exception", "finished"))] == [
        "exception c",
        "exception b",
        "finished c",
        "finished b",
        "finished a",
    ]


def test_a_decorator_that_fails_before_the_step_is_undone_and_those_after_it_are_not_begun() -> None:
    log: list[str] = []
    with pytest.raises(OSError, match="no disk"):
        run_attempt(
            [Logging("a", log), Logging("b", log, pre=OSError("no disk")), Logging("c", log)], Attempt(), fail
        )
    assert log == ["pre a", "pre b", "exception c", "exception b", "exception a", "finished b", "finished a"]


def test_all_are_finished_even_if_one_fails_to() -> None:
    log: list[str] = []
    with pytest.raises(OSError, match="stuck"):
        run_attempt(
            [Logging("a", log), Logging("b", log, finished=OSError("stuck"))], Attempt(), lambda: None
        )
    assert log[-2:] == ["finished b", "finished a"]


def test_an_exit_of_the_process_is_caught_and_an_interrupt_is_not() -> None:
    verdict = run_attempt([CatchDecorator({"print_exception": False})], Attempt(), lambda: sys.exit(3))
    assert isinstance(verdict.caught, SystemExit)

    def interrupt() -> None:
        raise KeyboardInterrupt

    log: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        run_attempt([Logging("a", log, handles=True)], Attempt(), interrupt)
    assert log == ["pre a", "in a", "finished a"]


GANG = {"MF_PARALLEL_NUM_NODES": "4", "MF_PARALLEL_NODE_INDEX": "2", "MF_PARALLEL_MAIN_IP": "10.0.0.1"}


def test_the_nodes_of_a_gang_get_what_torch_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GANG.items():
        monkeypatch.setenv(name, value)
    seen: dict[str, str] = {}
    run_attempt([PytorchParallelDecorator()], Attempt(), lambda: seen.update(os.environ))
    assert seen["MASTER_ADDR"] == "10.0.0.1"
    assert (seen["NODE_RANK"], seen["WORLD_SIZE"], seen["NUM_NODES"]) == ("2", "4", "4")
    assert 51000 <= int(seen["MASTER_PORT"]) < 65000
    assert PytorchParallelDecorator().variables("1700000000")["MASTER_PORT"] == seen["MASTER_PORT"]
    assert "MASTER_ADDR" not in os.environ
    assert PytorchParallelDecorator({"master_port": 12345}).variables("x")["MASTER_PORT"] == "12345"


def test_a_gang_decorator_outside_a_gang_says_how_to_get_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in GANG:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(MetaflowInternalError, match="MF_PARALLEL_NUM_NODES") as caught:
        run_attempt([PytorchParallelDecorator()], Attempt(), lambda: None)
    assert "num_parallel" in caught.value.fix


def test_a_port_that_is_none_is_found() -> None:
    (problem,) = PytorchParallelDecorator({"master_port": 65536}).problems()
    assert "'master_port' is 65536" in problem.message


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (None, None),
        (90, 90),
        ("90", 90),
        ("90s", 90),
        ("1.5h", 5400),
        ("7d", 604800),
        (timedelta(minutes=2), 120),
    ],
)
def test_a_time_to_live_is_seconds_or_text_with_a_unit(written: Any, expected: float | None) -> None:
    assert seconds(written) == expected
    assert CacheDecorator({"ttl": written}).attributes["ttl"] == expected


@pytest.mark.parametrize("written", [0, -1, "soon", "5 years", True, float("inf"), float("nan"), [1]])
def test_what_is_no_time_to_live_is_found(written: Any) -> None:
    (problem,) = CacheDecorator({"ttl": written}).problems()
    assert problem.rule == "D005"
    assert "'ttl'" in problem.message
    assert "'90m'" in problem.message


def test_names_to_ignore_may_be_one_text() -> None:
    assert CacheDecorator({"ignore": "a, b"}).attributes["ignore"] == ["a", "b"]
    assert list(CacheDecorator().attributes["ignore"]) == []


def cards(*attributes: dict[str, Any]) -> list[str]:
    made = [CardDecorator(each) for each in attributes]
    node = StepNode("fit", decorators=tuple(card.spec() for card in made))
    return [issue.message for card in made for issue in card.lint(node, GRAPH) if issue.severity == "W"]


@pytest.mark.parametrize(
    "attributes", [{}, {"id": "a_1"}, {"type": "blank", "timeout": 0}, {"timeout": None}]
)
def test_a_usual_card_has_no_findings(attributes: dict[str, Any]) -> None:
    assert cards(attributes) == []


def test_ids_of_cards_that_cannot_be_used_or_are_repeated_are_warnings() -> None:
    assert "'my card'" in cards({"id": "my card"})[0]
    assert "3" in cards({"id": 3})[0]
    repeated = cards({"id": "a"}, {"id": "a"}, {"id": "b"}, {})
    assert len(repeated) == 2
    assert "2 cards with the id 'a'" in repeated[0]


def test_a_type_of_card_that_nothing_knows_is_a_warning_with_those_known() -> None:
    (message,) = cards({"type": "fancy"})
    for part in ("'fancy'", "default", "blank", "taskspec_card"):
        assert part in message


def test_a_card_of_a_wrong_rank_is_an_error() -> None:
    (problem,) = CardDecorator({"rank": "top"}).problems()
    assert (problem.rule, problem.severity) == ("D005", "E")
    assert "'high', 'medium', 'low'" in problem.message


BASE = PypiBaseDecorator({"packages": {"numpy": "1.26", "pandas": "2.2"}, "python": "3.11"}).spec()


@pytest.mark.parametrize(
    ("step_attributes", "flow_specs", "request_"),
    [
        (None, (), None),
        ({"packages": {"a": "1"}}, (), PackageRequest({"a": "1"})),
        (None, (BASE,), PackageRequest({"numpy": "1.26", "pandas": "2.2"}, "3.11")),
        (
            {"packages": {"numpy": "2.0", "a": 1}, "python": "3.12"},
            (BASE,),
            PackageRequest({"numpy": "2.0", "pandas": "2.2", "a": "1"}, "3.12"),
        ),
        ({"disabled": True}, (BASE,), None),
        ({}, (PypiBaseDecorator({"disabled": True, "packages": {"a": "1"}}).spec(),), None),
        (
            {"disabled": False},
            (PypiBaseDecorator({"disabled": True, "packages": {"a": "1"}}).spec(),),
            PackageRequest({"a": "1"}),
        ),
    ],
)
def test_packages_of_flow_and_step_go_together_and_the_step_wins(
    step_attributes: Any, flow_specs: Any, request_: PackageRequest | None
) -> None:
    own = () if step_attributes is None else (PypiDecorator(step_attributes).spec(),)
    assert package_request(StepNode("fit", decorators=own), flow_specs) == request_


def test_arguments_of_airflow_are_checked_by_name_and_type() -> None:
    assert AirflowTaskDecorator({"pool": "gpu", "priority_weight": "3"}).attributes["priority_weight"] == 3
    (problem,) = AirflowTaskDecorator({"pol": "gpu"}).problems()
    assert problem.rule == "D002"
    assert "did you mean 'pool'" in problem.message
    (problem,) = AirflowTaskDecorator({"pool_slots": 0}).problems()
    assert problem.rule == "D005"
