from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_mlflow_provider.exception import (
    BadFlowDecoratorException,
    BadStepDecoratorException,
    CommandException,
    DuplicateFlowDecoratorException,
    DuplicateStepDecoratorException,
    InvalidDecoratorAttribute,
    MetaflowException,
    UnknownFlowDecoratorException,
    UnknownStepDecoratorException,
)
from airflow_mlflow_provider.flow.config import Config, config_expr, resolve_configs
from airflow_mlflow_provider.flow.decorators import card, environment, kubernetes, project, retry, schedule
from airflow_mlflow_provider.flow.decorators.attempts import RetryDecorator
from airflow_mlflow_provider.flow.graph import DecoratorSpec
from airflow_mlflow_provider.flow.mutators import apply_mutators, package_contributions
from airflow_mlflow_provider.flow.parameters import Parameter, flow_parameters
from airflow_mlflow_provider.flow.preparation import flow_decorators, step_decorators, user_step_decorators
from airflow_mlflow_provider.flow.source import read_graph
from airflow_mlflow_provider.flow.spec import FlowSpec
from airflow_mlflow_provider.flow.step import step
from airflow_mlflow_provider.flow.user_decorators import (
    FlowMutator,
    StepMutator,
    UserStepDecorator,
    user_step_decorator,
)
from airflow_mlflow_provider.mutators import ContentType, MutableFlow, MutableStep

HERE = __name__


@user_step_decorator
def timed(step_name: str, flow: Any, inputs: Any, attributes: Any) -> Iterator[Any]:
    yield


class Silent(UserStepDecorator): ...


class AddRetry(StepMutator):
    def init(self, times: int = 5) -> None:
        self.times = times

    def mutate(self, mutable_step: MutableStep) -> None:
        mutable_step.add_decorator(retry, deco_kwargs={"times": self.times})


def flow_with(**members: Any) -> type[FlowSpec]:
    @step
    def start(self: Any) -> None:
        self.next(self.end)

    @step
    def end(self: Any) -> None: ...

    return type("Train", (FlowSpec,), {"start": start, "end": end, **members})


def specs(flow: type, name: str = "start") -> list[DecoratorSpec]:
    return [
        *(decorator.spec() for decorator in step_decorators(flow, name)),
        *(decorator.spec() for decorator in user_step_decorators(flow, name)),
    ]


def names(flow: type, step_name: str = "start") -> list[str]:
    return [decorator.name for decorator in step_decorators(flow, step_name)]


def mutated(flow: type[FlowSpec], function: Any, when: str = "pre_mutate", **kwargs: Any) -> type[FlowSpec]:
    mutator = type("Change", (FlowMutator,), {when: lambda self, mutable: function(mutable)})
    mutator()(flow)
    apply_mutators(flow, {}, **kwargs)
    return flow


def test_with_adds_a_decorator_to_the_steps_that_lack_it() -> None:
    class Train(FlowSpec):
        @retry(times=0)
        @step
        def start(self) -> None:
            self.next(self.end)

        @step
        def end(self) -> None: ...

    apply_mutators(Train, {}, ["retry:times=4", 'environment:vars={"A": 1}'])
    (kept, added), (new, _) = step_decorators(Train, "start"), step_decorators(Train, "end")
    assert kept.attributes["times"] == 0
    assert kept.statically_defined
    assert new.attributes["times"] == 4
    assert not new.statically_defined
    assert added.attributes["vars"] == {"A": 1}
    assert [spec.name for spec in read_graph(Train)["end"].decorators] == ["retry", "environment"]


def test_what_is_written_stays_as_it_is_and_is_started_from_each_time() -> None:
    flow = flow_with()
    apply_mutators(flow, {}, ["retry"])
    apply_mutators(flow, {}, ["timeout:seconds=3"])
    assert names(flow) == ["timeout"]
    assert vars(flow.start)["decorators"] == []  # type: ignore[attr-defined]


def test_a_subclass_does_not_see_what_was_added_to_its_base() -> None:
    base = flow_with()
    apply_mutators(base, {}, ["retry"])
    derived = type("Derived", (base,), {})
    assert names(derived) == []


@pytest.mark.parametrize(
    ("decospec", "error", "parts"),
    [
        ("retyr", UnknownStepDecoratorException, ["'retyr'", "did you mean 'retry'", "timeout"]),
        ("retry:tims=4", InvalidDecoratorAttribute, ["'tims'", "did you mean 'times'", "jitter"]),
        ("retry:times=many", InvalidDecoratorAttribute, ["'times'", "'many'", "a whole number"]),
        ("retry:times", CommandException, ["'retry:times'"]),
        ("retry:", CommandException, ["'retry:'"]),
        ("", CommandException, ["''"]),
        ("no.such.decorator", MetaflowException, ["no.such.decorator"]),
        ("json.dumps", BadStepDecoratorException, ["json.dumps"]),
        (f"{HERE}.timed:a=1,b", MetaflowException, []),
        ("schedule", UnknownStepDecoratorException, ["'schedule'"]),
        ("conda", MetaflowException, ["@conda is not offered"]),
        ("timeout", InvalidDecoratorAttribute, ["add up to 0"]),
    ],
)
def test_a_wrong_with_is_refused_by_name(decospec: str, error: Any, parts: list[str]) -> None:
    if decospec.endswith("a=1,b"):
        apply_mutators(flow_with(), {}, [decospec])
        return
    with pytest.raises(error) as caught:
        apply_mutators(flow_with(), {}, [decospec])
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("decospec", "attributes"),
    [
        ("kubernetes:image=repo/img:1.2,cpu=2", {"image": "repo/img:1.2", "cpu": 2}),
        ("kubernetes:secrets=a,b,gpu=1", {"secrets": ["a", "b"], "gpu": 1}),
        ('kubernetes:labels={"a": "b,c=d"},memory=512', {"labels": {"a": "b,c=d"}, "memory": 512}),
        ("kubernetes:use_tmpfs=true", {"use_tmpfs": True}),
        ("kubernetes:node_selector=pool=gpu", {"node_selector": {"pool": "gpu"}}),
        ("resources:cpu=0.5", {"cpu": 0.5}),
        ("retry:backoff=exponential,times=2", {"backoff": "exponential", "times": 2}),
    ],
)
def test_values_of_a_specification_are_json_numbers_or_text(
    decospec: str, attributes: dict[str, Any]
) -> None:
    flow = flow_with()
    apply_mutators(flow, {}, [decospec])
    (decorator,) = step_decorators(flow, "start")
    assert {name: decorator.attributes[name] for name in attributes} == attributes


def test_user_decorators_are_added_by_their_dotted_path() -> None:
    flow = flow_with()
    apply_mutators(flow, {}, [f"{HERE}.timed:unit=s", f"{HERE}.Silent", f"{HERE}.AddRetry:times=2"])
    assert [d.name for d in user_step_decorators(flow, "start")] == ["timed", "Silent"]
    assert user_step_decorators(flow, "start")[0].arguments == ((), {"unit": "s"})
    (added,) = step_decorators(flow, "end")
    assert added.attributes["times"] == 2
    assert added.inserted_by == (f"{HERE}.AddRetry",)
    assert not added.statically_defined


def test_a_step_mutator_in_the_source_adds_decorators_that_count_as_written() -> None:
    class Train(FlowSpec):
        @AddRetry(times=7)
        @timed
        @step
        def start(self) -> None:
            self.next(self.end)

        @AddRetry
        @step
        def end(self) -> None: ...

    apply_mutators(Train, {})
    found = specs(Train)
    assert [(s.name, s.statically_defined, s.inserted_by) for s in found] == [
        ("retry", True, (f"{HERE}.AddRetry",)),
        (f"{HERE}.timed", True, ()),
    ]
    assert found[0].attributes["times"] == 7
    assert step_decorators(Train, "end")[0].attributes["times"] == 5


def test_the_time_line_is_pre_mutate_then_with_then_mutate() -> None:
    log: list[str] = []

    class Inner(StepMutator):
        def pre_mutate(self, mutable_step: MutableStep) -> None:
            log.append(f"inner pre {mutable_step.name}")

        def mutate(self, mutable_step: MutableStep) -> None:
            log.append(f"inner {mutable_step.has_decorator('timeout')}")

    class Outer(FlowMutator):
        def pre_mutate(self, mutable_flow: MutableFlow) -> None:
            log.append(f"outer pre {mutable_flow.start.has_decorator('timeout')}")
            mutable_flow.start.add_decorator(Inner)

        def mutate(self, mutable_flow: MutableFlow) -> None:
            log.append(f"outer {mutable_flow.start.has_decorator('timeout')}")

    flow = Outer()(flow_with())
    apply_mutators(flow, {}, ["timeout:seconds=1"])
    assert log == ["outer pre False", "inner pre start", "outer True", "inner True"]


def test_a_flow_mutator_added_by_another_runs_too_and_names_both() -> None:
    class Second(FlowMutator):
        def pre_mutate(self, mutable_flow: MutableFlow) -> None:
            mutable_flow.add_decorator("schedule:hourly=true")

    class First(FlowMutator):
        def pre_mutate(self, mutable_flow: MutableFlow) -> None:
            mutable_flow.add_decorator(Second)

    flow = First()(flow_with())
    apply_mutators(flow, {})
    (added,) = flow_decorators(flow)
    assert added.name == "schedule"
    assert added.attributes["hourly"] is True
    assert [name.rsplit(".", 1)[-1] for name in added.inserted_by] == ["First", "Second"]


def test_mutators_of_base_classes_come_first() -> None:
    log: list[str] = []

    class Log(FlowMutator):
        def init(self, text: str) -> None:
            self.text = text

        def pre_mutate(self, mutable_flow: MutableFlow) -> None:
            log.append(self.text)

    @Log("base 1")
    @Log("base 2")
    class Base(FlowSpec): ...

    @Log("derived")
    class Derived(Base): ...

    apply_mutators(Derived, {})
    assert log == ["base 1", "base 2", "derived"]


def test_a_mutable_flow_shows_parameters_configs_steps_and_decorators() -> None:
    cfg = Config("cfg", default_value={"times": 4})
    flow = project(name="demo")(flow_with(alpha=Parameter("alpha", default=1), cfg=cfg))
    seen: dict[str, Any] = {}

    def look(mutable: MutableFlow) -> None:
        seen.update(
            configs=dict(mutable.configs),
            parameters=[(name, p.default) for name, p in mutable.parameters],
            steps=[(name, s.name) for name, s in mutable.steps],
            decorators=list(mutable.decorator_specs),
            alpha=mutable.alpha.name,
            cfg=mutable.cfg.times,
            step=mutable.start.name,
            flow=dict(mutable.start.flow.configs),
        )
        with pytest.raises(AttributeError, match="no step, parameter or config 'absent'"):
            _ = mutable.absent

    mutator = type("Look", (FlowMutator,), {"mutate": lambda self, mutable: look(mutable)})
    mutator()(flow)
    apply_mutators(flow, resolve_configs(flow))
    assert seen["configs"] == seen["flow"] == {"cfg": {"times": 4}}
    assert seen["parameters"] == [("alpha", 1)]
    assert seen["steps"] == [("start", "start"), ("end", "end")]
    assert (seen["alpha"], seen["cfg"], seen["step"]) == ("alpha", 4, "start")
    assert seen["decorators"] == [
        ("project", "project", [], {"name": "demo"}),
        ("Look", f"{mutator.__module__}.Look", [], {}),
    ]


def test_parameters_are_added_replaced_and_removed_before_with() -> None:
    flow = flow_with(alpha=Parameter("alpha", default=1), beta=Parameter("beta"))

    def change(mutable: MutableFlow) -> None:
        mutable.add_parameter("gamma", Parameter("gamma-name", default=3))
        mutable.add_parameter("alpha", Parameter("alpha", default=2), overwrite=True)
        assert mutable.remove_parameter("beta")
        assert not mutable.remove_parameter("delta")

    mutated(flow, change)
    found = [(p.name, p.attribute, p.default) for p in flow_parameters(flow)]
    assert found == [("alpha", "alpha", 2), ("gamma-name", "gamma", 3)]


@pytest.mark.parametrize(
    ("change", "when", "parts"),
    [
        (lambda m: m.add_parameter("alpha", Parameter("a")), "pre_mutate", ["'alpha' already", "overwrite"]),
        (lambda m: m.add_parameter("x", 3), "pre_mutate", ["got a int"]),
        (
            lambda m: m.add_parameter("start", Parameter("a")),
            "pre_mutate",
            ["'start', which is no parameter"],
        ),
        (lambda m: m.remove_parameter("cfg"), "pre_mutate", ["'cfg' is a config"]),
        (lambda m: m.add_parameter("x", Parameter("x")), "mutate", ["add_parameter", "pre_mutate only"]),
        (lambda m: m.remove_parameter("alpha"), "mutate", ["remove_parameter", "pre_mutate only"]),
        (lambda m: m.add_decorator(schedule), "mutate", ["add_decorator", "pre_mutate only"]),
        (lambda m: m.remove_decorator("schedule"), "mutate", ["remove_decorator", "pre_mutate only"]),
        (lambda m: m.start.add_decorator(AddRetry), "mutate", ["pre_mutate only"]),
        (lambda m: m.start.add_decorator(retry, duplicates=7), "mutate", ["IGNORE, ERROR and OVERRIDE"]),
    ],
)
def test_a_change_that_cannot_be_made_names_the_mutator(change: Any, when: str, parts: list[str]) -> None:
    flow = flow_with(alpha=Parameter("alpha"), cfg=Config("cfg", default_value={"a": 1}))
    type("Change", (FlowMutator,), {when: lambda self, mutable: change(mutable)})()(flow)
    with pytest.raises(MetaflowException) as caught:
        apply_mutators(flow, resolve_configs(flow))
    for part in ("'Change'", *parts):
        assert part in str(caught.value) + caught.value.fix


@pytest.mark.parametrize("kind", [retry, "retry", RetryDecorator])
def test_a_decorator_is_added_by_function_specification_or_class(kind: Any) -> None:
    flow = flow_with()
    mutated(flow, lambda m: m.start.add_decorator(kind, deco_kwargs={"times": 9}))
    (added,) = step_decorators(flow, "start")
    assert added.attributes["times"] == 9


def test_attributes_of_a_specification_and_of_a_call_go_together() -> None:
    flow = flow_with()
    mutated(
        flow, lambda m: m.start.add_decorator("retry:times=1", deco_kwargs={"minutes_between_retries": 0})
    )
    assert step_decorators(flow, "start")[0].given == {"times": 1, "minutes_between_retries": 0}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda m: m.start.add_decorator(schedule), UnknownStepDecoratorException),
        (lambda m: m.start.add_decorator(print), BadStepDecoratorException),
        (lambda m: m.start.add_decorator("schedule"), UnknownStepDecoratorException),
        (lambda m: m.add_decorator(retry), UnknownFlowDecoratorException),
        (lambda m: m.add_decorator(AddRetry), BadFlowDecoratorException),
        (lambda m: m.add_decorator("shedule"), UnknownFlowDecoratorException),
        (lambda m: m.start.add_decorator(retry, deco_kwargs={"tims": 1}), InvalidDecoratorAttribute),
        (lambda m: m.start.add_decorator(retry, deco_args=[1]), MetaflowException),
    ],
)
def test_what_does_not_belong_there_is_refused(change: Any, error: Any) -> None:
    with pytest.raises(error):
        mutated(flow_with(), change)


@pytest.mark.parametrize(("duplicates", "times"), [(MutableStep.IGNORE, [1]), (MutableStep.OVERRIDE, [2])])
def test_a_decorator_that_is_there_is_kept_or_replaced(duplicates: int, times: list[int]) -> None:
    flow = flow_with()
    retry(times=1)(flow.start)  # type: ignore[attr-defined]
    environment(vars={})(flow.start)  # type: ignore[attr-defined]
    mutated(flow, lambda m: m.start.add_decorator("retry:times=2", duplicates=duplicates))
    found = step_decorators(flow, "start")
    assert [d.attributes["times"] for d in found if d.name == "retry"] == times
    assert [d.name for d in found] == ["environment", "retry"]


def test_a_decorator_that_is_there_may_be_an_error() -> None:
    def again(mutable: MutableFlow) -> None:
        mutable.start.add_decorator("retry")
        mutable.start.add_decorator("retry", duplicates=MutableStep.ERROR)

    with pytest.raises(DuplicateStepDecoratorException, match="'Change' adds 'retry'"):
        mutated(flow_with(), again)

    def twice(mutable: MutableFlow) -> None:
        mutable.add_decorator(schedule)
        mutable.add_decorator(schedule, duplicates=MutableFlow.ERROR)

    with pytest.raises(DuplicateFlowDecoratorException, match="'schedule'"):
        mutated(flow_with(), twice)


def test_cards_may_be_added_several_times() -> None:
    flow = flow_with()

    def add(mutable: MutableFlow) -> None:
        mutable.start.add_decorator(card, deco_kwargs={"id": "a"})
        mutable.start.add_decorator(card, deco_kwargs={"id": "b"})

    mutated(flow, add)
    assert names(flow) == ["card", "card"]


def test_decorators_are_found_and_removed_by_name_path_and_arguments() -> None:
    flow = flow_with()
    timed(unit="s")(flow.start)  # type: ignore[attr-defined]
    retry(times=1)(flow.start)  # type: ignore[attr-defined]
    seen: list[Any] = []

    def change(mutable: MutableFlow) -> None:
        start = mutable.start
        seen.append(
            [start.has_decorator("timed"), start.has_decorator(f"{HERE}.timed"), start.has_decorator("x")]
        )
        seen.append(start.get_decorator_specs("retry"))
        seen.append(start.remove_decorator("timed", deco_kwargs={"unit": "h"}))
        seen.append(start.remove_decorator("timed", deco_kwargs={"unit": "s"}))
        seen.append(start.remove_decorator("retry"))
        seen.append(start.remove_decorator("retry"))

    mutated(flow, change)
    assert seen == [[True, True, False], [("retry", "retry", [], {"times": 1})], False, True, True, False]
    assert specs(flow) == []


def test_configs_reach_decorators_mutators_and_parameters_of_a_flow() -> None:
    class AddImage(FlowMutator):
        def init(self, image: str) -> None:
            self.image = image

        def mutate(self, mutable_flow: MutableFlow) -> None:
            for _, mutable_step in mutable_flow.steps:
                mutable_step.add_decorator(kubernetes, deco_kwargs={"image": self.image})

    @AddImage(config_expr("cfg.image"))
    @project(name=config_expr("cfg.project"))
    class Train(FlowSpec):
        settings = Config("cfg", default_value={"image": "img:1", "project": "demo", "times": 3, "a": 0.5})
        alpha = Parameter("alpha", default=settings.a)

        @retry(times=settings.times)
        @step
        def start(self) -> None:
            self.next(self.end)

        @timed(n=config_expr("settings.times + 1"))
        @step
        def end(self) -> None: ...

    apply_mutators(Train, resolve_configs(Train))
    assert flow_decorators(Train)[0].attributes["name"] == "demo"
    retry_decorator, image = step_decorators(Train, "start")
    assert (retry_decorator.attributes["times"], image.attributes["image"]) == (3, "img:1")
    assert user_step_decorators(Train, "end")[0].arguments == ((), {"n": 4})
    assert flow_parameters(Train)[0].default == 0.5
    apply_mutators(
        Train, resolve_configs(Train, values={"cfg": {"image": "i", "project": "p", "times": 9, "a": 1}})
    )
    assert step_decorators(Train, "start")[0].attributes["times"] == 9


def test_a_mutator_stands_on_flows_only() -> None:
    class Nothing(FlowMutator): ...

    with pytest.raises(BadFlowDecoratorException, match="'Nothing' stands on Plain, which is not a flow"):

        @Nothing
        class Plain: ...

    with pytest.raises(BadStepDecoratorException, match="@AddRetry"):
        AddRetry()(test_a_mutator_stands_on_flows_only)


def test_decorators_and_mutators_add_files_to_the_code_package(tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(b"x")

    class WithFiles(UserStepDecorator):
        def add_to_package(self) -> Iterator[tuple[Any, ...]]:
            yield file, "models/model.bin"

    class Generated(FlowMutator):
        def add_to_package(self) -> Iterator[tuple[Any, ...]]:
            yield b"data", "generated.txt", ContentType.OTHER_CONTENT

    flow = Generated()(flow_with())
    WithFiles()(flow.start)
    apply_mutators(flow, {})
    assert list(package_contributions(flow)) == [
        (b"data", "generated.txt", ContentType.OTHER_CONTENT),
        (file, "models/model.bin", ContentType.CODE_CONTENT),
    ]
