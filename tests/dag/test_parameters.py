"""Parameters as Airflow params."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException

from airflow_mlflow_provider.dag.parameters import airflow_params, nullable
from airflow_mlflow_provider.flow.parameter_spec import ParameterSpec
from airflow_mlflow_provider.plan.manifest import EventTrigger, Schedule
from tests.dag.manifests import manifest_of

ALPHA = ParameterSpec("alpha", "alpha", {"type": "number", "maximum": 1}, default=0.5, help="Learning rate.")
NEEDED = ParameterSpec("needed", "needed", {"type": "string"}, required=True)
OPTIONAL = ParameterSpec("optional", "optional", {"type": "integer"})


def test_a_default_a_title_a_description_and_the_schema_make_the_form() -> None:
    param = airflow_params(manifest_of("linear", parameters=(ALPHA,)))["alpha"]
    assert param.value == 0.5
    assert param.description == "Learning rate."
    assert param.schema == {"title": "alpha", "type": "number", "maximum": 1}


def test_a_config_that_runs_may_edit_is_in_the_form_and_others_are_not() -> None:
    configs = {"model": {"depth": 1}, "fixed": 2}
    params = airflow_params(manifest_of("linear", configs=configs, editable_configs=("model",)))
    assert list(params) == ["model"]
    assert params["model"].value == {"depth": 1}
    assert params["model"].schema == {"title": "model", "type": "object"}


def test_airflow_refuses_what_the_schema_refuses() -> None:
    param = airflow_params(manifest_of("linear", parameters=(ALPHA,)))["alpha"]
    with pytest.raises(AirflowException, match="greater than the maximum"):
        param.resolve(3)


def test_airflow_asks_for_a_required_parameter_of_a_flow_that_people_start() -> None:
    param = airflow_params(manifest_of("linear", parameters=(NEEDED,)))["needed"]
    assert not param.has_value
    assert param.schema["type"] == "string"


@pytest.mark.parametrize(
    "fields", [{"schedule": Schedule("0 0 * * *")}, {"triggers": (EventTrigger("data"),)}]
)
def test_a_required_parameter_of_a_flow_that_starts_by_itself_is_left_to_the_first_task(
    fields: dict[str, Any],
) -> None:
    param = airflow_params(manifest_of("linear", parameters=(NEEDED,), **fields))["needed"]
    assert param.resolve() is None
    assert param.schema["type"] == ["string", "null"]


def test_a_parameter_without_default_allows_none() -> None:
    param = airflow_params(manifest_of("linear", parameters=(OPTIONAL,)))["optional"]
    assert param.resolve() is None
    assert param.resolve(3) == 3


@pytest.mark.parametrize(
    ("schema", "widened"),
    [
        ({"type": "string"}, {"type": ["string", "null"]}),
        ({"type": ["array", "null"]}, {"type": ["array", "null"]}),
        ({"enum": ["a"]}, {"enum": ["a", None]}),
        ({}, {}),
    ],
)
def test_widening_a_schema_adds_null_once(schema: dict[str, Any], widened: dict[str, Any]) -> None:
    assert nullable(schema) == widened
