from typing import Any

import pytest
from airflow.sdk import DAG, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from tests.services.dag_test import run_dag


def mapped_sum() -> DAG:
    with DAG("mapped_sum", schedule=None, params={"n": Param(3, type="integer")}) as built:

        @task
        def numbers() -> list[int]:
            return list(range(get_current_context()["params"]["n"]))

        @task
        def double_odd(x: int) -> int:
            if x % 2 == 0:
                raise AirflowSkipException
            return 2 * x

        @task(trigger_rule="none_failed")
        def total(xs: Any) -> int:
            return sum(xs)

        total(double_odd.expand(x=numbers()))
    return built


def test_a_dag_runs_to_its_end_with_states_and_xcoms() -> None:
    run = run_dag(mapped_sum())

    assert run.state == "success"
    assert run.states == {
        "numbers": "success",
        "double_odd[0]": "skipped",
        "double_odd[1]": "success",
        "double_odd[2]": "skipped",
        "total": "success",
    }
    assert run.xcom("double_odd", map_index=1) == 2
    assert run.xcom("total") == 2


def test_the_configuration_reaches_the_params() -> None:
    run = run_dag(mapped_sum(), {"n": 4})

    assert run.xcom("numbers") == [0, 1, 2, 3]
    assert run.xcom("total") == 8


def test_runs_of_one_dag_do_not_see_each_other() -> None:
    first, second = run_dag(mapped_sum(), {"n": 2}), run_dag(mapped_sum(), {"n": 4})

    assert first.run_id != second.run_id
    assert (first.xcom("total"), second.xcom("total")) == (2, 8)


def test_a_failed_run_is_an_error_unless_expected() -> None:
    with DAG("fails", schedule=None) as fails:

        @task
        def burst() -> None:
            raise ValueError("too much")

        @task
        def after() -> None:
            pass

        burst() >> after()

    with pytest.raises(AssertionError, match=r"(?s)fails is failed, not success.*burst: failed"):
        run_dag(fails)

    assert run_dag(fails, expected="failed").states == {"burst": "failed", "after": "upstream_failed"}
