"""Manifests for tests that run nothing."""

from __future__ import annotations

from typing import Any

import msgspec

from airflow_mlflow_provider.flow.graph import DecoratorSpec, FlowGraph
from airflow_mlflow_provider.plan.manifest import Code, FlowManifest
from tests.plan.shapes import SHAPES


def manifest_of(shape: str, **fields: Any) -> FlowManifest:
    """The manifest of a shape of `tests/plan/shapes.py`."""
    return manifest_for(SHAPES[shape], **fields)


def manifest_for(graph: FlowGraph, **fields: Any) -> FlowManifest:
    """A manifest of a graph whose code is nowhere."""
    code = Code(digest="c0de" * 16, script="shape.py", class_name=graph.name)
    return FlowManifest(dag_id=graph.name, graph=graph, store="file:///nowhere", code=code, **fields)


def decorated(shape: str, step: str, **decorators: dict[str, Any]) -> FlowManifest:
    """The manifest of a shape, one step of which has decorators with these attributes."""
    graph = SHAPES[shape]
    specs = tuple(DecoratorSpec(name=name, attributes=attributes) for name, attributes in decorators.items())
    steps = {**graph.steps, step: msgspec.structs.replace(graph[step], decorators=specs)}
    return manifest_for(msgspec.structs.replace(graph, steps=steps))
