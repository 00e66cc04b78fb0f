"""Runs on this machine, compared with the reference model."""

from __future__ import annotations

from pathlib import Path

from tests.model.observed import flow_file, observed, runs_of
from tests.model.reference import interpret
from tests.model.spec import Block, Fault
from tests.model.two_sides import broken_gang


def check_run(flow: Block, fault: Fault | None, folder: Path) -> None:
    """Run a flow, with a failure in one task if any, as far as it goes."""
    run = flow_file(folder, flow, fault).run("--keep-going", "--max-workers", "4")
    expected = interpret(flow, fault)
    assert observed(run, flow).without(expected.open) == expected.without(expected.open), run.told()
    assert run.returncode == (expected.status == "failed"), run.told()


def check_resume(flow: Block, fault: Fault, folder: Path, *options: str) -> None:
    """Fail, correct the file, resume; compare with a run that never failed, task by task."""
    origin = flow_file(folder, flow, fault).run(*options).failed()
    stopped = observed(origin, flow)
    resumed = flow_file(folder, flow).run(command="resume").succeeded()
    whole = interpret(flow)
    assert observed(resumed, flow) == whole, resumed.told()
    carried = stopped.finished - broken_gang(flow, fault)
    ran = {key: origin.run if key in carried else resumed.run for key in whole.tasks}
    assert runs_of(resumed, flow) == ran
