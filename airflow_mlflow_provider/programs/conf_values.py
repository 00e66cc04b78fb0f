"""Values of parameters that programs give to deployed flows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from airflow_mlflow_provider.deploy.runs import (
    check_conf,
)
from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.flow.includefile import DESCRIPTOR_TYPE
from airflow_mlflow_provider.flow.parameter_spec import ParameterSpec
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.programs.keywords import keyword_of, unknown_keyword
from airflow_mlflow_provider.runtime.included_files import keep_bytes
from airflow_mlflow_provider.store.ledger import Ledger

_JSON_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, (list, tuple)),
    "object": lambda value: isinstance(value, Mapping),
}


def conf_values(
    manifest: FlowManifest, ledger: Ledger, given: Mapping[str, Any], call: str
) -> dict[str, Any]:
    """The conf of a DAG run from the keywords of a call.

    Args:
        manifest: The deployed flow.
        ledger: Where the bytes of files are kept.
        given: Values by keyword; ``None`` leaves the default, a file is given by its path.
        call: The call, for messages.

    Raises:
        ValueError: A keyword is not a parameter.
        TypeError: A value has the wrong type for its parameter.
        CommandException: It is a config that is not editable, or a file cannot be read.
    """
    names = {keyword_of(spec.name): spec for spec in manifest.parameters}
    values: dict[str, Any] = {}
    for keyword, value in given.items():
        if keyword in manifest.editable_configs:
            values[keyword] = value
            continue
        spec = names.get(keyword)
        if spec is None:
            check_conf(manifest, {keyword: value} if keyword in manifest.configs else {})
            raise ValueError(unknown_keyword(call, keyword, names))
        if value is None:
            continue
        if spec.kind == "file":
            values[spec.name] = _kept(ledger, spec, value)
        else:
            values[spec.name] = _typed(keyword, spec, value)
    return values


def _typed(keyword: str, spec: ParameterSpec, value: Any) -> Any:
    """The value, if it is of a type that the parameter takes."""
    given = spec.schema.get("type", ())
    taken = [given] if isinstance(given, str) else list(given)
    fitting = {kind for kind, is_one in _JSON_TYPES.items() if is_one(value)}
    if taken and not fitting.intersection(taken):
        expected = " or ".join(kind for kind in taken if kind != "null")
        raise TypeError(f"'{keyword}' expects {expected}, and got {value!r} ({type(value).__name__}).")
    return value


def _kept(ledger: Ledger, spec: ParameterSpec, value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    try:
        data = Path(value).read_bytes()
    except OSError as error:
        raise CommandException(
            f"The file {value} of the parameter '{spec.name}' cannot be read: {error.strerror}.",
            fix="Give the path of a readable file.",
            where={"parameter": spec.name, "path": str(value)},
        ) from error
    like = spec.default if isinstance(spec.default, Mapping) else {}
    return {
        "type": DESCRIPTOR_TYPE,
        "url": keep_bytes(ledger, data),
        "is_text": like.get("is_text", True),
        "encoding": like.get("encoding", "utf-8"),
        "size": len(data),
    }
