"""The platforms that environments are locked for."""

from __future__ import annotations

import platform
import sys
from types import MappingProxyType
from typing import Final

from airflow_mlflow_provider.exception import InvalidEnvironmentException

# What uv calls a platform. The older of the two C libraries in use: newer machines install its wheels as well.
_UV_PLATFORMS: Final = MappingProxyType(
    {
        "linux-x86_64": "x86_64-manylinux_2_28",
        "linux-aarch64": "aarch64-manylinux_2_28",
        "darwin-x86_64": "x86_64-apple-darwin",
        "darwin-arm64": "aarch64-apple-darwin",
    }
)


def this_platform() -> str:
    """The platform of this machine, such as ``linux-x86_64``."""
    return f"{sys.platform}-{platform.machine()}"


def deployment_platforms(configured: tuple[str, ...]) -> tuple[str, ...]:
    """The platforms of a deployment's workers and pods.

    Args:
        configured: What the configuration says; nothing means Linux on the kind of processor at hand.
    """
    machine = {"arm64": "aarch64"}.get(platform.machine(), platform.machine())
    return tuple(sorted(configured)) or (f"linux-{machine}",)


def uv_platform(name: str) -> str:
    """What uv calls a platform.

    Raises:
        InvalidEnvironmentException: Nothing can be locked for it.
    """
    if name in _UV_PLATFORMS:
        return _UV_PLATFORMS[name]
    raise InvalidEnvironmentException(
        f"Environments cannot be locked for the platform {name}.",
        fix=f"Use one of {', '.join(_UV_PLATFORMS)} (environment_platforms).",
        where={"platform": name},
    )
