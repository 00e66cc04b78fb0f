"""A parameter of a flow as data: what schedulers and forms know of it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class ParameterSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """A parameter of a flow, as data.

    Attributes:
        name: Name on the command line and in ``dag_run.conf``.
        attribute: Attribute of the flow that holds it.
        schema: JSON schema of a value, ``null`` included where ``None`` is accepted.
        default: Default as JSON; ``None`` when there is none.
        required: Whether a run must give a value.
        help: For people.
        separator: What a string is split at to make a list, or ``None``.
        kind: ``value``, or ``file`` for an ``IncludeFile``.
    """

    name: str
    attribute: str
    schema: dict[str, Any]
    default: Any = None
    required: bool = False
    help: str = ""
    separator: str | None = None
    kind: Literal["value", "file"] = "value"
