"""Whether the package of this worker can run what the package of the deployer made."""

from __future__ import annotations

from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.version import __version__


def check_version(manifest: FlowManifest) -> None:
    """See that this machine has the minor version of the package with which the flow was deployed.

    Pods bring the deployer's own with them.

    Raises:
        CommandException: It has another one; names both.
    """
    if manifest.provider and _minor(manifest.provider) != _minor(__version__):
        raise CommandException(
            f"{manifest.dag_id} was deployed with airflow-mlflow-provider {manifest.provider}, and this worker has {__version__}.",
            fix="Install the same minor version on workers and where flows are deployed, or deploy the flow again.",
            where={"dag": manifest.dag_id, "deployed": manifest.provider, "worker": __version__},
        )


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]
