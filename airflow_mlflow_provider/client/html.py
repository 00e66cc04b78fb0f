"""What a notebook shows of an object: a table of facts. Nothing that a user gave is taken for markup."""

from __future__ import annotations

import datetime
import html
from collections.abc import Iterable

_LONGEST = 200


def table(title: str, facts: Iterable[tuple[str, object]]) -> str:
    """A two-column HTML table.

    Args:
        title: What stands above it.
        facts: Names and values; empty values are left out.
    """
    rows = "".join(
        f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
        f"<td style='text-align:left'>{_shown(value)}</td></tr>"
        for name, value in facts
        if value not in (None, "", [], ())
    )
    return f"<div><code>{html.escape(title)}</code><table>{rows}</table></div>"


def _shown(value: object) -> str:
    if isinstance(value, datetime.datetime):
        text = f"{value:%Y-%m-%d %H:%M:%S}"
    elif isinstance(value, (list, tuple, set, frozenset)):
        return "<br>".join(_shown(item) for item in value)
    else:
        text = str(value)
    return html.escape(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")
