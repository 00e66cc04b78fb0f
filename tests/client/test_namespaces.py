"""The namespace decides what the client shows; asking for more says how to see it."""

from __future__ import annotations

import pickle

import pytest

from airflow_mlflow_provider.client import (
    Flow,
    Metaflow,
    Run,
    Task,
    default_metadata,
    default_namespace,
    get_metadata,
    get_namespace,
    metadata,
    namespace,
)
from airflow_mlflow_provider.exception import (
    CommandException,
    MetaflowNamespaceMismatch,
    MetaflowNotFound,
    MetaflowUnknownUser,
)
from tests.flow_runs import FlowRun


def test_the_default_namespace_is_the_users() -> None:
    assert get_namespace() == "user:tester"
    assert namespace("user:somebody") == "user:somebody"
    assert get_namespace() == "user:somebody"
    assert namespace(None) is None
    assert get_namespace() is None
    assert default_namespace() == "user:tester"
    assert get_namespace() == "user:tester"


def test_an_unknown_user_is_told_which_variables_count(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("METAFLOW_USER", "SUDO_USER", "USERNAME", "AIRFLOW__MLFLOW_PROVIDER__USER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("USER", "root")

    with pytest.raises(MetaflowUnknownUser, match="METAFLOW_USER"):
        default_namespace()


def test_runs_of_others_are_named_with_the_call_that_shows_them(foreach_run: FlowRun) -> None:
    path = f"Foreach/{foreach_run.run}"
    namespace("user:other")

    for kind, pathspec in ((Flow, "Foreach"), (Run, path), (Task, f"{path}/end/0")):
        with pytest.raises(MetaflowNamespaceMismatch) as caught:
            kind(pathspec)
        assert pathspec in str(caught.value)
        assert "user:tester" in str(caught.value)
        assert "user:other" in str(caught.value)
        assert "namespace('user:tester')" in caught.value.fix
    assert [flow.id for flow in Metaflow()] == []
    assert Run(path, _namespace_check=False).id == foreach_run.run


def test_any_tag_is_a_namespace(foreach_run: FlowRun) -> None:
    namespace("nightly")
    assert Flow("Foreach").latest_run == Run(f"Foreach/{foreach_run.run}")
    assert Run(f"Foreach/{foreach_run.run}").is_in_namespace()

    namespace(None)
    assert Flow("Foreach").latest_run is not None


def test_objects_remember_their_namespace_through_pickling(foreach_run: FlowRun) -> None:
    flow = Flow("Foreach")
    kept = pickle.dumps(flow)
    namespace("user:other")

    assert flow.latest_run is not None
    assert pickle.loads(kept).latest_run is not None
    namespace(None)
    wide = pickle.dumps(Flow("Foreach"))
    namespace("user:other")
    assert pickle.loads(wide).latest_run is not None


def test_metadata_switches_the_store(
    foreach_run: FlowRun, store: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    empty = tmp_path_factory.mktemp("empty")

    assert get_metadata() == store
    assert metadata(f"local@{empty}") == empty.as_uri()
    with pytest.raises(MetaflowNotFound, match="no flow"):
        Flow("Foreach")
    assert metadata(store.removeprefix("file://")) == store
    assert Flow("Foreach").latest_run is not None
    assert default_metadata() == get_metadata() != store
    (empty / ".mlflow_provider").mkdir()
    assert metadata(str(empty)) == (empty / ".mlflow_provider").as_uri()
    with pytest.raises(CommandException, match="no metadata service"):
        metadata("service@https://metadata.example.org")


def test_objects_remember_their_store(foreach_run: FlowRun, tmp_path_factory: pytest.TempPathFactory) -> None:
    run = Run(f"Foreach/{foreach_run.run}")
    kept = pickle.dumps(run["join"])
    metadata(str(tmp_path_factory.mktemp("empty")))

    assert run.data is not None
    assert run.data.alpha == 0.25
    assert pickle.loads(kept).task["doubled"].data == ["appleapple", "pearpear"]
