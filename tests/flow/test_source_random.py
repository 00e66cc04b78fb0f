"""Random sound flows: their graph is the one they were built as, and one mistake gives one finding."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from airflow_mlflow_provider.flow.lint import lint
from airflow_mlflow_provider.flow.source import read_graph
from tests.flow.lint.flow_text import load, steps_text

MEMBERS = "items = [1, 2]\nmood = 'out'\n"
KINDS = ("plain", "static", "foreach", "gang", "switch", "loop")

settings.register_profile(
    "flows",
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
bounded = settings(settings.get_profile("flows"))


class Builder:
    """Writes a random flow, and what its graph must be."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.calls: dict[str, str | None] = {}
        self.joins: set[str] = set()
        self.gangs: set[str] = set()
        self.stacks: dict[str, tuple[str, ...]] = {}
        self.frames: set[str] = set()
        self.join_of: dict[str, str] = {}
        self.branches: dict[str, dict[str, tuple[str, ...]]] = {}

    def step(self, stack: tuple[str, ...], name: str | None = None, joins: bool = False) -> str:
        name = name or f"s{len(self.calls)}"
        self.calls[name] = None
        self.stacks[name] = stack
        if joins:
            self.joins.add(name)
        return name

    def block(self, current: str, stack: tuple[str, ...], depth: int) -> list[str]:
        """Continue from a step; the result are the steps that go on to what follows."""
        kinds = self.draw(st.lists(st.sampled_from(KINDS if depth else KINDS[:1]), max_size=3))
        for position, kind in enumerate(kinds):
            if kind == "switch" and position == len(kinds) - 1 and self.draw(st.booleans()):
                return self.branching(current, stack, depth)
            current = getattr(self, kind)(current, stack, depth)
        return [current]

    def plain(self, current: str, stack: tuple[str, ...], depth: int) -> str:
        following = self.step(stack)
        self.calls[current] = f"self.{following}"
        return following

    def static(self, current: str, stack: tuple[str, ...], depth: int) -> str:
        inside = (*stack, current)
        heads = [self.step(inside) for _ in range(self.draw(st.integers(2, 3)))]
        self.calls[current] = ", ".join(f"self.{head}" for head in heads)
        exits = {head: self.block(head, inside, depth - 1) for head in heads}
        join = self.closed(current, stack, [name for names in exits.values() for name in names])
        self.branches[join] = {name: (head,) for head, names in exits.items() for name in names}
        return join

    def foreach(self, current: str, stack: tuple[str, ...], depth: int) -> str:
        self.frames.add(current)
        inside = (*stack, current)
        head = self.step(inside)
        self.calls[current] = f"self.{head}, foreach='items'"
        return self.closed(current, stack, self.block(head, inside, depth - 1))

    def gang(self, current: str, stack: tuple[str, ...], depth: int) -> str:
        self.frames.add(current)
        head = self.step((*stack, current))
        self.calls[current] = f"self.{head}, num_parallel=2"
        return self.closed(current, stack, [head])

    def closed(self, split: str, stack: tuple[str, ...], exits: list[str]) -> str:
        join = self.step(stack, joins=True)
        for name in exits:
            self.calls[name] = f"self.{join}"
        self.join_of[split] = join
        return join

    def branching(self, current: str, stack: tuple[str, ...], depth: int) -> list[str]:
        heads = [self.step(stack) for _ in range(self.draw(st.integers(2, 3)))]
        cases = ", ".join(f"'{number}': self.{head}" for number, head in enumerate(heads))
        self.calls[current] = f"{{{cases}}}, condition='mood'"
        return [name for head in heads for name in self.block(head, stack, depth - 1)]

    def switch(self, current: str, stack: tuple[str, ...], depth: int) -> str:
        exits, meeting = self.branching(current, stack, depth), self.step(stack)
        for name in exits:
            self.calls[name] = f"self.{meeting}"
        return meeting

    def loop(self, current: str, stack: tuple[str, ...], depth: int) -> str:
        loop, following = self.step(stack), self.step(stack)
        self.calls[current] = f"self.{loop}"
        self.calls[loop] = f"{{'again': self.{loop}, 'out': self.{following}}}, condition='mood'"
        return following

    def text(self, order: list[str]) -> str:
        heads = {f"{name}(inputs)" if name in self.joins else name: self.calls[name] for name in order}
        return MEMBERS + steps_text(heads)


@st.composite
def built(draw: st.DrawFn) -> tuple[Builder, list[str]]:
    builder = Builder(draw)
    exits = builder.block(builder.step((), "start"), (), 3)
    builder.step((), "end")
    for name in exits:
        builder.calls[name] = "self.end"
    return builder, draw(st.permutations(list(builder.calls)))


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@bounded
@given(built=built())
def test_random_flows_are_read_as_they_were_built(built: tuple[Builder, list[str]], folder: Path) -> None:
    builder, order = built
    flow = load(folder, builder.text(order))
    assert lint(flow) == []
    graph = read_graph(flow)
    assert list(graph.steps) == order
    for node in graph:
        assert node.splits == builder.stacks[node.name]
        assert node.frames == tuple(split for split in node.splits if split in builder.frames)
        assert node.matching_join == builder.join_of.get(node.name)
        assert node.branches == builder.branches.get(node.name, {})
        for target in node.out_funcs:
            assert node.name in graph[target].in_funcs
    assert {node.matching_split: node.name for node in graph if node.has_inputs} == builder.join_of
    places = {name: place for place, name in enumerate(graph.topological())}
    assert all(places[n.name] < places[t] for n in graph for t in n.out_funcs if t != n.name)


@bounded
@given(built=built(), data=st.data())
def test_one_missing_next_gives_one_finding(
    built: tuple[Builder, list[str]], data: st.DataObject, folder: Path
) -> None:
    builder, order = built
    name = data.draw(st.sampled_from([name for name in order if name != "end"]))
    assume(len(order) > 1)
    builder.calls[name] = None
    issues = lint(load(folder, builder.text(order)))
    assert {(issue.rule, issue.step) for issue in issues} <= {("T303", name), ("P703", name)}, "\n".join(
        map(str, issues)
    )
    assert len(issues) == 1


@bounded
@given(built=built(), data=st.data())
def test_one_unknown_target_gives_one_finding(
    built: tuple[Builder, list[str]], data: st.DataObject, folder: Path
) -> None:
    builder, order = built
    name = data.draw(st.sampled_from([name for name in order if name != "end"]))
    call = builder.calls[name] or ""
    target = call.split("self.")[-1].split(",")[0].strip("}")
    builder.calls[name] = call.replace(f"self.{target}", "self.nowhere_at_all")
    issues = lint(load(folder, builder.text(order)))
    assert [(issue.rule, issue.step) for issue in issues] == [("T306", name)], "\n".join(map(str, issues))


@bounded
@given(built=built(), data=st.data())
def test_a_join_that_lacks_inputs_gives_one_finding_there(
    built: tuple[Builder, list[str]], data: st.DataObject, folder: Path
) -> None:
    builder, order = built
    assume(builder.joins)
    name = data.draw(st.sampled_from(sorted(builder.joins)))
    builder.joins.remove(name)
    issues = lint(load(folder, builder.text(order)))
    assert issues
    assert len({issue.rule for issue in issues}) == 1, "\n".join(map(str, issues))


@st.composite
def jumbled(draw: st.DrawFn) -> dict[str, str | None]:
    """Steps that go anywhere in any way."""
    names = ["start", *(f"s{number}" for number in range(draw(st.integers(0, 5)))), "end"]
    target = st.sampled_from(names).map("self.{}".format)
    call = st.one_of(
        st.none(),
        target,
        st.tuples(target, target).map(", ".join),
        target.map("{}, foreach='items'".format),
        target.map("{}, num_parallel=2".format),
        st.tuples(target, target).map(lambda pair: f"{{'x': {pair[0]}, 'y': {pair[1]}}}, condition='mood'"),
    )
    heads = [name + draw(st.sampled_from(["", "", "(inputs)"])) for name in names]
    return {head: None if head == "end" else draw(call) for head in heads}


@settings(settings.get_profile("flows"), max_examples=150)
@given(steps=jumbled())
def test_a_flow_without_errors_has_a_sound_graph_whatever_it_looks_like(
    steps: dict[str, str | None], folder: Path
) -> None:
    flow = load(folder, MEMBERS + steps_text(steps))
    issues = lint(flow)
    assert issues == sorted(issues, key=lambda issue: (issue.file, issue.line, issue.col))
    if any(issue.severity == "E" for issue in issues):
        return
    graph = read_graph(flow)
    assert len(graph.topological()) == len(graph)
    assert graph[graph.end].splits == ()
    for node in graph:
        assert (node.transition is None) == (node.name == graph.end)
        inside = {
            (*graph[source].splits, source)
            if graph[source].kind in ("static", "foreach", "parallel")
            else graph[source].splits
            for source in node.in_funcs
        }
        assert len(inside) <= 1
        if node.has_inputs:
            assert node.matching_split is not None
            assert inside == {(*node.splits, node.matching_split)}
            assert graph[node.matching_split].matching_join == node.name
        elif inside:
            assert inside == {node.splits}
