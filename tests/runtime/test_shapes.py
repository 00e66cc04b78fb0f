"""Splits, joins, switches, loops and gangs do locally what the graph says."""

from __future__ import annotations

import pytest

from tests.flow_runs import FlowFile, FlowRun

NESTED = """
    class Nested(FlowSpec):
        @step
        def start(self):
            self.outer = ["b", "a", "c"]
            self.shared = "everywhere"
            self.next(self.opened, foreach="outer")

        @step
        def opened(self):
            self.letter = self.input
            self.inner = range(self.index + 1)
            self.before = (self.index, self.input)
            self.next(self.body, foreach="inner")

        @step
        def body(self):
            self.stack = self.foreach_stack()
            self.label = f"{self.letter}{self.input}"
            self.next(self.tail)

        @step
        def tail(self):
            self.label += "!"
            self.at = (self.index, self.input)
            self.next(self.inner_join)

        @step
        def inner_join(self, inputs):
            self.names = [i.label for i in inputs]
            self.indexes = [i.index for i in inputs]
            self.inputs_of = [i.input for i in inputs]
            self.after = (self.index, self.input)
            self.lost = hasattr(self, "letter")
            self.next(self.outer_join)

        @step
        def outer_join(self, inputs):
            self.names = [i.names for i in inputs]
            self.first = inputs[0].names
            self.count = len(inputs)
            self.sliced = [i.names for i in inputs[1:]]
            self.stack = self.foreach_stack()
            self.nowhere = (self.index, self.input)
            self.next(self.end)

        @step
        def end(self):
            pass
"""

STATIC = """
    class Static(FlowSpec):
        @step
        def start(self):
            self.common = [1]
            self.next(self.second, self.first, self.third)

        @step
        def first(self):
            self.who = "first"
            self.only_here = 1
            self.next(self.join)

        @step
        def second(self):
            self.who = "second"
            self.flag = True
            self.next({True: self.left, False: self.right}, condition="flag")

        @step
        def left(self):
            self.who = "left"
            self.next(self.join)

        @step
        def right(self):
            self.who = "right"
            self.next(self.join)

        @step
        def third(self):
            self.who = "third"
            self.next(self.join)

        @step
        def join(self, inputs):
            self.order = [i.who for i in inputs]
            self.by_name = (inputs.first.who, inputs.left.who, inputs.third.who)
            try:
                inputs.right
            except AttributeError as error:
                self.message = str(error)
            self.merge_artifacts(inputs, exclude=["who"])
            self.items = [10, 20]
            self.next(self.again, foreach="items")

        @step
        def again(self):
            self.ten = self.input
            self.next(self.close)

        @step
        def close(self, inputs):
            self.sum = sum(i.ten for i in inputs)
            self.kept = inputs[0].common
            self.order, self.by_name, self.message = inputs[0].order, inputs[0].by_name, inputs[0].message
            self.merge_artifacts(inputs, include=["only_here"])
            self.next(self.end)

        @step
        def end(self):
            pass
"""

LOOP = """
    class Loop(FlowSpec):
        @step
        def start(self):
            self.items = [1, 3]
            self.next(self.count, foreach="items")

        @step
        def count(self):
            self.turns = getattr(self, "turns", 0) + 1
            self.state = "more" if self.turns < self.input else "enough"
            self.next({"more": self.count, "enough": self.done}, condition="state")

        @step
        def done(self):
            self.next(self.join)

        @step
        def join(self, inputs):
            self.turns = [i.turns for i in inputs]
            self.next(self.end)

        @step
        def end(self):
            pass
"""

KINDS = """
    class Kinds(FlowSpec):
        @step
        def start(self):
            self.next(self.a, self.b, self.c, self.d, self.e)

        @step
        def a(self):
            self.items = {"x": 1, "y": 2}
            self.next(self.a_body, foreach="items")

        @step
        def a_body(self):
            self.element = self.input
            self.next(self.a_join)

        @step
        def a_join(self, inputs):
            self.got = [i.element for i in inputs]
            self.next(self.join)

        @step
        def b(self):
            self.items = "hé"
            self.next(self.b_body, foreach="items")

        @step
        def b_body(self):
            self.element = self.input
            self.next(self.b_join)

        @step
        def b_join(self, inputs):
            self.got = [i.element for i in inputs]
            self.next(self.join)

        @step
        def c(self):
            self.items = (n * n for n in range(3))
            self.next(self.c_body, foreach="items")

        @step
        def c_body(self):
            self.element = self.input
            self.whole = self.items
            self.next(self.c_join)

        @step
        def c_join(self, inputs):
            self.got = [i.element for i in inputs]
            self.whole = inputs[0].whole
            self.next(self.join)

        @step
        def d(self):
            self.items = []
            self.next(self.d_body, foreach="items", allow_empty=True)

        @step
        def d_body(self):
            self.element = self.input
            self.next(self.d_join)

        @step
        def d_join(self, inputs):
            self.got = [i.element for i in inputs]
            self.next(self.join)

        @step
        def e(self):
            import pandas

            self.items = pandas.DataFrame({"p": [1], "q": [2]})
            self.next(self.e_body, foreach="items")

        @step
        def e_body(self):
            self.element = self.input
            self.next(self.e_join)

        @step
        def e_join(self, inputs):
            self.got = [i.element for i in inputs]
            self.next(self.join)

        @step
        def join(self, inputs):
            self.got = [i.got for i in inputs]
            self.whole = inputs.c_join.whole
            self.next(self.end)

        @step
        def end(self):
            pass
"""

GANG = """
    class Gang(FlowSpec):
        @step
        def start(self):
            self.next(self.train, num_parallel=3)

        @parallel
        @step
        def train(self):
            import os, pathlib, time

            me = current.parallel
            self.place = (me.node_index, me.num_nodes, me.control_task_id, me.main_ip, current.is_parallel)
            self.variables = {k: v for k, v in os.environ.items() if k.startswith("MF_PARALLEL")}
            # Nobody goes on before all are there: that works only if all are started together.
            pathlib.Path(f"here-{me.node_index}").touch()
            give_up = time.monotonic() + 30
            while len(list(pathlib.Path().glob("here-*"))) < me.num_nodes:
                assert time.monotonic() < give_up
                time.sleep(0.01)
            self.index_and_input = (self.index, self.input)
            self.next(self.join)

        @step
        def join(self, inputs):
            self.places = [i.place for i in inputs]
            self.variables = [i.variables for i in inputs]
            self.pairs = [i.index_and_input for i in inputs]
            self.is_parallel = current.is_parallel
            self.next(self.end)

        @step
        def end(self):
            pass
"""


def run(tmp_path_factory: pytest.TempPathFactory, source: str, *options: str) -> FlowRun:
    return FlowFile(tmp_path_factory.mktemp("shape"), source).run(*options).succeeded()


@pytest.fixture(scope="module")
def nested(tmp_path_factory: pytest.TempPathFactory) -> FlowRun:
    return run(tmp_path_factory, NESTED)


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory) -> FlowRun:
    return run(tmp_path_factory, STATIC)


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> FlowRun:
    return run(tmp_path_factory, LOOP)


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> FlowRun:
    return run(tmp_path_factory, KINDS)


@pytest.fixture(scope="module")
def gang(tmp_path_factory: pytest.TempPathFactory) -> FlowRun:
    return run(tmp_path_factory, GANG, "--max-workers", "2")


def test_inputs_come_in_the_order_of_the_split_at_every_depth(nested: FlowRun) -> None:
    assert nested.value("names", "outer_join") == [["b0!"], ["a0!", "a1!"], ["c0!", "c1!", "c2!"]]
    assert nested.value("first", "outer_join") == ["b0!"]
    assert nested.value("sliced", "outer_join") == [["a0!", "a1!"], ["c0!", "c1!", "c2!"]]
    assert nested.value("count", "outer_join") == 3
    assert [r.index_path for r in nested.records("body")] == [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)]


def test_the_foreach_stack_holds_each_open_frame_from_the_outermost(nested: FlowRun) -> None:
    last = nested.records("body")[-1]
    assert nested.value("stack", "body", last.key.task) == [(2, 3, "c"), (2, 3, 2)]
    assert nested.value("stack", "outer_join") == []


def test_index_and_input_are_those_of_the_innermost_frame_and_none_outside(nested: FlowRun) -> None:
    assert nested.value("before", "opened", nested.records("opened")[1].key.task) == (1, "a")
    assert nested.value("at", "tail", nested.records("tail")[-1].key.task) == (2, 2)
    assert nested.value("after", "inner_join", nested.records("inner_join")[2].key.task) == (2, "c")
    assert nested.value("nowhere", "outer_join") == (None, None)


def test_inputs_know_their_own_index_and_element(nested: FlowRun) -> None:
    last = nested.records("inner_join")[-1].key.task
    assert nested.value("indexes", "inner_join", last) == [0, 1, 2]
    assert nested.value("inputs_of", "inner_join", last) == [0, 1, 2]


def test_after_a_join_artifacts_of_the_branches_are_not_there(nested: FlowRun) -> None:
    assert nested.value("lost", "inner_join", nested.records("inner_join")[0].key.task) is False
    assert not {"letter", "shared"} & nested.names("end")


def test_inputs_of_a_static_split_come_in_the_order_of_its_targets(static: FlowRun) -> None:
    assert static.value("order") == ["left", "first", "third"]


def test_a_branch_that_ended_in_a_switch_is_named_by_the_step_that_ran_last(static: FlowRun) -> None:
    assert static.value("by_name") == ("first", "left", "third")
    assert "left" in static.value("message")
    assert "'right'" in static.value("message")


def test_a_join_may_itself_split(static: FlowRun) -> None:
    assert static.value("sum") == 30
    assert [record.frames[0].step for record in static.records("again")] == ["join", "join"]


def test_merged_artifacts_go_on_by_reference(static: FlowRun) -> None:
    assert static.value("kept") == [1]
    assert static.done("close").artifacts["only_here"] == static.done("first").artifacts["only_here"]


def test_a_branch_not_taken_has_no_task(static: FlowRun) -> None:
    assert static.records("right") == []
    assert len(static.records("left")) == 1


def test_a_loop_runs_one_task_for_each_iteration_and_each_split_loops_for_itself(loop: FlowRun) -> None:
    assert loop.value("turns") == [1, 3]
    taken = [(record.index_path, record.iteration) for record in loop.records("count")]
    assert taken == [((0,), 0), ((1,), 0), ((1,), 1), ((1,), 2)]


def test_every_iterable_can_be_split(kinds: FlowRun) -> None:
    assert kinds.value("got") == [["x", "y"], ["h", "é"], [0, 1, 4], [], ["p", "q"]]


def test_a_generator_is_materialised_once_and_is_a_list_for_the_steps_after(kinds: FlowRun) -> None:
    assert kinds.value("whole") == [0, 1, 4]


def test_the_join_of_an_empty_foreach_runs_without_inputs(kinds: FlowRun) -> None:
    assert kinds.records("d_body") == []
    assert kinds.value("got", "d_join") == []


def test_the_nodes_of_a_gang_run_together_even_if_there_are_fewer_workers(gang: FlowRun) -> None:
    control = gang.records("train")[0].key.task
    assert gang.value("places") == [(i, 3, control, "127.0.0.1", True) for i in range(3)]
    assert gang.value("pairs") == [(0, None), (1, None), (2, None)]
    assert gang.value("is_parallel", "join") is False


def test_the_nodes_of_a_gang_find_their_place_in_the_environment(gang: FlowRun) -> None:
    control = gang.records("train")[0].key.task
    assert gang.value("variables") == [
        {
            "MF_PARALLEL_MAIN_IP": "127.0.0.1",
            "MF_PARALLEL_NUM_NODES": "3",
            "MF_PARALLEL_NODE_INDEX": str(index),
            "MF_PARALLEL_CONTROL_TASK_ID": control,
        }
        for index in range(3)
    ]


def test_the_records_of_a_gang_tell_control_and_workers_apart(gang: FlowRun) -> None:
    metadata = [record.metadata for record in gang.records("train")]
    assert [each["internal_task_type"] for each in metadata] == ["control", "worker", "worker"]
    assert {each["parallel-world-size"] for each in metadata} == {"3"}
