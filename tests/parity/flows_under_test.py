"""The flows that must give the same everywhere, with the parameters they are run with and what must come out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.parity.reading import Task

EXAMPLES = Path(__file__).parents[2] / "dags_examples"
OWN = Path(__file__).parent / "flows"


@dataclass(frozen=True)
class FlowUnderTest:
    """One flow. `check` asserts what is known of its results."""

    name: str
    file: Path
    check: Callable[[dict[str, Task]], None]
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def options(self) -> list[str]:
        """The parameters as options of the command line."""
        return [part for name, value in self.parameters.items() for part in (f"--{name}", value)]


def check_hello(tasks: dict[str, Task]) -> None:
    """Four squares, in order."""
    assert [_artifact(tasks, f"square/{i:04d}", "value") for i in range(4)] == [0, 1, 4, 9]
    assert _artifact(tasks, "end/0", "total") == 14


def check_digits(tasks: dict[str, Task]) -> None:
    """Both configurations were tried on each of two folds, and the better one reads the digits."""
    assert sum(name.startswith("score_fold/") for name in tasks) == 4
    board = _artifact(tasks, "end/0", "leaderboard")
    assert [configuration["C"] for configuration, _ in board] in ([1.0, 10.0], [10.0, 1.0])
    assert board[0][1] >= board[1][1] > 0.9
    assert _artifact(tasks, "end/0", "test_accuracy") > 0.97


def check_cars(tasks: dict[str, Task]) -> None:
    """Known facts of the table."""
    assert _artifact(tasks, "list_origins/0", "origins") == ["Europe", "Japan", "USA"]
    thriftiest = _artifact(tasks, "end/0", "thriftiest")
    assert thriftiest["Japan"] == ["mazda glc", "honda civic 1500 gl"]
    assert _artifact(tasks, "end/0", "correlations").index[0] == "Weight_in_lbs"


def check_forecast(tasks: dict[str, Task]) -> None:
    """The parameters arrived with their types, and the forecast is better than none."""
    assert _artifact(tasks, "report/0", "model") == {"kind": "ridge", "alpha": 0.5}
    assert _artifact(tasks, "report/0", "with_season") is False
    assert _artifact(tasks, "report/0", "accepted") is True
    assert "°F" in _artifact(tasks, "report/0", "summary")


def check_three_levels(tasks: dict[str, Task]) -> None:
    """Values, order and pathspecs on three levels."""
    assert _artifact(tasks, "end/0", "reports") == [
        [
            (f"r{r}c{c}", 40 + c, [f"r{r}c{c}/{street}{NOTE}" for street in ("main", "side")])
            for c in range(r + 1)
        ]
        for r in range(2)
    ]
    paths = [(0, 0), (1, 0), (1, 1)]
    leaves = [f"{r:04d}-{c:04d}-{s:04d}" for r, c in paths for s in range(2)]
    assert [name for name in tasks if name.startswith("look/")] == [f"look/{leaf}" for leaf in leaves]
    assert _artifact(tasks, "join_streets/0001-0001", "places") == [
        (f"look/0001-0001-{s:04d}", s, street, [(1, 2, "r1"), (1, 2, "r1c1"), (s, 2, street)])
        for s, street in enumerate(("main", "side"))
    ]
    assert tasks["meet/0001-0001"].parents == ("count/0001-0001", "join_streets/0001-0001")
    assert tasks["join_regions/0"].parents == ("join_cities/0000", "join_cities/0001")


def _artifact(tasks: dict[str, Task], task: str, name: str) -> Any:
    return tasks[task].artifacts[name].loaded


# What no shell, template or form may touch on its way.
NOTE = " $5 `id` \"two\" 'one' {{ 7 * 7 }} \n 🙂"

FLOWS = (
    FlowUnderTest("HelloFlow", EXAMPLES / "hello_flow.py", check_hello, {"count": "4"}),
    FlowUnderTest(
        "DigitsSearchFlow",
        EXAMPLES / "digits_search_flow.py",
        check_digits,
        {"gammas": "0.0005", "folds": "2"},
    ),
    FlowUnderTest("CarStatsFlow", EXAMPLES / "car_stats_flow.py", check_cars, {"top": "2"}),
    FlowUnderTest(
        "DailyForecastFlow",
        EXAMPLES / "daily_forecast_flow.py",
        check_forecast,
        {
            "lags": "7",
            "with_season": "false",
            "unit": "fahrenheit",
            "model": '{"kind": "ridge", "alpha": 0.5}',
        },
    ),
    FlowUnderTest("ThreeLevelFlow", OWN / "three_level_flow.py", check_three_levels, {"suffix": NOTE}),
)
