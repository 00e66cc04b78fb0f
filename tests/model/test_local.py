"""Every shape of flow, whole and with failures put in, does on this machine what the reference model says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.model.checks import check_run
from tests.model.failures import FAILURES, each_failure, fault
from tests.model.observed import flow_file, observed
from tests.model.reference import interpret
from tests.model.shapes import SHAPES
from tests.model.spec import Fault

# Each has a like among the others; run by `make test-full`.
LIKE_OTHERS = {
    "foreach_of_one",
    "foreach_in_branch",
    "join_that_chooses",
    "switch",
    "switch_at_the_end_of_a_switch",
    "switch_ending_a_foreach",
    "recursion_in_switch",
    "gang_in_switch",
}


@pytest.mark.parametrize(
    "shape",
    [pytest.param(shape, marks=pytest.mark.slow) if shape in LIKE_OTHERS else shape for shape in SHAPES],
)
def test_a_local_run_does_what_the_model_says(shape: str, tmp_path: Path) -> None:
    flow = SHAPES[shape]
    run = flow_file(tmp_path, flow).run().succeeded()
    assert observed(run, flow) == interpret(flow)


@pytest.mark.parametrize(("shape", "broken"), FAILURES)
def test_a_failure_and_its_policy_do_what_the_model_says(shape: str, broken: Fault, tmp_path: Path) -> None:
    check_run(SHAPES[shape], broken, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_a_failure_in_any_step_does_what_the_model_says(shape: str, tmp_path: Path) -> None:
    for number, broken in enumerate(each_failure(SHAPES[shape])):
        check_run(SHAPES[shape], broken, tmp_path / str(number))


@pytest.mark.parametrize("shape", ["foreach", "recursion_in_foreach"])
def test_a_run_that_fails_fast_starts_nothing_after_the_failure_and_loses_nothing_before_it(
    shape: str, tmp_path: Path
) -> None:
    flow = SHAPES[shape]
    step = "body" if shape == "foreach" else "done"
    broken = Fault(step, "0001")
    run = flow_file(tmp_path, flow, broken).run("--max-workers", "1").failed()
    expected, found = interpret(flow, broken), observed(run, flow)
    assert found.status == "failed"
    assert found.tasks.items() <= expected.tasks.items()
    assert (step, "0001") in found.tasks
    assert (step, "0002") not in found.tasks


def test_catch_stands_in_for_the_nodes_of_a_gang_that_died_or_were_stopped(tmp_path: Path) -> None:
    flow = SHAPES["gang"]
    run = flow_file(tmp_path, flow, fault("train", "0001", "kill", "retried_and_caught")).run().succeeded()
    found = observed(run, flow).tasks
    assert found["train", "0001"].outcome == "caught"
    assert found["train", "0001"].exception == "FailureHandledByCatch"
    # The other nodes may have ended before they were stopped.
    assert {found["train", node].outcome for node in ("0000", "0002")} <= {"succeeded", "caught"}
    assert found["join", "0"].parents == (("train", "0000"), ("train", "0001"), ("train", "0002"))
    assert "in all of its 2 attempts" in run.error("train", "0001")
