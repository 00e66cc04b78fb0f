"""``--code bundle``: steps import the flow from the DAG bundle that its DAG file is in, in the version of the DAG run."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.plan.manifest import Code, FlowManifest


def bundled_code(manifest: FlowManifest, flow_file: Path, target: str) -> Code:
    """Where the flow's file is, seen from the folder of its DAG file.

    Args:
        manifest: The flow.
        flow_file: Its file.
        target: Path of the DAG file.

    Raises:
        CommandException: Steps run in pods, which have no bundle, or the flow's file and the DAG file are not in one.
    """
    where = {"flow": manifest.flow_name, "file": str(flow_file)}
    in_pods = [step for step in manifest.graph.steps if manifest.step_compute(step) == "kubernetes"]
    if in_pods:
        raise CommandException(
            f"With --code bundle, {', '.join(in_pods)} of {manifest.flow_name} would find no code: pods have no DAG bundle.",
            fix="Leave --code out, so that the code is stored as a package.",
            where={**where, "step": in_pods[0]},
        )
    if "://" in target:
        raise CommandException(
            f"With --code bundle, the DAG file {target} must be a path: the flow's file is found from there.",
            fix="Give a path in the checkout of the DAG bundle, or leave --code out.",
            where=where,
        )
    folder, dags = Path(target).resolve().parent, Path(get("dags_folder")).expanduser().resolve()
    if folder.is_relative_to(dags) and not flow_file.resolve().is_relative_to(dags):
        raise CommandException(
            f"The flow's file {flow_file} is not in the DAGs folder {dags}, so workers will not have it.",
            fix="Move it there, or leave --code out, so that the code is stored as a package.",
            where=where,
        )
    path = Path(os.path.relpath(flow_file.resolve(), folder)).as_posix()
    return msgspec.structs.replace(manifest.code, source="bundle", path=path)
