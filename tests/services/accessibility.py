"""What axe-core finds wrong with a page, for people who use a keyboard or a screen reader."""

from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice")


def accessibility_findings(page: "Page", *, without: tuple[str, ...] = ()) -> list[str]:
    """The violations on a page, as lines that name rule and element; none is what a test wants.

    Args:
        page: The page, loaded.
        without: Rules to leave out, each for a reason that the caller gives.
    """
    script = files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
    page.evaluate(script)
    found = page.evaluate(
        """([tags, without]) => axe.run(document, {
            runOnly: { type: "tag", values: tags },
            rules: Object.fromEntries(without.map((rule) => [rule, { enabled: false }])),
        }).then((results) => results.violations)""",
        [list(TAGS), list(without)],
    )
    return [f"{one['id']}: {one['help']}: {node['html'][:200]}" for one in found for node in one["nodes"]]
