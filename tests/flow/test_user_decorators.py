from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_mlflow_provider.exception import (
    BadStepDecoratorException,
    InvalidNextException,
    MetaflowException,
)
from airflow_mlflow_provider.flow.graph import DecoratorSpec, StepNode, Transition
from airflow_mlflow_provider.flow.preparation import step_decorators, user_step_decorators
from airflow_mlflow_provider.flow.spec import TASK_ATTRIBUTE, FlowSpec
from airflow_mlflow_provider.flow.step import step
from airflow_mlflow_provider.flow.transition import NextCall
from airflow_mlflow_provider.flow.user_decorated_step import StepCall, run_user_decorated
from airflow_mlflow_provider.flow.user_decorators import (
    USER_SKIP_STEP,
    UserStepDecorator,
    user_step_decorator,
)

LINEAR = Transition("linear", ("end",))


class Task:
    """What a flow's instance is bound to while a step runs, as far as ``self.next`` goes."""

    step_name = "start"
    next_call: NextCall | None = None

    def load(self, name: str) -> Any:
        raise AttributeError(name)


def bound(flow_class: type[FlowSpec]) -> Any:
    flow = flow_class(use_cli=False)
    vars(flow)[TASK_ATTRIBUTE] = Task()
    return flow


def call_of(flow: Any) -> NextCall | None:
    task: Task = vars(flow)[TASK_ATTRIBUTE]
    return task.next_call


def run(flow: Any, *decorators: UserStepDecorator, transition: Transition | None = LINEAR) -> None:
    node = StepNode("start", transition=transition)
    run_user_decorated([decorator.ready({}) for decorator in decorators], StepCall(flow, node))


def specs(flow: type, name: str = "start") -> list[DecoratorSpec]:
    return [
        *(decorator.spec() for decorator in step_decorators(flow, name)),
        *(decorator.spec() for decorator in user_step_decorators(flow, name)),
    ]


class Flow(FlowSpec):
    @step
    def start(self) -> None:
        self.events = [*getattr(self, "events", []), "step"]
        self.next(self.end)

    @step
    def end(self) -> None: ...

    @step
    def other(self) -> None: ...


class Failing(Flow):
    @step
    def start(self) -> None:
        raise ValueError("broken")


def note(flow: Any, event: str) -> None:
    flow.events = [*getattr(flow, "events", []), event]


@user_step_decorator
def around(step_name: str, flow: Any, inputs: Any, attributes: Any) -> Iterator[Any]:
    name = attributes.get("name", "")
    note(flow, f"before {step_name}{name}")
    yield
    note(flow, f"after {step_name}{name}")


@user_step_decorator
def plain(step_name: str, flow: Any, inputs: Any) -> Iterator[Any]:
    yield


@user_step_decorator
def skipping(step_name: str, flow: Any, inputs: Any, attributes: Any) -> Iterator[Any]:
    note(flow, "skip")
    yield attributes.get("how", USER_SKIP_STEP)
    note(flow, "after skip")


@user_step_decorator
def swallowing(step_name: str, flow: Any, inputs: Any) -> Iterator[Any]:
    try:
        yield
    except ValueError as error:
        flow.problem = str(error)


@user_step_decorator
def translating(step_name: str, flow: Any, inputs: Any) -> Iterator[Any]:
    try:
        yield
    except ValueError as error:
        raise KeyError("translated") from error


@user_step_decorator
def twice(step_name: str, flow: Any, inputs: Any) -> Iterator[Any]:
    yield
    yield


@user_step_decorator
def sometimes(step_name: str, flow: Any, inputs: Any) -> Iterator[Any]:
    if step_name != "start":
        yield


@user_step_decorator
def numbered(step_name: str, flow: Any, inputs: Any) -> Iterator[Any]:
    yield 3


def replace_by(function: Any) -> Any:
    @user_step_decorator
    def replacing(step_name: str, flow: Any, inputs: Any) -> Iterator[Any]:
        yield function

    return replacing


def test_code_runs_around_the_step_outermost_first() -> None:
    flow = bound(Flow)
    run(flow, around(name=1), around(name=2))
    assert flow.events == ["before start1", "before start2", "step", "after start2", "after start1"]
    assert call_of(flow).targets == ("end",)  # type: ignore[union-attr]


def test_a_decorator_stands_above_a_step_with_or_without_attributes() -> None:
    class Decorated(FlowSpec):
        @around
        @plain
        @around(name="x")
        @step
        def start(self) -> None: ...

    decorators = user_step_decorators(Decorated, "start")
    assert [d.name for d in decorators] == ["around", "plain", "around"]
    assert [d.arguments for d in decorators] == [((), {}), ((), {}), ((), {"name": "x"})]
    found = specs(Decorated)
    assert found[2].name == f"{__name__}.around"
    assert found[2].attributes == {"name": "x"}
    assert found[2].statically_defined


@pytest.mark.parametrize("decorator", [around, around(name="x"), plain])
def test_below_step_is_refused(decorator: Any) -> None:
    with pytest.raises(BadStepDecoratorException) as caught:

        class Misplaced(FlowSpec):
            @step
            @decorator  # type: ignore[untyped-decorator,unused-ignore]
            def start(self) -> None: ...

    assert "above @step" in caught.value.fix
    assert decorator.__name__ if isinstance(decorator, type) else decorator.name in str(caught.value)


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: user_step_decorator(lambda step_name, flow, inputs: None), ["<lambda>", "not a generator"]),  # type: ignore[arg-type,return-value,unused-ignore]
        (lambda: around(3), ["'around'", "by name"]),
        (lambda: plain(a=1), ["'plain'", "no attributes"]),
    ],
)
def test_a_decorator_written_or_used_wrongly_is_named(make: Any, names: list[str]) -> None:
    with pytest.raises(MetaflowException) as caught:
        make()
    for name in names:
        assert name in str(caught.value)
    assert caught.value.source_file == __file__


def one(step_name: str) -> Iterator[Any]:
    yield


def keyword_only(step_name: str, flow: Any, *, inputs: Any) -> Iterator[Any]:
    yield


def open_ended(*args: Any) -> Iterator[Any]:
    yield


@pytest.mark.parametrize("function", [one, keyword_only, open_ended])
def test_a_generator_of_other_arguments_is_refused(function: Any) -> None:
    with pytest.raises(MetaflowException, match=function.__name__) as caught:
        user_step_decorator(function)
    assert "(step_name, flow, inputs, attributes)" in caught.value.fix


def test_a_step_that_is_skipped_makes_its_usual_transition_and_stops_inner_decorators() -> None:
    flow = bound(Flow)
    run(flow, around(name=1), skipping(), around(name=2))
    assert flow.events == ["before start1", "skip", "after skip", "after start1"]
    assert call_of(flow).targets == ("end",)  # type: ignore[union-attr]


def test_what_the_step_raises_can_be_swallowed_translated_or_let_through() -> None:
    flow = bound(Failing)
    run(flow, swallowing())
    assert flow.problem == "broken"
    assert call_of(flow).targets == ("end",)  # type: ignore[union-attr]

    with pytest.raises(KeyError, match="translated"):
        run(bound(Failing), translating())
    with pytest.raises(ValueError, match="broken"):
        run(bound(Failing), plain())

    flow = bound(Failing)
    with pytest.raises(KeyError, match="translated"):
        run(flow, swallowing(), around(), translating())
    assert flow.events == ["before start"]


def test_code_after_the_yield_is_told_of_an_error_only_by_the_error() -> None:
    flow = bound(Failing)
    with pytest.raises(ValueError, match="broken"):
        run(flow, around())
    assert flow.events == ["before start"]


@pytest.mark.parametrize(
    ("decorator", "problem"), [(twice, "yielded a second time"), (numbered, "yielded a int")]
)
def test_a_wrong_yield_is_named_with_decorator_and_step(decorator: Any, problem: str) -> None:
    with pytest.raises(MetaflowException) as caught:
        run(bound(Flow), decorator())
    for part in (problem, decorator.__name__, "'start'"):
        assert part in str(caught.value)


def test_a_generator_that_does_not_yield_lets_the_step_run() -> None:
    flow = bound(Flow)
    run(flow, sometimes())
    assert flow.events == ["step"]


@pytest.mark.parametrize("result", [True, {}])
def test_a_function_in_the_steps_place_may_ask_for_the_usual_transition(result: Any) -> None:
    flow = bound(Flow)

    def instead(flow: Any) -> Any:
        note(flow, "instead")
        return result

    run(flow, replace_by(instead)())
    assert flow.events == ["instead"]
    assert call_of(flow).targets == ("end",)  # type: ignore[union-attr]


@pytest.mark.parametrize("result", [None, False])
def test_a_function_in_the_steps_place_may_call_next_itself(result: Any) -> None:
    flow = bound(Flow)

    def instead(flow: Any) -> Any:
        flow.next(flow.other)
        return result

    run(flow, replace_by(instead)())
    assert call_of(flow).targets == ("other",)  # type: ignore[union-attr]


def test_a_function_that_returns_something_else_is_refused() -> None:
    with pytest.raises(MetaflowException, match="'replacing': the function gave a str"):
        run(bound(Flow), replace_by(lambda flow: "end")())


class Counted(UserStepDecorator):
    def init(self, first: str, second: str = "b") -> None:
        self.names = first + second

    def pre_step(self, step_name: str, flow: Any, inputs: Any = None) -> Any:
        note(flow, f"pre {self.names}")

    def post_step(self, step_name: str, flow: Any, exception: Exception | None = None) -> Any:
        note(flow, f"post {self.names} {exception!r}")
        return exception


class Overruling(UserStepDecorator):
    def post_step(self, step_name: str, flow: Any, exception: Exception | None = None) -> Any:
        return None, {"foreach": "items"}


class Skipper(UserStepDecorator):
    def init(self, how: Any = True) -> None:
        self.skip_step = how


class SkipperByProperty(UserStepDecorator):
    @property
    def skip_step(self) -> Any:
        return True

    @skip_step.setter
    def skip_step(self, value: Any) -> None: ...


class Silent(UserStepDecorator): ...


class FailsBefore(UserStepDecorator):
    def pre_step(self, step_name: str, flow: Any, inputs: Any = None) -> Any:
        raise ValueError("no data")


class Confused(UserStepDecorator):
    def post_step(self, step_name: str, flow: Any, exception: Exception | None = None) -> Any:
        return "fine"


def test_a_class_runs_its_methods_around_the_step_with_its_arguments() -> None:
    flow = bound(Flow)
    run(flow, Counted("a"), Counted("c", second="d"))
    assert flow.events == ["pre ab", "pre cd", "step", "post cd None", "post ab None"]


def test_a_class_without_post_step_lets_errors_through() -> None:
    with pytest.raises(ValueError, match="broken"):
        run(bound(Failing), Silent())


def test_an_error_before_the_step_reaches_the_decorators_outside() -> None:
    flow = bound(Flow)
    with pytest.raises(ValueError, match="no data"):
        run(flow, Counted("a"), FailsBefore(), Counted("c"))
    assert flow.events == ["pre ab", "post ab ValueError('no data')"]


def test_post_step_may_overrule_the_transition() -> None:
    flow = bound(Flow)
    run(flow, Overruling(), transition=Transition("foreach", ("end",), foreach="others"))
    call = call_of(flow)
    assert call is not None
    assert (call.kind, call.foreach) == ("foreach", "items")


@pytest.mark.parametrize("decorator", [Skipper(), SkipperByProperty(), Skipper({})])
def test_a_class_may_skip_the_step(decorator: UserStepDecorator) -> None:
    flow = bound(Flow)
    run(flow, decorator)
    assert not hasattr(flow, "events")
    assert call_of(flow).targets == ("end",)  # type: ignore[union-attr]


def test_a_wrong_answer_of_post_step_is_named() -> None:
    with pytest.raises(MetaflowException, match="'Confused': post_step returned 'fine'"):
        run(bound(Flow), Confused())


def test_arguments_without_an_init_are_refused_and_those_that_do_not_fit_named() -> None:
    with pytest.raises(MetaflowException, match="'Silent' was given arguments"):
        Silent(1)
    with pytest.raises(MetaflowException, match="arguments of the decorator 'Counted' do not fit"):
        run(bound(Flow), Counted())


def test_each_attempt_gets_decorators_of_its_own() -> None:
    decorator = Counted("a")
    first, second = decorator.ready({}), decorator.ready({})
    assert first is not second
    assert not hasattr(decorator, "names")


SWITCH = Transition("switch", ("end", "other"), condition="answer", cases=(("yes", "end"), ("no", "other")))
GANG = Transition("parallel", ("end",), num_parallel="n")


def test_a_skipped_switch_goes_by_its_condition() -> None:
    flow = bound(Flow)
    flow.answer = "no"
    run(flow, skipping(), transition=SWITCH)
    call = call_of(flow)
    assert call is not None
    assert (call.kind, call.condition, call.cases) == ("switch", "answer", {"yes": "end", "no": "other"})
    assert flow.answer == "no"


def test_a_skipped_switch_may_be_told_the_case_or_the_artifact() -> None:
    flow = bound(Flow)
    run(flow, skipping(how={"condition": "yes"}), transition=SWITCH)
    assert flow.answer == "yes"
    flow = bound(Flow)
    flow.verdict = "no"
    run(flow, skipping(how={"condition": "verdict"}), transition=SWITCH)
    assert flow.answer == "no"


def test_a_skipped_switch_without_a_condition_says_what_to_give() -> None:
    with pytest.raises(InvalidNextException) as caught:
        run(bound(Flow), skipping(), transition=SWITCH)
    assert "self.answer" in str(caught.value)
    assert "{'condition': value of a case}" in caught.value.fix


def test_a_skipped_gang_needs_its_size() -> None:
    with pytest.raises(InvalidNextException) as caught:
        run(bound(Flow), skipping(), transition=GANG)
    assert "{'num_parallel': n}" in caught.value.fix
    flow = bound(Flow)
    run(flow, skipping(how={"num_parallel": 2}), transition=GANG)
    assert call_of(flow).num_parallel == 2  # type: ignore[union-attr]


def test_a_skipped_foreach_and_split_and_end_make_their_transition() -> None:
    flow = bound(Flow)
    run(flow, skipping(), transition=Transition("foreach", ("end",), foreach="items", allow_empty=True))
    call = call_of(flow)
    assert call is not None
    assert (call.foreach, call.allow_empty) == ("items", True)
    flow = bound(Flow)
    run(flow, skipping(), transition=Transition("static", ("end", "other")))
    assert call_of(flow).targets == ("end", "other")  # type: ignore[union-attr]
    flow = bound(Flow)
    run(flow, skipping(), transition=None)
    assert call_of(flow) is None


def test_joins_get_their_inputs() -> None:
    class Joining(FlowSpec):
        @step
        def start(self, inputs: Any) -> None:
            self.total = sum(inputs)

    flow = bound(Joining)
    node = StepNode("start", transition=None, has_inputs=True)

    @user_step_decorator
    def looking(step_name: str, flow: Any, inputs: Any) -> Iterator[Any]:
        flow.seen = list(inputs)
        yield

    run_user_decorated([looking().ready({})], StepCall(flow, node, [1, 2]))
    assert (flow.seen, flow.total) == ([1, 2], 3)
    run_user_decorated([], StepCall(flow, node, [3]))
    assert flow.total == 3
