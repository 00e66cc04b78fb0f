from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import Connection

from airflow_mlflow_provider.exception import MetaflowConfigError
from airflow_mlflow_provider.hooks.artifact_store import ArtifactStoreHook
from airflow_mlflow_provider.hooks.credentials import store_environment

if TYPE_CHECKING:
    from tests.services.s3 import S3Server


def connect(monkeypatch: pytest.MonkeyPatch, conn_id: str, **fields: Any) -> ArtifactStoreHook:
    monkeypatch.setenv(
        f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps({"conn_type": "artifact_store", **fields})
    )
    return ArtifactStoreHook(conn_id)


def test_a_folder_can_be_tested_and_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = connect(monkeypatch, "store_here", extra={"store_url": str(tmp_path / "s")})
    works, said = hook.test_connection()
    assert works, said
    assert "read and written" in said
    assert hook.publish("x", [1, 2]).number == 1
    assert hook.fetch("artifact:x") == [1, 2]


def test_a_store_that_cannot_be_read_is_told_without_its_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3_server: S3Server
) -> None:
    endpoint = s3_server.environment()["AWS_ENDPOINT_URL"]
    hook = connect(
        monkeypatch,
        "store_gone",
        login="key-id",
        password="very-secret",
        extra={
            "store_url": "s3://no-such-bucket-here/x",
            "endpoint_url": endpoint,
            "region_name": "us-east-1",
        },
    )
    works, said = hook.test_connection()
    assert not works
    assert "no-such-bucket-here" in said
    assert "very-secret" not in said
    assert "AWS_SECRET_ACCESS_KEY" not in os.environ


def test_a_store_on_s3_is_reached_with_the_credentials_of_an_aws_connection(
    monkeypatch: pytest.MonkeyPatch, s3_server: S3Server, s3_bucket: str
) -> None:
    settings = s3_server.environment()
    for name in settings:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(
        "AIRFLOW_CONN_AWS_HERE",
        json.dumps(
            {
                "conn_type": "aws",
                "login": settings["AWS_ACCESS_KEY_ID"],
                "password": settings["AWS_SECRET_ACCESS_KEY"],
                "extra": {"endpoint_url": settings["AWS_ENDPOINT_URL"], "region_name": "us-east-1"},
            }
        ),
    )
    hook = connect(
        monkeypatch,
        "store_s3",
        extra={"store_url": f"s3://{s3_bucket}/root", "credentials_conn_id": "aws_here"},
    )
    works, said = hook.test_connection()
    assert works, said
    assert s3_server.counts(s3_bucket)["PutObject"] == 1


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"conn_type": "google_cloud_platform", "extra": '{"key_path": "/key.json"}'},
            {"GOOGLE_SERVICE_ACCOUNT": "/key.json"},
        ),
        (
            {"conn_type": "google_cloud_platform", "extra": '{"keyfile_dict": {"a": 1}}'},
            {"GOOGLE_SERVICE_ACCOUNT_KEY": '{"a": 1}'},
        ),
        ({"conn_type": "google_cloud_platform"}, {}),
        (
            {"conn_type": "wasb", "login": "account", "password": "key"},
            {"AZURE_STORAGE_ACCOUNT_NAME": "account", "AZURE_STORAGE_ACCOUNT_KEY": "key"},
        ),
        (
            {
                "conn_type": "wasb",
                "host": "https://account.blob.core.windows.net",
                "login": "app",
                "password": "secret",
                "extra": '{"tenant_id": "t"}',
            },
            {
                "AZURE_STORAGE_TENANT_ID": "t",
                "AZURE_STORAGE_CLIENT_ID": "app",
                "AZURE_STORAGE_CLIENT_SECRET": "secret",
                "AZURE_STORAGE_ACCOUNT_NAME": "account",
            },
        ),
        (
            {
                "conn_type": "aws",
                "login": "id",
                "password": "secret",
                "extra": '{"region_name": "eu-west-1"}',
            },
            {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-west-1"},
        ),
    ],
)
def test_connections_of_the_clouds_become_the_clients_settings(
    fields: dict[str, Any], expected: dict[str, str]
) -> None:
    assert store_environment(Connection(conn_id="c", **fields)) == expected


def test_other_connections_are_refused() -> None:
    with pytest.raises(MetaflowConfigError, match="type 'postgres'"):
        store_environment(Connection(conn_id="c", conn_type="postgres"))


def test_a_connection_without_a_url_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW__MLFLOW_PROVIDER__DATASTORE_ROOT", raising=False)
    works, said = connect(monkeypatch, "store_nowhere").test_connection()
    assert (works, "has no store URL" in said) == (False, True)
