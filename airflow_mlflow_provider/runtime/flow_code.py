"""Loading a flow's class in a process that is to run its steps.

A flow's file is always executed as ``__main__``, on the laptop by Python itself and elsewhere by this module, so that
classes and functions defined in it have the same name everywhere: an instance of a class of the flow's file, stored by
one step, is an instance of that class in the next.
"""

from __future__ import annotations

import sys
import types
from pathlib import Path

from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.flow.spec import FlowSpec, loading


def load_flow_class(file: Path, class_name: str | None = None) -> type[FlowSpec]:
    """Execute a flow's file as ``__main__`` and return its flow class.

    Args:
        file: The flow's file. Its folder becomes the first entry of ``sys.path``, as for ``python flow.py``.
        class_name: Name of the class, if the file defines several flows.

    Raises:
        CommandException: The file is absent, or defines no such class.
        Exception: Whatever the file raises when it is executed.
    """
    return find_flow_class(_executed(file), file, class_name)


def flow_classes(file: Path) -> dict[str, type[FlowSpec]]:
    """Execute a flow's file as ``__main__`` and return all flow classes that it defines, by name.

    Raises:
        CommandException: The file is absent.
        Exception: Whatever the file raises when it is executed.
    """
    return _defined(_executed(file))


def _executed(file: Path) -> types.ModuleType:
    if not file.is_file():
        raise CommandException(
            f"There is no file {file}.", fix="Give the path of a flow's file.", where={"file": str(file)}
        )
    folder = str(file.resolve().parent)
    if sys.path[:1] != [folder]:
        sys.path.insert(0, folder)
    module = types.ModuleType("__main__")
    module.__file__ = str(file)
    module.__builtins__ = __builtins__  # type: ignore[attr-defined]
    sys.modules["__main__"] = module
    sys.argv = [str(file)]
    code = compile(file.read_bytes(), str(file), "exec", dont_inherit=True)
    with loading():
        exec(code, module.__dict__)  # noqa: S102 - this is what running a flow means
    return module


def find_flow_class(module: types.ModuleType, file: Path, class_name: str | None) -> type[FlowSpec]:
    """The flow class that a module defines.

    Raises:
        CommandException: There is none, or there are several and no name was given.
    """
    found = _defined(module)
    if class_name is not None and class_name in found:
        return found[class_name]
    if class_name is None and len(found) == 1:
        return next(iter(found.values()))
    wanted = f"the flow class {class_name}" if class_name else "exactly one flow class"
    raise CommandException(
        f"{file} should define {wanted}; it defines {', '.join(found) or 'none'}.",
        fix="Define one class that inherits from FlowSpec in the flow's file.",
        where={"file": str(file), "flow": class_name},
    )


def _defined(module: types.ModuleType) -> dict[str, type[FlowSpec]]:
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, FlowSpec) and value.__module__ == module.__name__
    }
