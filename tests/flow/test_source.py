"""Reading classes: where their source is found, what each field of a step says, and what is refused."""

from __future__ import annotations

import linecache
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from airflow_mlflow_provider.exception import LintWarn, MetaflowException
from airflow_mlflow_provider.flow.config import bind_configs
from airflow_mlflow_provider.flow.decorators.attempts import CatchDecorator
from airflow_mlflow_provider.flow.effective import keep, read_authored
from airflow_mlflow_provider.flow.graph import DecoratorSpec, Transition
from airflow_mlflow_provider.flow.source import build_graph, json_value, read_graph
from airflow_mlflow_provider.flow.source_file import source_of
from airflow_mlflow_provider.flow.spec import FlowSpec
from airflow_mlflow_provider.flow.step import step
from tests.flow.lint.flow_text import HEADER, imported, load, steps_text

LINEAR = """
@step
def start(self):
    \"\"\"First.

    And more.
    \"\"\"
    self.next(self.end)

@step
def end(self):
    pass
"""


def transition_of(tmp_path: Path, call: str, **more: str | None) -> Transition | None:
    members = "cfg = Config('cfg', default_value={})\nitems = [1]\nmood = 'x'\n"
    steps = {"start": call, "a": "self.end", "b": "self.end", **more, "end": None}
    graph, _ = build_graph(load(tmp_path, members + steps_text(steps)))
    assert graph is not None
    return graph["start"].transition


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("self.a", Transition("linear", ("a",))),
        ("self.a, self.b", Transition("static", ("a", "b"))),
        ("self.b, self.a", Transition("static", ("b", "a"))),
        ("self.a, foreach='items'", Transition("foreach", ("a",), foreach="items")),
        (
            "self.a, foreach='items', allow_empty=True",
            Transition("foreach", ("a",), foreach="items", allow_empty=True),
        ),
        (
            "self.a, foreach='items', min_success_ratio=0.9",
            Transition("foreach", ("a",), foreach="items", min_success_ratio=0.9),
        ),
        ("self.a, allow_empty=False, foreach='items'", Transition("foreach", ("a",), foreach="items")),
        ("self.a, num_parallel=2", Transition("parallel", ("a",), num_parallel="2")),
        (
            "self.a, num_parallel=len( self.items )",
            Transition("parallel", ("a",), num_parallel="len( self.items )"),
        ),
        (
            "{'x': self.a, 'y': self.b, 'z': self.a}, condition='mood'",
            Transition("switch", ("a", "b"), condition="mood", cases=(("x", "a"), ("y", "b"), ("z", "a"))),
        ),
        (
            "{1: self.a, -2.5: self.b, True: self.b, self.cfg.k.deep: self.a}, condition='mood'",
            Transition(
                "switch",
                ("a", "b"),
                condition="mood",
                cases=((1, "a"), (-2.5, "b"), (True, "b"), ("self.cfg.k.deep", "a")),
            ),
        ),
    ],
)
def test_each_form_of_next_is_read(call: str, expected: Transition, tmp_path: Path) -> None:
    found = transition_of(tmp_path, call)
    assert found is not None
    assert found.line > 0
    assert found == Transition(**{**expected_fields(expected), "line": found.line})


def expected_fields(transition: Transition) -> dict[str, Any]:
    return {name: getattr(transition, name) for name in transition.__struct_fields__}


def test_the_types_of_case_keys_are_kept(tmp_path: Path) -> None:
    found = transition_of(tmp_path, "{1: self.a, True: self.b, '1': self.a, 1.5: self.b}, condition='mood'")
    assert found is not None
    assert [type(key) for key, _ in found.cases] == [int, bool, str, float]


def test_a_call_over_several_lines_with_other_alphabets(tmp_path: Path) -> None:
    flow = load(
        tmp_path,
        """
        @step
        def start(self):
            größe = "ü"; self.next(self.a, num_parallel=len("äöü" +
                      größe))

        @parallel
        @step
        def a(self):
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    )
    transition = read_graph(flow)["start"].transition
    assert transition is not None
    assert transition.num_parallel == 'len("äöü" + größe)'


def test_form_feeds_and_unicode_separators_do_not_shift_lines(tmp_path: Path) -> None:
    flow = load(
        tmp_path, 'text = "a\u2028b"\n\f\n' + steps_text({"start": "self.a, num_parallel=7", "end": None})
    )
    graph, issues = build_graph(flow)
    assert [issue.rule for issue in issues] == ["T306"]
    assert issues[0].line == HEADER.count("\n") + 6
    assert graph is not None


def test_config_keys_have_the_values_of_the_configs(tmp_path: Path) -> None:
    text = "cfg = Config('cfg', default_value={})\nmood = 'x'\n" + steps_text(
        {
            "start": "{self.cfg.a: self.end, self.cfg.b.c: self.x}, condition='mood'",
            "x": "self.end",
            "end": None,
        }
    )
    flow = load(tmp_path, text)
    bind_configs(flow, {"cfg": {"a": "one", "b": {"c": 2}}})
    transition = read_graph(flow)["start"].transition
    assert transition is not None
    assert transition.cases == (("one", "end"), (2, "x"))


def test_a_resolver_of_the_caller_gives_the_values(tmp_path: Path) -> None:
    text = "cfg = Config('cfg', default_value={})\nmood = 'x'\n" + steps_text(
        {
            "start": "{self.cfg.a: self.end, self.cfg.b: self.x}, condition='mood'",
            "x": "self.end",
            "end": None,
        }
    )

    def resolve(config: str, keys: tuple[str, ...]) -> object:
        if keys == ("a",):
            return f"{config}!"
        raise LookupError(keys)

    transition = read_graph(load(tmp_path, text), resolve)["start"].transition
    assert transition is not None
    assert transition.cases == (("cfg!", "end"), ("self.cfg.b", "x"))


def test_fields_of_a_step(tmp_path: Path) -> None:
    flow = load(
        tmp_path,
        """
        class Flow(FlowSpec):
            \"\"\"What it does.

                Indented.
            \"\"\"

            @retry(times=2)
            @catch(var="error")
            @step(node_info={"team": "a", "paths": {1, 2}})
            def start(self):
                \"\"\"First.

                And more.
                \"\"\"
                self.next(self.end)

            @step
            def end(self):
                pass
        """,
    )
    graph = read_graph(flow)
    start = graph["start"]
    assert (graph.name, graph.start, graph.end) == ("Flow", "start", "end")
    assert graph.doc == "What it does.\n\nIndented."
    assert start.doc == "First.\n\nAnd more."
    assert start.line == HEADER.count("\n") + 10
    assert start.file == graph.file
    assert Path(start.file).parent == tmp_path
    assert start.node_info == {"team": "a", "paths": [1, 2]}
    assert {decorator.name for decorator in start.decorators} == {"retry", "catch"}
    assert isinstance(start.decorators[0], DecoratorSpec)
    assert graph["end"].transition is None
    assert graph["end"].in_funcs == ("start",)


def test_values_that_json_does_not_know_become_text() -> None:
    assert json_value({1: (True, None, {"b", "a"}, Path("x"))}) == {"1": [True, None, ["a", "b"], "x"]}


def test_inherited_steps_tell_their_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = tmp_path / "base_of_flow.py"
    base.write_text(HEADER + "class Base(FlowSpec):\n" + textwrap.indent(LINEAR, "    ") + "\nFlow = Base\n")
    imported(base)
    flow = load(
        tmp_path,
        """
        from base_of_flow import Base

        class Flow(Base):
            @step
            def end(self):
                print("other")
        """,
    )
    graph = read_graph(flow)
    assert graph["start"].file == str(base)
    assert graph["end"].file == graph.file != str(base)
    assert list(graph.steps) == ["start", "end"]


def test_a_step_replaced_by_something_else_is_gone(tmp_path: Path) -> None:
    flow = load(
        tmp_path,
        """
        class Base(FlowSpec):
            @step
            def start(self):
                self.next(self.end)

            @step
            def extra(self):
                self.next(self.end)

            @step
            def end(self):
                pass

        class Flow(Base):
            extra = None
        """,
    )
    assert list(read_graph(flow).steps) == ["start", "end"]


def test_classes_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    flow = load(
        tmp_path,
        """
        class Flow(FlowSpec):
            @step
            def start(self):
                self.next(self.one)

            @step
            def one(self):
                self.next(self.end)

            @step
            def end(self):
                pass

        First = Flow

        class Flow(FlowSpec):
            @step
            def start(self):
                self.next(self.end)

            @step
            def end(self):
                pass
        """,
    )
    assert list(read_graph(flow).steps) == ["start", "end"]
    import sys

    assert list(read_graph(sys.modules[flow.__module__].First).steps) == ["start", "one", "end"]


def test_classes_made_in_functions_and_under_conditions() -> None:
    def make(wide: bool) -> type:
        if wide:

            class Local(FlowSpec):
                @step
                def start(self) -> None:
                    self.next(self.end)

                @step
                def end(self) -> None:
                    pass

            return Local

        class Single(FlowSpec):
            @step
            def alone(self) -> None:
                pass

        return Single

    assert list(read_graph(make(True)).steps) == ["start", "end"]
    assert read_graph(make(False)).start == read_graph(make(False)).end == "alone"


def test_a_class_of_a_notebook_cell_is_read_from_linecache() -> None:
    text = HEADER + "class Flow(FlowSpec):\n" + textwrap.indent(LINEAR, "    ")
    name = "<ipython-input-1-abc>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    module = ModuleType("__cell__")
    exec(compile(text, name, "exec"), vars(module))
    graph = read_graph(module.Flow)
    assert graph["start"].file == name
    assert list(graph.steps) == ["start", "end"]


def test_a_class_without_source_is_refused_by_name() -> None:
    module = ModuleType("__no_source__")
    text = HEADER + "class Flow(FlowSpec):\n" + textwrap.indent(LINEAR, "    ")
    exec(compile(text, "<nowhere>", "exec"), vars(module))
    with pytest.raises(MetaflowException, match=r"Flow\.start \(<nowhere>\)") as caught:
        read_graph(module.Flow)
    assert "notebook" in caught.value.fix


def test_a_file_is_parsed_again_only_when_it_has_changed(tmp_path: Path) -> None:
    flow = load(tmp_path, LINEAR)
    first, _ = source_of(vars(flow)["start"])
    assert source_of(vars(flow)["end"])[0] is first
    path = Path(first.path)
    path.write_text("# one line more\n" + path.read_text() + "\n")
    assert read_graph(flow)["start"].line == HEADER.count("\n") + 4
    assert source_of(vars(flow)["start"])[0] is not first


def test_a_file_in_latin_1_is_read(tmp_path: Path) -> None:
    path = tmp_path / "flow_latin.py"
    text = "# -*- coding: latin-1 -*-\n" + HEADER + "class Flow(FlowSpec):\n    '''\u00fcber'''\n"
    path.write_bytes((text + textwrap.indent(LINEAR, "    ")).encode("latin-1"))
    module = ModuleType(path.stem)
    exec(compile(path.read_bytes(), str(path), "exec"), vars(module))
    assert read_graph(module.Flow).doc == "über"


def test_all_errors_are_raised_together(tmp_path: Path) -> None:
    flow = load(
        tmp_path, steps_text({"start": "self.a, self.b", "a": "self.nothing_here", "b": None, "end": None})
    )
    with pytest.raises(LintWarn) as caught:
        read_graph(flow)
    assert [issue.rule for issue in caught.value.issues] == ["T306", "T303"]
    assert str(caught.value).splitlines() == [str(issue) for issue in caught.value.issues]


def test_there_is_no_graph_without_a_start(tmp_path: Path) -> None:
    graph, issues = build_graph(load(tmp_path, steps_text({"one": "self.two", "two": None})))
    assert graph is None
    assert [issue.rule for issue in issues] == ["G201", "G204"]


def test_a_class_that_is_no_flow_is_read_as_well() -> None:
    class Plain:
        @step
        def only(self) -> None:
            """Nothing."""

    graph = read_graph(Plain)
    assert graph["only"].doc == "Nothing."


def test_decorators_of_the_user_and_of_mutators_are_in_the_graph(tmp_path: Path) -> None:
    flow = load(
        tmp_path,
        """
        from airflow_mlflow_provider.flow.user_decorators import UserStepDecorator

        class watched(UserStepDecorator):
            pass

        class Flow(FlowSpec):
            @watched
            @retry
            @step
            def only(self):
                pass
        """,
    )
    written = ["retry", f"{flow.__module__}.watched"]
    assert [decorator.name for decorator in read_graph(flow)["only"].decorators] == written
    effective = read_authored(flow, {})
    effective.steps["only"].decorators.append(CatchDecorator({"var": "error"}, inserted_by=["Safe"]))
    keep(effective)
    decorators = read_graph(flow)["only"].decorators
    assert [decorator.name for decorator in decorators] == ["retry", "catch", written[1]]
    assert decorators[1].inserted_by == ("Safe",)
