"""Which steps run whatever the switches choose, and which a choice rules out; pure functions of the graph."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_mlflow_provider.flow.graph import FlowGraph
from airflow_mlflow_provider.plan.scopes import scope


def conditional_steps(graph: FlowGraph) -> frozenset[str]:
    """Steps that a switch may leave out although the scope they stand in (their frames) is entered.

    A step inside a foreach that lies on the arm of a switch is not conditional for that reason: where the
    arm is not taken there is no index path, hence nothing to leave out.
    """
    return frozenset(name for name in graph.steps if is_conditional(graph, name))


def is_conditional(graph: FlowGraph, step: str) -> bool:
    """Whether ``step`` is one of :func:`conditional_steps`."""
    if not any(node.kind == "switch" for node in graph):
        return False
    return _avoids(graph, _entry(graph, step), step)


def ruled_out(graph: FlowGraph, switch: str, chosen: str) -> frozenset[str]:
    """Steps that the other targets of ``switch`` lead to and ``chosen`` does not."""
    others = (target for target in graph[switch].out_funcs if target not in (chosen, switch))
    return reachable(graph, others) - reachable(graph, (chosen,))


def reachable(graph: FlowGraph, sources: Iterable[str]) -> frozenset[str]:
    """``sources`` and every step that may follow them."""
    found: set[str] = set()
    waiting = list(sources)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += graph[name].out_funcs
    return frozenset(found)


def _entry(graph: FlowGraph, step: str) -> str:
    frames = scope(graph, step)
    return graph[frames[-1]].out_funcs[0] if frames else graph.start


def _avoids(graph: FlowGraph, source: str, step: str) -> bool:
    """Whether some choice of all switches leads from ``source`` to the end without ``step``."""
    avoiding: dict[str, bool] = {step: False}
    for name in reversed(graph.topological()):
        if name == step:
            continue
        node = graph[name]
        followers = [avoiding[target] for target in node.out_funcs if target != name]
        avoiding[name] = any(followers) if node.kind == "switch" else all(followers)
    return avoiding[source]
