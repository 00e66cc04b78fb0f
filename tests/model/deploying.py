"""The shapes as DAGs: their manifests, and what a DAG run left, in the terms of the reference model."""

from __future__ import annotations

from pathlib import Path

from airflow_mlflow_provider.plan.manifest import FlowManifest
from tests.dag.deployed import Finished, manifest_from
from tests.flow_runs import FlowFile
from tests.model.flow_text import LIMIT_SECONDS, flow_text
from tests.model.observed import observed_in
from tests.model.reference import Expected
from tests.model.spec import Block, Fault


def dag_name(shape: str) -> str:
    """The name of a shape's flow, and of its DAG."""
    return "Model" + "".join(part.capitalize() for part in shape.split("_"))


def shape_manifest(
    flow: Block,
    broken: Fault | None,
    name: str,
    folder: Path,
    store: str = "",
    limit_seconds: int = LIMIT_SECONDS,
) -> FlowManifest:
    """The manifest of a flow, with a failure put in, if any.

    Args:
        flow: The flow.
        broken: The failure.
        name: Its name.
        folder: Where its file goes, and its store, unless another is given.
        store: URL of another store.
        limit_seconds: What a step that is to run into its time limit may take.
    """
    file = FlowFile(folder, flow_text(flow, broken, name, limit_seconds), store=store)
    return manifest_from(file.path, file.store)


def left_by(finished: Finished, flow: Block) -> Expected:
    """What a DAG run left in the store."""
    return observed_in(finished.ledger, finished.flow, finished.run, flow)
