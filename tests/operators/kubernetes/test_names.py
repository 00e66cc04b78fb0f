import re
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlflow_provider.operators.kubernetes import names
from airflow_mlflow_provider.runtime.request import UnitRequest
from tests.operators.kubernetes.flows import request

NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?")
LABEL_KEY = re.compile(r"([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")

identifiers = st.from_regex(r"[^\W\d]\w{0,80}", fullmatch=True)
run_ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}", fullmatch=True)
index_paths = st.lists(st.integers(0, 200_000), max_size=4).map(tuple)
requests = st.builds(
    UnitRequest,
    store=st.just("s3://bucket/flows"),
    flow=identifiers,
    run=run_ids,
    steps=st.lists(identifiers, min_size=1, max_size=3).map(tuple),
    paths=st.lists(index_paths, min_size=1, max_size=5).map(tuple),
    attempt=st.integers(0, 500),
)


@given(requests, st.integers(1, 1000))
def test_every_pod_name_is_a_label_of_rfc_1123(wanted: UnitRequest, try_number: int) -> None:
    name = names.pod_name(wanted, try_number)
    assert NAME.fullmatch(name)
    assert len(name) <= 63
    assert f"-t{try_number}-" in f"-{name}"


@given(requests, st.integers(1, 1000))
def test_every_label_is_valid(wanted: UnitRequest, try_number: int) -> None:
    for key, value in names.labels(wanted, try_number).items():
        assert LABEL_KEY.fullmatch(key)
        assert LABEL_VALUE.fullmatch(value)
        assert len(value) <= 63


@given(st.text(max_size=300))
def test_any_text_becomes_a_valid_label_value(text: str) -> None:
    value = names.label_value(text)
    assert LABEL_VALUE.fullmatch(value)
    assert len(value) <= 63


@given(
    st.text(alphabet=string.ascii_letters + "/:+", min_size=1),
    st.text(alphabet=string.ascii_letters + "/:+", min_size=1),
)
def test_different_texts_get_different_label_values(one: str, other: str) -> None:
    assert (names.label_value(one) == names.label_value(other)) == (one == other)


def test_the_name_shows_flow_step_task_run_and_try() -> None:
    name = names.pod_name(request(paths=((2, 7),)), 3)
    assert re.fullmatch(r"trainflow-train-0002-0007-0123456789-t3-[a-z0-9]{8}", name)


def test_no_two_pods_get_the_same_name() -> None:
    assert names.pod_name(request(), 1) != names.pod_name(request(), 1)


def test_a_shard_is_named_by_its_first_task_and_its_size() -> None:
    assert names.tasks_text(request(paths=((4,), (5,), (6,)))) == "0004-and-2-more"


def test_the_exact_ids_are_in_the_annotations() -> None:
    found = names.exact_ids(request(attempt=2), 3, "0192-ti")
    prefix = "airflow-mlflow-provider/"
    assert found[f"{prefix}run"] == "airflow-manual-2026-11-23T18-27-00-00-00-0123456789"
    assert found[f"{prefix}dag-run-id"] == "manual__2026-11-23T18:27:00+00:00"
    assert found[f"{prefix}attempt"] == "2"
    assert found[f"{prefix}try-number"] == "3"
    assert found[f"{prefix}task-instance"] == "0192-ti"


@pytest.mark.parametrize(
    "changed",
    [{"run": "other"}, {"steps": ("end",)}, {"paths": ((1,),)}, {"flow": "Other"}, {"store": "s3://other"}],
)
def test_other_work_has_another_selector(changed: dict[str, Any]) -> None:
    assert names.selector(request()) != names.selector(request(**changed))


def test_another_attempt_of_the_same_work_has_the_same_selector() -> None:
    assert names.selector(request(attempt=0)) == names.selector(request(attempt=4, retry_count=2))
