"""The reference runs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.parity.flows_under_test import FlowUnderTest
from tests.parity.reading import Task, read_run
from tests.parity.ways import run_locally

Reference = Callable[[FlowUnderTest], dict[str, Task]]


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """What a flow gives locally on a folder; run once for each test process."""
    known: dict[str, dict[str, Task]] = {}

    def run(flow: FlowUnderTest) -> dict[str, Task]:
        if flow.name not in known:
            folder = tmp_path_factory.mktemp(flow.name)
            store = (folder / "store").as_uri()
            known[flow.name] = read_run(store, flow.name, run_locally(flow, store, folder))
        return known[flow.name]

    return run
