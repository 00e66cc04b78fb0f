"""Modules from elsewhere that belong to the code package of a flow: those that say so of themselves, and those of its decorators."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from airflow_mlflow_provider.flow.mutators import decorator_modules

# Metaflow's own name is read, too, so that a module need not know who packages it.
_NAMES = ("FLOW_PACKAGE_POLICY", "METAFLOW_PACKAGE_POLICY")
_SKIPPED = frozenset({"__pycache__"})


def included_modules(flow_class: type) -> Iterator[tuple[Path, str]]:
    """The files of the modules that are imported and belong to the flow wherever they are installed.

    These are modules with ``FLOW_PACKAGE_POLICY = "include"``, and the top-level package or module of each user decorator.

    Yields:
        A file and its path relative to the folder of the flow's file. Of a package, every file but hidden and compiled ones.
    """
    own = __name__.partition(".")[0]
    decorators = {name.partition(".")[0] for name in decorator_modules(flow_class)} - {own, "__main__"}
    for name, module in sorted(sys.modules.items()):
        if name in decorators or any(_policy(module, policy) == "include" for policy in _NAMES):
            yield from _files(name, module)


def _policy(module: object, name: str) -> object:
    # Its own, as some modules make up any attribute that is asked for.
    return vars(module).get(name) if isinstance(module, ModuleType) else None


def _files(name: str, module: ModuleType) -> Iterator[tuple[Path, str]]:
    parts = name.replace(".", "/")
    file = getattr(module, "__file__", None)
    for folder in getattr(module, "__path__", ()):
        root = Path(folder)
        for path in sorted(root.rglob("*")):
            inside = path.relative_to(root)
            hidden = any(part.startswith(".") or part in _SKIPPED for part in inside.parts)
            if path.is_file() and not hidden:
                yield path, f"{parts}/{inside.as_posix()}"
    if file is not None and not hasattr(module, "__path__") and name != "__main__":
        yield Path(file), f"{parts}.py"
