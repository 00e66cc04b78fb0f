"""Graph shapes by name, written down without any user code, so that plans and DAGs can be tested by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from airflow_mlflow_provider.flow.graph import FlowGraph, StepNode, Transition


def then(*targets: str) -> Transition:
    """A linear transition, or a static split if there are several targets."""
    return Transition(kind="linear" if len(targets) == 1 else "static", targets=targets)


def foreach(target: str, var: str = "items", allow_empty: bool = False) -> Transition:
    """A foreach over the artifact ``var``."""
    return Transition(kind="foreach", targets=(target,), foreach=var, allow_empty=allow_empty)


def gang(target: str) -> Transition:
    """A gang of two."""
    return Transition(kind="parallel", targets=(target,), num_parallel="2")


def switch(*targets: str) -> Transition:
    """A switch whose cases are the names of its targets."""
    cases = tuple((target, target) for target in targets)
    return Transition(kind="switch", targets=targets, condition="choice", cases=cases)


Steps = Mapping[str, Transition | None]


def graph(
    steps: Steps, name: str = "ShapeFlow", branches: Mapping[str, tuple[str, ...]] | None = None
) -> FlowGraph:
    """A graph from transitions in source order. A step named ``join…`` closes the innermost split.

    ``branches`` is given to all joins of static splits.
    """
    nodes = {
        step: StepNode(name=step, file="shape.py", line=line, transition=transition)
        for line, (step, transition) in enumerate(steps.items(), 1)
    }
    before = {step: tuple(other for other in steps if step in nodes[other].out_funcs) for step in steps}
    nodes = {step: msgspec.structs.replace(node, in_funcs=before[step]) for step, node in nodes.items()}
    first, last = next(iter(steps)), next(step for step, transition in steps.items() if transition is None)
    bare = FlowGraph(name=name, start=first, end=last, steps=nodes)
    for step in bare.topological():
        nodes[step] = _placed(nodes, step, dict(branches or {}))
    for node in list(nodes.values()):
        if node.matching_split:
            split = nodes[node.matching_split]
            nodes[split.name] = msgspec.structs.replace(split, matching_join=node.name)
    return msgspec.structs.replace(bare, steps=nodes)


def _placed(nodes: Mapping[str, StepNode], step: str, branches: dict[str, tuple[str, ...]]) -> StepNode:
    node, is_join = nodes[step], step.startswith("join")
    others = [name for name in node.in_funcs if name != step]
    if not others:
        return node
    parent = nodes[others[0]]
    opened = (parent.name,) if parent.is_split or parent.kind == "static" else ()
    splits = (*parent.splits, *opened)
    closed = splits[-1] if is_join else None
    splits = splits[:-1] if is_join else splits
    return msgspec.structs.replace(
        node,
        has_inputs=is_join,
        splits=splits,
        frames=tuple(name for name in splits if nodes[name].is_split),
        matching_split=closed,
        branches=branches if closed and nodes[closed].kind == "static" else {},
    )


_STEPS: Mapping[str, Steps] = {
    "single": {"start": None},
    "linear": {"start": then("middle"), "middle": then("end"), "end": None},
    "branch": {
        "start": then("a", "b"),
        "a": then("join"),
        "b": then("join"),
        "join": then("end"),
        "end": None,
    },
    "nested_branches": {
        "start": then("a", "b"),
        "a": then("c", "d"),
        "c": then("join_a"),
        "d": then("join_a"),
        "join_a": then("join"),
        "b": then("join"),
        "join": then("end"),
        "end": None,
    },
    "foreach": {"start": foreach("body"), "body": then("join"), "join": then("end"), "end": None},
    "empty_foreach": {
        "start": foreach("body", allow_empty=True),
        "body": then("join"),
        "join": then("end"),
        "end": None,
    },
    "foreach_two_steps": {
        "start": foreach("first"),
        "first": then("second"),
        "second": then("join"),
        "join": then("end"),
        "end": None,
    },
    "nested_foreach": {
        "start": foreach("outer"),
        "outer": foreach("inner"),
        "inner": then("join_inner"),
        "join_inner": then("join_outer"),
        "join_outer": then("end"),
        "end": None,
    },
    "three_levels": {
        "start": foreach("a", "xs"),
        "a": then("split_b"),
        "split_b": foreach("b", "ys"),
        "b": then("b_two"),
        "b_two": foreach("c", "zs"),
        "c": then("c_two"),
        "c_two": then("join_c"),
        "join_c": then("after_c"),
        "after_c": then("join_b"),
        "join_b": then("after_b"),
        "after_b": then("join_a"),
        "join_a": then("end"),
        "end": None,
    },
    "two_inner_foreach": {
        "start": foreach("first"),
        "first": foreach("one"),
        "one": then("join_one"),
        "join_one": foreach("two"),
        "two": then("join_two"),
        "join_two": then("join"),
        "join": then("end"),
        "end": None,
    },
    "join_that_splits": {
        "start": foreach("one"),
        "one": then("join_one"),
        "join_one": foreach("two"),
        "two": then("join_two"),
        "join_two": then("end"),
        "end": None,
    },
    "foreach_in_branch": {
        "start": then("split", "other"),
        "split": foreach("body"),
        "body": then("join_body"),
        "join_body": then("join"),
        "other": then("join"),
        "join": then("end"),
        "end": None,
    },
    "branch_in_foreach": {
        "start": foreach("body"),
        "body": then("left", "right"),
        "left": then("join_sides"),
        "right": then("join_sides"),
        "join_sides": then("join"),
        "join": then("end"),
        "end": None,
    },
    "foreach_beside_step_in_foreach": {
        "start": foreach("body"),
        "body": then("split", "other"),
        "split": foreach("inner"),
        "inner": then("join_inner"),
        "join_inner": then("join_sides"),
        "other": then("join_sides"),
        "join_sides": then("join"),
        "join": then("end"),
        "end": None,
    },
    "switch": {
        "start": switch("a", "b"),
        "a": then("merge"),
        "b": then("merge"),
        "merge": then("end"),
        "end": None,
    },
    "switch_past_a_step": {"start": switch("extra", "end"), "extra": then("end"), "end": None},
    "nested_switch": {
        "start": switch("a", "b"),
        "a": switch("c", "d"),
        "c": then("merge_a"),
        "d": then("merge_a"),
        "merge_a": then("merge"),
        "b": then("merge"),
        "merge": then("end"),
        "end": None,
    },
    "switch_in_branch": {
        "start": then("choose", "other"),
        "choose": switch("a", "b"),
        "a": then("join"),
        "b": then("join"),
        "other": then("join"),
        "join": then("end"),
        "end": None,
    },
    "switch_in_foreach": {
        "start": foreach("choose"),
        "choose": switch("a", "b"),
        "a": then("a_two"),
        "a_two": then("merge"),
        "b": then("merge"),
        "merge": then("join"),
        "join": then("end"),
        "end": None,
    },
    "switch_ending_foreach_body": {
        "start": foreach("choose"),
        "choose": switch("a", "b"),
        "a": then("join"),
        "b": then("join"),
        "join": then("end"),
        "end": None,
    },
    "branch_in_switch": {
        "start": switch("split", "plain"),
        "split": then("a", "b"),
        "a": then("join"),
        "b": then("join"),
        "join": then("merge"),
        "plain": then("merge"),
        "merge": then("end"),
        "end": None,
    },
    "foreach_in_switch": {
        "start": switch("split", "plain"),
        "split": foreach("body"),
        "body": then("join"),
        "join": then("merge"),
        "plain": then("merge"),
        "merge": then("end"),
        "end": None,
    },
    "foreach_in_switch_in_foreach": {
        "start": foreach("choose"),
        "choose": switch("split", "plain"),
        "split": foreach("body"),
        "body": then("join_body"),
        "join_body": then("merge"),
        "plain": then("merge"),
        "merge": then("join"),
        "join": then("end"),
        "end": None,
    },
    "loop": {"start": then("again"), "again": switch("again", "end"), "end": None},
    "loop_in_foreach": {
        "start": foreach("again"),
        "again": switch("again", "done"),
        "done": then("join"),
        "join": then("end"),
        "end": None,
    },
    "gang": {"start": gang("train"), "train": then("join"), "join": then("end"), "end": None},
    "gang_in_foreach": {
        "start": foreach("prepare"),
        "prepare": gang("train"),
        "train": then("join_train"),
        "join_train": then("join"),
        "join": then("end"),
        "end": None,
    },
    "gang_in_switch": {
        "start": switch("prepare", "plain"),
        "prepare": gang("train"),
        "train": then("join_train"),
        "join_train": then("merge"),
        "plain": then("merge"),
        "merge": then("end"),
        "end": None,
    },
}

SHAPES: Mapping[str, FlowGraph] = MappingProxyType(
    {
        name: graph(steps, "".join(part.capitalize() for part in name.split("_")) + "Flow")
        for name, steps in _STEPS.items()
    }
)
