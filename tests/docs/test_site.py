"""The documentation site: it builds without a warning, holds every public name, and loads nothing from the net."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from tests.test_public_names import AIRFLOW_MODULES, MODULES, ROOT, of_modules

PROJECT = Path(__file__).parents[2]
PACKAGE = "airflow_mlflow_provider"
# A module and a text; neither has members to describe.
_NOT_DESCRIBED = {"cards", "__version__"}
_LOADED = re.compile(
    r'<(?:script|img|iframe)[^>]*\ssrc="(?:https?:)?//|<link[^>]*rel="(?:stylesheet|preconnect)"[^>]*href="(?:https?:)?//'
)


def public_names() -> list[str]:
    """Every public name; one of the root is not named by its module again."""
    of_rooms = [*of_modules(MODULES), *of_modules(AIRFLOW_MODULES)]
    return [name for name in ROOT if name not in _NOT_DESCRIBED] + [
        f"{module}.{name}" for module, name in of_rooms if name not in ROOT
    ]


def test_every_public_name_stands_on_one_page_of_the_reference() -> None:
    pages = "\n".join(page.read_text("utf-8") for page in (PROJECT / "docs" / "reference").glob("*.md"))

    described = re.findall(rf"^::: {PACKAGE}\.(\S+)$", pages, re.MULTILINE)

    # `current` is an instance, whose class is described beside it.
    assert sorted(described) == sorted([*public_names(), "flow.current.Current"])


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)],
        cwd=PROJECT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (built.returncode, built.stderr) == (0, "")
    assert {name for name in public_names() if f"{PACKAGE}.{name}" not in _inventory(tmp_path)} == set()
    pages = {page: page.read_text("utf-8") for page in tmp_path.rglob("*.html")}
    assert {page.name for page, text in pages.items() if _LOADED.search(text)} == set()


def _inventory(site: Path) -> set[str]:
    lines = zlib.decompress((site / "objects.inv").read_bytes().split(b"\n", 4)[4]).decode().splitlines()
    return {line.split(" ", 1)[0] for line in lines}
