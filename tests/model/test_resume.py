"""A run that failed, whose flow was corrected, is resumed: the result is that of a run without failure, and only what had to runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.model.failures import fault
from tests.model.observed import flow_file, observed, runs_of
from tests.model.reference import interpret
from tests.model.shapes import SHAPES
from tests.model.spec import Block, Fault, Gang, items_of

FAILED = (
    ("nested_foreach", fault("three", "0001-0001-0000", "exception", "none")),
    ("foreach_in_switch_in_foreach", fault("merge", "0001", "exception", "none")),
    ("recursion_in_foreach", fault("again", "0001-i0001", "kill", "none")),
    ("gang_in_foreach", fault("train", "0001-0001", "exception", "none")),
    ("join_that_splits", fault("join_two", "0", "exception", "exhausted")),
)


@pytest.mark.parametrize(("shape", "broken"), FAILED)
@pytest.mark.parametrize("options", [(), ("--keep-going",)], ids=["fail_fast", "keep_going"])
def test_a_resumed_run_ends_as_if_nothing_had_failed(
    shape: str, broken: Fault, options: tuple[str, ...], tmp_path: Path
) -> None:
    check_resume(SHAPES[shape], broken, tmp_path, *options)


def check_resume(flow: Block, broken: Fault, folder: Path, *options: str) -> None:
    """Fail, correct the file, resume; compare with a run that never failed, task by task."""
    origin = flow_file(folder, flow, broken).run(*options).failed()
    stopped = observed(origin, flow)
    resumed = flow_file(folder, flow).run(command="resume").succeeded()
    whole = interpret(flow)
    assert observed(resumed, flow) == whole, resumed.told()
    carried = stopped.finished - _broken_gangs(flow, broken)
    ran = {key: origin.run if key in carried else resumed.run for key in whole.tasks}
    assert runs_of(resumed, flow) == ran


def _broken_gangs(flow: Block, broken: Fault) -> set[tuple[str, str]]:
    """The nodes that the failed node takes with it: a gang runs again as a whole."""
    if broken.step not in {item.member for item in items_of(flow) if isinstance(item, Gang)}:
        return set()
    frame = broken.task.rpartition("-")[0]
    return {
        (step, task)
        for step, task in interpret(flow).tasks
        if step == broken.step and task.rpartition("-")[0] == frame
    }
