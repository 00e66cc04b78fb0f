"""The base class of flows."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from airflow_mlflow_provider import FlowSpec, step
from airflow_mlflow_provider.exception import MetaflowException, UnpicklableArtifactException
from airflow_mlflow_provider.flow.spec import TASK_ATTRIBUTE, loading
from airflow_mlflow_provider.runtime.bound_task import BoundTask
from airflow_mlflow_provider.store.artifacts import ArtifactReader, ArtifactWriter
from airflow_mlflow_provider.store.location import open_store


class Small(FlowSpec):
    """Two steps."""

    rows: Any

    @step
    def start(self) -> None:
        """Begin."""
        self.next(self.end)

    @step
    def end(self) -> None:
        """End."""


@pytest.fixture
def flow(request: pytest.FixtureRequest) -> Small:
    store = open_store(f"memory://spec-{request.node.name}")
    writer = ArtifactWriter(store, "pack")
    inherited = {"rows": writer.add("rows", [1, 2])}
    writer.flush()
    running = Small(use_cli=False)
    running.__dict__[TASK_ATTRIBUTE] = BoundTask("end", ArtifactReader(store), inherited)
    return running


def test_an_instance_gives_its_steps_and_its_graph() -> None:
    flow = Small(use_cli=False)
    assert [node.name for node in flow] == ["start", "end"]
    assert flow.name == "Small"
    assert flow.script_name == "test_spec.py"
    start, end = flow._graph["start"], flow._graph["end"]
    assert (start.type, start.in_funcs, start.out_funcs) == ("start", [], ["end"])
    assert (end.type, end.in_funcs, end.parallel_step, end.matching_join) == ("end", ["start"], False, None)


def test_outside_a_step_there_is_no_index_no_input_and_no_stack() -> None:
    flow = Small(use_cli=False)
    assert (flow.index, flow.input, flow.foreach_stack()) == (None, None, [])


def test_an_inherited_artifact_is_loaded_once_and_can_be_replaced_and_deleted(flow: Small) -> None:
    loaded: Any = flow.rows
    assert loaded == [1, 2]
    assert flow.rows is loaded
    flow.rows = 3
    assert flow.rows == 3
    del flow.rows
    assert not hasattr(flow, "rows")
    with pytest.raises(AttributeError):
        del flow.rows


def test_an_attribute_that_nobody_set_is_an_attribute_error(flow: Small) -> None:
    assert getattr(flow, "nothing", 5) == 5
    with pytest.raises(AttributeError, match=r"'row'.*end.*rows"):
        _ = flow.row
    with pytest.raises(AttributeError, match="has no attribute 'rows'"):
        _ = Small(use_cli=False).rows


def test_a_function_on_self_is_a_warning_an_error_or_nothing(
    flow: Small, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    flow.rows = lambda: 1
    task, writer = flow.__dict__[TASK_ATTRIBUTE], ArtifactWriter(open_store("memory://functions"), "pack")
    with pytest.warns(UserWarning, match=r"self\.rows of step end is a function and is not stored"):
        task.save(flow, writer)
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__UNPERSISTED_ARTIFACTS", "error")
    with pytest.raises(UnpicklableArtifactException, match=r"self\.rows"):
        task.save(flow, writer)
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__UNPERSISTED_ARTIFACTS", "ignore")
    task.save(flow, writer)
    assert len(recwarn) == 0


def test_special_names_are_never_looked_for_in_the_store(flow: Small) -> None:
    with pytest.raises(AttributeError):
        _ = flow.__array__


@pytest.mark.parametrize("store_it", [pickle.dumps, copy.deepcopy])
def test_the_flow_itself_cannot_be_stored_and_the_error_says_what_to_store(
    flow: Small, store_it: Any
) -> None:
    with pytest.raises(UnpicklableArtifactException, match="Small") as caught:
        store_it(flow)
    assert "self" in str(caught.value.fix)


def test_merging_outside_a_running_step_is_refused() -> None:
    with pytest.raises(MetaflowException, match="merge_artifacts"):
        Small(use_cli=False).merge_artifacts([])


def test_merging_outside_a_join_is_refused(flow: Small) -> None:
    with pytest.raises(MetaflowException, match="step end, which is not a join"):
        flow.merge_artifacts([])


def test_merging_what_is_not_inputs_is_refused(flow: Small) -> None:
    flow.__dict__[TASK_ATTRIBUTE] = BoundTask(
        "end", ArtifactReader(open_store("memory://join")), {}, is_join=True
    )
    with pytest.raises(MetaflowException, match="inputs of a join"):
        flow.merge_artifacts([object()])
    with pytest.raises(MetaflowException, match="both include and exclude"):
        flow.merge_artifacts([], exclude=["a"], include=["b"])


def test_calling_the_class_starts_nothing_while_its_file_is_loaded() -> None:
    with loading():
        assert isinstance(Small(), Small)
