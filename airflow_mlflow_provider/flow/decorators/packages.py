"""``@pypi`` and ``@pypi_base``: the Python packages of a step, or of all steps."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, overload

import msgspec

from airflow_mlflow_provider.flow.decorators.attributes import Fields, anything, flag, mapping
from airflow_mlflow_provider.flow.decorators.base import (
    FlowClass,
    FlowDecorator,
    StepDecorator,
    StepFunction,
    decorate_flow,
    decorate_step,
)
from airflow_mlflow_provider.flow.graph import DecoratorSpec, StepNode

_FIELDS: Fields = {
    "packages": mapping({}),
    "python": anything(None, "a version such as '3.11.9'"),
    "disabled": flag(None),
}


class PypiDecorator(StepDecorator):
    """Say which packages a step needs; see :func:`pypi`."""

    name = "pypi"
    fields: ClassVar[Fields] = _FIELDS


class PypiBaseDecorator(FlowDecorator):
    """Say which packages all steps need; see :func:`pypi_base`."""

    name = "pypi_base"
    fields: ClassVar[Fields] = _FIELDS


class PackageRequest(msgspec.Struct, frozen=True):
    """The packages of a step's environment.

    Attributes:
        packages: Version or specifiers by requirement name; a key ``name @ url`` has the value ``""``.
        python: Version of Python, ``None`` for the one at hand.
    """

    packages: dict[str, str] = {}
    python: str | None = None


def package_request(node: StepNode, flow_decorators: tuple[DecoratorSpec, ...]) -> PackageRequest | None:
    """The packages of a step: those of ``@pypi_base`` and of ``@pypi`` together, the step's winning.

    Returns:
        ``None`` when the step has neither, or opts out with ``disabled=True``.
    """
    base = next((spec for spec in flow_decorators if spec.name == "pypi_base"), None)
    own = node.decorator("pypi")
    specs = [spec.attributes for spec in (base, own) if spec is not None]
    switches = [attributes["disabled"] for attributes in specs if attributes.get("disabled") is not None]
    if not specs or (switches and switches[-1]):
        return None
    packages: dict[str, str] = {}
    python = None
    for attributes in specs:
        given = attributes.get("packages", {})
        replaced = {_distribution(name) for name in given}
        packages = {
            name: version for name, version in packages.items() if _distribution(name) not in replaced
        }
        packages |= {name: "" if version is None else str(version) for name, version in given.items()}
        python = attributes.get("python") or python
    return PackageRequest(packages, None if python is None else str(python))


def _distribution(requirement: str) -> str:
    """The distribution that a requirement names, in its normal form: without extras and URL."""
    name = re.split(r"[\[@\s]", requirement.strip(), maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


@overload
def pypi(function: StepFunction, /) -> StepFunction: ...
@overload
def pypi(
    *, packages: Mapping[str, str] = ..., python: str | None = None, disabled: bool | None = None
) -> Callable[[StepFunction], StepFunction]: ...
def pypi(function: Any = None, /, **attributes: Any) -> Any:
    """Step decorator: run the step with these packages, in an environment of its own (``--environment pypi``).

    Args:
        function: The step, for ``@pypi`` without parentheses.
        packages: Versions by name: ``"1.2.3"``, or specifiers such as ``">=1,<2"``.
        python: Version of Python; by default that of the process that starts or deploys the flow.
        disabled: Whether the step runs in the interpreter at hand instead.

    Raises:
        BadStepDecoratorException: It does not stand above ``@step``.
    """
    return decorate_step(PypiDecorator, function, attributes)


@overload
def pypi_base(flow: FlowClass, /) -> FlowClass: ...
@overload
def pypi_base(
    *, packages: Mapping[str, str] = ..., python: str | None = None, disabled: bool | None = None
) -> Callable[[FlowClass], FlowClass]: ...
def pypi_base(flow: Any = None, /, **attributes: Any) -> Any:
    """Flow decorator: the packages that all steps have, unless ``@pypi`` on a step says otherwise.

    Args:
        flow: The flow, for ``@pypi_base`` without parentheses.
        packages: As for ``@pypi``; a step's own win.
        python: As for ``@pypi``.
        disabled: As for ``@pypi``.

    Raises:
        BadFlowDecoratorException: It does not stand on a flow.
    """
    return decorate_flow(PypiBaseDecorator, flow, attributes)
