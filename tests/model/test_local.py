"""Every shape of flow, whole and with failures put in, does on this machine what the reference model says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.model.failures import FAILURES, each_failure
from tests.model.observed import flow_file, observed
from tests.model.reference import interpret
from tests.model.shapes import SHAPES
from tests.model.spec import Block, Fault


@pytest.mark.parametrize("shape", SHAPES)
def test_a_local_run_does_what_the_model_says(shape: str, tmp_path: Path) -> None:
    flow = SHAPES[shape]
    run = flow_file(tmp_path, flow).run().succeeded()
    assert observed(run, flow) == interpret(flow)


@pytest.mark.parametrize(("shape", "fault"), FAILURES)
def test_a_failure_and_its_policy_do_what_the_model_says(shape: str, fault: Fault, tmp_path: Path) -> None:
    _check(SHAPES[shape], fault, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_a_failure_in_any_step_does_what_the_model_says(shape: str, tmp_path: Path) -> None:
    for number, fault in enumerate(each_failure(SHAPES[shape])):
        _check(SHAPES[shape], fault, tmp_path / str(number))


@pytest.mark.parametrize("shape", ["foreach", "recursion_in_foreach"])
def test_a_run_that_fails_fast_starts_nothing_after_the_failure_and_loses_nothing_before_it(
    shape: str, tmp_path: Path
) -> None:
    flow = SHAPES[shape]
    step = "body" if shape == "foreach" else "done"
    fault = Fault(step, "0001")
    run = flow_file(tmp_path, flow, fault).run("--max-workers", "1").failed()
    expected, found = interpret(flow, fault), observed(run, flow)
    assert found.status == "failed"
    assert found.tasks.items() <= expected.tasks.items()
    assert (step, "0001") in found.tasks
    assert (step, "0002") not in found.tasks


def _check(flow: Block, fault: Fault, folder: Path) -> None:
    run = flow_file(folder, flow, fault).run("--keep-going")
    expected = interpret(flow, fault)
    assert observed(run, flow).without(expected.open) == expected.without(expected.open), run.told()
    assert run.returncode == (expected.status == "failed")
