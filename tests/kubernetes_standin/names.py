"""The grammar of names, labels and annotations, from ``k8s.io/apimachinery/pkg/util/validation``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.kubernetes_standin.status import Cause

LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = rf"{LABEL}(\.{LABEL})*"
QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
LABEL_VALUE = rf"({QUALIFIED})?"
MAX_ANNOTATIONS_BYTES = 256 * 1024

Rule = Callable[[str], list[str]]
"""Takes a value, gives what is wrong with it: one sentence each, none when it is right."""


def _rule(pattern: str, limit: int, sentence: str) -> Rule:
    compiled = re.compile(pattern)

    def check(value: str) -> list[str]:
        problems = []
        if len(value) > limit:
            problems.append(f"must be no more than {limit} characters")
        if not compiled.fullmatch(value):
            problems.append(f"{sentence} (regex used for validation is '{pattern}')")
        return problems

    return check


dns_label = _rule(
    LABEL,
    63,
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc',",
)
dns_subdomain = _rule(
    SUBDOMAIN,
    253,
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com',",
)
label_value = _rule(
    LABEL_VALUE,
    63,
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345',",
)
environment_name = _rule(
    r"[-._a-zA-Z][-._a-zA-Z0-9]*",
    10**6,
    "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must "
    "not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1',",
)
config_key = _rule(
    r"[-._a-zA-Z0-9]+",
    253,
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  "
    "or 'key-name',",
)
_name_part = _rule(
    QUALIFIED,
    63,
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc',",
)


def qualified_name(value: str) -> list[str]:
    """A label or annotation key: a name part, perhaps after a DNS prefix and a slash."""
    parts = value.split("/")
    if len(parts) > 2:
        return [
            "a qualified name must have exactly one or no slash: an optional DNS subdomain prefix and a name part"
        ]
    problems = []
    if len(parts) == 2:
        problems = [f"prefix part {problem}" for problem in _non_empty(dns_subdomain)(parts[0])]
    return problems + _non_empty(_name_part)(parts[-1])


def _non_empty(rule: Rule) -> Rule:
    return lambda value: rule(value) if value else ["must be non-empty"]


def check(rule: Rule, value: str, field: str) -> list[Cause]:
    """The causes ``rule`` finds in ``value``."""
    return [Cause.invalid(field, value, problem) for problem in rule(value)]


def check_labels(labels: dict[str, str] | None, field: str) -> list[Cause]:
    """Keys and values of a label map."""
    causes = []
    for key, value in (labels or {}).items():
        causes += check(qualified_name, key, field)
        causes += [Cause.invalid(field, value, problem) for problem in label_value(value or "")]
    return causes


def check_metadata(metadata: dict[str, Any], name_rule: Rule) -> list[Cause]:
    """Name, generateName, labels, annotations and owners of an object to be created or changed."""
    causes = []
    name, prefix = metadata.get("name"), metadata.get("generateName")
    if prefix:
        causes += check(name_rule, prefix.removesuffix("-") or prefix, "metadata.generateName")
    if name:
        causes += check(name_rule, name, "metadata.name")
    elif not prefix:
        causes.append(Cause.required("metadata.name", "name or generateName is required"))
    causes += check_labels(metadata.get("labels"), "metadata.labels")
    annotations = metadata.get("annotations") or {}
    for key in annotations:
        causes += check(qualified_name, key.lower(), "metadata.annotations")
    if sum(len(key.encode()) + len((value or "").encode()) for key, value in annotations.items()) > (
        MAX_ANNOTATIONS_BYTES
    ):
        causes.append(Cause.too_long("metadata.annotations", MAX_ANNOTATIONS_BYTES))
    for index, finalizer in enumerate(metadata.get("finalizers") or []):
        causes += check(qualified_name, finalizer, f"metadata.finalizers[{index}]")
    return causes
