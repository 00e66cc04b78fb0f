"""Cron expressions in the two dialects that ``@schedule`` takes, and their translation to Unix cron.

Five fields are Unix cron: minute, hour, day of the month, month, day of the week (0 and 7 are Sunday). Six fields are the
dialect of AWS EventBridge: the same with a year at the end, with ``?`` for "any day" in one of the two day
fields, names of months and days, and days of the week counted 1 to 7 from Sunday. Airflow knows the first only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_LAST_DAY = re.compile(r"L(-\d+)?$")
_SECOND_FRIDAY = re.compile(r"(\d|[A-Z]{3})#(\d)$")
_LAST_FRIDAY = re.compile(r"(\d|[A-Z]{3})L$")


class CronError(ValueError):
    """A cron expression that cannot be used; names the field and its text.

    Args:
        field: Name of the field, ``""`` when it is about the whole expression.
        text: Text of the field.
        reason: What is wrong with it.
    """

    def __init__(self, field: str, text: str, reason: str) -> None:
        super().__init__(
            f"the {field} field {text!r} {reason}" if field else f"the expression {text!r} {reason}"
        )
        self.field = field
        self.text = text
        self.reason = reason


class _Field(NamedTuple):
    name: str
    low: int
    high: int
    names: Sequence[str] = ()
    first: int = 0


_MINUTE = _Field("minute", 0, 59)
_HOUR = _Field("hour", 0, 23)
_DAY = _Field("day-of-month", 1, 31)
_MONTH = _Field("month", 1, 12, _MONTHS, 1)
_WEEKDAY = _Field("day-of-week", 0, 7, _DAYS, 0)
_SIX_FIELD_WEEKDAY = _Field("day-of-week", 1, 7, _DAYS, 1)


def unix_cron(expression: str) -> str:
    """The Unix cron expression that means the same.

    Args:
        expression: Cron of five or six fields.

    Raises:
        CronError: It is not valid, or says what Unix cron cannot.
    """
    fields = expression.split()
    if len(fields) == 5:
        return _five(fields)
    if len(fields) == 6:
        return _six(expression, fields)
    raise CronError("", expression, f"has {len(fields)} fields; cron has 5, or 6 with a year")


def _five(fields: Sequence[str]) -> str:
    kinds = (_MINUTE, _HOUR, _DAY, _MONTH, _WEEKDAY)
    return " ".join(_field(kind, text) for kind, text in zip(kinds, fields, strict=True))


def _six(expression: str, fields: Sequence[str]) -> str:
    minute, hour, day, month, weekday, year = fields
    if year not in ("*", "?"):
        raise CronError("year", year, "is not `*`; Airflow's cron has no years")
    if "?" not in (day, weekday) and "*" not in (day, weekday):
        # With both written, EventBridge refuses and Unix cron would run on either day.
        raise CronError(
            "day-of-week", weekday, f"stands beside the day-of-month {day!r}; one of them must be `?`"
        )
    if day == "?" and weekday == "?":
        raise CronError("", expression, "has `?` for both the day of the month and the day of the week")
    return " ".join(
        (
            _field(_MINUTE, minute),
            _field(_HOUR, hour),
            "*" if day == "?" else _six_field_day(day),
            _field(_MONTH, month),
            "*" if weekday == "?" else _six_field_weekday(weekday),
        )
    )


def _six_field_day(text: str) -> str:
    upper = text.upper()
    if "W" in upper:
        raise CronError(
            "day-of-month", text, "uses `W`, the nearest weekday, which Airflow's cron cannot say"
        )
    if upper == "L":
        return "L"
    if _LAST_DAY.match(upper):
        raise CronError("day-of-month", text, "counts from the last day, which Airflow's cron cannot say")
    return _field(_DAY, text)


def _six_field_weekday(text: str) -> str:
    upper = text.upper()
    if match := _SECOND_FRIDAY.match(upper):
        nth = int(match[2])
        if not 1 <= nth <= 5:
            raise CronError("day-of-week", text, "asks for a week outside 1 to 5")
        return f"{_weekday(match[1], text)}#{nth}"
    if match := _LAST_FRIDAY.match(upper):
        return f"L{_weekday(match[1], text)}"
    if upper == "L":
        return "6"
    return ",".join(_six_field_weekdays(part) for part in text.split(","))


def _six_field_weekdays(part: str) -> str:
    """One element of a list of days, as a list of Unix days: a range may wrap around Saturday."""
    body, slash, step_text = part.partition("/")
    if body == "*" and not slash:
        return "*"
    step = _number(_SIX_FIELD_WEEKDAY, step_text, part, low=1) if slash else 1
    if body == "*":
        days = list(range(7))
    elif "-" in body:
        first, last = (_weekday(end, part) for end in body.split("-", 1))
        days = [(first + offset) % 7 for offset in range((last - first) % 7 + 1)]
    else:
        first = _weekday(body, part)
        days = list(range(first, 7)) if slash else [first]
    return ",".join(str(day) for day in days[::step])


def _weekday(text: str, whole: str) -> int:
    return _value(_SIX_FIELD_WEEKDAY, text, whole) - 1


def _field(kind: _Field, text: str) -> str:
    return ",".join(_part(kind, part) for part in text.split(","))


def _part(kind: _Field, part: str) -> str:
    body, slash, step = part.partition("/")
    if slash:
        _number(kind, step, part, low=1)
    suffix = f"/{step}" if slash else ""
    if body == "*":
        return f"*{suffix}"
    first, dash, last = body.partition("-")
    start = _value(kind, first, part)
    if not dash:
        # `5/15` means "from 5 on, every 15": croniter and EventBridge agree; Vixie cron needs the range.
        return (
            f"{start}-{min(kind.high, 6 if kind is _WEEKDAY else kind.high)}{suffix}" if slash else str(start)
        )
    end = _value(kind, last, part)
    if end < start:
        raise CronError(kind.name, part, f"is a range from {start} down to {end}")
    return f"{start}-{end}{suffix}"


def _value(kind: _Field, text: str, whole: str) -> int:
    upper = text.upper()
    if upper in kind.names:
        return kind.names.index(upper) + kind.first
    return _number(kind, text, whole, low=kind.low, high=kind.high)


def _number(kind: _Field, text: str, whole: str, *, low: int, high: int | None = None) -> int:
    if not (text.isascii() and text.isdigit()):
        raise CronError(kind.name, whole, f"has {text!r} where a number or a name is needed")
    value = int(text)
    if value < low or (high is not None and value > high):
        raise CronError(
            kind.name, whole, f"has {value}, outside {low} to {kind.high if high is None else high}"
        )
    return value
