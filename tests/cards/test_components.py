"""Each component becomes data that the viewer knows; what it cannot show is said in its place."""

from __future__ import annotations

import inspect
import math
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from airflow_mlflow_provider import cards
from airflow_mlflow_provider.cards import (
    Artifact,
    Error,
    EventsTimeline,
    Image,
    JSONViewer,
    Markdown,
    MetaflowCardComponent,
    PageComponent,
    ProgressBar,
    PythonCode,
    Table,
    ValueBox,
    VegaChart,
    YAMLViewer,
)
from airflow_mlflow_provider.cards.component import rendered

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)
SIGNATURES = {
    Markdown: "(text=None)",
    Table: "(data=None, headers=None, disable_updates=False)",
    Table.from_dataframe: "(dataframe=None, truncate=True)",
    Image: "(src=None, label=None, disable_updates=True)",
    Image.from_matplotlib: "(plot, label=None, disable_updates=False)",
    Image.from_pil_image: "(pilimage, label=None, disable_updates=False)",
    Artifact: "(artifact, name=None, compressed=True)",
    Error: "(exception, title=None)",
    VegaChart: "(spec, show_controls=False)",
    VegaChart.from_altair_chart: "(altair_chart)",
    ProgressBar: "(max=100, label=None, value=0, unit=None, metadata=None)",
    ProgressBar.update: "(self, new_value, metadata=None)",
    ValueBox: "(title=None, value='', subtitle=None, theme=None, change_indicator=None)",
    PythonCode: "(code_func=None, code_string=None)",
    EventsTimeline: "(title=None, max_events=100)",
    EventsTimeline.update: "(self, event_data, style_theme=None, priority=None, payloads=None, finished=None)",
    JSONViewer: "(data, collapsible=True, max_height=None, show_copy_button=True, title=None)",
    YAMLViewer: "(data, collapsible=True, max_height=None, show_copy_button=True, title=None)",
    cards.get_cards: "(task, id=None, type=None, follow_resumed=True)",
}


@pytest.mark.parametrize("callable_", SIGNATURES, ids=lambda one: one.__qualname__)
def test_names_and_defaults_are_those_of_the_surface(callable_: Any) -> None:
    signature = inspect.signature(callable_)
    bare = signature.replace(
        parameters=[p.replace(annotation=p.empty) for p in signature.parameters.values()],
        return_annotation=signature.empty,
    )
    assert str(bare) == SIGNATURES[callable_]


def test_markdown_is_kept_as_it_was_written_and_can_be_replaced() -> None:
    text = Markdown("# Title")
    assert text.render() == {"type": "markdown", "text": "# Title"}
    text.update("other")
    assert text.render()["text"] == "other"
    assert Markdown().render()["text"] == ""


def test_a_table_holds_values_and_components_and_says_what_json_cannot_hold_as_text() -> None:
    table = Table(
        [[1, np.float64(0.5), math.nan, None, True, {1}], [Markdown("x"), "y"]], ["a", Markdown("b")]
    )
    made = table.render()
    assert made["rows"][0] == [1, 0.5, "nan", None, True, "{1}"]
    assert made["rows"][1] == [{"type": "markdown", "text": "x"}, "y"]
    assert made["headers"] == ["a", {"type": "markdown", "text": "b"}]
    msgspec.json.encode(made)


@pytest.mark.parametrize(
    "make",
    [
        lambda: pd.DataFrame({"a": range(300), "b": "x"}),
        lambda: pl.DataFrame({"a": list(range(300)), "b": ["x"] * 300}),
        lambda: pa.table({"a": list(range(300)), "b": ["x"] * 300}),
    ],
    ids=["pandas", "polars", "arrow"],
)
def test_a_table_of_a_data_frame_shows_its_first_hundred_rows_unless_told_otherwise(make: Any) -> None:
    short = Table.from_dataframe(make()).render()
    assert short["headers"] == ["a", "b"]
    assert len(short["rows"]) == 100
    assert short["rows"][7] == [7, "x"]
    assert "100 of 300" in short["note"]
    assert len(Table.from_dataframe(make(), truncate=False).render()["rows"]) == 300


def test_a_table_shows_the_named_index_of_a_frame() -> None:
    frame = pd.DataFrame({"a": [1]}, index=pd.Index(["r"], name="key"))
    assert Table.from_dataframe(frame).render()["rows"] == [["r", 1]]
    assert Table.from_dataframe(frame).render()["headers"] == ["key", "a"]


def test_updates_are_taken_unless_they_are_disabled() -> None:
    table, fixed = Table([[1]]), Table([[1]], disable_updates=True)
    for one in (table, fixed):
        one.update([[2]])
    assert table.render()["rows"] == [[2]]
    assert fixed.render()["rows"] == [[1]]
    image = Image(PNG)
    image.update(b"GIF89a")
    assert image.render()["src"].startswith("data:image/png;base64,")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PNG, "png"),
        (b"\xff\xd8\xff\xe0", "jpeg"),
        (b"GIF89a", "gif"),
        (b"RIFF\0\0\0\0WEBP", "webp"),
        (b"<svg xmlns='x'/>", "svg+xml"),
    ],
)
def test_a_picture_is_stored_as_data_of_its_kind(data: bytes, kind: str) -> None:
    made = Image(data, "label").render()
    assert made["src"].startswith(f"data:image/{kind};base64,")
    assert made["label"] == "label"
    assert made["error"] is None


@pytest.mark.parametrize("source", [b"no picture", "https://example.org/x.png", None])
def test_what_is_no_picture_is_said_in_its_place(source: Any) -> None:
    made = Image(source).render()
    assert made["src"] == ""
    assert made["error"]


class Drawn:
    """A figure, or an image, as far as components look at one."""

    def savefig(self, buffer: Any, **_: Any) -> None:
        """As Matplotlib's figure does."""
        buffer.write(PNG)

    def to_dict(self) -> dict[str, Any]:
        """As Altair's chart does."""
        return {"mark": "point"}


class Broken(MetaflowCardComponent):
    """A component whose code is wrong."""

    def render(self) -> str:
        raise ValueError("no luck")


def test_figures_and_altair_charts_are_taken_by_what_they_can_do() -> None:
    assert Image.from_matplotlib(Drawn()).render()["src"].startswith("data:image/png")
    assert Image.from_matplotlib(object()).render()["error"]
    assert VegaChart.from_altair_chart(Drawn()).render()["spec"] == {"mark": "point"}
    chart = VegaChart('{"mark": "bar"}', show_controls=True)
    assert chart.render() == {"type": "chart", "spec": {"mark": "bar"}, "controls": True}


def test_progress_and_value_change_only_what_an_update_names() -> None:
    bar = ProgressBar(max=3, label="l", unit="u")
    bar.update(2, metadata="m")
    bar.update(np.int64(3))
    assert bar.render() == {
        "type": "progress",
        "max": 3,
        "value": 3,
        "label": "l",
        "unit": "u",
        "metadata": "m",
    }
    box = ValueBox("t", 1, theme="success")
    box.update(value=2)
    assert box.render() == {
        "type": "value",
        "title": "t",
        "value": 2,
        "subtitle": None,
        "theme": "success",
        "change": None,
    }


def test_a_timeline_keeps_the_newest_events_and_counts_all() -> None:
    line = EventsTimeline("t", max_events=2)
    for number in range(3):
        line.update({"n": number}, style_theme="info", payloads={"more": Markdown("x")})
    line.update(None, finished=True)
    made = line.render()
    assert [event["data"]["n"] for event in made["events"]] == [1, 2]
    assert made["events"][0]["payloads"]["more"]["type"] == "markdown"
    stats = line.get_stats()
    assert (stats["total_events"], stats["displayed_events"], stats["finished"]) == (3, 2, True)


def test_data_viewers_take_values_and_json_and_only_heights() -> None:
    assert JSONViewer('{"a": 1}').render()["data"] == {"a": 1}
    made = YAMLViewer({1: {2}, "when": math.nan}, max_height="400px").render()
    assert made["data"]["1"] == [2]
    assert made["format"] == "yaml"
    assert made["max_height"] == "400px"
    assert JSONViewer({}, max_height="1px; background: url(x)").render()["max_height"] is None
    msgspec.json.encode(made)


def test_an_artifact_shows_type_and_preview() -> None:
    made = Artifact(np.arange(6).reshape(2, 3), name="x").render()
    assert (made["name"], made["kind"]) == ("x", "numpy.ndarray")
    assert made["preview"]["shape"] == [2, 3]
    assert "Drawn object" in Artifact(Drawn()).render()["preview"]["repr"]
    assert len(Artifact(list(range(1000)), compressed=False).render()["preview"]["repr"]) > 3000


def test_code_is_that_of_a_function_or_a_text() -> None:
    assert PythonCode(code_func=Drawn.to_dict).render()["text"].startswith("def to_dict(self)")
    assert PythonCode(code_string="x = 1").render()["text"] == "x = 1"


def test_an_error_shows_its_traceback_and_a_section_its_contents() -> None:
    with pytest.raises(ValueError, match="no luck") as raised:
        Broken().render()
    made = Error(raised.value, "Oh").render()
    assert (made["title"], made["name"], made["message"]) == ("Oh", "ValueError", "no luck")
    assert "in render" in made["traceback"]
    page = PageComponent("T", "below", [Markdown("x")]).render()
    assert [child["type"] for child in page["children"]] == ["text", "markdown"]


def test_a_component_that_raises_or_gives_something_else_becomes_an_error_in_its_place() -> None:
    assert rendered(Broken())["message"] == "no luck"

    class Wrong(MetaflowCardComponent):
        def render(self) -> Any:
            return {"no": "type"}

    class Html(MetaflowCardComponent):
        component_id = "h"

        def render(self) -> str:
            return "<b>x</b>"

    assert rendered(Wrong())["type"] == "error"
    assert rendered(Html()) == {"type": "html", "html": "<b>x</b>", "id": "h"}
    with pytest.raises(NotImplementedError, match="Html"):
        Html().update()
