"""The table of capabilities in the documentation names all 15, and tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "capabilities.md"
LINK = re.compile(r"\[((?:`\w+`(?:, )?)+|[^]]*)\]\(https://github\.com/[^)]+/blob/main/([^)#]+)\)")
CAPABILITIES = """
    LINEAR_DAG BRANCHING FOREACH RETRY CATCH TIMEOUT RESOURCES PROJECT_BRANCH CONFIG_EXPR RUN_PARAMS FROM_DEPLOYMENT CONDA
    NESTED_FOREACH RESUME SCHEDULE
"""


def test_the_table_has_a_row_with_tests_for_each_capability() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if re.match(r"\| [A-Z]", line)]
    assert [row.split("|")[1].strip() for row in rows] == CAPABILITIES.split()
    assert all(LINK.search(row) for row in rows)


def test_the_tests_that_the_table_links_to_exist() -> None:
    links = LINK.findall(PAGE.read_text())
    assert len(links) >= 16
    for text, path in links:
        file = ROOT / path
        assert file.is_file(), path
        for name in re.findall(r"`(test_\w+)`", text):
            assert f"def {name}(" in file.read_text(), f"{path} has no {name}"
