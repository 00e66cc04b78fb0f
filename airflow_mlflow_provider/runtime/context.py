"""What every task of a flow shares in one process: the flow's class, its manifest, its read-only members."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_mlflow_provider.flow.preparation import config_members, is_prepared, prepare_again
from airflow_mlflow_provider.flow.spec import TASK_ATTRIBUTE, FlowSpec
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.store.hashing import digest_of

_DIGEST_LENGTH = 16

if TYPE_CHECKING:
    from airflow_mlflow_provider.flow.includefile import IncludeFile


class FlowContext(msgspec.Struct, frozen=True):
    """A flow that this process can run.

    Attributes:
        flow_class: The class, from the user's file.
        manifest: The flow as data.
    """

    flow_class: type[FlowSpec]
    manifest: FlowManifest

    def __post_init__(self) -> None:
        """Give configs the values that are frozen in the manifest and run mutators, unless this process has done so."""
        if not is_prepared(self.flow_class):
            prepare_again(self.flow_class, self.manifest.configs, self.manifest.decospecs)

    @property
    def configs(self) -> dict[str, Any]:
        """Values of the configs as steps see them, by attribute."""
        return config_members(self.flow_class, self.manifest.configs)

    @property
    def files(self) -> dict[str, IncludeFile]:
        """The parameters that are files, by attribute."""
        attributes = {spec.attribute for spec in self.manifest.parameters if spec.kind == "file"}
        if not attributes:
            return {}
        from airflow_mlflow_provider.runtime.included_files import file_parameters

        declared = file_parameters(self.flow_class, self.manifest).values()
        return {parameter.attribute: parameter for parameter in declared if parameter.attribute in attributes}

    def bind_members(self) -> None:
        """Make parameters, configs and constants of the class read-only attributes of its instances."""
        for name in self._member_names():
            current = vars(self.flow_class).get(name)
            if not isinstance(current, _Member):
                setattr(self.flow_class, name, _Member(name, self._kind(name)))

    def _kind(self, name: str) -> str:
        if any(spec.attribute == name for spec in self.manifest.parameters):
            return "parameter"
        return "config" if name in self.configs else "constant"

    def _member_names(self) -> list[str]:
        """Attributes that are fixed for a whole run: parameters, configs, constants."""
        names = [spec.attribute for spec in self.manifest.parameters] + list(self.configs)
        return names + [name for name in constants(self.flow_class) if name not in names]


def load_context(file: Path, manifest: FlowManifest) -> FlowContext:
    """Load a flow's file so that this process can run its steps.

    Args:
        file: The flow's file.
        manifest: The flow as data.

    Raises:
        CommandException: The file is absent, or defines no such class.
        Exception: Whatever the file raises when it is executed.
    """
    from airflow_mlflow_provider.runtime.flow_code import load_flow_class

    return FlowContext(load_flow_class(file, manifest.code.class_name), manifest)


def constants(flow_class: type[FlowSpec]) -> dict[str, Any]:
    """Public class attributes that are plain values, by name, in the order of the MRO from the base down."""
    found: dict[str, Any] = {}
    for cls in reversed(flow_class.__mro__):
        if cls is FlowSpec or not issubclass(cls, FlowSpec):
            continue
        found.update({name: value for name, value in vars(cls).items() if _is_constant(name, value)})
    return found


def constant_digests(flow_class: type[FlowSpec]) -> dict[str, str]:
    """A digest of each constant, by name, which tells that it has been edited; equal values may have different ones."""
    import pickle

    found: dict[str, str] = {}
    for name, value in constants(flow_class).items():
        try:
            data = pickle.dumps(value, protocol=4)
        except Exception:  # noqa: BLE001 - whatever a value's own methods raise; storing it will tell
            data = repr(value).encode()
        found[name] = digest_of([data], len(data))[:_DIGEST_LENGTH]
    return found


def _is_constant(name: str, value: Any) -> bool:
    if name.startswith("_") or isinstance(value, (type, _Member)):
        return False
    is_descriptor = hasattr(type(value), "__get__")
    return not (is_descriptor or hasattr(value, "IS_CONFIG"))


class _Member:
    """A read-only attribute that is loaded from the run's parameters task."""

    def __init__(self, name: str, kind: str) -> None:
        self.name, self.kind = name, kind

    def __get__(self, flow: Any, owner: type) -> Any:
        if flow is None:
            return self
        task = flow.__dict__.get(TASK_ATTRIBUTE)
        if task is None:
            raise AttributeError(f"{owner.__name__}.{self.name} has its value only while a step runs.")
        return task.load(self.name)

    def __set__(self, flow: Any, value: Any) -> None:
        raise self._fixed(flow)

    def __delete__(self, flow: Any) -> None:
        raise self._fixed(flow)

    def _fixed(self, flow: Any) -> AttributeError:
        return AttributeError(
            f"self.{self.name} is a {self.kind} of {type(flow).__name__}: its value is fixed when the run starts. "
            "Assign to another attribute."
        )
