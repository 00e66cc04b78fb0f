"""Graphs read from source: for each legal shape its types, open splits and joins."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mlflow_provider.flow.graph import FlowGraph
from airflow_mlflow_provider.flow.lint import lint
from airflow_mlflow_provider.flow.source import read_graph
from tests.flow.lint.flow_text import load, steps_text

ARTIFACTS = "items = [1, 2]\nmood = 'x'\ncount = 2\n"

# Steps by head; then, for the steps of interest: splits open ("static/foreach*", a star marks a frame) and,
# after "=", what the step closes or is closed by.
SHAPES: dict[str, tuple[dict[str, str | None], dict[str, str]]] = {
    "one step": ({"start": None}, {"start": ""}),
    "linear": ({"start": "self.a", "a": "self.end", "end": None}, {"start": "", "a": "", "end": ""}),
    "static split": (
        {
            "start": "self.a, self.b",
            "a": "self.join",
            "b": "self.join",
            "join(inputs)": "self.end",
            "end": None,
        },
        {"start": "=join", "a": "start", "b": "start", "join": "=start", "end": ""},
    ),
    "branches of several steps": (
        {
            "start": "self.a, self.b",
            "a": "self.a2",
            "a2": "self.join",
            "b": "self.join",
            "join(inputs)": "self.end",
            "end": None,
        },
        {"a2": "start", "join": "=start"},
    ),
    "foreach": (
        {"start": "self.a, foreach='items'", "a": "self.join", "join(inputs)": "self.end", "end": None},
        {"start": "=join", "a": "start*", "join": "=start"},
    ),
    "foreach that may be empty": (
        {
            "start": "self.a, foreach='items', allow_empty=True",
            "a": "self.join",
            "join(inputs)": "self.end",
            "end": None,
        },
        {"a": "start*"},
    ),
    "foreach with a body of several steps": (
        {
            "start": "self.a, foreach='items'",
            "a": "self.b",
            "b": "self.c",
            "c": "self.join",
            "join(inputs)": "self.end",
            "end": None,
        },
        {"a": "start*", "c": "start*", "join": "=start"},
    ),
    "foreach in foreach": (
        {
            "start": "self.a, foreach='items'",
            "a": "self.b, foreach='items'",
            "b": "self.inner",
            "inner(inputs)": "self.outer",
            "outer(inputs)": "self.end",
            "end": None,
        },
        {"a": "start*=inner", "b": "start*/a*", "inner": "start*=a", "outer": "=start"},
    ),
    "three foreach levels": (
        {
            "start": "self.a, foreach='items'",
            "a": "self.b, foreach='items'",
            "b": "self.c, foreach='items'",
            "c": "self.j3",
            "j3(inputs)": "self.j2",
            "j2(inputs)": "self.j1",
            "j1(inputs)": "self.end",
            "end": None,
        },
        {"c": "start*/a*/b*", "j3": "start*/a*=b", "j2": "start*=a", "j1": "=start"},
    ),
    "static split in foreach": (
        {
            "start": "self.a, foreach='items'",
            "a": "self.b, self.c",
            "b": "self.inner",
            "c": "self.inner",
            "inner(inputs)": "self.outer",
            "outer(inputs)": "self.end",
            "end": None,
        },
        {"b": "start*/a", "inner": "start*=a", "outer": "=start"},
    ),
    "foreach in a static branch": (
        {
            "start": "self.a, self.b",
            "a": "self.work, foreach='items'",
            "work": "self.inner",
            "inner(inputs)": "self.outer",
            "b": "self.outer",
            "outer(inputs)": "self.end",
            "end": None,
        },
        {"work": "start/a*", "inner": "start=a", "outer": "=start"},
    ),
    "static split in a static branch": (
        {
            "start": "self.a, self.b",
            "a": "self.c, self.d",
            "c": "self.inner",
            "d": "self.inner",
            "inner(inputs)": "self.outer",
            "b": "self.outer",
            "outer(inputs)": "self.end",
            "end": None,
        },
        {"c": "start/a", "inner": "start=a", "outer": "=start"},
    ),
    "gang": (
        {
            "start": "self.a, num_parallel=self.count",
            "a": "self.join",
            "join(inputs)": "self.end",
            "end": None,
        },
        {"start": "=join", "a": "start*", "join": "=start"},
    ),
    "gang in foreach": (
        {
            "start": "self.a, foreach='items'",
            "a": "self.b, num_parallel=3",
            "b": "self.inner",
            "inner(inputs)": "self.outer",
            "outer(inputs)": "self.end",
            "end": None,
        },
        {"b": "start*/a*", "inner": "start*=a"},
    ),
    "switch whose branches meet": (
        {
            "start": "{'x': self.a, 'y': self.b}, condition='mood'",
            "a": "self.meet",
            "b": "self.meet",
            "meet": "self.end",
            "end": None,
        },
        {"start": "", "a": "", "meet": ""},
    ),
    "switch whose branches end": (
        {
            "start": "{'x': self.a, 'y': self.end}, condition='mood'",
            "a": "self.end",
            "end": None,
        },
        {"a": "", "end": ""},
    ),
    "switch in switch": (
        {
            "start": "{'x': self.a, 'y': self.b}, condition='mood'",
            "a": "{'x': self.c, 'y': self.d}, condition='mood'",
            "b": "self.end",
            "c": "self.meet",
            "d": "self.meet",
            "meet": "self.end",
            "end": None,
        },
        {"meet": ""},
    ),
    "switch in foreach": (
        {
            "start": "self.a, foreach='items'",
            "a": "{'x': self.b, 'y': self.c}, condition='mood'",
            "b": "self.join",
            "c": "self.join",
            "join(inputs)": "self.end",
            "end": None,
        },
        {"b": "start*", "c": "start*", "join": "=start"},
    ),
    "static branch that ends in a switch": (
        {
            "start": "self.a, self.b",
            "a": "{'x': self.c, 'y': self.d}, condition='mood'",
            "b": "self.join",
            "c": "self.join",
            "d": "self.join",
            "join(inputs)": "self.end",
            "end": None,
        },
        {"c": "start", "d": "start", "join": "=start"},
    ),
    "splits in the branches of a switch": (
        {
            "start": "{'x': self.a, 'y': self.b}, condition='mood'",
            "a": "self.a1, self.a2",
            "a1": "self.aj",
            "a2": "self.aj",
            "aj(inputs)": "self.end",
            "b": "self.b1, foreach='items'",
            "b1": "self.bj",
            "bj(inputs)": "self.end",
            "end": None,
        },
        {"a1": "a", "b1": "b*", "aj": "=a", "bj": "=b", "end": ""},
    ),
    "recursion": (
        {
            "start": "self.loop",
            "loop": "{'again': self.loop, 'out': self.end}, condition='mood'",
            "end": None,
        },
        {"loop": "", "end": ""},
    ),
    "recursion in foreach": (
        {
            "start": "self.loop, foreach='items'",
            "loop": "{'again': self.loop, 'out': self.after}, condition='mood'",
            "after": "self.join",
            "join(inputs)": "self.end",
            "end": None,
        },
        {"loop": "start*", "after": "start*", "join": "=start"},
    ),
    "join that splits": (
        {
            "start": "self.a, self.b",
            "a": "self.join",
            "b": "self.join",
            "join(inputs)": "self.c, self.d",
            "c": "self.join2",
            "d": "self.join2",
            "join2(inputs)": "self.end",
            "end": None,
        },
        {"join": "=start", "c": "join", "join2": "=join"},
    ),
    "join that starts a foreach": (
        {
            "start": "self.a, foreach='items'",
            "a": "self.join",
            "join(inputs)": "self.c, foreach='items'",
            "c": "self.join2",
            "join2(inputs)": "self.end",
            "end": None,
        },
        {"a": "start*", "join": "=start", "c": "join*", "join2": "=join"},
    ),
    "join that chooses": (
        {
            "start": "self.a, self.b",
            "a": "self.join",
            "b": "self.join",
            "join(inputs)": "{'x': self.c, 'y': self.end}, condition='mood'",
            "c": "self.end",
            "end": None,
        },
        {"join": "=start", "c": ""},
    ),
    "split of seven": (
        {
            "start": ", ".join(f"self.b{i}" for i in range(7)),
            **{f"b{i}": "self.join" for i in range(7)},
            "join(inputs)": "self.end",
            "end": None,
        },
        {"b6": "start", "join": "=start"},
    ),
}


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[FlowGraph, dict[str, str]]:
    steps, expected = SHAPES[request.param]
    flow = load(tmp_path, ARTIFACTS + steps_text(steps))
    assert lint(flow) == []
    return read_graph(flow), expected


def test_open_splits_and_joins_of_every_shape(shape: tuple[FlowGraph, dict[str, str]]) -> None:
    graph, expected = shape
    for name, text in expected.items():
        opened, _, partner = text.partition("=")
        splits = opened.split("/") if opened else []
        node = graph[name]
        assert node.splits == tuple(split.rstrip("*") for split in splits)
        assert node.frames == tuple(split.rstrip("*") for split in splits if split.endswith("*"))
        if node.has_inputs:
            assert node.matching_split == partner
        elif partner:
            assert node.matching_join == partner
        else:
            assert node.matching_join is None


def test_a_join_that_splits_knows_both_partners(tmp_path: Path) -> None:
    steps, _ = SHAPES["join that splits"]
    graph = read_graph(load(tmp_path, steps_text(steps)))
    assert graph["join"].matching_split == "start"
    assert graph["join"].matching_join == "join2"
    assert graph.node_type("join") == "join"


def test_a_join_maps_its_incoming_steps_to_branches(tmp_path: Path) -> None:
    steps, _ = SHAPES["static branch that ends in a switch"]
    graph = read_graph(load(tmp_path, ARTIFACTS + steps_text(steps)))
    assert graph["join"].in_funcs == ("b", "c", "d")
    assert graph["join"].branches == {"b": ("b",), "c": ("a",), "d": ("a",)}


def test_only_joins_of_static_splits_have_branches(tmp_path: Path) -> None:
    steps, _ = SHAPES["foreach in a static branch"]
    graph = read_graph(load(tmp_path, ARTIFACTS + steps_text(steps)))
    assert graph["inner"].branches == {}
    assert graph["outer"].branches == {"inner": ("a",), "b": ("b",)}


def test_a_loop_is_among_its_own_incoming_steps(tmp_path: Path) -> None:
    steps, _ = SHAPES["recursion"]
    graph = read_graph(load(tmp_path, ARTIFACTS + steps_text(steps)))
    assert graph["loop"].in_funcs == ("start", "loop")
    assert graph["loop"].is_loop
    assert graph.topological() == ("start", "loop", "end")


def test_a_deep_flow_needs_no_deep_stack(tmp_path: Path) -> None:
    depth = 1200
    chain = {f"s{i}": f"self.s{i + 1}" for i in range(depth)}
    graph = read_graph(
        load(tmp_path, steps_text({"start": "self.s0", **chain, f"s{depth}": "self.end", "end": None}))
    )
    assert len(graph) == depth + 3
