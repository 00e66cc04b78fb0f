"""Airflow's counters as attempts."""

from __future__ import annotations

import pytest

from airflow_mlflow_provider.operators.attempt import CATCH_RETRIES, Attempt, attempt_of


@pytest.mark.parametrize(
    ("try_number", "max_tries", "attempt"),
    [
        (1, 2, Attempt(0, 0, 2)),
        (2, 2, Attempt(1, 1, 2)),
        (3, 2, Attempt(2, 2, 2)),
        # Cleared after the third try: Airflow sets max_tries to the tries so far plus the retries.
        (4, 5, Attempt(3, 0, 2)),
        (5, 5, Attempt(4, 1, 2)),
    ],
)
def test_a_clear_gives_a_fresh_budget_and_never_reuses_a_number(
    try_number: int, max_tries: int, attempt: Attempt
) -> None:
    assert attempt_of(try_number, max_tries, retries=2, caught=False) == attempt


def test_more_retries_in_a_later_deployment_are_no_tries_that_were_made() -> None:
    assert attempt_of(2, 1, retries=30, caught=False) == Attempt(1, 1, 30)


def test_the_last_try_of_the_budget_is_the_last_attempt() -> None:
    assert [attempt_of(number, 2, retries=2, caught=False).last for number in (1, 2, 3)] == [
        False,
        False,
        True,
    ]


def test_tries_beyond_those_of_the_users_code_are_for_the_fallback() -> None:
    retries = 1 + CATCH_RETRIES
    tries = [attempt_of(number, retries, retries=retries, caught=True) for number in range(1, 6)]
    assert [each.last for each in tries] == [False, True, True, True, True]
    assert [each.is_fallback for each in tries] == [False, False, True, True, True]


def test_without_catch_there_is_no_fallback() -> None:
    assert not attempt_of(9, 2, retries=2, caught=False).is_fallback


def test_counters_of_an_older_deployment_with_fewer_retries_do_not_go_below_zero() -> None:
    assert attempt_of(1, 5, retries=2, caught=False).retry_count == 0
