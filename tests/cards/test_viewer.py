"""The page of a card in a real browser: it shows everything, loads nothing, and runs nothing that a user wrote."""

from __future__ import annotations

import html
import random
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from airflow_mlflow_provider.cards import (
    EventsTimeline,
    Image,
    JSONViewer,
    Markdown,
    PythonCode,
    Table,
    ValueBox,
    VegaChart,
    YAMLViewer,
)
from airflow_mlflow_provider.cards.page import card_page
from tests.cards.attacks import ATTACKS, left_over
from tests.cards.pages import CHART, PIXEL, document, every_component, shown
from tests.services.accessibility import accessibility_findings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_component_is_shown_accessibly_and_the_page_asks_nothing_of_the_net(
    browser: Browser, tmp_path: Path, scheme: Literal["light", "dark"]
) -> None:
    with shown(browser, every_component(), tmp_path, scheme) as (page, said):
        page.locator("figure.chart svg.marks").wait_for()
        for text in ("Heading", "0.93", "4 of 10 epochs", "One pixel", "Some JSON", "A section"):
            assert page.get_by_text(text).first.is_visible(), text
        assert page.get_by_role("progressbar", name="Training").get_attribute("aria-valuenow") == "4"
        assert page.locator(".graph-step.here", has_text="train").count() == 1
        assert page.get_by_text("cannot be shown").count() == 0
        assert page.locator("html").get_attribute("data-theme") == scheme
        assert accessibility_findings(page) == []
        assert said == []


def test_a_chart_is_drawn_anew_when_the_theme_changes_and_can_be_saved(
    browser: Browser, tmp_path: Path
) -> None:
    with shown(browser, document(VegaChart(CHART, show_controls=True)), tmp_path) as (page, said):
        label = page.locator("figure.chart svg.marks text").first
        light = label.get_attribute("fill")
        page.emulate_media(color_scheme="dark")
        page.wait_for_function(
            "light => document.querySelector('figure.chart svg.marks text')?.getAttribute('fill') !== light",
            arg=light,
        )
        with page.expect_download() as saved:
            page.get_by_role("button", name="Save as SVG").click()
        assert saved.value.suggested_filename == "chart.svg"
        assert said == []


def test_a_chart_that_cannot_be_drawn_or_wants_the_net_says_so(browser: Browser, tmp_path: Path) -> None:
    broken = VegaChart({"mark": "no such mark", "encoding": {}})
    foreign = VegaChart({**CHART, "data": {"url": "https://example.org/data.json"}})
    with shown(browser, document(broken, foreign), tmp_path) as (page, said):
        page.get_by_text("The chart cannot be drawn").first.wait_for()
        assert not [line for line in said if line.startswith("asks")]


@pytest.mark.parametrize("seed", range(3))
def test_nothing_that_a_user_wrote_runs_wherever_it_stands(
    browser: Browser, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    attacks = list(ATTACKS)
    for _ in range(30):
        # Attacks inside each other, cut anywhere.
        one, other = chance.sample(ATTACKS, 2)
        cut = chance.randrange(len(one))
        attacks.append(one[:cut] + other + one[cut:])
    chance.shuffle(attacks)
    timeline = EventsTimeline("<img src=x onerror='window.hit = 1'>")
    for attack in attacks:
        style: Any = attack
        timeline.update({attack: attack}, style, priority=attack, payloads={attack: Markdown(attack)})
    card = document(
        *(Markdown(attack) for attack in attacks),
        Table([[attack, Markdown(attack)] for attack in attacks], attacks[:2]),
        *(ValueBox(attack, attack, attack, attack, attack) for attack in attacks[:5]),  # type: ignore[arg-type]
        *(PythonCode(code_string=attack) for attack in attacks),
        JSONViewer({attack: [attack] for attack in attacks}, title=attacks[0]),
        YAMLViewer({attack: [attack] for attack in attacks}, title=attacks[0]),
        Image(
            "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload='window.hit=1'/>", attacks[0]
        ),
        timeline,
        *({"type": attack} for attack in attacks[:3]),
        {
            "type": "artifacts",
            "items": [{"name": a, "kind": a, "size": 1, "preview": {"repr": a, "image": a}} for a in attacks],
        },
        {
            "type": "graph",
            "here": None,
            "steps": [{"name": a, "kind": a, "next": [], "doc": a} for a in attacks[:8]],
        },
        {"type": "image", "src": "javascript:window.hit=1", "label": attacks[1]},
        title=attacks[2],
        pathspec=attacks[3],
    )
    # Without the page's policy, so that what holds is the viewer alone.
    with shown(browser, card, tmp_path, bypass_csp=True) as (page, said):
        page.evaluate(
            "document.querySelectorAll('article a').forEach((link) => link.dispatchEvent(new MouseEvent('click', { bubbles: true })))"
        )
        page.wait_for_timeout(100)  # an attack that works needs a moment to do so
        assert page.evaluate("window.hit") is None
        assert left_over(page, "article") == []
        assert page.locator("#page").count() == 1
        assert not [line for line in said if not line.startswith("error: Failed to load")], said


def test_html_of_a_component_runs_in_a_sandbox_and_reaches_nothing_outside(
    browser: Browser, tmp_path: Path
) -> None:
    own = (
        "<p id=mine>waiting</p><script>"
        "const tries = [() => parent.document.title, () => localStorage.length, () => top.location.assign('about:blank')];"
        "document.getElementById('mine').textContent = tries.map((one) => { try { one(); return 'reached'; } "
        "catch { return 'refused'; } }).join(' ');</script>"
    )
    with shown(browser, document({"type": "html", "html": own}), tmp_path) as (page, _said):
        page.frame_locator("iframe").get_by_text("refused refused refused").wait_for()
        frame = page.locator("iframe")
        assert frame.get_attribute("sandbox") == "allow-scripts"


def test_a_component_in_an_unexpected_form_costs_only_itself(browser: Browser, tmp_path: Path) -> None:
    card = document({"type": "table"}, {"type": "unheard_of"}, Markdown("still here"))
    with shown(browser, card, tmp_path) as (page, _said):
        page.get_by_text("still here").wait_for()
        page.get_by_text("This table cannot be shown").wait_for()
        page.get_by_text('of the type "unheard_of"').wait_for()


class Scripts(HTMLParser):
    """Counts the scripts of a page."""

    count = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.count += tag == "script"


def test_the_charts_bundle_is_in_the_page_only_if_there_is_a_chart() -> None:
    without, nested = document(Markdown("x")), document(Table([[VegaChart(CHART)]]))
    assert len(card_page(without)) < 250_000
    assert len(card_page(nested)) > 700_000


def test_a_page_ends_no_element_early_and_its_policy_names_its_scripts() -> None:
    page = card_page(document(Markdown("</script><!--"), Image(PIXEL), title="</title><script>"))
    parser = Scripts()
    parser.feed(page)
    assert parser.count == 2
    assert html.escape("</title><script>") in page
    assert "script-src 'sha256-" in page
    assert "unsafe-eval" not in page
