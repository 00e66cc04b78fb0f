"""Random flows with random failures do on this machine what the reference model says, and resume to what it says."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from airflow_mlflow_provider.flow.lint import lint
from tests.flow.lint.flow_text import load
from tests.model.checks import check_resume, check_run
from tests.model.flow_text import flow_text
from tests.model.graphs import faults, flows, small
from tests.model.spec import Block

settings.register_profile(
    "model",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
FEW = settings(settings.get_profile("model"), max_examples=4)
MANY = settings(settings.get_profile("model"), max_examples=80)
MINUTES = pytest.mark.timeout(1800)


def _runs_as_the_model_says(flow: Block, data: st.DataObject) -> None:
    assume(small(flow))
    broken = data.draw(st.none() | faults(flow))
    with tempfile.TemporaryDirectory() as folder:
        check_run(flow, broken, Path(folder))


def _resumes_as_the_model_says(flow: Block, data: st.DataObject) -> None:
    assume(small(flow))
    broken = data.draw(faults(flow, ("none",)))
    options = data.draw(st.sampled_from([(), ("--keep-going",)]))
    with tempfile.TemporaryDirectory() as folder:
        check_resume(flow, broken, Path(folder), *options)


@settings(settings.get_profile("model"), max_examples=100)
@given(flow=flows())
def test_random_flows_have_no_errors_to_report(flow: Block) -> None:
    with tempfile.TemporaryDirectory() as folder:
        issues = lint(load(Path(folder), flow_text(flow, name="Flow")))
    assert [issue for issue in issues if issue.severity == "E"] == []


test_a_few_random_flows_run_as_the_model_says = FEW(
    given(flow=flows(), data=st.data())(_runs_as_the_model_says)
)
test_many_random_flows_run_as_the_model_says = pytest.mark.slow(
    MINUTES(MANY(given(flow=flows(), data=st.data())(_runs_as_the_model_says)))
)
test_a_few_random_flows_resume_as_the_model_says = FEW(
    given(flow=flows(), data=st.data())(_resumes_as_the_model_says)
)
test_many_random_flows_resume_as_the_model_says = pytest.mark.slow(
    MINUTES(MANY(given(flow=flows(), data=st.data())(_resumes_as_the_model_says)))
)
