from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlflow_provider.exception import InvalidDecoratorAttribute
from airflow_mlflow_provider.operators.kubernetes.environment import container_variables, literal
from tests.kubernetes_standin.environment import expand
from tests.operators.kubernetes.flows import manifest, step


def variables(
    environ: dict[str, str] | None = None, written: object = None, **settings: Any
) -> dict[str, str]:
    node = step(environment={"vars": written}) if written is not None else step()
    found = container_variables(node, manifest(node, **settings), environ or {})
    return {each["name"]: each["value"] for each in found}


def test_what_the_step_writes_becomes_text() -> None:
    assert variables(written={"A": 1, "B": "x", "C": None}) == {"A": "1", "B": "x", "C": "None"}


@given(st.text(alphabet="$()AB{} %", max_size=30))
def test_no_value_is_expanded_by_kubernetes(value: str) -> None:
    assert expand(literal(value), {"A": "wrong", "B": "wrong"}) == value


def test_the_place_of_the_s3_service_reaches_the_pod_and_credentials_do_not() -> None:
    environ = {
        "AWS_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL_S3": "http://s3:9000",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "key",
        "AWS_SESSION_TOKEN": "token",
        "AIRFLOW__MLFLOW_PROVIDER__API_PASSWORD": "password",
    }
    assert variables(environ) == {"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL_S3": "http://s3:9000"}


def test_the_endpoint_of_the_deployment_wins_over_that_of_the_worker() -> None:
    found = variables({"AWS_ENDPOINT_URL_S3": "http://worker"}, s3_endpoint_url="http://cluster:9000")
    assert found["AWS_ENDPOINT_URL"] == "http://cluster:9000"
    assert "AWS_ENDPOINT_URL_S3" not in found
    assert found["AWS_ALLOW_HTTP"] == "true"


def test_what_the_step_writes_wins_over_all_else() -> None:
    found = variables({"AWS_REGION": "here"}, written={"AWS_REGION": "there"})
    assert found == {"AWS_REGION": "there"}


def test_frozen_settings_reach_the_pod_as_the_configuration_reader_finds_them() -> None:
    found = variables(
        s3_retries=3, card_warnings=False, kubernetes_namespace="x", api_password="no", temp_dir="/here"
    )
    assert found == {
        "AIRFLOW__MLFLOW_PROVIDER__S3_RETRIES": "3",
        "AIRFLOW__MLFLOW_PROVIDER__CARD_WARNINGS": "false",
    }


@pytest.mark.parametrize("written", [["A"], {"A=B": "c"}, {"": "c"}])
def test_names_that_cannot_be_variables_are_refused(written: object) -> None:
    with pytest.raises(InvalidDecoratorAttribute, match="vars"):
        variables(written=written)
