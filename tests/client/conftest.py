"""Runs that the tests of the client read; each is made once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_mlflow_provider.client import default_metadata, default_namespace, metadata
from tests.client.flows import BROKEN, FOREACH, SHAPES
from tests.flow_runs import USER, FlowFile, FlowRun


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds the flows and their one store."""
    return tmp_path_factory.mktemp("client")


@pytest.fixture(scope="session")
def store(folder: Path) -> str:
    """The store of all flows."""
    return (folder / "store").as_uri()


@pytest.fixture(scope="session")
def foreach_run(folder: Path, store: str) -> FlowRun:
    """A run with parameters, a foreach and tags that succeeded."""
    run = FlowFile(folder / "foreach", FOREACH, store).run(
        "--alpha", "0.25", "--tag", "nightly", "--tag", "a b"
    )
    assert run.run
    return run.succeeded()


@pytest.fixture(scope="session")
def shapes_run(folder: Path, store: str) -> FlowRun:
    """A run with a static split, a switch, a loop and a gang that succeeded."""
    run = FlowFile(folder / "shapes", SHAPES, store).run()
    assert run.run
    return run.succeeded()


@pytest.fixture(scope="session")
def broken_flow(folder: Path, store: str) -> FlowFile:
    """A flow that fails in its second split, unless the file `fixed` is there."""
    return FlowFile(folder / "broken", BROKEN, store)


@pytest.fixture(scope="session")
def broken_run(broken_flow: FlowFile) -> FlowRun:
    """A run that failed."""
    run = broken_flow.run()
    assert run.run
    return run.failed()


@pytest.fixture(scope="session")
def resumed_run(broken_flow: FlowFile, broken_run: FlowRun) -> FlowRun:
    """A run that took over what the failed one had finished."""
    (broken_flow.folder / "fixed").touch()
    run = broken_flow.run("--origin-run-id", broken_run.run, command="resume")
    assert run.run != broken_run.run
    return run.succeeded()


@pytest.fixture(autouse=True)
def reading_the_store(store: str) -> Iterator[None]:
    """The client reads the store of the flows, as the user who ran them."""
    before = os.environ.get("METAFLOW_USER")
    os.environ["METAFLOW_USER"] = USER
    metadata(store)
    yield
    default_metadata()
    default_namespace()
    if before is None:
        del os.environ["METAFLOW_USER"]
    else:
        os.environ["METAFLOW_USER"] = before
