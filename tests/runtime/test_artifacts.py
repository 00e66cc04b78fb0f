"""What a step leaves on `self` is there for the steps after it, and for readers of the store."""

from __future__ import annotations

import pytest

from tests.flow_runs import FlowFile, FlowRun

SOURCE = """
    import collections


    class Point:
        def __init__(self, x):
            self.x = x


    Pair = collections.namedtuple("Pair", "left right")


    class Artifacts(FlowSpec):
        limit = 7
        names = ["a", "b"]
        alpha = Parameter("alpha", default=0.5)

        @property
        def doubled(self):
            return self.limit * 2

        def helper(self):
            return "helped"

        @step
        def start(self):
            self.rows = [1, 2]
            self.untouched = {"k": [1]}
            self.replaced = "old"
            self.removed = 1
            self.point = Point(3)
            self.pair = Pair(1, 2)
            self._private = "hidden"
            self.next(self.change)

        @step
        def change(self):
            self.rows.append(3)
            self.untouched["k"]
            self.replaced = "new"
            del self.removed
            self.is_point = type(self.point) is Point and isinstance(self.point, Point)
            self.is_pair = type(self.pair) is Pair
            self.seen_private = self._private
            self.property_value = self.doubled
            self.helped = self.helper()
            self.module = Point.__module__
            self.refused = []
            for name in ("limit", "alpha"):
                try:
                    setattr(self, name, 1)
                except AttributeError as error:
                    self.refused.append(str(error))
            self.had_removed = hasattr(self, "removed")
            self.default = getattr(self, "nothing", 0)
            self.next(self.functions)

        @step
        def functions(self):
            self.function = lambda: 1
            self.method = self.helper
            self.builtin = len
            self.kept = 1
            self.next(self.end)

        @step
        def end(self):
            try:
                self.rowz
            except AttributeError as error:
                self.message = str(error)
            self.has_function = hasattr(self, "function")
"""


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> FlowRun:
    return FlowFile(tmp_path_factory.mktemp("artifacts"), SOURCE).run().succeeded()


def test_an_object_changed_in_place_is_stored_again(ended: FlowRun) -> None:
    assert ended.value("rows", "start") == [1, 2]
    assert ended.value("rows", "change") == [1, 2, 3]


def test_what_was_only_read_or_not_touched_goes_on_by_reference(ended: FlowRun) -> None:
    for name in ("untouched", "point", "pair", "_private"):
        assert ended.done("start").artifacts[name] == ended.done("end").artifacts[name]


def test_a_new_value_replaces_the_old_one_from_its_step_on(ended: FlowRun) -> None:
    assert ended.value("replaced", "start") == "old"
    assert ended.value("replaced") == "new"


def test_a_deleted_artifact_is_gone_for_the_steps_after(ended: FlowRun) -> None:
    assert "removed" in ended.names("start")
    assert "removed" not in ended.names("change")
    assert ended.value("had_removed") is False


def test_instances_of_classes_of_the_flow_file_come_back_as_such(ended: FlowRun) -> None:
    assert ended.value("is_point") is True
    assert ended.value("is_pair") is True
    assert ended.value("module") == "__main__"


def test_private_artifacts_are_stored_and_inherited(ended: FlowRun) -> None:
    assert ended.value("_private") == "hidden"
    assert ended.value("seen_private") == "hidden"


def test_constants_and_parameters_are_stored_with_the_run_and_readable_in_steps(ended: FlowRun) -> None:
    assert ended.value("limit", "_parameters") == 7
    assert ended.value("names", "_parameters") == ["a", "b"]
    assert ended.value("alpha", "_parameters") == 0.5
    assert ended.value("property_value") == 14


def test_constants_and_parameters_cannot_be_assigned_and_the_error_says_why(ended: FlowRun) -> None:
    constant, parameter = ended.value("refused")
    assert "limit" in constant
    assert "fixed when the run starts" in constant
    assert "alpha" in parameter
    assert "parameter" in parameter


def test_methods_and_properties_are_not_artifacts(ended: FlowRun) -> None:
    assert ended.value("helped") == "helped"
    assert not {"helper", "doubled"} & ended.names("end")


def test_functions_are_not_stored_and_a_warning_names_each(ended: FlowRun) -> None:
    assert not {"function", "method", "builtin"} & ended.names("functions")
    assert ended.value("kept") == 1
    assert ended.value("has_function") is False
    text = ended.text("functions", "stderr")
    for name in ("function", "method", "builtin"):
        assert text.count(f"self.{name} of step functions") == 1, text
    assert "module level" in text


def test_an_absent_artifact_is_an_attribute_error_that_names_the_step_and_what_is_close(
    ended: FlowRun,
) -> None:
    message = ended.value("message")
    assert "'rowz'" in message
    assert "end" in message
    assert "rows" in message
    assert ended.value("default") == 0


def test_the_record_tells_which_artifacts_were_read(ended: FlowRun) -> None:
    reads = ended.done("change").reads
    assert {"rows", "untouched", "point", "_private", "limit"} <= set(reads)
    assert "names" not in reads


def test_values_that_cannot_be_stored_fail_the_task_and_name_the_member(tmp_path: object) -> None:
    from pathlib import Path

    source = """
        import threading


        class Model:
            def __init__(self):
                self.layers = [1, {"lock": threading.Lock()}]


        class Unpicklable(FlowSpec):
            @step
            def start(self):
                self.model = Model()
                self.next(self.end)

            @step
            def end(self):
                pass
    """
    run = FlowFile(Path(str(tmp_path)), source).run().failed()
    error = run.error("start")
    assert "UnpicklableArtifactException" in error
    assert "model.layers[1]['lock']" in error
    assert "model" in run.stderr
    assert run.end.status == "failed"
