"""Texts that try to run code in a page that shows them, and what of them must not be left in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

# What runs in browsers of today or ran in browsers of yesterday, each with a mark that tells when it does.
ATTACKS = (
    "<script>window.hit = 1</script>",
    "<img src=x onerror='window.hit = 1'>",
    "<svg onload='window.hit = 1'>",
    "<svg><script>window.hit = 1</script></svg>",
    "<svg><animate onbegin='window.hit = 1' attributeName=x dur=1s></svg>",
    "<svg><a xlink:href='javascript:window.hit = 1'><text>x</text></a></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror='window.hit = 1'>",
    "<iframe srcdoc='<script>parent.hit = 1</script>'></iframe>",
    "<iframe src='javascript:parent.hit = 1'></iframe>",
    "<object data='javascript:window.hit = 1'></object>",
    "<embed src='javascript:window.hit = 1'>",
    "<details open ontoggle='window.hit = 1'>x</details>",
    "<input autofocus onfocus='window.hit = 1'>",
    "<form action='javascript:window.hit = 1'><button id=go>x</button></form>",
    "<a href='javascript:window.hit = 1'>x</a>",
    "<a href='java\tscript:window.hit = 1'>x</a>",
    "<a href='data:text/html,<script>window.hit = 1</script>'>x</a>",
    "<base href='https://example.org/'>",
    "<meta http-equiv=refresh content='0;url=javascript:window.hit = 1'>",
    "<link rel=stylesheet href='data:text/css,body{display:none}'>",
    "<style>@import 'data:text/css,body{display:none}';</style>",
    "<div style='position:fixed;inset:0;background:url(https://example.org/x)'>x</div>",
    "[x](javascript:window.hit=1)",
    "![x](javascript:window.hit=1)",
    "![x](https://example.org/tracker.png)",
    "[x]: javascript:window.hit=1\n\n[x]",
    "<javascript:window.hit=1>",
    "```<script>window.hit = 1</script>\n```\n<script>window.hit = 1</script>",
    "</script><script>window.hit = 1</script>",
    "<!--</script><script>window.hit = 1//-->",
    "<noscript><p title='</noscript><img src=x onerror=window.hit=1>'>",
    "<template><script>window.hit = 1</script></template>",
    "<p id=page name=card>clobbers</p>",
    "\u2028<script>window.hit = 1</script>",
)
_LEFT_OVER = """(inside) => [...document.querySelectorAll(`${inside} *`)].filter((element) =>
    ["SCRIPT", "IFRAME", "OBJECT", "EMBED", "FORM", "BASE", "LINK", "META", "STYLE"].includes(element.tagName.toUpperCase()) ||
    [...element.attributes].some((one) => /^on/i.test(one.name) || (
        ["href", "xlink:href", "src", "srcset", "action", "data"].includes(one.name) &&
        !/^(https?:|mailto:|#|[/](?![/])|data:image[/])/i.test(one.value)
    ))
).map((element) => element.outerHTML.slice(0, 300))"""


def left_over(page: Page, inside: str) -> list[str]:
    """The elements inside those of a CSS selector that could run something; none is what a test wants."""
    found: list[str] = page.evaluate(_LEFT_OVER, inside)
    return found
