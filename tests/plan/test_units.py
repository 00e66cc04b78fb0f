"""Plans of many graph shapes: what must hold of all of them, and what is special about some."""

from __future__ import annotations

import msgspec
import pytest

from airflow_mlflow_provider.flow.graph import DecoratorSpec, FlowGraph
from airflow_mlflow_provider.plan.scopes import scope
from airflow_mlflow_provider.plan.units import Plan, plan_units, planning_task
from tests.plan.shapes import SHAPES, foreach, graph, switch, then


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> FlowGraph:
    """Each graph shape in turn."""
    return SHAPES[request.param]


def test_every_step_belongs_to_exactly_one_unit(shape: FlowGraph) -> None:
    planned = [step for unit in plan_units(shape).units.values() for step in unit.steps]
    assert sorted(planned) == sorted(shape.steps)


def test_every_unit_inside_a_foreach_belongs_to_exactly_one_group_of_its_scope(shape: FlowGraph) -> None:
    plan = plan_units(shape)
    grouped = [name for group in plan.groups for name in group.units]
    assert sorted(grouped) == sorted(unit.name for unit in plan.units.values() if unit.frames)
    for group in plan.groups:
        assert {plan.units[name].frames for name in group.units} == {group.frames}


def test_group_names_are_unique_and_no_step_can_have_them(shape: FlowGraph) -> None:
    names = [group.name for group in plan_units(shape).groups]
    assert len(set(names)) == len(names)
    assert all("-" in name for name in names)


def test_dependencies_between_groups_and_plain_units_have_no_cycle(shape: FlowGraph) -> None:
    """What Airflow would refuse: it treats a mapped group as one node in places."""
    waiting = _dependencies_of_nodes(plan_units(shape))
    while waiting:
        ready = [node for node, before in waiting.items() if not before & waiting.keys()]
        assert ready, f"cycle among {sorted(waiting)}"
        for node in ready:
            del waiting[node]


def test_every_transition_is_kept_as_a_dependency_or_by_the_expansion(shape: FlowGraph) -> None:
    plan = plan_units(shape)
    for node in shape:
        for target in node.out_funcs:
            if target == node.name:
                continue
            kept = node.name in plan.units[target].after
            expanded = plan.units[target].frames[-1:] == (node.name,)
            assert kept != expanded, f"{node.name} -> {target}"


def test_the_split_of_a_group_stands_in_an_earlier_group_or_in_none(shape: FlowGraph) -> None:
    plan = plan_units(shape)
    seen: set[str] = set()
    for group in plan.groups:
        split = plan.units[group.frames[-1]]
        assert not split.frames or split.name in seen
        assert (split.name in plan.planned) == bool(split.frames)
        seen.update(group.units)


def test_inside_a_group_the_trigger_rule_never_makes_index_paths_wait_for_each_other(
    shape: FlowGraph,
) -> None:
    plan = plan_units(shape)
    for group in plan.groups:
        for name in group.units:
            within = set(plan.units[name].after) <= set(group.units)
            assert plan.units[name].trigger_rule == ("none_failed" if within else "all_done")


def test_what_a_choice_rules_out_is_conditional_and_of_the_same_scope(shape: FlowGraph) -> None:
    plan = plan_units(shape)
    for unit in plan.units.values():
        for chosen, lost in unit.rules_out.items():
            assert chosen not in lost
            for name in lost:
                assert plan.units[name].conditional
                assert plan.units[name].frames == unit.frames


def test_a_plan_survives_json(shape: FlowGraph) -> None:
    plan = plan_units(shape)
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan


def test_a_linear_flow_has_one_plain_unit_for_each_step() -> None:
    plan = plan_units(SHAPES["linear"])
    assert [unit.name for unit in plan.plain] == ["start", "middle", "end"]
    assert plan.units["end"].after == ("middle",)
    assert plan.groups == ()
    assert plan.planned == ()


def test_a_body_of_two_steps_is_one_group_so_that_a_split_need_not_wait_for_its_siblings() -> None:
    (group,) = plan_units(SHAPES["foreach_two_steps"]).groups
    assert (group.name, group.frames, group.units) == ("foreach-start", ("start",), ("first", "second"))


def test_the_join_of_a_foreach_runs_when_its_body_is_skipped_because_there_is_nothing_to_split() -> None:
    plan = plan_units(SHAPES["empty_foreach"])
    assert plan.units["join"].trigger_rule == "none_failed"
    assert plan.units["join"].closes == "start"
    assert not plan.units["join"].conditional


def test_three_levels_give_a_group_before_and_one_after_each_inner_foreach() -> None:
    plan = plan_units(SHAPES["three_levels"])
    assert [(group.name, group.units) for group in plan.groups] == [
        ("foreach-start", ("a", "split_b")),
        ("foreach-start-2", ("join_b", "after_b")),
        ("foreach-split_b", ("b", "b_two")),
        ("foreach-split_b-2", ("join_c", "after_c")),
        ("foreach-b_two", ("c", "c_two")),
    ]
    assert plan.planned == ("split_b", "b_two")


def test_a_step_beside_an_inner_foreach_stays_in_the_first_stage() -> None:
    plan = plan_units(SHAPES["foreach_beside_step_in_foreach"])
    assert plan.units["other"].stage == 0
    assert plan.units["join_sides"].stage == 1


def test_each_further_inner_foreach_adds_a_stage() -> None:
    plan = plan_units(SHAPES["two_inner_foreach"])
    assert [plan.units[name].stage for name in ("first", "join_one", "join_two")] == [0, 1, 2]


def test_only_the_arms_of_a_switch_are_conditional() -> None:
    plan = plan_units(SHAPES["nested_switch"])
    assert [unit.name for unit in plan.units.values() if unit.conditional] == ["a", "b", "c", "d", "merge_a"]
    assert plan.units["start"].rules_out == {"a": ("b",), "b": ("a", "c", "d", "merge_a")}


def test_a_merge_runs_if_one_arm_did_and_none_failed() -> None:
    plan = plan_units(SHAPES["switch"])
    assert plan.units["merge"].trigger_rule == "none_failed_min_one_success"
    assert plan.units["end"].trigger_rule == "all_success"


def test_a_foreach_on_an_arm_is_conditional_only_where_it_is_split_and_joined() -> None:
    plan = plan_units(SHAPES["foreach_in_switch"])
    assert plan.units["split"].conditional
    assert plan.units["join"].conditional
    assert not plan.units["body"].conditional


def test_a_static_split_passes_through_each_of_its_branches() -> None:
    plan = plan_units(
        graph(
            {
                "start": then("a", "b"),
                "a": switch("c", "d"),
                "c": then("join"),
                "d": then("join"),
                "b": then("join"),
                "join": then("end"),
                "end": None,
            }
        )
    )
    assert [unit.name for unit in plan.units.values() if unit.conditional] == ["c", "d"]


def test_a_loop_is_one_unit_that_does_not_wait_for_itself() -> None:
    again = plan_units(SHAPES["loop_in_foreach"]).units["again"]
    assert again.kind == "loop"
    assert again.after == ()
    assert again.frames == ("start",)


def test_the_workers_of_a_gang_are_one_unit_of_the_scope_around_them() -> None:
    plan = plan_units(SHAPES["gang_in_foreach"])
    assert plan.units["train"].kind == "gang"
    assert plan.units["train"].frames == ("start",)
    assert plan.units["join_train"].closes == "prepare"
    assert plan.units["join_train"].stage == 0
    assert [group.units for group in plan.groups] == [("prepare", "train", "join_train")]


def test_a_gang_on_an_arm_is_conditional() -> None:
    plan = plan_units(SHAPES["gang_in_switch"])
    assert plan.units["train"].conditional
    assert plan.units["start"].rules_out["plain"] == ("join_train", "prepare", "train")


def test_steps_are_not_fused_unless_asked() -> None:
    assert all(unit.kind != "fused" for unit in plan_units(SHAPES["linear"]).units.values())


def test_fusing_makes_one_unit_of_a_chain() -> None:
    plan = plan_units(SHAPES["three_levels"], fuse=True)
    chains = [unit.steps for unit in plan.units.values() if unit.kind == "fused"]
    assert chains == [
        ("a", "split_b"),
        ("b", "b_two"),
        ("c", "c_two"),
        ("join_c", "after_c"),
        ("join_b", "after_b"),
        ("join_a", "end"),
    ]
    assert plan.units["a"].opens == "split_b"
    assert plan.unit_of("split_b").name == "a"


def test_steps_that_need_different_machines_are_not_fused() -> None:
    shape = SHAPES["linear"]
    large = DecoratorSpec(name="resources", attributes={"memory": 64_000})
    steps = {**shape.steps, "middle": msgspec.structs.replace(shape["middle"], decorators=(large,))}
    plan = plan_units(msgspec.structs.replace(shape, steps=steps), fuse=True)
    assert [unit.steps for unit in plan.units.values()] == [("start",), ("middle",), ("end",)]


def test_a_join_of_a_foreach_that_opens_the_next_one_gives_its_list_itself() -> None:
    plan = plan_units(SHAPES["join_that_splits"])
    assert plan.units["join_one"].closes == "start"
    assert plan.units["join_one"].opens == "join_one"
    assert plan.planned == ()


def test_asking_for_the_unit_of_an_unknown_step_is_an_error() -> None:
    with pytest.raises(KeyError, match="nowhere"):
        plan_units(SHAPES["linear"]).unit_of("nowhere")


def test_a_large_graph_is_planned_in_a_moment() -> None:
    steps = {"start": foreach("step0000"), **{f"step{i:04d}": then(f"step{i + 1:04d}") for i in range(300)}}
    plan = plan_units(graph({**steps, "step0300": then("join"), "join": then("end"), "end": None}))
    assert len(plan.groups[0].units) == 301


def _dependencies_of_nodes(plan: Plan) -> dict[str, set[str]]:
    """Groups, planning tasks and plain units, each with those that Airflow makes it wait for."""
    node = {name: name for name in plan.units} | {
        name: group.name for group in plan.groups for name in group.units
    }
    before: dict[str, set[str]] = {name: set() for name in node.values()}
    for unit in plan.units.values():
        before[node[unit.name]] |= {node[name] for name in unit.after} - {node[unit.name]}
    for split in plan.planned:
        before[planning_task(split)] = {node[plan.unit_of(split).name]}
    for group in plan.groups:
        split = group.frames[-1]
        before[group.name].add(
            planning_task(split) if split in plan.planned else node[plan.unit_of(split).name]
        )
    return before


def test_scopes_leave_out_the_frame_of_a_gang() -> None:
    assert scope(SHAPES["gang_in_foreach"], "train") == ("start",)
    assert SHAPES["gang_in_foreach"]["train"].frames == ("start", "prepare")
