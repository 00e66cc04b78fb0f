"""Running the linter: what is collected, how it is told, and what stops a flow."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from airflow_mlflow_provider.exception import LintIssue, LintWarn
from airflow_mlflow_provider.flow.lint import RULES, check, lint
from airflow_mlflow_provider.flow.matching import Edges
from airflow_mlflow_provider.flow.reading import read_flow
from airflow_mlflow_provider.flow.source import config_resolver
from tests.flow.lint.flow_text import HEADER, assert_announced, load, steps_text
from tests.flow.lint.test_artifact_rules import FAULTY as FAULTY_ARTIFACTS
from tests.flow.lint.test_split_rules import FAULTY as FAULTY_SPLITS
from tests.flow.lint.test_structure_rules import FAULTY as FAULTY_STRUCTURE

FIRST = HEADER.count("\n") + 1
WARNING = """
@step
def start(self):
    self.f = lambda: 1
    self.next(self.end)

@step
def end(self):
    pass
"""
# F504 is off by default, G212 cannot occur alone; both have tests of their own below.
TESTED_ELSEWHERE = {"F504", "G212"}


def test_every_rule_has_a_flow_that_breaks_it() -> None:
    text = "".join([*FAULTY_STRUCTURE.values(), *FAULTY_SPLITS.values(), *FAULTY_ARTIFACTS.values()])
    announced = set(re.findall(r"#!\s*(?:[EW]:)?([A-Z]\d{3})", text))
    assert {rule.id for rule in RULES} == announced | TESTED_ELSEWHERE


def test_a_rule_is_listed_once_for_each_severity() -> None:
    rows = [(rule.id, rule.severity) for rule in RULES]
    assert len(rows) == len(set(rows))
    assert all(rule.title for rule in RULES)
    assert {rule for rule, severity in rows if (rule, "EW".strip(severity)) in rows} == {"S602", "M803"}


def test_findings_are_sorted_and_told_with_place_rule_and_fix(tmp_path: Path) -> None:
    flow = load(
        tmp_path, steps_text({"start": "self.alpha", "Upper": "self.end", "end": None}) + "\ninput = 3\n"
    )
    issues = lint(flow)
    assert [(issue.line - FIRST, issue.rule, issue.severity) for issue in issues] == [
        (3, "T306", "E"),
        (5, "N102", "E"),
        (10, "N103", "W"),
    ]
    place = (
        r".*flow_\d+\.py:\d+:\d+ T306 Step start goes to self\.alpha, which is not a step of Flow\. \w.*\."
    )
    assert re.fullmatch(place, str(issues[0]))
    assert issues[0].step == "start"
    assert issues[0].col == 19


def test_every_finding_ends_with_a_fix(tmp_path: Path) -> None:
    for text in (*FAULTY_STRUCTURE.values(), *FAULTY_SPLITS.values(), *FAULTY_ARTIFACTS.values()):
        for issue in lint(load(tmp_path, text)):
            assert issue.message.endswith((".", "?")), issue
            assert re.fullmatch(r"[A-Z].*\.", issue.fix), issue


def test_check_gives_the_graph_of_a_flow_with_warnings_only(tmp_path: Path) -> None:
    graph = check(load(tmp_path, WARNING))
    assert list(graph.steps) == ["start", "end"]


def test_strict_makes_warnings_errors(tmp_path: Path) -> None:
    flow = load(tmp_path, WARNING)
    assert [issue.severity for issue in lint(flow)] == ["W"]
    assert [issue.severity for issue in lint(flow, strict=True)] == ["E"]
    with pytest.raises(LintWarn) as caught:
        check(flow, strict=True)
    assert [issue.rule for issue in caught.value.issues] == ["A902"]


def test_check_raises_all_errors_and_no_warnings(tmp_path: Path) -> None:
    text = steps_text({"start": "self.nothing", "Upper": "self.end", "end": None}) + "\ninput = 3\n"
    with pytest.raises(LintWarn) as caught:
        check(load(tmp_path, text))
    assert [issue.rule for issue in caught.value.issues] == ["T306", "N102"]
    assert all(isinstance(issue, LintIssue) for issue in caught.value.issues)


def test_findings_in_a_base_class_tell_the_file_of_the_base(tmp_path: Path) -> None:
    base = load(
        tmp_path,
        """
        @step
        def start(self):
            self.next(self.nothing_at_all)

        @step
        def end(self):
            pass
        """,
    )
    flow = load(tmp_path, f"from {base.__module__} import Flow as Base\n\nclass Flow(Base):\n    pass\n")
    (issue,) = lint(flow)
    assert Path(issue.file).stem == base.__module__


def test_nested_foreach_is_refused_only_where_it_is_forbidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
    items = [1]

    @step
    def start(self):
        self.next(self.a, foreach="items")

    @step
    def a(self):
        self.next(self.b, foreach="items")  #! F504 a start

    @step
    def b(self):
        self.next(self.inner)

    @step
    def inner(self, inputs):
        self.next(self.outer)

    @step
    def outer(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass
    """
    flow = load(tmp_path, text)
    assert lint(flow) == []
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__FORBID_NESTED_FOREACH", "true")
    assert_announced(flow)


def test_a_path_that_stops_is_told_where_it_stops(tmp_path: Path) -> None:
    flow = load(tmp_path, steps_text({"start": "self.a", "a": "self.b", "b": "self.end", "end": None}))
    reading = read_flow(flow, config_resolver(flow))
    # No source gives this alone: each step either leads on or breaks a rule of its own.
    vars(reading)["edges"] = {**reading.edges, "b": Edges("linear", (), False)}
    (rule,) = (rule for rule in RULES if rule.id == "G212")
    (issue,) = rule.issues(reading)
    assert issue.step == "b"
    assert "start -> a -> b" in issue.message


DECORATED = {
    "@catch on a foreach": """
        items = [1]

        @catch  #! D006 start
        @step
        def start(self):
            self.next(self.a, foreach="items")

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
    "@catch on a switch": """
        mood = "x"

        @catch(var="error")  #! D006 start switch
        @step
        def start(self):
            self.next({"x": self.a, "y": self.end}, condition="mood")

        @step
        def a(self):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "card ids": """
        @card(id="a b")  #! D008 'a b'
        @step
        def start(self):
            self.next(self.end)

        @card(id="same")  #! D008 same end
        @card(id="same")  #! D008 same end
        @step
        def end(self):
            pass
        """,
    "attributes that do not exist": """
        @retry(timse=3)  #! D002 timse times
        @step
        def start(self):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "findings of decorators beside others": """
        @retry(times=-1)  #! D005 times
        @step
        def start(self):
            self.next(self.ned)  #! T306 ned end

        @step
        def end(self):
            pass
        """,
}


@pytest.mark.parametrize("name", DECORATED)
def test_decorators_tell_what_is_wrong_where_they_stand(name: str, tmp_path: Path) -> None:
    assert_announced(load(tmp_path, DECORATED[name]))


def test_warnings_of_decorators_can_be_silenced(tmp_path: Path) -> None:
    text = """
    @card(id="a b")  # flow: ignore[D008]
    @step
    def only(self):
        pass
    """
    assert lint(load(tmp_path, text)) == []
