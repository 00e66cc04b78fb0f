"""The API's types, read from the source of the official client's model classes.

The classes are not imported: the client's package takes a second to import and a stand-in uses a few dozen of its 760 models.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_EXPORT = re.compile(r"^from kubernetes\.client\.models\.(\w+) import (\w+)", re.MULTILINE)
_TABLE = r"^    {name} = (\{{.*?^    \}})"
_REQUIRED = re.compile(r"Invalid value for `(\w+)`, must not be `None`")


@dataclass(frozen=True)
class Model:
    """One type: its fields by their JSON names with the client's notation of their types, and those it must have."""

    kinds: Mapping[str, str]
    required: tuple[str, ...]


@functools.cache
def read_model(name: str) -> Model:
    """The type of that name, ``V1PodSpec`` for instance. Raises ``KeyError`` when the client has none."""
    source = (_directory() / f"{_modules()[name]}.py").read_text()
    json_names, kinds = _table(source, "attribute_map"), _table(source, "openapi_types")
    required = dict.fromkeys(json_names[attribute] for attribute in _REQUIRED.findall(source))
    return Model({json_names[attribute]: kind for attribute, kind in kinds.items()}, tuple(required))


@functools.cache
def _directory() -> Path:
    found = importlib.util.find_spec("kubernetes")
    if found is None or found.origin is None:
        raise ModuleNotFoundError(
            "the stand-in reads its types from the package kubernetes, which is not installed"
        )
    return Path(found.origin).parent / "client" / "models"


@functools.cache
def _modules() -> dict[str, str]:
    exports = (_directory() / "__init__.py").read_text()
    return {name: module for module, name in _EXPORT.findall(exports)}


def _table(source: str, name: str) -> dict[str, str]:
    match = re.search(_TABLE.format(name=name), source, re.MULTILINE | re.DOTALL)
    if (
        match is None
    ):  # a type without fields: `openapi_types = {}` spans two lines, so this is a new generator
        raise ValueError(f"the client's models no longer have a table {name}")
    table: dict[str, str] = ast.literal_eval(match[1])
    return table
