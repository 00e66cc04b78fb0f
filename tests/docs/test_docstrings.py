"""Every public name is described and typed, and so is every public member that it brings."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_mlflow_provider.flow.decorators.base import FlowDecorator, StepDecorator
from tests.docs.test_site import PACKAGE, public_names

# Values, whose type says what they are.
_VALUES = {"USER_SKIP_STEP", "JSONType"}


def public_thing(name: str) -> Any:
    """What a public name stands for."""
    module, _, attribute = f"{PACKAGE}.{name}".rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def members(thing: Any) -> Iterator[tuple[str, Any]]:
    """The public methods and properties of a class that this package defines; tests of a suite say it in their name."""
    for home in inspect.getmro(thing) if inspect.isclass(thing) else ():
        if home.__module__.startswith(PACKAGE):
            for name, member in vars(home).items():
                described = callable(member) or isinstance(member, (property, classmethod, staticmethod))
                if described and not name.startswith(("_", "test_")):
                    yield name, member


def function_of(thing: Any) -> Any:
    """The function whose signature users meet, if this package wrote it."""
    if isinstance(thing, property):
        return thing.fget
    if isinstance(thing, (classmethod, staticmethod)):
        return thing.__func__
    made = vars(thing).get("__init__") if inspect.isclass(thing) else thing
    return made if inspect.isfunction(made) and made.__module__.startswith(PACKAGE) else None


def untyped(thing: Any) -> list[str]:
    """What of a signature lacks a type."""
    function = function_of(thing)
    if function is None:
        return []
    signature = inspect.signature(function)
    lacking = [
        name
        for name, parameter in signature.parameters.items()
        if name not in {"self", "cls"} and parameter.annotation is inspect.Parameter.empty
    ]
    return lacking + (["return"] if signature.return_annotation is inspect.Signature.empty else [])


@pytest.mark.parametrize("name", [name for name in public_names() if name not in _VALUES])
def test_a_public_name_and_its_members_are_described_and_typed(name: str) -> None:
    thing = public_thing(name)
    found = {name: thing, **{f"{name}.{member}": value for member, value in members(thing)}}

    assert [each for each, value in found.items() if not inspect.getdoc(value)] == []
    assert {each: untyped(value) for each, value in found.items() if untyped(value)} == {}


@pytest.mark.parametrize("name", [name for name in public_names() if "." not in name])
def test_a_decorator_describes_each_of_its_attributes(name: str) -> None:
    kinds = [
        kind
        for base in (StepDecorator, FlowDecorator)
        for kind in _subclasses(base)
        if kind.__dict__.get("name") == name
    ]
    text = inspect.getdoc(public_thing(name)) or ""

    assert [field for kind in kinds for field in kind.fields if f"{field}:" not in text] == []


def _subclasses(base: type[Any]) -> Iterator[type[Any]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _subclasses(kind)
