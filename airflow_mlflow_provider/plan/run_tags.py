"""The system tags of runs of a deployed flow."""

from __future__ import annotations

import platform

from airflow_mlflow_provider.plan.manifest import FlowManifest


def system_tags(manifest: FlowManifest) -> tuple[str, ...]:
    """The tags that the runtime gives a run, with those of the deployment."""
    own = (
        "user:airflow",
        "runtime:airflow",
        f"python_version:{platform.python_version()}",
        *((f"provider_version:{manifest.provider}",) if manifest.provider else ()),
        *((f"production:{manifest.production_token}",) if manifest.production_token else ()),
        *((f"deployer:{manifest.deployer}",) if manifest.deployer else ()),
        *(
            (f"project:{manifest.project.name}", f"project_branch:{manifest.project.branch}")
            if manifest.project
            else ()
        ),
    )
    return tuple(dict.fromkeys((*own, *manifest.system_tags)))
