"""Flows, requests and contexts for the tests of pods."""

from __future__ import annotations

import uuid
from types import SimpleNamespace
from typing import Any

from airflow_mlflow_provider.flow.graph import DecoratorSpec, FlowGraph, StepNode, Transition
from airflow_mlflow_provider.plan.manifest import Code, FlowManifest
from airflow_mlflow_provider.runtime.request import UnitRequest

DIGEST = "0" * 64


def step(**decorators: dict[str, Any]) -> StepNode:
    """A step called ``train`` with these decorators."""
    return StepNode(
        name="train",
        file="flow.py",
        line=7,
        transition=Transition("linear", ("end",)),
        decorators=tuple(DecoratorSpec(name, attributes) for name, attributes in decorators.items()),
    )


def manifest(
    node: StepNode, store: str = "s3://bucket/flows", code: str = DIGEST, **settings: Any
) -> FlowManifest:
    """A flow of ``node`` and an end step, deployed with these settings."""
    graph = FlowGraph("TrainFlow", node.name, "end", {node.name: node, "end": StepNode(name="end")})
    return FlowManifest(
        dag_id="TrainFlow",
        graph=graph,
        store=store,
        code=Code(code, "flow.py", "TrainFlow"),
        compute="kubernetes",
        settings=settings,
    )


def request(store: str = "s3://bucket/flows", **fields: Any) -> UnitRequest:
    """A request to run ``train``."""
    given: dict[str, Any] = {
        "store": store,
        "flow": "TrainFlow",
        "run": "airflow-manual-2026-11-23T18-27-00-00-00-0123456789",
        "steps": ("train",),
        "airflow": {
            "dag_id": "TrainFlow",
            "dag_run_id": "manual__2026-11-23T18:27:00+00:00",
            "task_id": "train",
            "map_index": -1,
            "try_number": 1,
        },
    }
    return UnitRequest(**{**given, **fields})


def context(try_number: int = 1) -> Any:
    """What Airflow's context says of a task instance, as far as the pod operator reads it."""
    run_id = "manual__2026-11-23T18:27:00+00:00"
    instance = SimpleNamespace(
        id=uuid.uuid4(),
        dag_id="TrainFlow",
        task_id="train",
        run_id=run_id,
        map_index=-1,
        try_number=try_number,
    )
    return {"ti": instance, "run_id": run_id, "dag": SimpleNamespace(dag_id="TrainFlow")}
