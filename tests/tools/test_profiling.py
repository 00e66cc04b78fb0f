"""Timing a block."""

from __future__ import annotations

import pytest

from airflow_mlflow_provider import profile


def test_a_block_is_timed_and_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with profile("loading"):
        pass

    first, second = capsys.readouterr().out.splitlines()
    assert first == "PROFILE: loading starting"
    assert second.startswith("PROFILE: loading completed in ")


def test_times_are_added_up_in_a_dict(capsys: pytest.CaptureFixture[str]) -> None:
    times: dict[str, float] = {"a": 1000.0}
    with profile("a", times), pytest.raises(ValueError), profile("b", times):  # noqa: PT011
        raise ValueError

    assert times["a"] > 1000
    assert times["b"] > 0
    assert capsys.readouterr().out == ""
