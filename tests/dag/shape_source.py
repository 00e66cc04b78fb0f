"""Flow files for the graph shapes: every step adds to a trace, so that the end step knows how it was reached."""

from __future__ import annotations

from airflow_mlflow_provider.flow.graph import FlowGraph, StepNode

_HEAD = """from airflow_mlflow_provider import {names}


class {name}(FlowSpec):
    turn = 0
"""
_TAIL = """

if __name__ == "__main__":
    {name}()
"""


def source(graph: FlowGraph) -> str:
    """The text of a flow with this graph.

    Foreach splits have two elements, or none where that is allowed. A switch inside a foreach goes by the index, any other takes
    its last target. A loop runs three times.
    """
    steps = "".join(_step(graph, node) for node in graph)
    names = "FlowSpec, parallel, step" if any(node.kind == "parallel" for node in graph) else "FlowSpec, step"
    return _HEAD.format(name=graph.name, names=names) + steps + _TAIL.format(name=graph.name)


def _step(graph: FlowGraph, node: StepNode) -> str:
    lines = [f"self.trace = {_trace(node)}", *_call(node)]
    body = "\n".join(f"        {line}" for line in lines)
    decorators = "    @step\n"
    if node.in_funcs and any(graph[name].kind == "parallel" for name in node.in_funcs):
        decorators = "    @parallel\n" + decorators
    arguments = "self, inputs" if node.has_inputs else "self"
    return f"\n{decorators}    def {node.name}({arguments}):\n{body}\n"


def _trace(node: StepNode) -> str:
    if node.has_inputs:
        return f"[[i.trace for i in inputs], {node.name!r}]"
    return f"[getattr(self, 'trace', None), {node.name!r}, self.index]"


def _call(node: StepNode) -> list[str]:
    transition = node.transition
    if transition is None:
        return []
    targets = ", ".join(f"self.{target}" for target in transition.targets)
    if transition.kind == "foreach":
        elements = [] if transition.allow_empty else ["p", "q"]
        allowed = ", allow_empty=True" if transition.allow_empty else ""
        return [
            f"self.{transition.foreach} = {elements}",
            f"self.next({targets}, foreach={transition.foreach!r}{allowed})",
        ]
    if transition.kind == "parallel":
        return [f"self.next({targets}, num_parallel=2)"]
    if transition.kind == "switch":
        return _switch(node)
    return [f"self.next({targets})"]


def _switch(node: StepNode) -> list[str]:
    names = list(node.out_funcs)
    cases = ", ".join(f"{name!r}: self.{name}" for name in names)
    if node.is_loop:
        others = [name for name in names if name != node.name]
        choose = f"{node.name!r} if len(str(self.trace).split({node.name!r})) < 4 else {others[-1]!r}"
    elif node.frames:
        choose = f"{names!r}[self.index % {len(names)}]"
    else:
        choose = repr(names[-1])
    return [f"self.choice = {choose}", f'self.next({{{cases}}}, condition="choice")']
