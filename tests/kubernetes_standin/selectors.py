"""Label selectors (equality and set based) and field selectors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from tests.kubernetes_standin.names import Rule, label_value, qualified_name
from tests.kubernetes_standin.status import Json, bad_request

Predicate = Callable[[Json], bool]
"""Whether an object is selected."""

_REQUIREMENT = re.compile(
    r"\s*(?:"
    r"(?P<set_key>[^\s,!=()]+)\s+(?P<set>in|notin)\s*\((?P<values>[^()]*)\)"
    r"|(?P<key>[^\s,!=()]+)\s*(?P<operator>==|!=|=)\s*(?P<value>[^\s,!=()]*)"
    r"|(?P<absent>!)?\s*(?P<bare>[^\s,!=()]+)"
    r")\s*(?:,(?=.)|$)"
)


def labels(text: str) -> Predicate:
    """The predicate of a ``labelSelector``. Raises ``ApiError`` 400 when it does not parse."""
    requirements: list[Callable[[Mapping[str, str]], bool]] = []
    position = 0
    while position < len(text.rstrip()):
        match = _REQUIREMENT.match(text, position)
        if match is None:
            raise bad_request(f"unable to parse requirement: found {text[position:]!r} in {text!r}")
        requirements.append(_label_requirement(match))
        position = match.end()

    def selected(item: Json) -> bool:
        own = item["metadata"].get("labels") or {}
        return all(requirement(own) for requirement in requirements)

    return selected


def _label_requirement(match: re.Match[str]) -> Callable[[Mapping[str, str]], bool]:
    key = match["set_key"] or match["key"] or match["bare"]
    _demand(qualified_name, key, "key")
    if match["bare"]:
        wanted = not match["absent"]
        return lambda own: (key in own) == wanted
    if match["set"]:
        values = {value.strip() for value in match["values"].split(",")}
        negated = match["set"] == "notin"
    else:
        values, negated = {match["value"]}, match["operator"] == "!="
    for value in values:
        _demand(label_value, value, f"values[0][{key}]")
    if negated:
        return lambda own: own.get(key) not in values
    return lambda own: key in own and own[key] in values


def _demand(rule: Rule, value: str, what: str) -> None:
    problems = rule(value)
    if problems:
        raise bad_request(f'unable to parse requirement: {what}: Invalid value: "{value}": {problems[0]}')


def fields(text: str, supported: Mapping[str, tuple[str, ...]]) -> Predicate:
    """The predicate of a ``fieldSelector``; ``supported`` maps its labels to paths in the object."""
    tests: list[tuple[tuple[str, ...], str, bool]] = []
    for term in filter(None, text.split(",")):
        match = re.fullmatch(r"([^=!]+)(==|!=|=)(.*)", term)
        if match is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{term}'")
        if match[1] not in supported:
            raise bad_request(
                f'Unable to find field selector: "{match[1]}": field label not supported: {match[1]}'
            )
        tests.append((supported[match[1]], match[3], match[2] != "!="))
    return lambda item: all((_look_up(item, path) == value) == wanted for path, value, wanted in tests)


def _look_up(item: Json, path: tuple[str, ...]) -> str:
    value: object = item
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
