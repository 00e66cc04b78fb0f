"""Strict decoding: every field of a body must exist, and have its type, in the API's own model classes."""

from __future__ import annotations

import base64
import binascii
import datetime
import json
import re
from typing import Any

from tests.kubernetes_standin.models import read_model
from tests.kubernetes_standin.status import Cause, Json, bad_request

_CONTAINER_TYPE = re.compile(r"(list\[|dict\(str, |dict\[str, )(.+)[\])]")
_QUANTITY_FIELDS = frozenset({"limits", "requests", "sizeLimit", "divisor", "capacity", "allocatable"})
_BASE64_OWNERS = frozenset({("V1Secret", "data"), ("V1ConfigMap", "binaryData")})
_GO_NAMES = {"str": "string", "int": "int64", "bool": "bool", "float": "float64", "datetime": "Time"}
_INTEGERS_OR_STRINGS = frozenset({"port", "targetPort", "maxSurge", "maxUnavailable", "minAvailable"})


def decode_json(text: bytes) -> Any:
    """JSON with duplicate keys refused. Raises ``ApiError`` 400."""
    duplicates: list[str] = []

    def unique(pairs: list[tuple[str, Any]]) -> Json:
        decoded = dict(pairs)
        if len(decoded) != len(pairs):
            keys = [key for key, _ in pairs]
            duplicates.extend(sorted({key for key in keys if keys.count(key) > 1}))
        return decoded

    try:
        body = json.loads(text, object_pairs_hook=unique)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise bad_request(f"error decoding the body as JSON: {error}") from error
    if duplicates:
        fields = ", ".join(f'duplicate field "{name}"' for name in duplicates)
        raise bad_request(f"strict decoding error: {fields}")
    return body


def check_body(body: Json, kind: str, api_version: str, model: str) -> list[Cause]:
    """Refuse unknown fields and wrong types with a 400; give the missing required fields as causes."""
    reader = _Reader()
    reader.read_object(body, model, "")
    prefix = f'{kind} in version "{api_version.rpartition("/")[2]}" cannot be handled as a {kind}: '
    if reader.mistyped:
        raise bad_request(prefix + reader.mistyped[0])
    if reader.unknown:
        fields = ", ".join(f'unknown field "{path}"' for path in reader.unknown)
        raise bad_request(f"{prefix}strict decoding error: {fields}")
    return [Cause.required(path) for path in reader.absent]


class _Reader:
    """Walks a body beside the model classes and collects what is wrong."""

    def __init__(self) -> None:
        self.unknown: list[str] = []
        self.mistyped: list[str] = []
        self.absent: list[str] = []

    def read(self, value: Any, kind: str, path: str, owner: str) -> None:
        if value is None:
            return
        container = _CONTAINER_TYPE.fullmatch(kind)
        if container:
            self._read_container(value, container, path, owner)
        elif kind == "object":
            self._read_loose(value, path)
        elif kind in _GO_NAMES:
            self._read_scalar(value, kind, path, owner)
        else:
            self.read_object(value, kind, path)

    def _read_container(self, value: Any, container: re.Match[str], path: str, owner: str) -> None:
        is_list = container[1].startswith("list")
        if not isinstance(value, list if is_list else dict):
            self._mistype(value, path, owner, "[]" if is_list else "map[string]")
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self.read(item, container[2], f"{path}[{index}]", owner)
        else:
            for key, item in value.items():
                self.read(item, container[2], f"{path}.{key}", owner)

    def _read_loose(self, value: Any, path: str) -> None:
        """``object`` in the models is an integer or a string, for the fields a pod or a job has."""
        if path.rpartition(".")[2] in _INTEGERS_OR_STRINGS and not isinstance(value, int | str):
            self._mistype(value, path, "IntOrString", "IntOrString")

    def _read_scalar(self, value: Any, kind: str, path: str, owner: str) -> None:
        is_quantity = any(part in _QUANTITY_FIELDS for part in re.split(r"[.\[]", path)[-2:])
        accepted: dict[str, tuple[type, ...]] = {"int": (int,), "bool": (bool,), "float": (int, float)}
        wanted = accepted.get(kind, (str, int, float) if is_quantity else (str,))
        if not isinstance(value, wanted) or (isinstance(value, bool) and kind != "bool"):
            self._mistype(value, path, owner, _GO_NAMES[kind])
        elif kind == "datetime" and not _is_time(str(value)):
            self.mistyped.append(f'parsing time "{value}" as "2006-01-02T15:04:05Z07:00": cannot parse')
        elif (owner, re.split(r"[.\[]", path)[0]) in _BASE64_OWNERS and not _is_base64(str(value)):
            self.mistyped.append("illegal base64 data at input byte 0")

    def read_object(self, value: Any, model_name: str, path: str) -> None:
        if not isinstance(value, dict):
            self._mistype(value, path, model_name, model_name.removeprefix("V1"))
            return
        model = read_model(model_name)
        for name, item in value.items():
            below = f"{path}.{name}" if path else name
            if name not in model.kinds:
                self.unknown.append(below)
            else:
                self.read(item, model.kinds[name], below, model_name)
        if path.startswith("status"):  # the server's own, and not the client's to complete
            return
        for name in model.required:
            if value.get(name) in (None, "", []):
                self.absent.append(f"{path}.{name}" if path else name)

    def _mistype(self, value: Any, path: str, owner: str, wanted: str) -> None:
        given = {dict: "object", list: "array", str: "string", bool: "bool"}.get(type(value), "number")
        field = f"{owner.removeprefix('V1')}.{path}"
        self.mistyped.append(f"json: cannot unmarshal {given} into Go struct field {field} of type {wanted}")


def _is_time(value: str) -> bool:
    try:
        datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        return False
    return "T" in value


def _is_base64(value: str) -> bool:
    try:
        base64.b64decode(value, validate=True)
    except binascii.Error:
        return False
    return True
