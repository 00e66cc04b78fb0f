"""The connection to an object store: where it is, with which credentials, how patient.

Credentials are found on the machine, never in a URL: environment variables, the web identity of a pod, the role of a
container or instance; for S3 also the profiles of ``~/.aws`` where boto3 is installed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.exception import StoreAccessDenied
from airflow_mlflow_provider.store._object_errors import CREDENTIALS_FIX

if TYPE_CHECKING:
    from obstore.store import S3Config

_INSTANCE_SECONDS = 1.0
_CONNECT_SECONDS = 10
_REQUEST_SECONDS = 300
# Long enough for the retries asked for; a request signed earlier than this would no longer be accepted.
_RETRY_SECONDS = 240
_STATIC_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_SKIP_SIGNATURE",
)


def connect(scheme: str, bucket: str, prefix: str, *, encryption: str | None = None) -> Any:
    """An obstore store.

    Args:
        scheme: ``s3``, ``gs`` or ``az``.
        bucket: Bucket or container.
        prefix: Prefix of all keys, without slashes at its ends.
        encryption: Server-side encryption on S3 instead of the configured `s3_sse`.

    Raises:
        StoreAccessDenied: There are no credentials on this machine.
        ValueError: A setting of the environment makes no sense to the client.
    """
    from obstore.store import AzureStore, GCSStore, S3Store

    retries = {
        "max_retries": get("s3_retries"),
        "retry_timeout": timedelta(seconds=_RETRY_SECONDS),
        "backoff": {
            "init_backoff": timedelta(milliseconds=100),
            "max_backoff": timedelta(seconds=15),
            "base": 2,
        },
    }
    client = {
        "connect_timeout": timedelta(seconds=_CONNECT_SECONDS),
        "timeout": timedelta(seconds=_REQUEST_SECONDS),
        "pool_max_idle_per_host": str(get("s3_workers")),
    }
    common: dict[str, Any] = {"prefix": prefix or None, "client_options": client, "retry_config": retries}
    if scheme == "s3":
        settings = _s3_settings(encryption or get("s3_sse"))
        client["allow_http"] = str(settings.get("endpoint", "")).startswith("http://")
        return S3Store(bucket, config=settings, credential_provider=_profile_credentials(), **common)
    if scheme == "gs":
        return GCSStore(bucket, **common)
    return AzureStore(bucket, **common)


def _s3_settings(encryption: str | None) -> S3Config:
    settings: S3Config = {}
    endpoint = (
        get("s3_endpoint_url") or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    )
    if endpoint:
        settings["endpoint"] = endpoint
    if encryption:
        kind, key = _encryption(encryption)
        settings["server_side_encryption"] = kind
        if key:
            settings["sse_kms_key_id"] = key
    if not (os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")):
        region = _profile_setting("region")
        if region:
            settings["region"] = region
    return settings


def _encryption(text: str) -> tuple[str, str]:
    """``aws:kms:<key id>`` as algorithm and key id; the other forms have no key."""
    for algorithm in ("aws:kms:dsse", "aws:kms", "AES256"):
        if text == algorithm or text.startswith(f"{algorithm}:"):
            return algorithm, text[len(algorithm) + 1 :]
    return text, ""


def _profile_credentials() -> Any:
    """What gives the credentials of a profile in ``~/.aws``; ``None`` where the client finds others by itself."""
    if any(os.environ.get(name) for name in _STATIC_CREDENTIALS):
        return None
    credentials = _profile()
    if credentials is None:
        _check_instance_role()
        return None

    def provide() -> Mapping[str, Any]:
        # Frozen credentials are refreshed as needed; asking again after a quarter of an hour keeps up with that.
        from datetime import datetime, timezone

        frozen = credentials.get_frozen_credentials()
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": datetime.now(timezone.utc) + timedelta(minutes=15),
        }

    return provide


def _profile() -> Any:
    if not (os.environ.get("AWS_PROFILE") or any(path.is_file() for path in _profile_files().values())):
        return None
    try:
        from boto3 import Session
    except ImportError:
        return None
    return Session().get_credentials()


def _check_instance_role() -> None:
    """Find out in a second what the client would find out after all its retries: this is no instance with a role."""
    import socket
    from urllib.parse import urlsplit

    service = urlsplit(os.environ.get("AWS_METADATA_ENDPOINT", "http://169.254.169.254"))
    try:
        socket.create_connection(
            (service.hostname or "", service.port or 80), timeout=_INSTANCE_SECONDS
        ).close()
    except OSError as error:
        raise StoreAccessDenied(
            "There are no credentials for S3: no environment variables, no profile, no role of a pod or an instance.",
            fix=CREDENTIALS_FIX,
        ) from error


def _profile_files() -> dict[str, Path]:
    return {
        "config": Path(os.environ.get("AWS_CONFIG_FILE", "~/.aws/config")).expanduser(),
        "credentials": Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")).expanduser(),
    }


def _profile_setting(name: str) -> str | None:
    import configparser

    profile = os.environ.get("AWS_PROFILE", "default")
    section = profile if profile == "default" else f"profile {profile}"
    parser = configparser.RawConfigParser()
    try:
        parser.read(_profile_files()["config"])
        return parser.get(section, name, fallback=None)
    except (configparser.Error, OSError, UnicodeDecodeError):
        # The file is boto3's business; a region that cannot be read there is as good as none.
        return None
