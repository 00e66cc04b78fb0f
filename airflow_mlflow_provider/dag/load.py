"""The whole of a DAG file: ``dag = load_flow("train_flow.json")``."""

from __future__ import annotations

import sys
from os import PathLike
from pathlib import Path

import msgspec
from airflow.sdk import DAG

from airflow_mlflow_provider.dag.build import build_dag
from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.plan.manifest import FlowManifest, decode


def load_flow(path: str | PathLike[str]) -> DAG:
    """The DAG of the manifest at ``path``; assign it to a global of the DAG file.

    Args:
        path: A file that ``airflow create`` wrote; relative to the calling file's folder.

    Raises:
        CommandException: There is no such file, or it is not a manifest.
    """
    caller = sys._getframe(1).f_globals.get("__file__", "")
    dag = build_dag(read_manifest(Path(caller).parent / path))
    if caller:
        dag.fileloc = caller
    return dag


def read_manifest(file: Path) -> FlowManifest:
    """The manifest in a file.

    Raises:
        CommandException: There is no such file, or it is not a manifest.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise CommandException(
            f"The manifest {file} cannot be read: {error.strerror}.",
            fix="Deploy the flow again with `python FLOW.py airflow create`, which writes DAG file and manifest.",
            where={"manifest": str(file)},
        ) from error
    manifest = decode(data, str(file))
    if manifest.code.source == "bundle":
        # Seen from the DAG file: each version of a bundle has a folder of its own, with the flow's file of that version.
        code = msgspec.structs.replace(manifest.code, path=str((file.parent / manifest.code.path).resolve()))
        manifest = msgspec.structs.replace(manifest, code=code)
    return manifest
