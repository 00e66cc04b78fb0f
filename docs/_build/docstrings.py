"""Docstrings as Markdown: the roles of Sphinx, which they share with Airflow's own, become code; decorators have the types of their overloads."""

from __future__ import annotations

import re
from typing import Any

import griffe

# What a fence says to tests/docs; see pages.py.
_FOR_TESTS = re.compile(r'^(\s*```\w+) not-run="[^"]*"', re.MULTILINE)
_ROLE = re.compile(r":(?:class|func|meth|data|mod|attr|exc|obj):`~?([^`]+)`")


class Roles(griffe.Extension):
    """Turns each ``:func:`name``` into code, before the docstring is parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of an object."""
        if obj.docstring:
            obj.docstring.value = _ROLE.sub(_as_code, _FOR_TESTS.sub(r"\1", obj.docstring.value))
        if isinstance(obj, griffe.Function) and obj.overloads:
            # The implementation of a decorator takes anything; names, types and defaults are those of its overloads.
            written = {parameter.name: parameter for each in obj.overloads for parameter in each.parameters}
            obj.parameters = griffe.Parameters(*written.values())


def _as_code(found: re.Match[str]) -> str:
    return f"`{found[1].rsplit('.', 1)[-1]}`"
