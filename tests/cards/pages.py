"""Documents of cards to look at in a browser, without a run behind them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

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
from airflow_mlflow_provider.cards.document import CardDocument
from airflow_mlflow_provider.cards.page import card_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page

PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
CHART = {
    "description": "A line of three points",
    "data": {"values": [{"x": 1, "y": 2}, {"x": 2, "y": 1}, {"x": 3, "y": 3}]},
    "mark": "line",
    "encoding": {"x": {"field": "x", "type": "quantitative"}, "y": {"field": "y", "type": "quantitative"}},
}


def document(*components: MetaflowCardComponent | dict[str, Any], **more: Any) -> CardDocument:
    """A card of these components."""
    content = [one if isinstance(one, dict) else rendered(one) for one in components]
    fields: dict[str, Any] = {
        "type": "blank",
        "hash": "0",
        "title": "A card",
        "pathspec": "Flow/1/step/0",
        "attempt": 0,
        "status": "succeeded",
        "created_at": 1_790_000_000.0,
        "components": content,
    }
    return CardDocument(**{**fields, **more})


def every_component() -> CardDocument:
    """A card with each component there is."""
    timeline = EventsTimeline("Events of the agent")
    timeline.update(
        {"says": "hello", "tokens": 12}, style_theme="ai_response", payloads={"all": JSONViewer({})}
    )
    timeline.update({"tool": "search"}, style_theme="tool_call", priority="high", finished=True)
    graph = {
        "type": "graph",
        "here": "train",
        "steps": [
            {"name": "start", "kind": "foreach", "next": ["train"]},
            {"name": "train", "kind": "linear", "next": ["join"], "status": "failed"},
            {"name": "join", "kind": "join", "next": ["end"], "status": "succeeded", "label": "1.2 s"},
            {"name": "end", "kind": "end", "next": []},
        ],
    }
    preview = {
        "shape": [3, 2],
        "columns": [["a", "int64"], ["b", "object"]],
        "head": [[1, "x"], [2, "y"]],
        "spark": [1, 3, 2, 5],
        "image": PIXEL,
        "min": 1,
        "max": 5,
    }
    rows = {
        "type": "artifacts",
        "items": [{"name": "f", "kind": "DataFrame", "size": 1200, "preview": preview}],
    }
    return document(
        Markdown(
            "# Heading\n\nText with **strength**, a [link](https://example.org) and `code`.\n\n- one\n- two"
        ),
        ValueBox("Accuracy", 0.93, "on the test part", theme="success", change_indicator="up 3 %"),
        ValueBox("Loss", 0.2, theme="danger"),
        ValueBox("Rows", 12_345, theme="warning"),
        ValueBox("Model", "forest", "the best", theme="bg-gradient-indigo-purple"),
        ProgressBar(max=10, label="Training", value=4, unit="epochs", metadata="fold 2"),
        VegaChart(CHART, show_controls=True),
        Table([[1, Markdown("*cell*"), ProgressBar(value=30)], ["x", None, True]], ["a", "b", "c"]),
        Image(PIXEL, "One pixel"),
        Artifact([1, 2, 3], name="numbers"),
        rows,
        graph,
        JSONViewer({"a": [1, {"b": None}], "c": "text"}, title="Some JSON"),
        YAMLViewer({"a": [1, {"b": None}], "c": "yes"}, title="Some YAML"),
        PythonCode(code_string="def f(x: int) -> str:\n    # why\n    return 'y' * 3"),
        timeline,
        Error(ValueError("what went wrong"), "The step failed"),
        PageComponent("A section", "with a subtitle", [Markdown("and text")]),
    )


@contextlib.contextmanager
def shown(
    browser: Browser,
    card: CardDocument,
    folder: Path,
    scheme: Literal["light", "dark"] = "light",
    *,
    bypass_csp: bool = False,
) -> Iterator[tuple[Page, list[str]]]:
    """A page that shows a card as `get()` gives it, from a file, and what is said on its console.

    Args:
        browser: From the fixture `browser`.
        card: The card.
        folder: Where to write the file.
        scheme: Colours that the reader prefers.
        bypass_csp: Whether the page's policy is not applied, so that only the viewer stands in the way of bad content.
    """
    file = folder / "card.html"
    file.write_text(card_page(card), "utf-8")
    said: list[str] = []
    with contextlib.closing(
        browser.new_context(
            color_scheme=scheme, viewport={"width": 1200, "height": 900}, bypass_csp=bypass_csp, offline=True
        )
    ) as context:
        page = context.new_page()
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"pageerror: {error}"))
        page.on("dialog", lambda dialog: _dismiss(dialog, said))
        page.on("request", lambda one: said.extend(_asked(one.url)))
        page.goto(file.as_uri())
        page.locator("article.card").wait_for()
        yield page, said


def _asked(url: str) -> list[str]:
    return [] if url.startswith(("file:", "data:", "about:")) else [f"asks {url}"]


def _dismiss(dialog: Dialog, said: list[str]) -> None:
    said.append(f"dialog: {dialog.message}")
    dialog.dismiss()
