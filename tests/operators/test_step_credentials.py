"""Credentials of the store from an Airflow connection."""

from __future__ import annotations

import os
from typing import Any

import msgspec
import pytest
from airflow.sdk import Connection

from airflow_mlflow_provider.operators.credentials import aws_environment, provide_credentials
from tests.dag.manifests import manifest_of

VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_ENDPOINT_URL",
)


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without credentials, restored after the test."""
    for name in VARIABLES:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def connection(**extra: Any) -> Connection:
    """A connection with an access key."""
    return Connection(
        conn_id="store",
        conn_type="aws",
        login="key",
        password="secret",
        extra=msgspec.json.encode(extra).decode(),
    )


def test_an_access_key_a_region_and_an_endpoint_become_variables() -> None:
    found = aws_environment(connection(region_name="eu-west-1", endpoint_url="http://s3:9000"))
    assert found == {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": "http://s3:9000",
    }


def test_a_session_token_goes_with_its_key() -> None:
    assert aws_environment(connection(aws_session_token="token"))["AWS_SESSION_TOKEN"] == "token"


@pytest.mark.usefixtures("no_credentials")
def test_the_connection_of_the_deployment_is_put_into_the_environment_of_the_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_STORE", "aws://key:secret@/?region_name=eu-west-1")
    manifest = msgspec.structs.replace(
        manifest_of("linear", settings={"aws_conn_id": "store"}), store="s3://b/f"
    )
    provide_credentials(manifest)
    assert (os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_REGION"]) == ("key", "eu-west-1")


@pytest.mark.usefixtures("no_credentials")
@pytest.mark.parametrize(("store", "settings"), [("s3://b/f", {}), ("file:///f", {"aws_conn_id": "nowhere"})])
def test_without_a_connection_or_without_s3_the_environment_is_left_alone(
    store: str, settings: dict[str, Any]
) -> None:
    provide_credentials(msgspec.structs.replace(manifest_of("linear", settings=settings), store=store))
    assert not any(name in os.environ for name in VARIABLES)
