"""Secrets kept by AWS, Google Cloud and Azure, read with the step's own identity."""

from __future__ import annotations

import base64
import importlib
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.exception import MetaflowException
from airflow_mlflow_provider.flow.decorators.secret_backends import (
    SecretsProvider,
    one_or_many,
    variable_name,
)

_NOTHING: Mapping[str, Any] = {}


class AwsSecretsManager(SecretsProvider):
    """AWS Secrets Manager. The id is a name or an ARN.

    A secret that is a JSON object becomes a variable for each key. Options: ``region``; ``json`` and ``env_var_name`` as for
    any text; a binary secret becomes one variable, in base64.
    """

    TYPE = "aws-secrets-manager"

    def get_secret_as_dict(
        self, secret_id: str, options: Mapping[str, Any] = _NOTHING, role: str | None = None
    ) -> dict[str, str]:
        """Fetch the current version; ``role`` is the ARN of a role that is assumed."""
        name = secret_id if secret_id.startswith("arn:") else (get("secrets_prefix") or "") + secret_id
        answer = self._client(options, role).get_secret_value(SecretId=name)
        if "SecretString" in answer:
            return one_or_many(answer["SecretString"], secret_id, options)
        encoded = base64.b64encode(answer["SecretBinary"]).decode()
        return {str(options.get("env_var_name") or variable_name(secret_id)): encoded}

    def _client(self, options: Mapping[str, Any], role: str | None) -> Any:
        boto3 = _library("boto3", "boto3")
        region = options.get("region")
        credentials: dict[str, str] = {}
        if role:
            sts = boto3.client("sts", region_name=region)
            assumed = sts.assume_role(RoleArn=role, RoleSessionName="airflow-mlflow-provider")["Credentials"]
            credentials = {
                "aws_access_key_id": assumed["AccessKeyId"],
                "aws_secret_access_key": assumed["SecretAccessKey"],
                "aws_session_token": assumed["SessionToken"],
            }
        return boto3.client("secretsmanager", region_name=region, **credentials)


class GcpSecretManager(SecretsProvider):
    """Google Cloud Secret Manager.

    The id is ``projects/P/secrets/S[/versions/V]``, or the name of a secret of the project in ``GOOGLE_CLOUD_PROJECT``. Options:
    ``version`` (default ``latest``), ``json`` and ``env_var_name``.
    """

    TYPE = "gcp-secret-manager"

    def get_secret_as_dict(
        self, secret_id: str, options: Mapping[str, Any] = _NOTHING, role: str | None = None
    ) -> dict[str, str]:
        """Fetch a version; ``role`` is a service account that is impersonated."""
        manager = _library("google.cloud.secretmanager", "google-cloud-secret-manager")
        client = manager.SecretManagerServiceClient(credentials=self._credentials(role))
        name = gcp_version_name(secret_id, str(options.get("version", "latest")))
        answer = client.access_secret_version(request={"name": name})
        return one_or_many(answer.payload.data.decode("utf-8"), name.split("/")[3], options)

    def _credentials(self, role: str | None) -> Any:
        if not role:
            return None
        auth = _library("google.auth", "google-auth")
        impersonation = _library("google.auth.impersonated_credentials", "google-auth")
        source, _ = auth.default()
        return impersonation.Credentials(
            source_credentials=source,
            target_principal=role,
            target_scopes=["https://www.googleapis.com/auth/cloud-platform"],
        )


class AzureKeyVault(SecretsProvider):
    """Azure Key Vault.

    The id is ``https://VAULT.vault.azure.net/secrets/NAME[/VERSION]``, ``VAULT/NAME``, or ``NAME`` of the vault in ``secrets_prefix``. The
    secret is one variable unless it is a JSON object; options ``json`` and ``env_var_name``.
    """

    TYPE = "az-key-vault"

    def get_secret_as_dict(
        self, secret_id: str, options: Mapping[str, Any] = _NOTHING, role: str | None = None
    ) -> dict[str, str]:
        """Fetch a version; ``role`` is the client id of a managed identity."""
        identity = _library("azure.identity", "azure-identity")
        vaults = _library("azure.keyvault.secrets", "azure-keyvault-secrets")
        vault, name, version = azure_secret_name(secret_id)
        arguments = {"managed_identity_client_id": role} if role else {}
        client = vaults.SecretClient(vault_url=vault, credential=identity.DefaultAzureCredential(**arguments))
        return one_or_many(client.get_secret(name, version).value or "", name, options)


def gcp_version_name(secret_id: str, version: str) -> str:
    """The resource name of a version of a secret.

    Raises:
        MetaflowException: The project is not known, or the name has another form.
    """
    parts = secret_id.split("/")
    if secret_id.startswith("projects/"):
        if len(parts) == 6 and parts[2] == "secrets" and parts[4] == "versions":
            return secret_id
        if len(parts) == 4 and parts[2] == "secrets":
            return f"{secret_id}/versions/{version}"
    elif len(parts) == 1:
        project = os.environ.get("GOOGLE_CLOUD_PROJECT")
        if project:
            return f"projects/{project}/secrets/{get('secrets_prefix') or ''}{secret_id}/versions/{version}"
        raise MetaflowException(
            "The project is not known.", fix="Set GOOGLE_CLOUD_PROJECT, or write projects/P/secrets/S."
        )
    raise MetaflowException(
        f"'{secret_id}' does not name a secret.", fix="Write projects/P/secrets/S, or the name of the secret."
    )


def azure_secret_name(secret_id: str) -> tuple[str, str, str | None]:
    """The vault's URL, the secret's name and its version of an id.

    Raises:
        MetaflowException: The vault is not known, or the id has another form.
    """
    if secret_id.startswith("https://"):
        url = urlsplit(secret_id)
        parts = url.path.strip("/").split("/")
        if len(parts) in (2, 3) and parts[0] == "secrets":
            return f"https://{url.netloc}", parts[1], parts[2] if len(parts) == 3 else None
    vault, slash, name = secret_id.rpartition("/")
    vault = vault if slash else str(get("secrets_prefix") or "").rstrip("/")
    if not vault or not name or "/" in vault.removeprefix("https://"):
        raise MetaflowException(
            f"'{secret_id}' does not name a vault and a secret.", fix="Write VAULT/NAME, or the secret's URL."
        )
    url_of_vault = vault if vault.startswith("https://") else f"https://{vault}.vault.azure.net"
    return url_of_vault, name, None


def _library(module: str, distribution: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MetaflowException(
            f"The package {distribution} is not installed where the step runs.",
            fix=f"Install it with `pip install {distribution}`.",
            where={"package": distribution},
        ) from error
