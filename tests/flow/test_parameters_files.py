from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from jsonschema import ValidationError, validate

from airflow_mlflow_provider.exception import MetaflowException, ParameterFieldTypeMismatch
from airflow_mlflow_provider.flow.parameters import ParameterContext
from airflow_mlflow_provider.includefile import IncludedFile, IncludeFile

CONTEXT = ParameterContext("Train", "ada", "", logging.getLogger(__name__), "local", {})


class Blobs:
    """Bytes by URL."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self.loads = 0

    def store(self, data: bytes) -> str:
        url = f"memory://blobs/{len(self.contents)}"
        self.contents[url] = data
        return url

    def load(self, url: str) -> bytes:
        self.loads += 1
        return self.contents[url]


@pytest.fixture
def blobs() -> Blobs:
    return Blobs()


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "words.txt"
    path.write_bytes("naïve\ncafé\n".encode())
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "value", "descriptor"),
    [
        ({}, "naïve\ncafé\n", {"is_text": True, "encoding": "utf-8"}),
        ({"is_text": False}, "naïve\ncafé\n".encode(), {"is_text": False, "encoding": None}),
        ({"encoding": "latin-1"}, "naÃ¯ve\ncafÃ©\n", {"is_text": True, "encoding": "latin-1"}),
        ({"parser": str.split}, ["naïve", "café"], {"is_text": True, "encoding": "utf-8"}),
        ({"parser": "shlex.split"}, ["naïve", "café"], {"is_text": True, "encoding": "utf-8"}),
    ],
)
def test_a_file_is_kept_by_descriptor_and_read_from_there(
    arguments: Any, value: Any, descriptor: Any, file: str, blobs: Blobs
) -> None:
    parameter = IncludeFile("words", **arguments)
    kept = parameter.store(file, blobs.store)
    assert kept == {"type": "included-file", "url": "memory://blobs/0", "size": 13, **descriptor}
    Path(file).unlink()
    assert parameter.load(kept, blobs.load) == value


def test_the_parser_runs_once_in_a_process(file: str, blobs: Blobs) -> None:
    calls: list[str] = []

    def parse(text: str) -> int:
        calls.append(text)
        return len(calls)

    parameter = IncludeFile("words", parser=parse)
    kept = parameter.store(file, blobs.store)
    assert [parameter.load(kept, blobs.load) for _ in range(3)] == [1, 1, 1]
    assert blobs.loads == 1


def test_no_file_is_none(blobs: Blobs) -> None:
    assert IncludeFile("words").load(None, blobs.load) is None
    assert IncludeFile("words").spec(CONTEXT).default is None
    assert not IncludeFile("words").spec(CONTEXT).required


def fail(_: Any) -> Any:
    raise ZeroDivisionError("broken")


@pytest.mark.parametrize(
    ("arguments", "path", "parts"),
    [
        ({}, "/no/such.txt", ["'words'", "/no/such.txt", "no such file"]),
        ({}, "s3://bucket/key", ["'words'", "s3://bucket/key", "scheme s3"]),
        ({"encoding": "ascii"}, None, ["'words'", "ascii", "words.txt"]),
        ({"encoding": "no-such"}, None, ["'words'", "no-such"]),
    ],
)
def test_a_file_that_cannot_be_kept_is_named_with_parameter_and_path(
    arguments: Any, path: str | None, parts: list[str], file: str, blobs: Blobs
) -> None:
    with pytest.raises(MetaflowException) as caught:
        IncludeFile("words", **arguments).store(path or file, blobs.store)
    for part in parts:
        assert part in caught.value.message
    assert caught.value.where["parameter"] == "words"
    assert blobs.contents == {}


def test_a_folder_is_no_file(tmp_path: Path, blobs: Blobs) -> None:
    with pytest.raises(MetaflowException, match="no such file"):
        IncludeFile("words").store(str(tmp_path), blobs.store)


@pytest.mark.parametrize(
    ("parser", "parts"),
    [(fail, ["parser fail", "ZeroDivisionError: broken"]), ("no.such", ["parser no.such", "no.such"])],
)
def test_a_parser_that_fails_is_named(parser: Any, parts: list[str], file: str, blobs: Blobs) -> None:
    parameter = IncludeFile("words", parser=parser)
    with pytest.raises(MetaflowException) as caught:
        parameter.load(parameter.store(file, blobs.store), blobs.load)
    for part in ("'words'", *parts):
        assert part in caught.value.message


def test_a_path_on_the_command_line_is_checked_at_once(file: str) -> None:
    assert IncludeFile("words").parse(file) == file
    with pytest.raises(MetaflowException, match=r"/no/such\.txt"):
        IncludeFile("words").parse("/no/such.txt")
    with pytest.raises(MetaflowException, match="scheme gs"):
        IncludeFile("words").parse("gs://bucket/key")


@pytest.mark.parametrize(
    ("value", "accepted"),
    [
        ("text", True),
        (None, True),
        ({"type": "included-file", "url": "s3://b/k", "is_text": True, "encoding": None, "size": 3}, True),
        ({"url": "s3://b/k"}, False),
        (3, False),
        ("x" * (1024 * 1024 + 1), False),
    ],
)
def test_the_trigger_form_takes_null_text_or_a_descriptor(value: Any, accepted: bool) -> None:
    schema = IncludeFile("words").spec(CONTEXT).schema
    if accepted:
        validate(value, schema)
        assert IncludeFile("words").check(value) == value
    else:
        with pytest.raises(ValidationError):
            validate(value, schema)


def test_a_required_file_cannot_be_null() -> None:
    field = IncludeFile("words", required=True).spec(CONTEXT)
    assert field.required
    assert field.kind == "file"
    with pytest.raises(ValidationError):
        validate(None, field.schema)
    with pytest.raises(MetaflowException, match="'words' is required"):
        IncludeFile("words", required=True).check(None)
    with pytest.raises(MetaflowException, match="'words': got a int"):
        IncludeFile("words").check(3)


def test_the_default_may_be_a_function_that_gives_a_path(file: str) -> None:
    assert IncludeFile("words", default=lambda context: file).spec(CONTEXT).default == file
    with pytest.raises(ParameterFieldTypeMismatch, match="'words'"):
        IncludeFile("words", default=lambda context: 3).spec(CONTEXT)  # type: ignore[arg-type,return-value]


def test_text_that_is_given_instead_of_a_file_is_kept_alike(blobs: Blobs) -> None:
    parameter = IncludeFile("words", encoding="utf-16")
    kept = parameter.store_content("naïve", blobs.store)
    assert parameter.load(kept, blobs.load) == "naïve"
    assert kept["size"] == len("naïve".encode("utf-16"))


def test_the_raw_record_of_a_file_can_be_decoded_without_its_parameter(file: str, blobs: Blobs) -> None:
    for is_text, expected in ((True, "naïve\ncafé\n"), (False, "naïve\ncafé\n".encode())):
        record = IncludedFile(IncludeFile("words", is_text=is_text).store(file, blobs.store))
        assert record.decode(blobs.load) == expected
