"""The scope of a step: the frames that Airflow expands around it."""

from __future__ import annotations

from airflow_mlflow_provider.flow.graph import FlowGraph


def scope(graph: FlowGraph, step: str) -> tuple[str, ...]:
    """The frames of ``step`` that Airflow expands: all but that of a gang, whose workers are one Airflow task."""
    frames = graph[step].frames
    return frames[:-1] if is_gang(graph, step) else frames


def is_gang(graph: FlowGraph, step: str) -> bool:
    """Whether ``step`` runs as workers that are started together."""
    frames = graph[step].frames
    return bool(frames) and graph[frames[-1]].kind == "parallel"


def is_tolerant(graph: FlowGraph, split: str | None) -> bool:
    """Whether the join of a foreach may run without some of its splits."""
    taken = graph[split].transition if split else None
    return taken is not None and taken.min_success_ratio is not None
