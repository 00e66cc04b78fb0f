"""The tags of runs of a deployed flow: those that the runtime gives, and those that one run is started with."""

from __future__ import annotations

import platform
from collections.abc import Sequence

from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.plan.manifest import FlowManifest

# How the note of a DAG run shows a user tag of the run.
_NOTE_LINE = "tag: "
_LONGEST_NOTE = 1000


def note_of(tags: Sequence[str]) -> str | None:
    """The note of a DAG run whose run has these tags, ``None`` for none.

    Raises:
        CommandException: Airflow keeps no note of that length.
    """
    note = "\n".join(f"{_NOTE_LINE}{tag}" for tag in tags)
    if len(note) > _LONGEST_NOTE:
        raise CommandException(
            f"The tags are {len(note)} characters, and Airflow's note of a DAG run, which holds them, has {_LONGEST_NOTE}.",
            fix="Give fewer tags, or add them to the run with Run.add_tags.",
        )
    return note or None


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
