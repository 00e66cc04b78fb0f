"""What a resumed run takes over and what it runs again: rule by rule, each with what `--dry-run` says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flow_runs import FlowFile, FlowRun

CHAIN = """
class ChainFlow(FlowSpec):
    alpha = Parameter("alpha", default=1)
    beta = Parameter("beta", default=10)
    SCALE = 1

    @step
    def start(self):
        self.x = 1
        self.next(self.scale)

    @step
    def scale(self):
        self.x = self.x * self.alpha
        self.next(self.note)

    @step
    def note(self):
        print("noted")
        self.next(self.add)

    @step
    def add(self):
        self.x = self.x + self.beta
        self.next(self.end)

    @step
    def end(self):
        self.result = self.x * self.SCALE
        assert self.result != 11, "told to fail"
"""

LOOP_IN_FOREACH = """
import os

class WideFlow(FlowSpec):
    @step
    def start(self):
        self.items = ["a", "b", "c", "d"]
        self.next(self.train, foreach="items")

    @step
    def train(self):
        self.turns = getattr(self, "turns", 0) + 1
        if os.path.exists(f"fail-{self.input}-{self.turns}"):
            raise ValueError("told to fail")
        self.more = self.turns < 3
        self.next({True: self.train, False: self.score}, condition="more")

    @step
    def score(self):
        self.scored = f"{self.input}{self.turns}"
        self.next(self.join)

    @step
    def join(self, inputs):
        self.all = [one.scored for one in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass
"""

GANG = """
import os

class GangFlow(FlowSpec):
    alpha = Parameter("alpha", default=1)

    @step
    def start(self):
        self.next(self.train, num_parallel=3)

    @parallel
    @step
    def train(self):
        self.node = current.parallel.node_index
        if self.node == 0:
            self.seen = self.alpha
        if os.path.exists(f"fail-{self.node}"):
            raise ValueError("told to fail")
        self.next(self.join)

    @step
    def join(self, inputs):
        self.nodes = [one.node for one in inputs]
        self.seen = inputs[0].seen
        self.next(self.end)

    @step
    def end(self):
        assert not os.path.exists("fail-end")
"""

BRANCHES = """
class BranchFlow(FlowSpec):
    alpha = Parameter("alpha", default=1)

    @step
    def start(self):
        self.way = "long"
        self.next(self.left, self.right)

    @step
    def left(self):
        self.value = 1
        self.next(self.join)

    @step
    def right(self):
        self.value = 2
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(one.value for one in inputs) * inputs[0].alpha
        self.way = inputs[0].way
        self.next({"long": self.walk, "short": self.end}, condition="way")

    @step
    def walk(self):
        self.next(self.end)

    @step
    def end(self):
        raise ValueError("told to fail")
"""


def edit(flow: FlowFile, *changes: tuple[str, str]) -> None:
    """Replace texts of the flow's file, each of which must be there."""
    text = flow.path.read_text("utf-8")
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    flow.path.write_text(text, "utf-8")


def failed(flow: FlowFile, *options: str) -> str:
    """Id of a run that failed."""
    return flow.run(*options).failed().run


def plan(flow: FlowFile, *options: str) -> str:
    """What `--dry-run` says; nothing runs."""
    before = flow.ledger.latest(flow.flow, 9)
    told = flow.run("--dry-run", *options, command="resume").succeeded().stdout
    assert flow.ledger.latest(flow.flow, 9) == before
    return told


def resume(flow: FlowFile, *options: str) -> FlowRun:
    """A resumed run that succeeded; its id is looked up now."""
    run = flow.run(*options, command="resume").succeeded()
    assert run.run
    return run


def ran(run: FlowRun, *steps: str) -> set[str]:
    """Those of the tasks of some steps that the run ran itself, as `step/task`."""
    return {
        f"{step}/{task}"
        for step in steps
        for task, key in run.ledger.newest_done_keys(run.flow, run.run, step).items()
        if key.run == run.run
    }


CHAIN_STEPS = ("start", "scale", "note", "add", "end")


@pytest.fixture
def chain(tmp_path: Path) -> FlowFile:
    """The chain above."""
    return FlowFile(tmp_path, CHAIN)


def test_a_changed_parameter_reruns_what_read_it_and_what_follows(chain: FlowFile) -> None:
    failed(chain)
    told = plan(chain, "--beta", "20")
    assert "start (1), scale (1), note (1)" in told
    assert "runs: add/0, which reads beta, which has another value now" in told
    run = resume(chain, "--beta", "20")
    assert ran(run, *CHAIN_STEPS) == {"add/0", "end/0"}
    assert run.value("result") == 21
    assert run.value("beta") == 20
    assert run.record.parameters["beta"] == 20


def test_a_parameter_given_the_value_it_had_reruns_nothing_more(chain: FlowFile) -> None:
    failed(chain)
    assert "runs: end/0, which failed" in plan(chain, "--beta", "10")


def test_a_resumed_run_is_resumed_with_parameters_of_both(chain: FlowFile) -> None:
    first = failed(chain)
    second = chain.run("--alpha", "11", "--beta", "0", command="resume").failed().run
    third = resume(chain, "--beta", "1")
    assert third.record.origin == second
    assert ran(third, *CHAIN_STEPS) == {"add/0", "end/0"}
    assert third.value("result") == 12
    runs = {step: third.done(step).key.run for step in ("start", "scale")}
    assert runs == {"start": first, "scale": second}
    fourth = resume(chain, "add", "--origin-run-id", third.run)
    assert ran(fourth, *CHAIN_STEPS) == {"add/0", "end/0"}
    assert fourth.done("start").key.run == first


def test_an_inserted_step_runs_on_what_was_there_and_so_does_all_after_it(chain: FlowFile) -> None:
    failed(chain)
    edit(
        chain,
        (
            "        self.next(self.add)\n",
            "        self.next(self.extra)\n\n    @step\n    def extra(self):\n        self.x += 100\n        self.next(self.add)\n",
        ),
    )
    assert "runs: extra/0, which is new" in plan(chain)
    run = resume(chain)
    assert ran(run, *CHAIN_STEPS, "extra") == {"extra/0", "add/0", "end/0"}
    assert run.value("result") == 111


def test_a_renamed_step_runs_and_so_does_all_after_it(chain: FlowFile) -> None:
    failed(chain)
    edit(chain, ("self.add)", "self.plus)"), ("def add(", "def plus("), ("!= 11", "!= 12"))
    assert "runs: plus/0, which is new" in plan(chain)
    run = resume(chain)
    assert ran(run, "start", "scale", "note", "plus", "end") == {"plus/0", "end/0"}


def test_a_step_that_set_nothing_is_removed_and_what_came_after_it_is_taken_over(chain: FlowFile) -> None:
    failed(chain)
    edit(
        chain,
        ("self.next(self.note)", "self.next(self.add)"),
        (
            '    @step\n    def note(self):\n        print("noted")\n        self.next(self.add)\n\n',
            "",
        ),
        ("!= 11", "!= 12"),
    )
    told = plan(chain)
    assert "start (1), scale (1), add (1)" in told
    assert "note" not in told
    assert ran(resume(chain), "start", "scale", "add", "end") == {"end/0"}


def test_what_started_from_what_a_removed_step_had_set_runs_again(chain: FlowFile) -> None:
    failed(chain, "--alpha", "1")
    edit(chain, ('        print("noted")', "        self.x += 5"))
    failed(chain, "--beta", "5")
    edit(
        chain,
        ("self.next(self.note)", "self.next(self.add)"),
        ("    @step\n    def note(self):\n        self.x += 5\n        self.next(self.add)\n\n", ""),
    )
    assert "runs: add/0, which comes after another step now, with another x" in plan(chain)
    run = resume(chain)
    assert ran(run, "start", "scale", "add", "end") == {"add/0", "end/0"}
    assert run.value("result") == 6


def test_a_corrected_constant_and_a_new_parameter_count_for_what_runs(chain: FlowFile) -> None:
    failed(chain)
    edit(
        chain,
        ("SCALE = 1", 'SCALE = 2\n    gamma = Parameter("gamma", default=7)'),
        ('"told to fail"', '"told to fail"\n        self.seen = self.gamma'),
    )
    run = resume(chain)
    assert ran(run, *CHAIN_STEPS) == {"end/0"}
    assert (run.value("result"), run.value("seen")) == (22, 7)


def test_failed_splits_run_alone_with_their_index_and_their_loop_goes_on(tmp_path: Path) -> None:
    flow = FlowFile(tmp_path, LOOP_IN_FOREACH)
    for name in ("fail-b-3", "fail-d-1"):
        (tmp_path / name).touch()
    flow.run("--keep-going").failed()
    told = plan(flow)
    assert "train (8), score (2)" in told
    assert "runs: train/0001-i0002, which failed" in told
    assert "runs: train/0003-i0000, which failed" in told
    for name in ("fail-b-3", "fail-d-1"):
        (tmp_path / name).unlink()
    run = resume(flow)
    assert ran(run, "start", "train", "score", "join") == {
        "train/0001-i0002",
        "train/0003-i0000",
        "train/0003-i0001",
        "train/0003-i0002",
        "score/0001",
        "score/0003",
        "join/0",
    }
    assert run.value("all", "join") == ["a3", "b3", "c3", "d3"]


def test_a_gang_runs_again_as_a_whole_when_a_node_failed(tmp_path: Path) -> None:
    flow = FlowFile(tmp_path, GANG)
    (tmp_path / "fail-1").touch()
    failed(flow)
    told = plan(flow)
    assert "train" not in told.partition("\n")[0]
    assert "runs: train/0001, which failed" in told
    assert "runs: train/0000, which node" in told or "runs: train/0000, which failed" in told
    (tmp_path / "fail-1").unlink()
    run = resume(flow)
    assert ran(run, "train") == {"train/0000", "train/0001", "train/0002"}
    assert run.value("nodes", "join") == [0, 1, 2]


def test_a_gang_runs_again_as_a_whole_when_one_node_read_a_changed_parameter(tmp_path: Path) -> None:
    flow = FlowFile(tmp_path, GANG)
    (tmp_path / "fail-end").touch()
    failed(flow)
    assert "train (3)" in plan(flow)
    told = plan(flow, "--alpha", "2")
    assert "train/0000, which reads alpha" in told
    assert "train/0002, which node 0 of its gang reads alpha" in told
    (tmp_path / "fail-end").unlink()
    run = resume(flow, "--alpha", "2")
    assert ran(run, "start", "train", "join", "end") == {
        "train/0000",
        "train/0001",
        "train/0002",
        "join/0",
        "end/0",
    }
    assert run.value("seen", "join") == 2


@pytest.fixture
def branches(tmp_path: Path) -> FlowFile:
    """The branches above."""
    return FlowFile(tmp_path, BRANCHES)


BRANCH_STEPS = ("start", "left", "right", "join", "walk", "end")
CORRECTED = ('raise ValueError("told to fail")', "self.done = True")


def test_a_join_sees_the_parameters_of_its_own_run_on_branches_that_were_taken_over(
    branches: FlowFile,
) -> None:
    failed(branches)
    edit(branches, CORRECTED)
    run = resume(branches, "--alpha", "5")
    assert ran(run, *BRANCH_STEPS) == {"join/0", "walk/0", "end/0"}
    assert run.value("total") == 15


def test_an_inserted_branch_runs_and_a_removed_one_makes_the_join_run(branches: FlowFile) -> None:
    failed(branches)
    third = (
        "        self.next(self.left, self.right, self.third)\n\n    @step\n    def third(self):\n"
        "        self.value = 10\n        self.next(self.join)\n"
    )
    edit(branches, CORRECTED, ("        self.next(self.left, self.right)\n", third))
    inserted = resume(branches)
    assert ran(inserted, *BRANCH_STEPS, "third") == {"third/0", "join/0", "walk/0", "end/0"}
    assert inserted.value("total") == 13
    edit(branches, (third, third.replace("self.left, self.right, self.third", "self.left, self.third")))
    edit(
        branches,
        ("    @step\n    def right(self):\n        self.value = 2\n        self.next(self.join)\n\n", ""),
    )
    assert "runs: join/0, which has other branches now" in plan(branches)
    removed = resume(branches)
    assert ran(removed, "start", "left", "third", "join", "walk", "end") == {"join/0", "walk/0", "end/0"}
    assert removed.value("total") == 11


def test_a_switch_whose_case_leads_elsewhere_chooses_again(branches: FlowFile) -> None:
    failed(branches)
    edit(branches, CORRECTED, ("self.walk", "self.hike"), ("def walk", "def hike"))
    assert "runs: join/0, which may choose another step now" in plan(branches)
    run = resume(branches)
    assert ran(run, "start", "left", "right", "join", "hike", "end") == {"join/0", "hike/0", "end/0"}


def test_a_case_that_is_added_changes_nothing_for_what_was_chosen(branches: FlowFile) -> None:
    failed(branches)
    edit(branches, CORRECTED, ('"short": self.end', '"short": self.end, "none": self.end'))
    assert ran(resume(branches), *BRANCH_STEPS) == {"end/0"}


def test_a_step_that_moved_into_a_foreach_runs_there(branches: FlowFile) -> None:
    failed(branches)
    edit(
        branches,
        CORRECTED,
        (
            "self.next(self.left, self.right)",
            'self.parts = [1, 2]\n        self.next(self.left, foreach="parts")',
        ),
        ("    @step\n    def right(self):\n        self.value = 2\n        self.next(self.join)\n\n", ""),
    )
    assert "runs: start/0, which has another transition now" in plan(branches)
    run = resume(branches)
    assert ran(run, "start", "left", "join") == {"start/0", "left/0000", "left/0001", "join/0"}


CONFIGURED = """
class ConfiguredFlow(FlowSpec):
    rates = Config("rates-file", default_value={"low": 1, "high": 2})
    extra = Config("extra", required=True)

    @step
    def start(self):
        self.x = self.rates.low
        self.next(self.middle)

    @step
    def middle(self):
        self.y = self.extra.z
        self.next(self.end)

    @step
    def end(self):
        self.result = self.x + self.y
        assert self.rates.high != 2, "told to fail"
"""


def test_configs_are_those_of_the_origin_until_they_are_given_anew(tmp_path: Path) -> None:
    flow = FlowFile(tmp_path, CONFIGURED)
    origin = flow.run(top=("--config-value", "extra", '{"z": 5}')).failed().run
    assert "runs: end/0, which failed" in plan(flow)
    high = ("--config-value", "rates-file", '{"low": 1, "high": 3}')
    told = flow.run("--dry-run", top=high, command="resume").succeeded().stdout
    assert "runs: start/0, which reads rates, which has another value now" in told
    again = ("--config-value", "extra", '{"z": 6}')
    told = flow.run("--dry-run", f"--origin-run-id={origin}", top=again, command="resume").succeeded().stdout
    assert "runs: middle/0, which reads extra" in told
    run = flow.run("--origin-run-id", origin, top=(*high, *again), command="resume").succeeded()
    assert run.value("result") == 7


def test_a_run_that_was_killed_and_says_nothing_of_itself_is_resumed_from_its_records(
    chain: FlowFile,
) -> None:
    origin = failed(chain)
    chain.ledger.store.delete([f"flows/ChainFlow/runs/{origin}/ended.json"])
    assert "runs: end/0, which failed" in plan(chain)
