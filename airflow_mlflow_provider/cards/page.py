"""From a card's data to one self-contained HTML page: the viewer inside it, and the charts' bundle if it has a chart."""

from __future__ import annotations

import base64
import functools
import hashlib
import html
from pathlib import Path

import msgspec

from airflow_mlflow_provider.cards.document import CardDocument, encode_card
from airflow_mlflow_provider.exception import MetaflowInternalError

STATIC = Path(__file__).parent / "static"
VIEWER_FILES = ("card.js", "card.css", "vega.js")


class Live(msgspec.Struct, frozen=True):
    """Where the page of a running step asks for its card again.

    Attributes:
        url: Answers the card as JSON.
        seconds: How long to wait between two questions.
        vega: Address of the charts' bundle, which a later state of the card may need.
    """

    url: str
    seconds: float
    vega: str


def card_page(document: CardDocument, live: Live | None = None) -> str:
    """The page of a card.

    Args:
        document: The card.
        live: For the page of a running step: where it follows the step.

    Returns:
        HTML that loads nothing; with ``live``, only what that names.
    """
    scripts = [viewer_file("card.js")]
    if document.holds_chart:
        scripts.insert(0, viewer_file("vega.js"))
    policy = _policy(scripts, live, foreign=document.holds_html)
    data = '{"card":' + encode_card(document).decode()
    data += "}" if live is None else ',"live":' + msgspec.json.encode(live).decode() + "}"
    inlined = "".join(f"<script>{script}</script>" for script in scripts)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(document.title)}</title><style>{viewer_file('card.css')}</style></head>"
        '<body><main id="page"></main>'
        f'<script type="application/json" id="card">{_in_script(data)}</script>{inlined}</body></html>'
    )


@functools.cache
def viewer_file(name: str) -> str:
    """A file of the viewer's bundle.

    Raises:
        MetaflowInternalError: It is not installed.
    """
    try:
        # Neither may stand in a script element: the one ends it, the other can keep it from ending.
        return (STATIC / name).read_text("utf-8").replace("</script", "<\\/script").replace("<!--", "<\\!--")
    except FileNotFoundError:
        raise MetaflowInternalError(
            f"The viewer of cards is incomplete: {name} is missing.",
            fix="Install airflow-mlflow-provider anew; in a clone, run `make ui`.",
            where={"file": str(STATIC / name)},
        ) from None


def _policy(scripts: list[str], live: Live | None, *, foreign: bool) -> str:
    """What the page may load. HTML of a card's author, in its sandbox, may load what any page may."""
    if foreign:
        return (
            "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' https:; style-src 'unsafe-inline' https:; "
            "img-src data: blob: https:; font-src data: https:; connect-src 'self' https:; frame-src 'self' https:; "
            "base-uri 'none'; form-action 'none'"
        )
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    own = " 'self'" if live else ""
    return (
        f"default-src 'none'; script-src {hashes}{own}; style-src 'unsafe-inline'; img-src data:; "
        f"connect-src {own.strip() or repr('none')}; base-uri 'none'; form-action 'none'"
    )


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _in_script(data: str) -> str:
    """JSON that ends no element and opens no comment."""
    return data.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
