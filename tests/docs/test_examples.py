"""Every example of the documentation does what it says."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest

from airflow_mlflow_provider.configuration import KEYS, SECTION
from tests.docs.examples import Example, Folder, docstrings, pages
from tests.services.s3 import S3Server

PAGES = pages()
DOCSTRINGS = docstrings()
RUN = {"python", "console"}
SHOWN = {"text", "ini", "json", "toml", "yaml"}


def runs(examples: list[Example]) -> bool:
    return any(example.language in RUN and "not-run" not in example.says for example in examples)


@pytest.fixture
def bucket(s3_server: S3Server) -> dict[str, str]:
    """Where the bucket `s3://bucket` is."""
    s3_server.bucket("bucket")
    return s3_server.environment()


@pytest.mark.slow
@pytest.mark.parametrize("page", [name for name, examples in PAGES.items() if runs(examples)])
def test_the_examples_of_a_page_do_what_they_say(page: str, tmp_path: Path, bucket: dict[str, str]) -> None:
    run_all(PAGES[page], tmp_path, bucket)


@pytest.mark.slow
@pytest.mark.parametrize("docstring", [name for name, examples in DOCSTRINGS.items() if runs(examples)])
def test_the_examples_of_a_docstring_do_what_they_say(
    docstring: str, tmp_path: Path, bucket: dict[str, str]
) -> None:
    # What a docstring need not import: the names of its module, and of the package.
    module = docstring.partition(".py:")[0].replace("/", ".").removesuffix(".__init__")
    first = f"import {module} as home\nfrom airflow_mlflow_provider import *\nglobals().update(vars(home))"
    run_all(DOCSTRINGS[docstring], tmp_path, bucket, first)


def run_all(examples: list[Example], path: Path, environment: dict[str, str], first: str = "") -> None:
    folder = Folder(path, environment, first)
    try:
        for example in examples:
            folder.run(example)
    finally:
        folder.close()


@pytest.mark.parametrize(
    "example",
    [each for examples in {**PAGES, **DOCSTRINGS}.values() for each in examples],
    ids=lambda each: each.place,
)
def test_a_fence_says_what_it_holds_and_why_it_is_not_run(example: Example) -> None:
    assert example.language in RUN | SHOWN
    assert example.says.get("not-run", "why") != ""
    if example.language == "ini":
        assert [key for key in _keys(example.source) if key not in KEYS] == []


def _keys(source: str) -> list[str]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(source)
    return list(parser[SECTION]) if SECTION in parser else []
