"""Random flows with random failures do as DAGs, under Airflow's own dependency rules, what the reference model says."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from airflow_mlflow_provider.dag import build_dag
from tests.dag.deployed import Finished
from tests.model.deploying import left_by, shape_manifest
from tests.model.graphs import faults, flows
from tests.model.reference import interpret
from tests.model.spec import Block
from tests.services.dag_test import run_dag

# One after another, each task takes half a second.
MOST_TASKS = 20
_numbers = itertools.count()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
@given(flow=flows(), data=st.data())
def test_random_flows_run_as_dags_as_the_model_says(flow: Block, data: st.DataObject) -> None:
    assume(len(interpret(flow).tasks) <= MOST_TASKS)
    broken = data.draw(st.none() | faults(flow))
    expected = interpret(flow, broken)
    with tempfile.TemporaryDirectory() as folder:
        manifest = shape_manifest(flow, broken, f"ModelRandom{next(_numbers)}", Path(folder))
        run = run_dag(build_dag(manifest), expected=None)
        found = left_by(Finished.of(manifest, run), flow)
    assert found.without(expected.open) == expected.without(expected.open)
