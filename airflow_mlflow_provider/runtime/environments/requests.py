"""From a flow's decorators to what the environments of its steps are to hold."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from typing import Final

from airflow_mlflow_provider.exception import InvalidEnvironmentException
from airflow_mlflow_provider.flow.decorators.packages import PackageRequest, package_request
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.runtime.environments.lock import EnvironmentRequest

# What this package itself needs where a step runs: the project's dependency group `core`.
CORE_REQUIREMENTS: Final = (
    "blake3>=1.0",
    "click>=8.1.7",
    "cloudpickle>=3.1",
    "httpx>=0.27",
    "msgspec>=0.19",
    "obstore>=0.8",
    "rich>=13.7",
    "tomli>=2.0; python_version < '3.11'",
    "zstandard>=0.23",
)
_SPECIFIER_STARTS = ("=", "<", ">", "!", "~")
_SOURCE_CONTROL = ("git+", "hg+", "svn+", "bzr+")


def environment_requests(
    manifest: FlowManifest, platforms: tuple[str, ...], pins: tuple[str, ...] = ()
) -> dict[str, EnvironmentRequest]:
    """What the environment of each step is to hold, by step; steps that run in the interpreter at hand are left out.

    Args:
        manifest: The flow.
        platforms: Platforms to lock for.
        pins: With ``--environment uv``: what ``uv.lock`` pins.

    Raises:
        InvalidEnvironmentException: A package is given without a version, or by a form that cannot be locked.
    """
    found: dict[str, EnvironmentRequest] = {}
    for step, asked in _asked(manifest):
        requirements = [_requirement(step, name, version) for name, version in asked.packages.items()]
        found[step] = EnvironmentRequest(
            kind="uv" if manifest.environment == "uv" else "pypi",
            python=asked.python or ".".join(platform.python_version_tuple()[:2]),
            requirements=tuple(sorted({*requirements, *pins})),
            platforms=platforms,
        )
    return found


def _asked(manifest: FlowManifest) -> Iterator[tuple[str, PackageRequest]]:
    """The steps that run in an environment, each with what its decorators ask for."""
    if manifest.environment == "local":
        return
    whole_flow = manifest.environment == "uv"
    for node in manifest.graph:
        asked = package_request(node, manifest.flow_decorators)
        if asked is not None:
            yield node.name, asked
        elif whole_flow and not _opts_out(manifest, node.name):
            yield node.name, PackageRequest()


def _opts_out(manifest: FlowManifest, step: str) -> bool:
    base = next((spec for spec in manifest.flow_decorators if spec.name == "pypi_base"), None)
    specs = [spec for spec in (base, manifest.graph[step].decorator("pypi")) if spec is not None]
    return any(spec.attributes.get("disabled") for spec in specs)


def undeclared_environment(manifest: FlowManifest) -> Mapping[str, str]:
    """Steps whose packages nobody will install, as ``--environment`` is ``local``: the decorator, by step."""
    if manifest.environment != "local":
        return {}
    return {
        node.name: "pypi" if node.decorator("pypi") else "pypi_base"
        for node in manifest.graph
        if package_request(node, manifest.flow_decorators) is not None
    }


def check_declared(manifest: FlowManifest) -> None:
    """See that the packages that steps ask for will be installed.

    Raises:
        InvalidEnvironmentException: A step has ``@pypi``, or the flow ``@pypi_base``, and ``--environment`` is ``local``.
    """
    for step, decorator in undeclared_environment(manifest).items():
        raise InvalidEnvironmentException(
            f"Step {step} has @{decorator}, and the flow runs with --environment local, which installs nothing.",
            fix="Put --environment pypi before the command, or set default_environment = pypi.",
            where={"step": step, "option": "--environment"},
        )


def _requirement(step: str, name: str, version: str) -> str:
    where = {"step": step, "package": name}
    if "@" in name:
        url = name.partition("@")[2].strip()
        if url.startswith(_SOURCE_CONTROL):
            raise InvalidEnvironmentException(
                f"Step {step} asks for {name}, which has no hash and so cannot be locked.",
                fix="Give the URL of a wheel or of an archive of one commit.",
                where=where,
            )
        return name
    if not version.strip():
        raise InvalidEnvironmentException(
            f"Step {step} asks for the package {name} without a version.",
            fix=f'Write a version or specifiers, such as packages={{"{name}": "1.2.3"}}.',
            where=where,
        )
    return (
        f"{name}{version}" if version.strip().startswith(_SPECIFIER_STARTS) else f"{name}=={version.strip()}"
    )
