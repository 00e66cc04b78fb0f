"""A flow's graph as Metaflow shows it on an instance: ``flow._graph["start"].type``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from airflow_mlflow_provider.flow.graph import FlowGraph, NodeType, StepNode


@dataclass(frozen=True)
class NodeView:
    """A step.

    Attributes:
        name: Name of the step.
        type: What it is, by Metaflow's name.
        in_funcs: Steps that may transition here.
        out_funcs: Steps that may follow.
        parallel_step: Whether it runs as a gang.
        matching_join: For a split, the join that closes it.
        doc: Docstring.
        node: All that is known of it.
    """

    name: str
    type: NodeType
    in_funcs: list[str]
    out_funcs: list[str]
    parallel_step: bool
    matching_join: str | None
    doc: str
    node: StepNode


class GraphView:
    """The steps of a flow, by name and in source order."""

    def __init__(self, graph: FlowGraph) -> None:
        self._graph = graph

    def __getitem__(self, step: str) -> NodeView:
        node = self._graph[step]
        return NodeView(
            name=node.name,
            type=self._graph.node_type(step),
            in_funcs=list(node.in_funcs),
            out_funcs=list(node.out_funcs),
            parallel_step=any(node.decorator(name) for name in ("parallel", "pytorch_parallel")),
            matching_join=node.matching_join,
            doc=node.doc,
            node=node,
        )

    def __contains__(self, step: object) -> bool:
        return step in self._graph

    def __iter__(self) -> Iterator[NodeView]:
        return (self[node.name] for node in self._graph)

    def __len__(self) -> int:
        return len(self._graph)
