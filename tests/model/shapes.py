"""The shapes of flows that every suite of this folder runs."""

from __future__ import annotations

from collections.abc import Mapping

from tests.model.spec import Block, Branch, Foreach, Gang, Item, Loop, Plain, Switch


def _flow(*items: Item) -> Block:
    """A flow: the first item has the step ``start``, and ``end`` comes last."""
    return (*items, Plain("end"))


def _one(name: str) -> Block:
    return (Plain(name),)


def _foreach(name: str, *body: Item, widths: tuple[int, ...] = (2,), ratio: float = 1.0) -> Foreach:
    return Foreach(name, widths, body, ratio)


_SIDES = (_one("left"), _one("right"))

SHAPES: Mapping[str, Block] = {
    "single_step": _one("only"),
    "linear": _flow(Plain("start"), Plain("middle"), Plain("late")),
    "renamed_ends": (Plain("first"), Plain("middle"), Plain("last")),
    "branch": _flow(Branch("start", (*_SIDES, _one("centre"))), Plain("join")),
    "nested_branches": _flow(
        Branch(
            "start", ((Branch("upper", _SIDES), Plain("upper_join")), (Plain("lower"), Plain("lower_too")))
        ),
        Plain("join"),
    ),
    "foreach": _flow(_foreach("start", Plain("body"), Plain("more"), widths=(3,)), Plain("join")),
    "foreach_that_tolerates": _flow(
        _foreach("start", Plain("body"), Plain("more"), widths=(3,), ratio=0.6), Plain("join")
    ),
    "nested_foreach_that_tolerates": _flow(
        _foreach(
            "start",
            _foreach("outer", Plain("inner"), widths=(2, 1), ratio=0.5),
            Plain("inner_join"),
            ratio=0.5,
        ),
        Plain("join"),
    ),
    "foreach_in_foreach_that_tolerates": _flow(
        _foreach("start", _foreach("outer", Plain("inner"), widths=(2, 1)), Plain("inner_join"), ratio=0.5),
        Plain("join"),
    ),
    "foreach_of_one": _flow(_foreach("start", Plain("body"), widths=(1,)), Plain("join")),
    "wide_foreach": _flow(_foreach("start", Plain("body"), widths=(40,)), Plain("join")),
    "empty_foreach": _flow(_foreach("start", Plain("body"), widths=(0,)), Plain("join")),
    "empty_foreach_in_foreach": _flow(
        _foreach("start", _foreach("outer", Plain("inner"), widths=(0, 2)), Plain("inner_join"), widths=(3,)),
        Plain("join"),
    ),
    "nested_foreach": _flow(
        _foreach(
            "start",
            _foreach("one", _foreach("two", Plain("three"), widths=(2, 1)), Plain("two_join"), widths=(1, 2)),
            Plain("one_join"),
        ),
        Plain("join"),
    ),
    "foreach_in_branch": _flow(
        Branch("start", ((_foreach("split", Plain("body")), Plain("body_join")), _one("other"))),
        Plain("join"),
    ),
    "branch_in_foreach": _flow(
        _foreach("start", Plain("body"), Branch("fork", _SIDES), Plain("sides")), Plain("join")
    ),
    "join_that_splits": _flow(
        _foreach("start", Plain("one")),
        Branch("join_one", _SIDES),
        _foreach("join_two", Plain("two")),
        Plain("join"),
    ),
    "join_that_chooses": _flow(
        _foreach("start", Plain("one")), Switch("join", (_one("plain"), ())), Plain("after")
    ),
    "switch": _flow(Switch("start", (_one("left"), (Plain("right"), Plain("right_too"))), 1), Plain("merge")),
    "switch_past_a_step": _flow(Switch("start", (_one("extra"), ()), 1)),
    "nested_switch": _flow(
        Switch("start", (_one("plain"), (Switch("choose", _SIDES), Plain("inner_merge"))), 1), Plain("merge")
    ),
    "switch_at_the_end_of_a_switch": _flow(
        Switch("start", (_one("plain"), (Switch("choose", _SIDES, 1),)), 1), Plain("merge")
    ),
    "switch_in_branch": _flow(Branch("start", ((Switch("choose", _SIDES),), _one("other"))), Plain("join")),
    "switch_in_foreach": _flow(
        _foreach("start", Switch("choose", (*_SIDES, _one("centre"))), Plain("merge"), widths=(4,)),
        Plain("join"),
    ),
    "switch_ending_a_foreach": _flow(_foreach("start", Switch("choose", _SIDES), widths=(3,)), Plain("join")),
    "branch_in_switch": _flow(
        Switch("start", (_one("plain"), (Branch("fork", _SIDES), Plain("sides"))), 1), Plain("merge")
    ),
    "foreach_in_switch": _flow(
        Switch("start", (_one("plain"), (_foreach("split", Plain("body")), Plain("join"))), 1), Plain("merge")
    ),
    "foreach_in_switch_in_foreach": _flow(
        _foreach(
            "start",
            Switch("choose", (_one("plain"), (_foreach("split", Plain("body")), Plain("body_join")))),
            Plain("merge"),
            widths=(3,),
        ),
        Plain("join"),
    ),
    "recursion": _flow(Plain("start"), Loop("again", (4,)), Plain("after")),
    "recursion_in_foreach": _flow(
        _foreach("start", Loop("again", (1, 3, 2)), Plain("done"), widths=(3,)), Plain("join")
    ),
    "recursion_in_switch": _flow(
        Switch("start", (_one("plain"), (Plain("before"), Loop("again", (2,)), Plain("done"))), 1),
        Plain("merge"),
    ),
    "gang": _flow(Gang("start", 3, "train"), Plain("join")),
    "gang_in_foreach": _flow(
        _foreach("start", Gang("prepare", 2, "train"), Plain("train_join")), Plain("join")
    ),
    "gang_in_switch": _flow(
        Switch("start", ((Gang("prepare", 2, "train"), Plain("train_join")), _one("plain"))), Plain("merge")
    ),
}
