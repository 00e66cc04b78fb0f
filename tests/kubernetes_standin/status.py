"""Errors as an API server sends them: ``Status`` objects with reason, message and causes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
"""A decoded Kubernetes object, as it travels over the wire."""


@dataclass(frozen=True)
class Cause:
    """One thing wrong with one field, in the words of ``k8s.io/apimachinery/pkg/util/validation/field``."""

    reason: str
    message: str
    field: str

    @classmethod
    def required(cls, field: str, detail: str = "") -> Cause:
        """A field that must be there is not."""
        return cls("FieldValueRequired", f"Required value: {detail}" if detail else "Required value", field)

    @classmethod
    def invalid(cls, field: str, value: object, detail: str) -> Cause:
        """A value breaks a rule."""
        return cls("FieldValueInvalid", f"Invalid value: {_shown(value)}: {detail}", field)

    @classmethod
    def duplicate(cls, field: str, value: object) -> Cause:
        """A value that must be unique is not."""
        return cls("FieldValueDuplicate", f"Duplicate value: {_shown(value)}", field)

    @classmethod
    def missing(cls, field: str, value: object) -> Cause:
        """A value refers to something that is not there."""
        return cls("FieldValueNotFound", f"Not found: {_shown(value)}", field)

    @classmethod
    def unsupported(cls, field: str, value: object, supported: Iterable[str]) -> Cause:
        """A value is not one of an enumeration."""
        choices = ", ".join(json.dumps(choice) for choice in sorted(supported))
        message = f"Unsupported value: {_shown(value)}: supported values: {choices}"
        return cls("FieldValueNotSupported", message, field)

    @classmethod
    def forbidden(cls, field: str, detail: str) -> Cause:
        """A field may not be set here."""
        return cls("FieldValueForbidden", f"Forbidden: {detail}", field)

    @classmethod
    def too_long(cls, field: str, limit: int, unit: str = "bytes") -> Cause:
        """A value has more bytes, characters or items than allowed."""
        return cls("FieldValueTooLong", f"Too long: may not be more than {limit} {unit}", field)


def _shown(value: object) -> str:
    return json.dumps(value, default=str)


class ApiError(Exception):
    """An answer that is not a success; ``body()`` is the ``Status`` a client receives."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: Json | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.headers = dict(headers or {})

    def body(self) -> Json:
        """The ``Status`` object."""
        status: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }
        if self.details is not None:
            status["details"] = self.details
        return status


def bad_request(message: str) -> ApiError:
    """400: the request cannot be understood."""
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    """401: no token, or one nobody knows."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(plural: str, group: str, name: str, message: str) -> ApiError:
    """403: rights or an admission plug-in say no. ``message`` follows the object in the sentence."""
    qualified = f"{plural}.{group}" if group else plural
    subject = f'{qualified} "{name}"' if name else qualified
    details = _details(plural, group, name)
    return ApiError(403, "Forbidden", f"{subject} is forbidden: {message}", details)


def not_found(plural: str, group: str, name: str) -> ApiError:
    """404: no object of that name."""
    qualified = f"{plural}.{group}" if group else plural
    return ApiError(404, "NotFound", f'{qualified} "{name}" not found', _details(plural, group, name))


def unknown_path() -> ApiError:
    """404: no such resource."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(plural: str, group: str, name: str) -> ApiError:
    """409: the name is taken."""
    qualified = f"{plural}.{group}" if group else plural
    message = f'{qualified} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, _details(plural, group, name))


def conflict(plural: str, group: str, name: str, why: str) -> ApiError:
    """409: the object is not what the request takes it for."""
    qualified = f"{plural}.{group}" if group else plural
    message = f'Operation cannot be fulfilled on {qualified} "{name}": {why}'
    return ApiError(409, "Conflict", message, _details(plural, group, name))


def invalid(kind: str, group: str, name: str, causes: Sequence[Cause]) -> ApiError:
    """422: every field that breaks a rule."""
    qualified = f"{kind}.{group}" if group else kind
    problems = list(dict.fromkeys(f"{cause.field}: {cause.message}" for cause in causes))
    shown = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
    details = _details(kind, group, name)
    details["causes"] = [
        {"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes
    ]
    return ApiError(422, "Invalid", f'{qualified} "{name}" is invalid: {shown}', details)


def method_not_allowed(details: Json | None = None) -> ApiError:
    """405: the resource has no such verb."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, details or {})


def unsupported_media_type(accepted: Sequence[str]) -> ApiError:
    """415: the body's content type is not one of ``accepted``."""
    message = "the body of the request was in an unknown format - accepted media types include: "
    return ApiError(415, "UnsupportedMediaType", message + ", ".join(accepted))


def gone(message: str) -> ApiError:
    """410: the resource version is no longer in the history."""
    return ApiError(410, "Expired", message)


def _details(kind: str, group: str, name: str) -> Json:
    details: Json = {"name": name, "kind": kind}
    if group:
        details["group"] = group
    return {key: value for key, value in details.items() if value}
