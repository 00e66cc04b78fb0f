"""The dict form of a flow's graph that Metaflow keeps as ``_graph_info``."""

from __future__ import annotations

from typing import Any

from airflow_mlflow_provider.flow.graph import DecoratorSpec, FlowGraph, StepNode
from airflow_mlflow_provider.plan.manifest import FlowManifest


def graph_info(manifest: FlowManifest) -> dict[str, Any]:
    """The graph as plain JSON values."""
    graph = manifest.graph
    return {
        "file": manifest.code.script,
        "parameters": [{"name": spec.attribute, "type": spec.kind} for spec in manifest.parameters],
        "constants": [{"name": name} for name in manifest.constants],
        "steps": {node.name: _step(graph, node) for node in graph},
        "graph_structure": _structure(graph, graph.start, None),
        "start_step": graph.start,
        "end_step": graph.end,
        "doc": graph.doc,
        "decorators": [_decorator(spec) for spec in manifest.flow_decorators],
    }


def _step(graph: FlowGraph, node: StepNode) -> dict[str, Any]:
    taken = node.transition
    return {
        "name": node.name,
        "type": graph.node_type(node.name),
        "split_type": None if taken is None or not node.has_inputs else taken.kind,
        "line": node.line,
        "source_file": node.file,
        "doc": node.doc,
        "decorators": [_decorator(spec) for spec in node.decorators],
        "next": list(node.out_funcs),
        "foreach_artifact": taken.foreach if taken else None,
        "num_parallel": taken.num_parallel if taken else None,
        "condition": taken.condition if taken else None,
        "switch_cases": {str(key): target for key, target in taken.cases} if taken else {},
        "matching_join": node.matching_join,
        "node_info": node.node_info,
    }


def _decorator(spec: DecoratorSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "attributes": spec.attributes,
        "statically_defined": spec.statically_defined,
        "inserted_by": list(spec.inserted_by),
    }


def _structure(graph: FlowGraph, step: str | None, until: str | None) -> list[Any]:
    """Steps in order; the branches of a split are a nested list."""
    found: list[Any] = []
    seen: set[str] = set()
    while step is not None and step != until and step not in seen:
        seen.add(step)
        node = graph[step]
        found.append(step)
        if node.matching_join is not None:
            branches = [_structure(graph, target, node.matching_join) for target in node.out_funcs]
            found.append(branches if len(branches) > 1 else branches[0])
            step = node.matching_join
            continue
        step = next((target for target in node.out_funcs if target != step), None)
    return found
