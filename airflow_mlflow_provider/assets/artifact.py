"""Flows and named artifacts as assets that any DAG can be scheduled on.

The scheme ``mlflow+artifact`` names an artifact: ``mlflow+artifact://team/model``. Airflow asks :func:`sanitize_uri` to
bring such an address into its one form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult

from airflow_mlflow_provider.flow.finish_asset import finish_asset
from airflow_mlflow_provider.hooks.artifact_versions import SCHEME, check_name

if TYPE_CHECKING:
    from airflow.sdk import Asset

URI_SCHEME = "mlflow+artifact"


def artifact_asset(name: str, **arguments: Any) -> Asset:
    """The asset of a named artifact; each version that is published is an event of it.

    The event's ``extra`` has ``artifact`` and ``pathspec`` (``artifact:name@3``), ``digest``, ``size`` (bytes), ``type``,
    ``tags``, ``metadata`` and ``metrics``, the numbers of a dict and those under ``metrics`` of the metadata.

    :param name: Name of the artifact.
    :param arguments: ``group``, ``extra`` and ``watchers`` of the asset.
    :return: The asset.
    :raises CommandException: This cannot be a name.
    """
    from airflow.sdk import Asset

    return Asset(name=f"{SCHEME}{check_name(name)}", uri=f"{URI_SCHEME}://{name}", **arguments)


def flow_asset(flow: str) -> Asset:
    """The asset of a deployed flow; each run that succeeds is an event of it.

    The event's ``extra`` has, among others, ``pathspec`` (of the end task), ``flow_name``, ``run_id``, ``tags`` and, of the
    end task's artifacts, ``artifacts`` (their digests by name), ``digest`` (of all of them) and ``metrics`` (the numbers
    among them).

    :param flow: The flow as it is deployed: ``TrainFlow``, or ``project.branch.TrainFlow``.
    :return: The asset.
    """
    from airflow.sdk import Asset

    return Asset(finish_asset(flow))


def create_asset(*, name: str, extra: dict[str, Any] | None = None) -> Asset:
    """The asset of a named artifact, for Airflow's own factory interface.

    :param name: Name of the artifact.
    :param extra: Facts about the asset.
    :return: The asset.
    """
    return artifact_asset(name, extra=extra or {})


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Bring an address of the scheme ``mlflow+artifact`` into its one form.

    :param uri: The address.
    :return: The address without query, and without a slash at its end.
    :raises ValueError: It names no artifact.
    """
    name = f"{uri.netloc}{uri.path}".rstrip("/")
    netloc, _, path = check_name(name).partition("/")
    return uri._replace(netloc=netloc, path=f"/{path}" if path else "", query="", fragment="")
