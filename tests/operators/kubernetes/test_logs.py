from __future__ import annotations

import pytest

from airflow_mlflow_provider.operators.kubernetes.logs import Moment, split_time

SECOND = 1795458420


@pytest.mark.parametrize(
    ("line", "moment", "text"),
    [
        ("2026-11-23T18:27:00.123456789Z a line", (SECOND, 123456789), "a line"),
        ("2026-11-23T18:27:00.1Z a line", (SECOND, 100000000), "a line"),
        ("2026-11-23T18:27:00Z a line", (SECOND, 0), "a line"),
        ("2026-11-23T20:27:00.5+02:00 a line", (SECOND, 500000000), "a line"),
        ("2026-11-23T16:27:00-02:00 a line", (SECOND, 0), "a line"),
        ("2026-11-23T18:27:00Z ", (SECOND, 0), ""),
        ("2026-11-23T18:27:00Z", (SECOND, 0), ""),
        ("2026-11-23T18:27:00Z  two spaces", (SECOND, 0), " two spaces"),
        ("the rest of a long line", None, "the rest of a long line"),
        ("2026-11-23T18:27:00 no zone", None, "2026-11-23T18:27:00 no zone"),
        ("1.5 is a number", None, "1.5 is a number"),
        ("", None, ""),
    ],
)
def test_the_time_of_a_line_is_split_from_its_text(line: str, moment: Moment | None, text: str) -> None:
    assert split_time(line) == (moment, text)
