"""Objects named by the dotted path of their module."""

from __future__ import annotations

import importlib
from typing import Any

from airflow_mlflow_provider.exception import MetaflowException


def resolve_dotted_name(name: str) -> Any:
    """Import what a dotted name names.

    Args:
        name: ``package.module.attribute``; with a leading dot, relative to this package.

    Raises:
        MetaflowException: There is no such module or attribute, or the module cannot be imported.
    """
    absolute = f"{__name__.split('.', 1)[0]}{name}" if name.startswith(".") else name
    module_name, _, attribute = absolute.rpartition(".")
    if not module_name or not attribute:
        raise _unresolved(name, "it is not the dotted path of something in a module")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise _unresolved(
            name, f"the module {module_name} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    if not hasattr(module, attribute):
        raise _unresolved(name, f"the module {module_name} has no '{attribute}'")
    return getattr(module, attribute)


def _unresolved(name: str, reason: str) -> MetaflowException:
    return MetaflowException(
        f"'{name}' does not name anything: {reason}.",
        fix="Write package.module.name of something that can be imported here.",
        where={"name": name},
    )
