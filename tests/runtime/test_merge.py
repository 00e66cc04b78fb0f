"""`merge_artifacts`: what branches agree on goes on, what they disagree on is told all at once."""

from __future__ import annotations

import pytest

from tests.flow_runs import FlowFile, FlowRun

SOURCE = """
    import numpy


    class Merge(FlowSpec):
        constant = 1
        alpha = Parameter("alpha", default=2)

        @step
        def start(self):
            self.same = [1, 2]
            self.changed = "old"
            self.next(self.a, self.b)

        @step
        def a(self):
            self.changed = "a"
            self.other = {"a": 1}
            self.only_a = "here"
            self.equal = {"x", "y", "z"}
            self.numbers = numpy.arange(3)
            self.nan = float("nan")
            self._private = "a"
            self.next(self.join)

        @step
        def b(self):
            self.changed = "b"
            self.other = {"b": 1}
            self.equal = {"z", "y", "x"}
            self.numbers = numpy.arange(3)
            self.nan = float("nan")
            self._private = "b"
            self.next(self.join)

        @step
        def join(self, inputs):
            self.errors = {}
            for name, arguments in {
                "conflict": {},
                "one left": {"exclude": ["changed"]},
                "both": {"exclude": ["changed"], "include": ["same"]},
                "missing": {"include": ["same", "nowhere"]},
                "conflict in include": {"include": ["changed", "only_a"]},
            }.items():
                try:
                    self.merge_artifacts(inputs, **arguments)
                except Exception as error:
                    names = getattr(error, "artifact_names", None)
                    self.errors[name] = (type(error).__name__, str(error), names)
            self.nothing_set = not hasattr(self, "same") and not hasattr(self, "only_a")
            self.merge_artifacts(inputs, include=["only_a"])
            self.included_only = hasattr(self, "only_a") and not hasattr(self, "same")
            self.changed = "decided"
            self.merge_artifacts(inputs, exclude=["other"])
            self.next(self.end)

        @step
        def end(self):
            try:
                getattr(self, "merge_artifacts")([])
            except Exception as error:
                self.outside = (type(error).__name__, str(error))
"""


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> FlowRun:
    return FlowFile(tmp_path_factory.mktemp("merge"), SOURCE).run().succeeded()


def test_a_conflict_names_every_artifact_with_branches_and_values_and_sets_nothing(ended: FlowRun) -> None:
    kind, text, names = ended.value("errors")["conflict"]
    assert kind == "UnhandledInMergeArtifactsException"
    assert names == ["changed", "other"]
    for each in (
        "changed",
        "other",
        f"Merge/{ended.run}/a/0: 'a'",
        f"Merge/{ended.run}/b/0: 'b'",
        "{'b': 1}",
    ):
        assert each in text
    assert ended.value("nothing_set") is True


def test_what_is_excluded_does_not_conflict(ended: FlowRun) -> None:
    kind, _, names = ended.value("errors")["one left"]
    assert (kind, names) == ("UnhandledInMergeArtifactsException", ["other"])


def test_include_and_exclude_exclude_each_other(ended: FlowRun) -> None:
    kind, text, _ = ended.value("errors")["both"]
    assert kind == "MetaflowException"
    assert "join" in text


def test_an_included_name_that_no_branch_has_is_an_error(ended: FlowRun) -> None:
    kind, text, names = ended.value("errors")["missing"]
    assert (kind, names) == ("MissingInMergeArtifactsException", ["nowhere"])
    assert "nowhere" in text


def test_an_included_name_may_conflict(ended: FlowRun) -> None:
    kind, _, names = ended.value("errors")["conflict in include"]
    assert (kind, names) == ("UnhandledInMergeArtifactsException", ["changed"])


def test_only_what_is_included_is_merged(ended: FlowRun) -> None:
    assert ended.value("included_only") is True


def test_what_is_set_before_is_not_merged(ended: FlowRun) -> None:
    assert ended.value("changed") == "decided"


def test_agreement_is_of_values_not_of_bytes(ended: FlowRun) -> None:
    assert ended.value("equal") == {"x", "y", "z"}
    assert ended.value("numbers").tolist() == [0, 1, 2]
    assert ended.value("nan") != ended.value("nan")


def test_merged_artifacts_are_passed_by_reference_from_the_first_branch(ended: FlowRun) -> None:
    first = ended.done("a").artifacts
    for name in ("same", "only_a", "equal", "numbers", "nan"):
        assert ended.done("end").artifacts[name] == first[name]


def test_private_artifacts_are_not_merged(ended: FlowRun) -> None:
    assert "_private" not in ended.names("end")
    assert "other" not in ended.names("end")


def test_only_joins_can_merge(ended: FlowRun) -> None:
    kind, text = ended.value("outside")
    assert kind == "MetaflowException"
    assert "end" in text
