"""Resolving requirements to a lock, once, where a run is started or a flow is deployed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from airflow_mlflow_provider.exception import InvalidEnvironmentException
from airflow_mlflow_provider.flow import toml
from airflow_mlflow_provider.runtime.environments.lock import (
    EnvironmentLock,
    EnvironmentRequest,
    LockedFile,
    LockedPackage,
)
from airflow_mlflow_provider.runtime.environments.platforms import uv_platform
from airflow_mlflow_provider.runtime.environments.requests import CORE_REQUIREMENTS
from airflow_mlflow_provider.runtime.environments.uv_program import UvFailed, required_uv, run_uv

_SAID_OF_NETWORK = re.compile(r"failed to (fetch|download)|request failed|dns error|connect", re.IGNORECASE)


def resolve(
    request: EnvironmentRequest, steps: tuple[str, ...], folder: Path, *, with_uv: bool = False
) -> EnvironmentLock:
    """Resolve a request for all of its platforms.

    Args:
        request: What the environment is to hold.
        steps: The steps that asked for it, for messages.
        folder: Where uv looks for settings, such as indexes: the folder of the flow.
        with_uv: Whether uv itself is locked as well, for machines that lack it.

    Raises:
        InvalidEnvironmentException: The requirements cannot be met together, the index could not be read, or uv is not
            installed.
    """
    packages: dict[str, tuple[LockedPackage, ...]] = {}
    tools: dict[str, LockedPackage] = {}
    for platform in request.platforms:
        wanted = (*request.requirements, *CORE_REQUIREMENTS)
        packages[platform] = tuple(_compiled(request, wanted, platform, steps, folder))
        if with_uv:
            (tools[platform],) = _compiled(request, ("uv",), platform, steps, folder)
    return EnvironmentLock(request, packages, tools)


def _compiled(
    request: EnvironmentRequest, wanted: tuple[str, ...], platform: str, steps: tuple[str, ...], folder: Path
) -> Iterator[LockedPackage]:
    arguments = (
        "--format",
        "pylock.toml",
        "--python-version",
        request.python,
        "--no-annotate",
        "--no-header",
    )
    target = ("--python-platform", uv_platform(platform))
    try:
        text = run_uv(
            required_uv(),
            ("pip", "compile", "-", "--quiet", *arguments, *target),
            given="\n".join(wanted),
            folder=folder,
        )
    except UvFailed as error:
        raise _unresolvable(request, steps, platform, str(error)) from None
    for package in toml.loads(text)["packages"]:
        yield _locked(package, steps)


def _locked(package: dict[str, Any], steps: tuple[str, ...]) -> LockedPackage:
    direct = package.get("archive")
    found = [direct] if direct else package.get("wheels") or [package.get("sdist")]
    if None in found or any("sha256" not in file["hashes"] for file in found):
        raise InvalidEnvironmentException(
            f"The package {package['name']} that step {', '.join(steps)} needs has no file with a hash.",
            fix="Give the URL of a wheel or of an archive.",
            where={"step": steps[0], "package": package["name"]},
        )
    files = tuple(_file(file) for file in found)
    version = package.get("version") or _version_of(files[0].name)
    return LockedPackage(package["name"], version, files, direct is not None)


def _file(file: dict[str, Any]) -> LockedFile:
    url = file.get("url") or Path(file["path"]).resolve().as_uri()
    name = unquote(urlsplit(url).path.rpartition("/")[2])
    return LockedFile(file.get("name", name), url, file["hashes"]["sha256"], file.get("size", 0))


def _version_of(file_name: str) -> str:
    parts = file_name.split("-")
    return parts[1] if file_name.endswith(".whl") and len(parts) > 1 else ""


def _unresolvable(
    request: EnvironmentRequest, steps: tuple[str, ...], platform: str, said: str
) -> InvalidEnvironmentException:
    of = f"step {steps[0]}" if len(steps) == 1 else f"the steps {', '.join(steps)}"
    where = {"step": steps[0], "platform": platform}
    if _SAID_OF_NETWORK.search(said) and "no solution" not in said.lower() and "Because" not in said:
        return InvalidEnvironmentException(
            f"The packages of {of} could not be looked up: {said}",
            fix="Check the network, and the index that uv or pip is told to use.",
            where=where,
        )
    return InvalidEnvironmentException(
        f"The packages of {of} cannot be installed together with Python {request.python} on {platform}. {said}",
        fix="Change a version in @pypi or @pypi_base so that all can be met.",
        where=where,
    )
