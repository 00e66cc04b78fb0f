from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from croniter import croniter  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlflow_provider.flow.decorators.cron import CronError, unix_cron

START = datetime(2024, 2, 27, 23, 30, tzinfo=timezone.utc)


def moments(expression: str, count: int = 12) -> list[datetime]:
    times = croniter(expression, START)
    return [times.get_next(datetime) for _ in range(count)]


@pytest.mark.parametrize(
    ("written", "unix"),
    [
        ("0 6 * * *", "0 6 * * *"),
        ("*/15 9-17 * * 1-5", "*/15 9-17 * * 1-5"),
        ("0 0 1,15 jan-mar MON", "0 0 1,15 1-3 1"),
        ("5/20 * * * *", "5-59/20 * * * *"),
        ("0 0 * * 7", "0 0 * * 7"),
        ("0 0 * * 0", "0 0 * * 0"),
    ],
)
def test_five_fields_are_unix_cron(written: str, unix: str) -> None:
    assert unix_cron(written) == unix


@pytest.mark.parametrize(
    ("written", "unix"),
    [
        ("0 10 * * ? *", "0 10 * * *"),
        ("15 12 ? * 2 *", "15 12 * * 1"),
        ("0 18 ? * MON-FRI *", "0 18 * * 1,2,3,4,5"),
        ("0 18 ? * 2-6 *", "0 18 * * 1,2,3,4,5"),
        ("0 8 1 * ? *", "0 8 1 * *"),
        ("0/10 * ? * SUN,1,sat *", "0-59/10 * * * 0,0,6"),
        ("0 0 ? JAN-MAR FRI-MON *", "0 0 * 1-3 5,6,0,1"),
        ("0 0 ? * 6#3 *", "0 0 * * 5#3"),
        ("0 0 ? * FRIL *", "0 0 * * L5"),
        ("0 0 ? * L *", "0 0 * * 6"),
        ("0 0 L * ? *", "0 0 L * *"),
        ("0 0 ? * * *", "0 0 * * *"),
        ("0 0 * * * *", "0 0 * * *"),
        ("0 0 ? * */2 *", "0 0 * * 0,2,4,6"),
        ("0 0 ? * 3/2 *", "0 0 * * 2,4,6"),
    ],
)
def test_six_fields_are_translated_with_sunday_as_one(written: str, unix: str) -> None:
    assert unix_cron(written) == unix
    assert moments(unix)


@pytest.mark.parametrize(
    ("written", "weekdays"),
    [
        ("0 0 ? * 1 *", {6}),
        ("0 0 ? * 7 *", {5}),
        ("0 0 ? * 2-6 *", {0, 1, 2, 3, 4}),
        ("0 0 ? * 7-1 *", {5, 6}),
    ],
)
def test_the_days_meant_are_the_days_run_on(written: str, weekdays: set[int]) -> None:
    assert {moment.weekday() for moment in moments(unix_cron(written), 40)} == weekdays


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        ("0 0 * *", ["4 fields", "'0 0 * *'"]),
        ("", ["0 fields"]),
        ("60 0 * * *", ["minute", "'60'", "60, outside 0 to 59"]),
        ("0 24 * * *", ["hour", "'24'"]),
        ("0 0 0 * *", ["day-of-month", "'0'"]),
        ("0 0 * 13 *", ["month", "'13'"]),
        ("0 0 * * 8", ["day-of-week", "'8'"]),
        ("0 0 * * MAN", ["day-of-week", "'MAN'"]),
        ("0-70 0 * * *", ["minute", "'0-70'"]),
        ("9-5 0 * * *", ["minute", "from 9 down to 5"]),
        ("*/0 0 * * *", ["minute", "'*/0'"]),
        ("*/x 0 * * *", ["minute", "'*/x'", "'x'"]),
        ("0 0 ? * ? *", ["`?` for both"]),
        ("0 0 1 * 2 *", ["day-of-week", "'2'", "beside the day-of-month '1'"]),
        ("0 0 1 * ? 2025", ["year", "'2025'"]),
        ("0 0 15W * ? *", ["day-of-month", "'15W'", "`W`"]),
        ("0 0 L-3 * ? *", ["day-of-month", "'L-3'"]),
        ("0 0 ? * 8 *", ["day-of-week", "'8'", "outside 1 to 7"]),
        ("0 0 ? * 0 *", ["day-of-week", "'0'"]),
        ("0 0 ? * 2#6 *", ["day-of-week", "'2#6'"]),
        ("² 0 * * *", ["minute", "'²'"]),
    ],
)
def test_what_cannot_be_said_is_named_with_its_field(written: str, parts: list[str]) -> None:
    with pytest.raises(CronError) as caught:
        unix_cron(written)
    for part in parts:
        assert part in str(caught.value)


@st.composite
def field(draw: st.DrawFn, low: int, high: int) -> str:
    first = draw(st.integers(low, high))
    last = draw(st.integers(first, high))
    step = draw(st.integers(1, high))
    return draw(st.sampled_from(["*", str(first), f"{first}-{last}", f"*/{step}", f"{first}-{last}/{step}"]))


@given(minute=field(0, 59), hour=field(0, 23), day=field(1, 28), month=field(1, 12), weekday=field(0, 6))
def test_a_valid_unix_expression_keeps_its_meaning(
    minute: str, hour: str, day: str, month: str, weekday: str
) -> None:
    written = f"{minute} {hour} {day} {month} {weekday}"
    assert moments(unix_cron(written), 3) == moments(written, 3)


@given(minute=field(0, 59), hour=field(0, 23), first=st.integers(1, 7), last=st.integers(1, 7))
def test_a_range_of_days_runs_on_those_days_only(minute: str, hour: str, first: int, last: int) -> None:
    meant = {(first - 1 + offset) % 7 for offset in range((last - first) % 7 + 1)}
    unix = unix_cron(f"{minute} {hour} ? * {first}-{last} *")
    for moment in moments(unix, 5):
        assert (moment.weekday() + 1) % 7 in meant
        assert croniter.match(f"{minute} {hour} * * *", moment)
        assert moment - START < timedelta(days=40)
