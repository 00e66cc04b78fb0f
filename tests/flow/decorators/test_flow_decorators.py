from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_mlflow_provider.exception import BadFlowDecoratorException, CommandException, MetaflowException
from airflow_mlflow_provider.flow.decorators import (
    exit_hook,
    kubernetes,
    namespaced_event_name,
    package_sources,
    project,
    schedule,
    trigger,
    trigger_on_finish,
)
from airflow_mlflow_provider.flow.decorators.airflow_sensors import (
    ExternalTaskSensorDecorator,
    S3KeySensorDecorator,
)
from airflow_mlflow_provider.flow.decorators.base import FlowDecorator
from airflow_mlflow_provider.flow.decorators.checks import deployment_findings
from airflow_mlflow_provider.flow.decorators.code_sources import PackageSourcesDecorator
from airflow_mlflow_provider.flow.decorators.events import (
    DeploymentNames,
    TriggerDecorator,
    TriggerEvent,
    TriggerOnFinishDecorator,
)
from airflow_mlflow_provider.flow.decorators.exit_hooks import (
    ExitHookDecorator,
    NamedHook,
    accepts_run,
    resolve_hook,
)
from airflow_mlflow_provider.flow.decorators.projects import ProjectBranch, ProjectDecorator
from airflow_mlflow_provider.flow.decorators.schedules import ResolvedSchedule, ScheduleDecorator
from airflow_mlflow_provider.flow.finish_asset import finish_asset
from airflow_mlflow_provider.flow.graph import FlowGraph, StepNode
from airflow_mlflow_provider.flow.parameters import ParameterContext
from airflow_mlflow_provider.flow.spec import FlowSpec
from airflow_mlflow_provider.flow.step import step

GRAPH = FlowGraph("Train", "start", "start", {"start": StepNode("start")})
CONTEXT = ParameterContext("Train", "ada", "", logging.getLogger(__name__), "s3", {})
PROJECT = ProjectBranch("demo", "prod", False, True, "demo.prod.Train")
NAMES = DeploymentNames(CONTEXT, ("alpha", "Beta"), ("cfg",))


def rules(decorator: FlowDecorator) -> list[str]:
    return [issue.rule for issue in decorator.lint(GRAPH)]


def test_flow_decorators_are_kept_on_their_class_in_source_order() -> None:
    @schedule
    @project(name="demo")
    class Train(FlowSpec): ...

    found = Train._flow_decorators
    assert [decorator.name for decorator in found] == ["schedule", "project"]
    assert [decorator.flow_class for decorator in found] == [Train, Train]
    assert found[0].spec().attributes["daily"] is True


def test_on_something_else_than_a_flow_they_are_refused() -> None:
    with pytest.raises(BadFlowDecoratorException, match="@schedule stands on the class 'Plain'") as caught:

        @schedule
        class Plain: ...

    assert "class Plain(FlowSpec)" in caught.value.fix
    with pytest.raises(BadFlowDecoratorException, match="@project"):
        project(name="x")(print)  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("attributes", "cron"),
    [
        ({}, "0 0 * * *"),
        ({"hourly": True}, "0 * * * *"),
        ({"weekly": True}, "0 0 * * 0"),
        ({"weekly": True, "hourly": True}, "0 0 * * 0"),
        ({"cron": "5 4 * * *", "weekly": True}, "5 4 * * *"),
        ({"cron": "0 10 ? * MON *"}, "0 10 * * 1"),
    ],
)
def test_the_schedule_is_cron_then_weekly_then_hourly_then_daily(attributes: Any, cron: str) -> None:
    assert ScheduleDecorator(attributes).resolve() == ResolvedSchedule(cron, "UTC")


def test_everything_off_is_no_schedule() -> None:
    assert ScheduleDecorator({"daily": False}).resolve() is None


def test_a_schedule_has_the_timezone_given() -> None:
    assert ScheduleDecorator({"timezone": "Europe/Berlin"}).resolve() == ResolvedSchedule(
        "0 0 * * *", "Europe/Berlin"
    )


@pytest.mark.parametrize(
    ("attributes", "parts"),
    [
        ({"cron": "0 0 15W * ? *"}, ["X007", "day-of-month", "'15W'"]),
        ({"cron": "0 0 1 1 ? 2030"}, ["X007", "year", "'2030'"]),
        ({"timezone": "Mars/Olympus"}, ["X007", "'Mars/Olympus'"]),
        ({"timezone": "../etc/passwd"}, ["X007", "timezone"]),
        ({"timezone": "Europe"}, ["X007", "'Europe'"]),
    ],
)
def test_a_schedule_airflow_cannot_express_is_found_when_deployed_only(
    attributes: Any, parts: list[str]
) -> None:
    decorator = ScheduleDecorator(attributes)
    assert rules(decorator) == []
    with pytest.raises(CommandException) as caught:
        decorator.resolve()
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("attributes", "branch", "production", "expected"),
    [
        ({}, None, None, "user.ada_lovelace"),
        ({}, "exp", None, "test.exp"),
        ({}, None, True, "prod"),
        ({}, "exp", True, "prod.exp"),
        ({"branch": "exp"}, None, None, "test.exp"),
        ({"branch": "exp"}, "exp", False, "test.exp"),
        ({"production": True}, None, None, "prod"),
    ],
)
def test_the_branch_is_the_users_a_test_or_production(
    attributes: Any, branch: str | None, production: bool | None, expected: str
) -> None:
    decorator = ProjectDecorator({"name": "demo", **attributes})
    found = decorator.resolve("Train", lambda: "Ada.Lovelace", branch, production)
    assert found.branch == expected
    assert found.flow_name == f"demo.{expected}.Train"
    assert found.is_user_branch == expected.startswith("user.")
    assert found.is_production == expected.startswith("prod")
    assert found.current["branch_name"] == expected
    assert found.system_tags == ("project:demo", f"project_branch:{expected}")


def test_the_users_name_is_asked_for_a_users_branch_only() -> None:
    def nobody() -> str:
        raise AssertionError

    assert ProjectDecorator({"name": "demo"}).resolve("Train", nobody, "exp").branch == "test.exp"


@pytest.mark.parametrize(
    ("attributes", "attribute"),
    [
        ({}, "name"),
        ({"name": "Demo"}, "name"),
        ({"name": "a-b"}, "name"),
        ({"name": "a" * 129}, "name"),
        ({"name": "demo", "branch": "x.y"}, "branch"),
        ({"name": ""}, "name"),
    ],
)
def test_a_project_of_a_wrong_name_is_found_with_value_and_rule(attributes: Any, attribute: str) -> None:
    (issue,) = ProjectDecorator(attributes).lint(GRAPH)
    assert issue.rule == "D005"
    for part in (
        f"'{attribute}'",
        repr(attributes.get(attribute))[:70],
        "lower-case letters, digits and `_`",
    ):
        assert part in issue.message


def test_the_longest_name_of_a_project_is_accepted() -> None:
    assert rules(ProjectDecorator({"name": "a" * 128, "branch": "b_1"})) == []


def test_an_option_that_differs_or_is_misspelt_is_refused() -> None:
    decorator = ProjectDecorator({"name": "demo", "branch": "one"})
    with pytest.raises(MetaflowException) as caught:
        decorator.resolve("Train", str, "two")
    assert "'one'" in str(caught.value)
    assert "'two'" in str(caught.value)
    with pytest.raises(MetaflowException, match=r"'Exp' of the project 'demo' is misspelt"):
        ProjectDecorator({"name": "demo"}).resolve("Train", str, "Exp")


@pytest.mark.parametrize(
    ("attributes", "events"),
    [
        ({"event": "new-data"}, [TriggerEvent("new-data", {"alpha": "alpha", "Beta": "Beta"})]),
        ({"event": {"name": "a", "parameters": {"ALPHA": "x"}}}, [TriggerEvent("a", {"alpha": "x"})]),
        ({"event": {"name": "a", "parameters": []}}, [TriggerEvent("a")]),
        (
            {"event": {"name": "a", "parameters": ["beta", ("alpha", "x")]}},
            [TriggerEvent("a", {"Beta": "beta", "alpha": "x"})],
        ),
        (
            {"events": ["a", {"name": "b", "parameters": ["alpha"]}]},
            [TriggerEvent("a"), TriggerEvent("b", {"alpha": "alpha"})],
        ),
        (
            {"event": lambda context: context.flow_name},
            [TriggerEvent("Train", {"alpha": "alpha", "Beta": "Beta"})],
        ),
        ({"events": lambda _: ["a"]}, [TriggerEvent("a", {"alpha": "alpha", "Beta": "Beta"})]),
        ({"events": ["a", lambda _: {"name": "b"}]}, [TriggerEvent("a"), TriggerEvent("b")]),
        (
            {"event": {"name": lambda _: "a", "parameters": lambda _: {"alpha": "x"}}},
            [TriggerEvent("a", {"alpha": "x"})],
        ),
    ],
)
def test_events_are_resolved_with_the_parameters_that_they_set(
    attributes: Any, events: list[TriggerEvent]
) -> None:
    decorator = TriggerDecorator(attributes)
    assert rules(decorator) == []
    assert list(decorator.resolve(NAMES)) == events


def test_a_namespaced_event_carries_project_and_branch(monkeypatch: pytest.MonkeyPatch) -> None:
    decorator = TriggerDecorator({"event": namespaced_event_name("new-data")})
    assert decorator.resolve(NAMES)[0].name == "mfns.new-data"
    assert decorator.resolve(NAMES._replace(project=PROJECT))[0].name == "mfns.demo.prod.new-data"
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__EVENT_PREFIX", "team")
    assert decorator.resolve(NAMES)[0].name == "team.new-data"


@pytest.mark.parametrize(
    ("attributes", "parts"),
    [
        ({"event": "new data"}, ["X008", "'new data'", "letters, digits"]),
        ({"event": ""}, ["X008", "''"]),
        ({"event": 3}, ["X008", "3"]),
        ({"event": {"parameters": {}}}, ["X008", "'name' and 'parameters'"]),
        ({"event": {"name": "a", "extra": 1}}, ["X008", "'name' and 'parameters'"]),
        ({"events": ["a", "a"]}, ["X008", "'a'", "twice"]),
        ({"event": {"name": "a", "parameters": {"gamma": "x"}}}, ["X008", "'a'", "'gamma'", "alpha, Beta"]),
        ({"event": {"name": "a", "parameters": {"alpha": "x", "ALPHA": "y"}}}, ["X008", "'alpha'", "twice"]),
        ({"event": {"name": "a", "parameters": {"cfg": "x"}}}, ["X008", "'cfg' is a config"]),
        ({"event": {"name": "a", "parameters": 3}}, ["X008", "'parameters' is a int"]),
        (
            {"event": {"name": "a", "parameters": [("alpha", "x", "y")]}},
            ["X008", "neither a name nor a pair"],
        ),
        ({"events": "a"}, ["X008", "'events' is a str"]),
    ],
)
def test_a_wrong_event_is_refused_with_event_parameter_and_rule(attributes: Any, parts: list[str]) -> None:
    with pytest.raises(MetaflowException) as caught:
        TriggerDecorator(attributes).resolve(NAMES)
    for part in parts:
        assert part in str(caught.value)


def fail(_: Any) -> Any:
    raise ZeroDivisionError("broken")


def test_a_function_that_fails_is_named() -> None:
    with pytest.raises(MetaflowException, match="the function fail raised ZeroDivisionError: broken"):
        TriggerDecorator({"event": fail}).resolve(NAMES)


@pytest.mark.parametrize(
    ("decorator", "rule", "words"),
    [
        (TriggerDecorator({}), "D005", "has neither"),
        (TriggerDecorator({"event": "a", "events": ["b"]}), "D005", "has both"),
        (TriggerDecorator({"events": []}), "D005", "has neither"),
        (TriggerDecorator({"event": "a", "options": {"retain": 1}}), "D002", "no option 'retain'"),
        (TriggerOnFinishDecorator({}), "D005", "'flow' and 'flows'"),
        (ExitHookDecorator({}), "D005", "'on_success' and 'on_error' are both empty"),
        (ExitHookDecorator({"on_error": [3]}), "D005", "'on_error' is 3"),
        (ExternalTaskSensorDecorator({}), "D005", "'external_dag_id'"),
        (ExternalTaskSensorDecorator({"external_dag_id": "a", "mode": "push"}), "D005", "'mode' is 'push'"),
        (ExternalTaskSensorDecorator({"external_dag_id": "a", "execution_delta": "1h"}), "D005", "timedelta"),
        (S3KeySensorDecorator({"bucket_name": "b"}), "D005", "'bucket_key'"),
        (PackageSourcesDecorator({}), "D005", "'sources'"),
        (PackageSourcesDecorator({"sources": "a", "arcname": "../x"}), "D005", "'arcname' is '../x'"),
        (PackageSourcesDecorator({"sources": "a", "arcname": "/x"}), "D005", "'/x'"),
        (PackageSourcesDecorator({"sources": ["a", 3]}), "D005", "'sources'"),
    ],
)
def test_a_wrong_attribute_is_a_finding(decorator: FlowDecorator, rule: str, words: str) -> None:
    issues = list(decorator.lint(GRAPH))
    assert {issue.rule for issue in issues} == {rule}
    assert words in issues[0].message
    assert issues[0].severity == (
        "W" if "option" in words and "exit" not in words and rule == "D002" else "E"
    )


@pytest.mark.parametrize(
    ("attributes", "project_branch", "flows"),
    [
        ({"flow": "Load"}, None, ["Load"]),
        ({"flow": "Load"}, PROJECT, ["demo.prod.Load"]),
        ({"flow": "etl.prod.Load"}, PROJECT, ["etl.prod.Load"]),
        ({"flow": "etl.test.new.Load"}, None, ["etl.test.new.Load"]),
        (
            {"flow": {"name": "Load", "project": "etl", "project_branch": "test.new"}},
            None,
            ["etl.test.new.Load"],
        ),
        ({"flow": {"name": "Load"}}, PROJECT, ["demo.prod.Load"]),
        ({"flows": ["A", "B"]}, None, ["A", "B"]),
        ({"flow": lambda context: "After" + context.flow_name}, None, ["AfterTrain"]),
        ({"flows": lambda _: [{"name": "A"}]}, None, ["A"]),
    ],
)
def test_flows_that_must_finish_are_named_in_full(
    attributes: Any, project_branch: Any, flows: list[str]
) -> None:
    decorator = TriggerOnFinishDecorator(attributes)
    assert list(decorator.resolve(NAMES._replace(project=project_branch))) == flows


@pytest.mark.parametrize(
    ("attributes", "parts"),
    [
        ({"flow": "etl.Load"}, ["X008", "without a branch"]),
        ({"flow": {"name": "Load", "project": "etl"}}, ["X008", "'project_branch' is missing"]),
        ({"flow": {"name": "Load", "project_branch": "prod"}}, ["X008", "'project' is missing"]),
        ({"flow": "my-flow"}, ["X008", "'my-flow' is not the name of a flow"]),
        ({"flow": "Etl.prod.Load"}, ["X008", "'Etl' is not the name of a project"]),
        (
            {"flow": {"name": "Load", "project": "etl", "project_branch": "Prod"}},
            ["X008", "'Prod'", "branch"],
        ),
        ({"flow": {"name": "Load", "other": 1}}, ["X008", "'name', 'project'"]),
        ({"flow": 3}, ["X008", "not by a int"]),
        ({"flows": ["A", "A"]}, ["X008", "twice"]),
    ],
)
def test_a_wrong_flow_is_refused_with_its_rule(attributes: Any, parts: list[str]) -> None:
    with pytest.raises(MetaflowException) as caught:
        TriggerOnFinishDecorator(attributes).resolve(NAMES)
    for part in parts:
        assert part in str(caught.value)


def test_the_asset_of_a_finished_flow_has_its_full_name_and_end_step() -> None:
    assert finish_asset("demo.prod.Load") == "metaflow.demo.prod.Load.end"
    assert finish_asset("Load", "finish") == "metaflow.Load.finish"


def notify(run: Any) -> None: ...


def clean_up() -> None: ...


def any_keywords(**kwargs: Any) -> None: ...


@exit_hook(on_success=[notify, "clean_up"], on_error=["os.getpid", clean_up])
class Hooked(FlowSpec): ...


def test_hooks_keep_their_order_and_are_found_by_name() -> None:
    (decorator,) = Hooked._flow_decorators
    assert decorator.named() == (
        NamedHook(f"{__name__}.notify", "success"),
        NamedHook("clean_up", "success"),
        NamedHook("os.getpid", "error"),
        NamedHook(f"{__name__}.clean_up", "error"),
    )
    assert rules(decorator) == []
    assert [decorator.resolve(named).__name__ for named in decorator.named()] == [
        "notify",
        "clean_up",
        "getpid",
        "clean_up",
    ]


def test_a_hook_that_cannot_be_resolved_is_a_warning() -> None:
    decorator = ExitHookDecorator({"on_error": ["no_such_hook", "json.no_such"]})
    decorator.flow_class = Hooked
    issues = list(decorator.lint(GRAPH))
    assert [(issue.rule, issue.severity) for issue in issues] == [("X009", "W")] * 2
    assert "'no_such_hook'" in issues[0].message
    with pytest.raises(MetaflowException, match="'GRAPH' is no function"):
        resolve_hook("GRAPH", Hooked)


@pytest.mark.parametrize(
    ("hook", "expected"), [(notify, True), (clean_up, False), (any_keywords, True), (print, False)]
)
def test_a_hook_is_given_the_run_if_it_takes_one(hook: Callable[..., Any], expected: bool) -> None:
    assert accepts_run(hook) is expected


def test_a_single_hook_need_not_be_a_list() -> None:
    assert ExitHookDecorator({"on_error": notify}).named() == (NamedHook(f"{__name__}.notify", "error"),)


def test_sensors_take_deltas_and_texts_as_airflow_does() -> None:
    sensor = ExternalTaskSensorDecorator(
        {"external_dag_id": "load", "external_task_ids": "a,b", "execution_delta": timedelta(hours=1)}
    )
    assert sensor.attributes["execution_delta"] == 3600
    assert sensor.attributes["external_task_ids"] == ["a", "b"]
    assert sensor.spec().attributes["allowed_states"] == ["success"]
    assert sensor.attributes["poke_interval"] == 60
    assert S3KeySensorDecorator({"bucket_key": ["s3://b/k"]}).problems() == ()


def test_sources_are_found_beside_the_flows_file(tmp_path: Path) -> None:
    folder = tmp_path / "sql"
    (folder / "deep").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    for name in ("a.sql", "b.txt", "deep/c.sql", ".hidden/d.sql"):
        (folder / name).write_text("x")

    @package_sources([str(folder)], arcname="queries", suffixes=[".sql"])
    @package_sources(str(folder / "b.txt"))
    class Train(FlowSpec): ...

    first, second = Train._flow_decorators
    assert [name for _, name in first.files(Train)] == ["queries/a.sql", "queries/deep/c.sql"]
    assert [name for _, name in second.files(Train)] == ["b.txt"]
    relative = PackageSourcesDecorator({"sources": ["attempt.py", "test_cron.py"], "arcname": "lib"})
    assert [name for _, name in relative.files(Train)] == ["lib/attempt.py", "lib/test_cron.py"]


def test_a_source_that_does_not_exist_is_named_with_the_folder_it_is_relative_to() -> None:
    decorator = PackageSourcesDecorator({"sources": "no-such-folder"})
    with pytest.raises(MetaflowException, match="no-such-folder") as caught:
        list(decorator.files(Hooked))
    assert str(Path(__file__).parent) in caught.value.fix


def test_a_decorator_written_without_parentheses_says_what_is_missing() -> None:
    @trigger
    class Train(FlowSpec): ...

    assert rules(Train._flow_decorators[0]) == ["D005"]


def test_all_that_a_deployment_refuses_is_found_together() -> None:
    @schedule(cron="0 0 15W * ? *")
    @trigger(event={"name": "new data"})
    @trigger_on_finish(flow="etl.Load")
    @exit_hook(on_error=["no_such_hook"])
    class Train(FlowSpec):
        @kubernetes(labels={"team": "a b"}, namespace="Team")
        @step
        def start(self) -> None: ...

    issues = list(deployment_findings(Train, NAMES))
    assert [(issue.rule, issue.severity, issue.step) for issue in issues] == [
        ("X006", "E", "start"),
        ("X006", "E", "start"),
        ("X007", "E", None),
        ("X008", "E", None),
        ("X008", "E", None),
        ("X009", "E", None),
    ]
    assert {issue.file for issue in issues} == {__file__}


def test_a_flow_that_can_be_deployed_has_no_findings() -> None:
    @schedule(cron="0 6 ? * MON-FRI *", timezone="Europe/Berlin")
    @trigger(event="new-data")
    @trigger_on_finish(flow="Load")
    @exit_hook(on_error=[notify])
    class Train(FlowSpec):
        @kubernetes(labels={"team": "a"})
        @step
        def start(self) -> None: ...

    assert list(deployment_findings(Train, NAMES)) == []
