"""What Airflow's connections of AWS, Google Cloud and Azure say, as the environment variables of the store's client."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_mlflow_provider.exception import MetaflowConfigError
from airflow_mlflow_provider.operators.credentials import aws_environment

if TYPE_CHECKING:
    from airflow.sdk import Connection

_AZURE_TYPES = frozenset({"wasb", "azure", "adls", "azure_data_lake"})


def store_environment(connection: Connection) -> dict[str, str]:
    """The environment variables that stand for a connection.

    Args:
        connection: A connection of Airflow's amazon, google or microsoft.azure provider. One that names no key leaves
            the machine's own identity in force: an instance role, IRSA, a workload identity.

    Raises:
        MetaflowConfigError: It is of another type.
    """
    kind = connection.conn_type
    if kind in ("aws", "s3"):
        return aws_environment(connection)
    if kind in ("google_cloud_platform", "gcpssh"):
        return _google(connection)
    if kind in _AZURE_TYPES:
        return _azure(connection)
    raise MetaflowConfigError(
        f"The connection {connection.conn_id} is of the type '{kind}', which holds no credentials for an artifact store.",
        fix="Name a connection of the type aws, google_cloud_platform or wasb.",
        where={"connection": connection.conn_id},
    )


def _google(connection: Connection) -> dict[str, str]:
    key = _extra(connection, "keyfile_dict", "google_cloud_platform")
    path = _extra(connection, "key_path", "google_cloud_platform")
    found = {
        "GOOGLE_SERVICE_ACCOUNT_KEY": key if isinstance(key, str) or not key else json.dumps(key),
        "GOOGLE_SERVICE_ACCOUNT": path,
    }
    return {name: value for name, value in found.items() if value}


def _azure(connection: Connection) -> dict[str, str]:
    tenant = _extra(connection, "tenant_id", "wasb")
    found: dict[str, Any] = {"AZURE_STORAGE_SAS_KEY": _extra(connection, "sas_token", "wasb")}
    if tenant:
        # With a tenant, the login is an application, and the account is in the host.
        found |= {
            "AZURE_STORAGE_TENANT_ID": tenant,
            "AZURE_STORAGE_CLIENT_ID": connection.login,
            "AZURE_STORAGE_CLIENT_SECRET": connection.password,
            "AZURE_STORAGE_ACCOUNT_NAME": _account(connection.host),
        }
    else:
        found |= {
            "AZURE_STORAGE_ACCOUNT_NAME": connection.login or _account(connection.host),
            "AZURE_STORAGE_ACCOUNT_KEY": connection.password,
        }
    return {name: value for name, value in found.items() if value}


def _account(host: str | None) -> str:
    """The account of ``https://account.blob.core.windows.net``, or of that without the scheme."""
    if not host:
        return ""
    return (urlsplit(host if "//" in host else f"//{host}").hostname or "").partition(".")[0]


def _extra(connection: Connection, name: str, kind: str) -> Any:
    """A field of a connection's form; forms of old providers put their type before its name."""
    extra = connection.extra_dejson
    return extra.get(name) or extra.get(f"extra__{kind}__{name}")
