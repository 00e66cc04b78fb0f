"""Credentials of the store from an Airflow connection, for tasks that run in the worker."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from airflow_mlflow_provider.exception import MetaflowConfigError
from airflow_mlflow_provider.plan.manifest import FlowManifest

if TYPE_CHECKING:
    from airflow.sdk import Connection

# With one of these, the connection says how to get credentials rather than what they are.
_INDIRECT = ("role_arn", "profile_name", "session_kwargs")


def provide_credentials(manifest: FlowManifest) -> None:
    """Put what the connection ``aws_conn_id`` holds into the environment of this task's process.

    Without the setting, the environment and the machine's own identity are used as they are.

    Raises:
        MetaflowConfigError: The connection needs Airflow's amazon provider and that is not installed.
    """
    conn_id = manifest.settings.get("aws_conn_id")
    if not conn_id or not manifest.store.startswith("s3://"):
        return
    from airflow.sdk import Connection

    os.environ.update(aws_environment(Connection.get(conn_id)))


def aws_environment(connection: Connection) -> dict[str, str]:
    """The environment variables that stand for an AWS connection."""
    extra = connection.extra_dejson
    key, secret, token = _keys(connection)
    found = {
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_SESSION_TOKEN": token,
        "AWS_REGION": extra.get("region_name"),
        "AWS_ENDPOINT_URL": extra.get("endpoint_url"),
    }
    return {name: value for name, value in found.items() if value}


def _keys(connection: Connection) -> tuple[str | None, str | None, str | None]:
    extra = connection.extra_dejson
    if not any(extra.get(name) for name in _INDIRECT):
        return connection.login, connection.password, extra.get("aws_session_token")
    try:
        from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
    except ImportError as error:
        raise MetaflowConfigError(
            f"The connection {connection.conn_id} takes on a role or profile, which needs Airflow's amazon provider.",
            fix="Install apache-airflow-providers-amazon where tasks run, or use a connection with an access key.",
            where={"connection": connection.conn_id},
        ) from error
    credentials = AwsGenericHook(aws_conn_id=connection.conn_id, client_type="s3").get_credentials()
    return credentials.access_key, credentials.secret_key, credentials.token
