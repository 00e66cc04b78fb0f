"""A flow's graph, read from the source of its class; nothing of the flow is executed."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from typing import Any

from airflow_mlflow_provider.exception import LintIssue, LintWarn
from airflow_mlflow_provider.flow.graph import FlowGraph, StepNode
from airflow_mlflow_provider.flow.reading import FlowReading, read_flow
from airflow_mlflow_provider.flow.step_code import step_code
from airflow_mlflow_provider.flow.written_call import ConfigResolver


def build_graph(
    flow_class: type, resolve: ConfigResolver | None = None
) -> tuple[FlowGraph | None, list[LintIssue]]:
    """Read the graph of a flow and what is wrong with its structure.

    Args:
        flow_class: A subclass of ``FlowSpec``, or any class with steps.
        resolve: Gives the value of a switch key ``self.<config>.<key>…`` from the config's name and the keys;
            raises ``LookupError`` if it has none, and the key then stays as written. By default the configs
            of the class are asked.

    Returns:
        The graph, ``None`` if the flow has no start or no end; and the findings, sorted. Of steps with errors the
        graph holds what is certain.

    Raises:
        MetaflowException: The source is not available.
    """
    from airflow_mlflow_provider.flow.lint.registry import structural_issues

    reading = read_flow(flow_class, resolve or config_resolver(flow_class))
    return graph_of(reading), structural_issues(reading)


def read_graph(flow_class: type, resolve: ConfigResolver | None = None) -> FlowGraph:
    """The graph of a flow that has one.

    Raises:
        LintWarn: The structure of the flow has errors; ``issues`` holds all of them.
        MetaflowException: The source is not available.
    """
    graph, issues = build_graph(flow_class, resolve)
    errors = [issue for issue in issues if issue.severity == "E"]
    if errors or graph is None:
        raise LintWarn(issues=errors)
    return graph


def graph_of(reading: FlowReading) -> FlowGraph | None:
    """The graph of a flow as far as it was read; ``None`` without a start or an end."""
    if reading.start is None or reading.end is None:
        return None
    flow_class = reading.flow_class
    sources = _sources(reading)
    steps = {name: _node(reading, name, tuple(sources.get(name, ()))) for name in reading.steps}
    doc = inspect.cleandoc(flow_class.__dict__.get("__doc__") or "")
    return FlowGraph(flow_class.__name__, reading.start, reading.end, steps, doc, _file_of(reading))


def config_resolver(flow_class: type) -> ConfigResolver:
    """A resolver that asks the configs of a flow class for their parsed values."""

    def resolve(config: str, keys: tuple[str, ...]) -> object:
        value: Any = getattr(flow_class, config, None)
        for key in keys:
            if not isinstance(value, Mapping) or key not in value:
                raise LookupError(f"{config}.{'.'.join(keys)} has no value yet")
            value = value[key]
        return value

    return resolve


def _sources(reading: FlowReading) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in reading.steps:
        for target in _targets(reading, name):
            found.setdefault(target, []).append(name)
    return found


def _targets(reading: FlowReading, name: str) -> tuple[str, ...]:
    transition = reading.transitions.get(name)
    sound = transition is not None and set(transition.targets) <= reading.steps.keys()
    return transition.targets if transition is not None and sound else ()


def _node(reading: FlowReading, name: str, in_funcs: tuple[str, ...]) -> StepNode:
    step, matching = reading.steps[name], reading.matching
    branches = matching.branches.get(name, {})
    splits = tuple(branch.split for branch in matching.stacks.get(name, ()))
    return StepNode(
        name=name,
        file=step.file.path,
        line=step.line,
        doc=inspect.cleandoc(step.function.__doc__ or ""),
        transition=reading.transitions[name] if _targets(reading, name) else None,
        has_inputs=step.inputs_name is not None,
        in_funcs=in_funcs,
        frames=tuple(split for split in splits if reading.edges[split].kind in ("foreach", "parallel")),
        splits=splits,
        matching_split=matching.split_of.get(name),
        matching_join=matching.join_of.get(name),
        branches={source: branches[source] for source in in_funcs if source in branches},
        decorators=tuple(decorator.spec() for decorator in (*step.decorators, *step.user_decorators)),
        node_info=json_value(getattr(step.function, "step_node_info", {})),
        code=step_code(step, reading.flow_class),
    )


def json_value(value: Any) -> Any:
    """The value with everything that JSON does not know replaced by its text."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_value(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((json_value(item) for item in value), key=str)
    return str(value)


def _file_of(reading: FlowReading) -> str:
    own = next((step for step in reading.steps.values() if step.owner is reading.flow_class), None)
    if own is not None:
        return own.file.path
    return str(getattr(sys.modules.get(reading.flow_class.__module__), "__file__", None) or "")
