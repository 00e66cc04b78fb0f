"""Random flows that fail, are edited and resumed, here and in Airflow, end as if nothing had happened."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from airflow_mlflow_provider.flow.lint import lint
from tests.flow.lint.flow_text import load
from tests.model.edits import EditKind, edits
from tests.model.flow_text import flow_text
from tests.model.graphs import faults, flows, small
from tests.model.reference import interpret
from tests.model.shapes import SHAPES
from tests.model.spec import Block, Branch, Fault, Foreach, Item, Plain, Switch, items_of
from tests.model.test_random import MINUTES
from tests.model.two_sides import Journey, Leg, Side

LEGS = 3
STRUCTURE: tuple[EditKind, ...] = ("insert", "remove", "rename")
ANY: tuple[EditKind, ...] = (*STRUCTURE, "recode")
# A round takes seconds: one that fails is told as it is, not shrunk.
PROFILE = settings(settings.get_profile("model"), phases=(Phase.explicit, Phase.reuse, Phase.generate))


def is_sound(flow: Block) -> bool:
    """Whether the linter has nothing against a flow."""
    if not flow or not isinstance(flow[-1], Plain) or not all(map(_can_be_written, items_of(flow))):
        return False
    with tempfile.TemporaryDirectory() as folder:
        issues = lint(load(Path(folder), flow_text(flow, name="Flow")))
    return not [issue for issue in issues if issue.severity == "E"]


def _can_be_written(item: Item) -> bool:
    if isinstance(item, Foreach):
        return bool(item.body)
    if isinstance(item, Branch):
        return all(item.arms)
    return not isinstance(item, Switch) or item.arms.count(()) <= 1


@st.composite
def edited(draw: st.DrawFn, flow: Block, kinds: tuple[EditKind, ...], name: str) -> Block:
    """A flow after at most one edit."""
    kind = draw(st.sampled_from([None, *kinds]))
    if kind is None:
        return flow
    found = edits(flow, kind, name)
    if not found:
        return flow
    new: Block = draw(st.sampled_from(found))
    return new if is_sound(new) and small(new) else flow


@st.composite
def journeys(draw: st.DrawFn, sides: tuple[Side, ...], start: st.SearchStrategy[Block]) -> list[Leg]:
    """A run that fails, some that resume it and fail, one that resumes and succeeds."""
    flow = draw(start)
    assume(small(flow))
    rerun_changed = draw(st.booleans())
    legs = []
    for number in range(draw(st.integers(2, LEGS))):
        if number:
            flow = draw(edited(flow, ANY if rerun_changed else STRUCTURE, f"new{number}"))
        fault = draw(faults(flow, ("none",)))
        legs.append(Leg(flow, draw(st.sampled_from(sides)), fault, rerun_changed))
    flow = draw(edited(flow, ANY if rerun_changed else STRUCTURE, "newest"))
    return [*legs, Leg(flow, draw(st.sampled_from(sides)), None, rerun_changed)]


def _ends_as_if_nothing_had_happened(legs: list[Leg]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Journey(Path(folder)).check(legs)


HERE: tuple[Side, ...] = ("here",)
BOTH: tuple[Side, ...] = ("here", "airflow")
SHAPED = st.sampled_from(sorted(SHAPES)).map(SHAPES.__getitem__)

test_a_few_journeys_of_random_flows_end_as_if_nothing_had_happened = settings(PROFILE, max_examples=3)(
    given(legs=journeys(HERE, flows()))(_ends_as_if_nothing_had_happened)
)
test_many_journeys_of_random_flows_end_as_if_nothing_had_happened = pytest.mark.slow(
    MINUTES(
        settings(PROFILE, max_examples=60)(
            given(legs=journeys(HERE, flows()))(_ends_as_if_nothing_had_happened)
        )
    )
)
test_many_journeys_of_known_shapes_end_as_if_nothing_had_happened = pytest.mark.slow(
    MINUTES(
        settings(PROFILE, max_examples=60)(
            given(legs=journeys(HERE, SHAPED))(_ends_as_if_nothing_had_happened)
        )
    )
)
test_many_journeys_through_airflow_end_as_if_nothing_had_happened = pytest.mark.slow(
    MINUTES(
        settings(PROFILE, max_examples=25)(
            given(legs=journeys(BOTH, flows() | SHAPED))(_ends_as_if_nothing_had_happened)
        )
    )
)


@pytest.mark.slow
def test_a_run_goes_from_here_to_airflow_and_back_with_edits_on_the_way(tmp_path: Path) -> None:
    first: Block = (Foreach("start", (3,), (Plain("body"), Plain("more"))), Plain("join"), Plain("end"))
    longer: Block = (Foreach("start", (3,), (Plain("body"), Plain("extra"), Plain("more"))), *first[1:])
    shorter: Block = (Foreach("start", (3,), (Plain("body"), Plain("extra"))), *first[1:])
    assert interpret(shorter).status == "succeeded"
    Journey(tmp_path).check(
        [
            Leg(first, "here", Fault("body", "0001")),
            Leg(longer, "airflow", Fault("more", "0002")),
            Leg(shorter, "here", Fault("join", "0")),
            Leg(shorter, "airflow"),
        ]
    )
