"""A run that failed, whose flow was corrected, is resumed: the result is that of a run without failure, and only what had to runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.model.checks import check_resume
from tests.model.failures import fault
from tests.model.shapes import SHAPES
from tests.model.spec import Fault

KEEP_GOING = ("--keep-going",)
FAILED = (
    ("nested_foreach", fault("three", "0001-0001-0000", "exception", "none"), KEEP_GOING),
    ("foreach_in_switch_in_foreach", fault("merge", "0001", "exception", "none"), ()),
    ("recursion_in_foreach", fault("again", "0001-i0001", "kill", "none"), ()),
    ("gang_in_foreach", fault("train", "0001-0001", "exception", "none"), KEEP_GOING),
    ("join_that_splits", fault("join_two", "0", "exception", "exhausted"), ()),
)


@pytest.mark.parametrize(("shape", "broken", "options"), FAILED)
def test_a_resumed_run_ends_as_if_nothing_had_failed(
    shape: str, broken: Fault, options: tuple[str, ...], tmp_path: Path
) -> None:
    check_resume(SHAPES[shape], broken, tmp_path, *options)
