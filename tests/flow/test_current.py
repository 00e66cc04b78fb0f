"""`current` outside a run, and as the runtime and decorators fill it."""

from __future__ import annotations

import pytest

from airflow_mlflow_provider.flow.current import Current, Parallel


@pytest.fixture
def current() -> Current:
    return Current()


def test_outside_a_run_names_are_none_and_nothing_runs(current: Current) -> None:
    for name in (
        "flow_name",
        "run_id",
        "step_name",
        "task_id",
        "pathspec",
        "origin_run_id",
        "airflow",
        "username",
    ):
        assert getattr(current, name) is None
    assert current.is_running_flow is False
    assert current.is_parallel is False
    assert current.retry_count == 0
    assert current.tags == frozenset()
    assert current.parameter_names == []
    assert current.graph == {}


@pytest.mark.parametrize(
    ("name", "decorator"),
    [("card", "@card"), ("parallel", "@parallel"), ("project_name", "@project"), ("trigger", "@trigger")],
)
def test_what_a_decorator_provides_names_that_decorator_when_it_is_absent(
    current: Current, name: str, decorator: str
) -> None:
    with pytest.raises(AttributeError, match=decorator):
        getattr(current, name)


def test_a_name_that_does_not_exist_is_an_attribute_error(current: Current) -> None:
    with pytest.raises(AttributeError, match="no attribute 'runid'"):
        _ = current.runid


def test_it_can_be_asked_like_a_dict(current: Current) -> None:
    current._set(run_id="1", step_name="start")
    assert current.get("run_id") == "1"
    assert current.get("origin_run_id", "none") == "none"
    assert current.get("nothing", 3) == 3
    assert "run_id" in current
    assert "origin_run_id" not in current
    assert {"run_id", "step_name"} <= set(current)


def test_a_lazy_value_is_made_once_and_only_when_asked_for(current: Current) -> None:
    made: list[int] = []

    def make() -> tuple[str, ...]:
        made.append(1)
        return ("a", "b")

    current._set_lazy("tags", make)
    assert made == []
    assert current.tags == {"a", "b"}
    assert current.tags == {"a", "b"}
    assert made == [1]


def test_a_node_of_a_gang_knows_its_place(current: Current) -> None:
    current._set(parallel=Parallel("127.0.0.1", 3, 1, "t"))
    assert current.is_parallel is True
    assert (current.parallel.num_nodes, current.parallel.node_index) == (3, 1)


def test_nothing_of_one_task_is_left_for_the_next(current: Current) -> None:
    current._set(run_id="1", parallel=Parallel("127.0.0.1", 3, 1, "t"))
    current._clear()
    assert current.run_id is None
    assert current.is_parallel is False
