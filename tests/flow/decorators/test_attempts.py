from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_mlflow_provider.exception import (
    BadStepDecoratorException,
    MetaflowExceptionWrapper,
    TimeoutException,
)
from airflow_mlflow_provider.flow.decorators import catch, retry, timeout
from airflow_mlflow_provider.flow.decorators.attempts import (
    CatchDecorator,
    RetryDecorator,
    RetryPolicy,
    TimeoutDecorator,
    step_time_limit,
)
from airflow_mlflow_provider.flow.decorators.lifecycle import run_attempt
from airflow_mlflow_provider.flow.graph import FlowGraph, StepNode, Transition
from airflow_mlflow_provider.flow.step import step
from tests.flow.decorators.attempt import Attempt


def node(*decorators: Any, transition: Transition | None = None) -> StepNode:
    return StepNode("fit", decorators=tuple(d.spec() for d in decorators), transition=transition)


def graph(*nodes: StepNode) -> FlowGraph:
    return FlowGraph("Train", nodes[0].name, nodes[-1].name, {n.name: n for n in nodes})


def fail() -> None:
    [].pop()


@pytest.fixture
def alarm_state() -> Iterator[None]:
    """The alarm and its handler are afterwards what they were before."""
    handler, timer = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    yield
    assert signal.getsignal(signal.SIGALRM) is handler
    assert signal.getitimer(signal.ITIMER_REAL) == timer


def test_decorators_are_kept_in_source_order_with_their_attributes() -> None:
    @retry(times=2)
    @timeout(minutes=1)
    @catch
    @step
    def fit(self: Any) -> None: ...

    decorators = vars(fit)["decorators"]
    assert [d.name for d in decorators] == ["retry", "timeout", "catch"]
    assert decorators[0].attributes == {
        "times": 2,
        "minutes_between_retries": 2,
        "backoff": None,
        "max_minutes_between_retries": None,
        "jitter": 0,
    }
    assert decorators[2].attributes == {"var": None, "print_exception": True}
    assert [d.location.file for d in decorators] == [__file__] * 3


def test_below_step_is_refused_with_the_right_order() -> None:
    with pytest.raises(BadStepDecoratorException) as caught:

        @step
        @retry
        def fit(self: Any) -> None: ...

    assert "@retry" in str(caught.value)
    assert "'fit'" in str(caught.value)
    assert caught.value.fix == "Put @retry above @step: first @retry, then @step, then `def fit(self):`."
    assert caught.value.source_file == __file__


def test_positional_attributes_are_refused_with_the_form_to_write() -> None:
    with pytest.raises(BadStepDecoratorException) as caught:
        retry(3)  # type: ignore[call-overload]
    assert caught.value.fix == "Write @retry(times=3), or the like."


@pytest.mark.parametrize(
    ("decorator", "rule", "names"),
    [
        (RetryDecorator({"tims": 3}), "D002", ["@retry", "'tims'", "did you mean 'times'?", "jitter"]),
        (RetryDecorator({"times": -1}), "D005", ["'times'", "-1", "at least 0"]),
        (RetryDecorator({"times": 21}), "D005", ["'times'", "21", "0 to 20"]),
        (RetryDecorator({"times": "many"}), "D005", ["'times'", "'many'", "a whole number"]),
        (RetryDecorator({"times": 1.5}), "D005", ["'times'", "1.5"]),
        (RetryDecorator({"times": True}), "D005", ["'times'", "True"]),
        (RetryDecorator({"jitter": 1.5}), "D005", ["'jitter'", "1.5", "at most 1"]),
        (RetryDecorator({"backoff": "linear"}), "D005", ["'backoff'", "'linear'", "'exponential'"]),
        (TimeoutDecorator({}), "D005", ["'seconds', 'minutes' and 'hours' add up to 0"]),
        (TimeoutDecorator({"seconds": 0}), "D005", ["add up to 0"]),
        (TimeoutDecorator({"seconds": float("inf")}), "D005", ["'seconds'", "inf"]),
        (CatchDecorator({"var": 3}), "D005", ["'var'", "3"]),
    ],
)
def test_a_wrong_attribute_is_a_finding_that_names_what_is_allowed(
    decorator: Any, rule: str, names: list[str]
) -> None:
    (issue,) = decorator.lint(node(), graph(node()))
    assert issue.rule == rule
    assert issue.severity == "E"
    for name in names:
        assert name in issue.message


def test_a_variable_that_cannot_be_read_is_a_warning() -> None:
    (issue,) = CatchDecorator({"var": "not a name"}).lint(node(), graph(node()))
    assert (issue.rule, issue.severity) == ("D005", "W")
    assert "'not a name'" in issue.message


@pytest.mark.parametrize(
    "decorator",
    [
        RetryDecorator({"times": 0}),
        RetryDecorator({"times": 20}),
        RetryDecorator({"times": "4", "minutes_between_retries": "0.5"}),
        TimeoutDecorator({"hours": "1"}),
        CatchDecorator({"var": "error", "print_exception": "false"}),
    ],
)
def test_near_misses_and_text_of_the_right_kind_are_accepted(decorator: Any) -> None:
    assert list(decorator.lint(node(), graph(node()))) == []


def test_text_is_converted_once() -> None:
    assert RetryDecorator({"times": "4", "minutes_between_retries": "0.5"}).attributes["times"] == 4
    assert RetryDecorator({"minutes_between_retries": "0.5"}).attributes["minutes_between_retries"] == 0.5
    assert CatchDecorator({"print_exception": "false"}).attributes["print_exception"] is False


@pytest.mark.parametrize(("kind", "words"), [("foreach", "a foreach split"), ("switch", "a switch")])
def test_catch_on_a_step_that_chooses_is_refused(kind: Any, words: str) -> None:
    chooser = node(transition=Transition(kind, ("end",)))
    (issue,) = CatchDecorator().lint(chooser, graph(chooser))
    assert issue.rule == "D006"
    assert "'fit'" in issue.message
    assert words in issue.message


def test_catch_on_a_static_split_is_fine() -> None:
    split = node(transition=Transition("static", ("a", "b")))
    assert list(CatchDecorator().lint(split, graph(split))) == []


def test_the_retry_policy_is_read_from_the_graph() -> None:
    assert RetryPolicy.of(node()) == RetryPolicy()
    assert RetryPolicy.of(node(RetryDecorator())) == RetryPolicy(3, 2)
    written = RetryDecorator({"times": 5, "minutes_between_retries": 1, "backoff": "exponential"})
    assert RetryPolicy.of(node(written)) == RetryPolicy(5, 1, exponential=True, explicit_delay=True)


@pytest.mark.parametrize(
    ("policy", "delays"),
    [
        (RetryPolicy(3, 2), [120, 120, 120]),
        (RetryPolicy(3, 2, exponential=True), [120, 240, 480]),
        (RetryPolicy(3, 2, exponential=True, max_minutes=3), [120, 180, 180]),
        (RetryPolicy(3, 0, exponential=True), [0, 0, 0]),
    ],
)
def test_delays_are_constant_or_double_up_to_the_longest(policy: RetryPolicy, delays: list[float]) -> None:
    assert [policy.delay(retry) for retry in (1, 2, 3)] == delays


def test_a_thousandth_exponential_delay_is_a_finite_number() -> None:
    assert RetryPolicy(1000, 1, exponential=True).delay(1000) == 60.0 * 2**60


def test_jitter_varies_the_delay_by_its_fraction_both_ways() -> None:
    policy = RetryPolicy(3, 10, jitter=0.25)
    assert [policy.delay(1, chance) for chance in (0, 0.5, 1)] == [450, 600, 750]


@pytest.mark.parametrize(
    ("option", "attributes", "seconds"),
    [
        ("explicit", {}, 0),
        ("explicit", {"minutes_between_retries": 2}, 120),
        ("never", {"minutes_between_retries": 2}, 0),
        ("always", {}, 120),
    ],
)
def test_a_local_run_waits_as_the_option_says(
    monkeypatch: pytest.MonkeyPatch, option: str, attributes: dict[str, Any], seconds: float
) -> None:
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__LOCAL_RETRY_DELAY", option)
    assert RetryPolicy.of(node(RetryDecorator(attributes))).local_delay(1) == seconds


def test_catch_keeps_the_error_of_the_last_attempt(capsys: pytest.CaptureFixture[str]) -> None:
    attempt = Attempt()
    verdict = run_attempt([CatchDecorator({"var": "problem"})], attempt, fail)
    assert isinstance(verdict.caught, IndexError)
    assert verdict.caught_by == "catch"
    wrapper = attempt.flow.problem
    assert isinstance(wrapper, MetaflowExceptionWrapper)
    assert wrapper.type == "builtins.IndexError"
    assert "pop from empty list" in str(wrapper.stacktrace)
    assert "IndexError: pop from empty list" in capsys.readouterr().err


def test_catch_prints_nothing_when_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    run_attempt([CatchDecorator({"print_exception": False})], Attempt(), fail)
    assert capsys.readouterr().err == ""


def test_catch_lets_earlier_attempts_fail() -> None:
    attempt = Attempt(is_last_attempt=False)
    with pytest.raises(IndexError):
        run_attempt([CatchDecorator({"var": "problem"})], attempt, fail)
    assert not hasattr(attempt.flow, "problem")


def test_catch_sets_its_variable_to_none_on_success() -> None:
    attempt = Attempt()
    verdict = run_attempt([CatchDecorator({"var": "problem"})], attempt, lambda: None)
    assert verdict.caught is None
    assert attempt.flow.problem is None


@pytest.mark.usefixtures("alarm_state")
def test_a_step_that_runs_too_long_ends_with_step_limit_elapsed_and_line() -> None:
    def sleep_in_user_code() -> None:
        time.sleep(20)

    with pytest.raises(TimeoutException) as caught:
        run_attempt([TimeoutDecorator({"seconds": 0.2})], Attempt(), sleep_in_user_code)
    for part in ("'fit'", "limit is 0.2 s", "ran for 0.", "sleep_in_user_code", __file__):
        assert part in str(caught.value)
    assert caught.value.source_file == __file__
    assert isinstance(caught.value, TimeoutError)


@pytest.mark.usefixtures("alarm_state")
def test_the_alarm_is_gone_when_the_code_returns_or_raises_in_time() -> None:
    run_attempt([TimeoutDecorator({"hours": 1})], Attempt(), lambda: None)
    with pytest.raises(IndexError):
        run_attempt([TimeoutDecorator({"hours": 1})], Attempt(), fail)


@pytest.mark.usefixtures("alarm_state")
def test_catch_takes_a_timeout_as_any_error() -> None:
    attempt = Attempt()
    run_attempt(
        [CatchDecorator({"var": "problem", "print_exception": False}), TimeoutDecorator({"seconds": 0.1})],
        attempt,
        lambda: time.sleep(20),
    )
    assert attempt.flow.problem.type.endswith(".TimeoutException")


def test_an_alarm_set_before_still_rings() -> None:
    rung = threading.Event()
    before = signal.signal(signal.SIGALRM, lambda *_: rung.set())
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        run_attempt([TimeoutDecorator({"hours": 1})], Attempt(), lambda: None)
        assert rung.wait(10)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("alarm_state")
def test_in_another_thread_the_code_runs_without_an_alarm() -> None:
    ran: list[bool] = []
    decorators = [TimeoutDecorator({"seconds": 5})]
    thread = threading.Thread(target=run_attempt, args=(decorators, Attempt(), lambda: ran.append(True)))
    thread.start()
    thread.join(10)
    assert ran == [True]


def test_the_limit_is_the_sum_and_is_read_from_the_graph() -> None:
    assert step_time_limit(node(TimeoutDecorator({"seconds": 1, "minutes": 2, "hours": 3}))) == 10921.0
    assert step_time_limit(node()) is None
