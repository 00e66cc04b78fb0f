"""From a graph to units: what one Airflow task runs, and which of them are expanded together.

A *unit* is a connected region of steps that one Airflow task (or one instance of a mapped one) runs. A *scope* is a
tuple of frames; the units of a scope run once per index path of it.

Airflow can neither map inside a mapped group nor nest mapped groups, so every scope is expanded once over the flat
list of its index paths. All units of a scope cannot share one mapped group where an inner foreach lies between them: the
group would depend on the inner one and the inner one on it. They are cut into *stages*:

* the step that a foreach leads to has stage 0 of the new scope;
* a step has the highest stage of the steps before it in its scope;
* a step that closes an inner foreach has one stage more than the split that opened it.

Dependencies between groups then lead from lower stages to higher ones and into and out of inner scopes only, so there
is no cycle. Inside a group Airflow goes depth-first: one index path never waits for another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from airflow_mlflow_provider.flow.graph import FlowGraph, StepNode
from airflow_mlflow_provider.plan.reach import conditional_steps, ruled_out
from airflow_mlflow_provider.plan.scopes import is_gang, is_tolerant, scope

UnitKind = Literal["single", "loop", "gang", "fused"]
TriggerRule = Literal["all_success", "none_failed", "none_failed_min_one_success", "all_done"]

# Decorators that decide on the machine, the environment or the attempts of a step: steps that differ in one of them
# cannot share a pod.
_PLACEMENT = ("airflow_task", "catch", "environment", "kubernetes", "pypi", "resources", "retry", "secrets")


class Unit(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one Airflow task runs.

    Attributes:
        steps: The region, in order; the first step names the unit.
        kind: ``single`` step, ``loop`` (a step that may choose itself), ``gang`` (workers started together) or
            ``fused`` (a chain of steps).
        frames: The scope: the foreach splits that are open around the unit. The frame of a gang is not among
            them, as one Airflow task runs all of its workers.
        stage: Stage within the scope.
        after: Units that must have ended before, other than those that yield the scope's index paths.
        trigger_rule: Airflow's rule for ``after``.
        conditional: Whether a switch may leave the unit out for an index path of its scope.
        closes: The foreach or gang split that the unit's first step joins, if any.
        opens: The foreach split that the unit's last step is, if it is one.
        goes_on: Whether the unit runs for those index paths whose inputs are there, where those of others have failed.
        rules_out: For a switch: maps each target to the units of the same scope that cannot run once it is chosen.
    """

    steps: tuple[str, ...]
    kind: UnitKind = "single"
    frames: tuple[str, ...] = ()
    stage: int = 0
    after: tuple[str, ...] = ()
    trigger_rule: TriggerRule = "all_success"
    conditional: bool = False
    closes: str | None = None
    opens: str | None = None
    goes_on: bool = False
    rules_out: dict[str, tuple[str, ...]] = {}

    @property
    def name(self) -> str:
        """Name of the first step; the id of the Airflow task."""
        return self.steps[0]


class Group(msgspec.Struct, frozen=True, omit_defaults=True):
    """Units that are expanded together, depth-first, over the index paths of a scope.

    Attributes:
        frames: The scope, never empty.
        stage: Stage within the scope.
        units: Names of the units, each after those that it follows.
    """

    frames: tuple[str, ...]
    stage: int
    units: tuple[str, ...]

    @property
    def name(self) -> str:
        """Id of the Airflow task group. No step has such a name, as step names hold no dash."""
        suffix = f"-{self.stage + 1}" if self.stage else ""
        return f"foreach-{self.frames[-1]}{suffix}"


class Plan(msgspec.Struct, frozen=True, omit_defaults=True):
    """All units of a flow.

    Attributes:
        units: Units by name, each after those that it follows.
        groups: Groups in an order such that the split of each group's scope belongs to an earlier one, or to none.
        planned: Splits that run once per index path themselves: their index paths must be gathered by a planning
            task before the inner scope can be expanded.
    """

    units: dict[str, Unit]
    groups: tuple[Group, ...] = ()
    planned: tuple[str, ...] = ()

    def unit_of(self, step: str) -> Unit:
        """The unit that runs ``step``.

        Raises:
            KeyError: No unit does.
        """
        for unit in self.units.values():
            if step in unit.steps:
                return unit
        raise KeyError(step)

    @property
    def plain(self) -> tuple[Unit, ...]:
        """Units outside every foreach."""
        return tuple(unit for unit in self.units.values() if not unit.frames)


def planning_task(split: str) -> str:
    """Id of the Airflow task that gathers the index paths of a planned split."""
    return f"plan-{split}"


def plan_units(graph: FlowGraph, fuse: bool = False, sharded: bool = False) -> Plan:
    """Partition a checked graph into units.

    Args:
        graph: A graph without lint errors.
        fuse: Run chains of steps with equal placement as one unit each.
        sharded: Several splits of a foreach share an instance, whatever their number.
    """
    order = graph.topological()
    chains = _chains(graph, order, fuse)
    owner = {step: chain[0] for chain in chains for step in chain}
    stages = _stages(graph, order)
    conditional = conditional_steps(graph)
    units = {
        chain[0]: _unit(graph, chain, owner, stages, conditional, sharded)
        for chain in sorted(chains, key=lambda chain: order.index(chain[0]))
    }
    return Plan(units=units, groups=_groups(units), planned=_planned(units))


def _unit(
    graph: FlowGraph,
    steps: tuple[str, ...],
    owner: Mapping[str, str],
    stages: Mapping[str, int],
    conditional: frozenset[str],
    sharded: bool,
) -> Unit:
    first, last = graph[steps[0]], graph[steps[-1]]
    frames = scope(graph, first.name)
    before = _before(graph, first)
    rule = _trigger_rule(graph, first, conditional, stages, sharded)
    closes = first.matching_split if first.matching_split and graph[first.matching_split].is_split else None
    return Unit(
        steps=steps,
        kind=_kind(graph, steps),
        frames=frames,
        stage=stages[first.name],
        after=tuple(dict.fromkeys(owner[name] for name in before)),
        trigger_rule=rule,
        conditional=first.name in conditional,
        closes=closes,
        opens=last.name if last.kind == "foreach" else None,
        goes_on=rule == "all_done",
        rules_out=_rules_out(graph, last, owner),
    )


def _kind(graph: FlowGraph, steps: tuple[str, ...]) -> UnitKind:
    if len(steps) > 1:
        return "fused"
    if graph[steps[0]].is_loop:
        return "loop"
    return "gang" if is_gang(graph, steps[0]) else "single"


def _before(graph: FlowGraph, node: StepNode) -> tuple[str, ...]:
    """Steps before ``node``; the split that opens its scope counts through the scope's expansion instead."""
    around = scope(graph, node.name)
    return tuple(
        name for name in node.in_funcs if name != node.name and len(scope(graph, name)) >= len(around)
    )


def _trigger_rule(
    graph: FlowGraph,
    node: StepNode,
    conditional: frozenset[str],
    stages: Mapping[str, int],
    sharded: bool,
) -> TriggerRule:
    """See "Mapping" in AIRFLOW.md: any other rule makes the index paths of a group wait for each other."""
    around, before = scope(graph, node.name), _before(graph, node)
    if around and before:
        # Airflow looks at this index path alone only within a group; a failure under one of them is none of another's.
        apart = any((scope(graph, name), stages[name]) != (around, stages[node.name]) for name in before)
        # A shard in which a split has failed has failed; the others of it go on where the join can do with them.
        shared = sharded or any(is_tolerant(graph, split) for split in around)
        return "all_done" if apart or shared else "none_failed"
    if around:
        return "none_failed"
    if is_tolerant(graph, node.matching_split):
        return "all_done"  # which splits it can do without, the records say
    if any(len(scope(graph, name)) for name in before):
        return "none_failed"
    skippable = node.name in conditional or any(name in conditional for name in before)
    return "none_failed_min_one_success" if skippable else "all_success"


def _rules_out(graph: FlowGraph, node: StepNode, owner: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    if node.kind != "switch":
        return {}
    around = scope(graph, node.name)
    lost_by = {
        target: ruled_out(graph, node.name, target) for target in node.out_funcs if target != node.name
    }
    return {
        target: tuple(sorted({owner[name] for name in lost if scope(graph, name) == around}))
        for target, lost in lost_by.items()
    }


def _stages(graph: FlowGraph, order: tuple[str, ...]) -> dict[str, int]:
    stages: dict[str, int] = {}
    for name in order:
        node, around = graph[name], scope(graph, name)
        before = [
            stages[other] if scope(graph, other) == around else stages[scope(graph, other)[-1]] + 1
            for other in _before(graph, node)
        ]
        stages[name] = max(before, default=0)
    return stages


def _groups(units: Mapping[str, Unit]) -> tuple[Group, ...]:
    members: dict[tuple[tuple[str, ...], int], list[str]] = {}
    for unit in units.values():
        if unit.frames:
            members.setdefault((unit.frames, unit.stage), []).append(unit.name)
    groups = (
        Group(frames=frames, stage=stage, units=tuple(names)) for (frames, stage), names in members.items()
    )
    return tuple(sorted(groups, key=lambda group: len(group.frames)))


def _planned(units: Mapping[str, Unit]) -> tuple[str, ...]:
    splits = [unit for unit in units.values() if unit.opens and unit.frames]
    return tuple(unit.opens for unit in sorted(splits, key=lambda unit: len(unit.frames)) if unit.opens)


def _chains(graph: FlowGraph, order: tuple[str, ...], fuse: bool) -> list[tuple[str, ...]]:
    chains: list[tuple[str, ...]] = []
    for name in order:
        before = graph[name].in_funcs
        tail = next((i for i, chain in enumerate(chains) if before == (chain[-1],)), None)
        if fuse and tail is not None and _fusible(graph, chains[tail][-1], name):
            chains[tail] = (*chains[tail], name)
        else:
            chains.append((name,))
    return chains


def _fusible(graph: FlowGraph, before: str, after: str) -> bool:
    first, second = graph[before], graph[after]
    return (
        first.kind == "linear"
        and not second.has_inputs
        and not second.is_loop
        and first.frames == second.frames
        and not is_gang(graph, after)
        and _placement(first) == _placement(second)
    )


def _placement(node: StepNode) -> list[tuple[str, dict[str, Any]]]:
    return [(spec.name, spec.attributes) for name in _PLACEMENT if (spec := node.decorator(name))]
