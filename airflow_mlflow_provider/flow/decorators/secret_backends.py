"""Where ``@secrets`` gets its values: the contract of a backend, those built in, and finding one by its type.

A backend of somebody else's is an entry point of the group ``airflow_mlflow_provider.secrets``, called as its type, that names
a subclass of :class:`SecretsProvider`.

``airflow-connection`` and ``airflow-variable`` read ``AIRFLOW_CONN_<ID>`` and ``AIRFLOW_VAR_<KEY>``, as Airflow itself does. On
Airflow the operator resolves what a step asks for and sets these variables in the step's process, so that steps need
neither Airflow nor its database.
"""

from __future__ import annotations

import importlib
import json
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.exception import MetaflowException
from airflow_mlflow_provider.flow.graph import StepNode

ENTRY_POINT_GROUP = "airflow_mlflow_provider.secrets"
_NOTHING: Mapping[str, Any] = {}
_AIRFLOW = {"airflow-connection": "AIRFLOW_CONN_", "airflow-variable": "AIRFLOW_VAR_"}
_HERE = "airflow_mlflow_provider.flow.decorators"
_BUILT_IN = {
    "inline": f"{_HERE}.secret_backends:InlineSecrets",
    "env-file": f"{_HERE}.secret_backends:EnvironmentFileSecrets",
    "airflow-connection": f"{_HERE}.secret_backends:AirflowConnectionSecrets",
    "airflow-variable": f"{_HERE}.secret_backends:AirflowVariableSecrets",
    "aws-secrets-manager": f"{_HERE}.cloud_secrets:AwsSecretsManager",
    "gcp-secret-manager": f"{_HERE}.cloud_secrets:GcpSecretManager",
    "az-key-vault": f"{_HERE}.cloud_secrets:AzureKeyVault",
}


class SecretsProvider(ABC):
    """A backend of secrets.

    Attributes:
        TYPE: What sources call it.
    """

    TYPE: ClassVar[str]

    @abstractmethod
    def get_secret_as_dict(
        self, secret_id: str, options: Mapping[str, Any] = _NOTHING, role: str | None = None
    ) -> dict[str, str]:
        """Fetch a secret.

        Args:
            secret_id: What the backend knows it by.
            options: Options of this backend.
            role: The identity to take on.

        Returns:
            Values by the names of environment variables.

        Raises:
            MetaflowException: It cannot be fetched. Messages never hold a value.
        """


class SecretSource(msgspec.Struct, frozen=True):
    """One source of ``@secrets``.

    Attributes:
        type: Type of the backend.
        id: What the backend knows the secret by.
        options: Options of the backend.
        role: The identity to take on.
    """

    type: str
    id: str
    options: dict[str, Any] = {}
    role: str | None = None

    def __str__(self) -> str:
        return f"{self.type}.{self.id}" if self.id else self.type

    def __repr__(self) -> str:
        # Options of `inline` hold values.
        return f"SecretSource({str(self)!r})"


def read_source(written: Any) -> SecretSource:
    """What a source says.

    Args:
        written: ``"type.id"``, ``"id"`` of the default backend, or a dict of ``type``, ``id``, ``options`` and ``role``.

    Raises:
        MetaflowException: It is none of these, or needs a default backend and there is none. Values are not shown.
    """
    if isinstance(written, str) and written:
        prefix, dot, rest = written.partition(".")
        return SecretSource(prefix, rest) if dot else SecretSource(_default_backend(written), written)
    if isinstance(written, Mapping) and not set(written) - {"type", "id", "options", "role"}:
        kind: Any = written.get("type")
        name: Any = written.get("id") or ""
        options: Any = written.get("options") or {}
        if isinstance(name, str) and isinstance(options, Mapping) and (kind or name):
            return SecretSource(kind or _default_backend(name), name, dict(options), written.get("role"))
    raise MetaflowException(
        f"A source of @secrets is a {type(written).__name__} of the wrong form.",
        fix="Write 'type.id', 'id', or {'type': …, 'id': …, 'options': {…}, 'role': …}.",
    )


def fetch(source: SecretSource, role: str | None = None) -> dict[str, str]:
    """The values of a source, by names of environment variables.

    Args:
        source: The source.
        role: The identity to take on when the source names none.

    Raises:
        MetaflowException: The backend is unknown, or cannot fetch the secret; names the source, never a value.
    """
    provider = provider_of(source.type)()
    chosen = source.role or role or get("default_secrets_role")
    try:
        found = provider.get_secret_as_dict(source.id, source.options, chosen)
    except MetaflowException as error:
        raise _failed(source, error.message, error.fix) from error
    except Exception as error:
        raise _failed(source, f"{type(error).__name__}: {error}") from error
    return dict(found)


def provider_of(kind: str) -> type[SecretsProvider]:
    """The class of a backend.

    Raises:
        MetaflowException: No backend has this type.
    """
    if kind in _BUILT_IN:
        module, _, name = _BUILT_IN[kind].partition(":")
        provider: type[SecretsProvider] = getattr(importlib.import_module(module), name)
        return provider
    from importlib.metadata import entry_points

    installed = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
    if kind in installed:
        loaded: type[SecretsProvider] = installed[kind].load()
        return loaded
    raise MetaflowException(
        f"There is no secrets backend '{kind}'; there are {', '.join(sorted({*_BUILT_IN, *installed}))}.",
        fix="Name one of them, as in 'aws-secrets-manager.my-secret'.",
        where={"backend": kind},
    )


def airflow_sources(node: StepNode) -> tuple[tuple[SecretSource, str], ...]:
    """What the operator of a step has to resolve: its sources that are kept by Airflow.

    Args:
        node: The step.

    Returns:
        Each source, and the environment variable in which the step's process looks for it (a connection as URI or JSON).
    """
    spec = node.decorator("secrets")
    sources = [read_source(written) for written in (spec.attributes["sources"] if spec else ())]
    return tuple(
        (source, _AIRFLOW[source.type] + source.id.upper()) for source in sources if source.type in _AIRFLOW
    )


def variable_name(secret_id: str) -> str:
    """The environment variable for a secret of one value: the last part of its name."""
    last = re.split(r"[/:]", secret_id.rstrip("/"))[-1]
    return re.sub(r"[^A-Za-z0-9_]", "_", last)


def one_or_many(text: str, secret_id: str, options: Mapping[str, Any]) -> dict[str, str]:
    """A secret's text as variables: the keys of a JSON object, or one variable.

    Args:
        text: The secret.
        secret_id: Its name.
        options: ``json`` (default true) spreads the keys of a JSON object; ``env_var_name`` names the variable of one that
            is not spread.

    Raises:
        MetaflowException: ``json`` is asked for and the secret is no JSON object.
    """
    name = options.get("env_var_name")
    if options.get("json", name is None):
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        if isinstance(value, dict):
            return value
        if "json" in options:
            raise MetaflowException(
                "The secret is not a JSON object, and the option `json` is set.",
                fix="Store a JSON object, or give the option `env_var_name` instead.",
            )
    return {str(name or variable_name(secret_id)): text}


class InlineSecrets(SecretsProvider):
    """Values written in the source code. For tests: they are no secrets."""

    TYPE = "inline"

    def get_secret_as_dict(
        self, secret_id: str, options: Mapping[str, Any] = _NOTHING, role: str | None = None
    ) -> dict[str, str]:
        """The option ``env_vars``."""
        values = options.get("env_vars")
        if not isinstance(values, Mapping):
            raise MetaflowException(
                "The option `env_vars` is missing.", fix="Give options={'env_vars': {'NAME': 'value'}}."
            )
        return dict(values)


class EnvironmentFileSecrets(SecretsProvider):
    """A file of lines ``NAME=value``, with comments, quotes and ``export``. The id is its path."""

    TYPE = "env-file"

    def get_secret_as_dict(
        self, secret_id: str, options: Mapping[str, Any] = _NOTHING, role: str | None = None
    ) -> dict[str, str]:
        """The lines of the file."""
        path = Path(secret_id).expanduser()
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise MetaflowException(
                f"The file {path} cannot be read: {reason}.", fix="Give the path of a readable file."
            ) from None
        return dict(
            _environment_line(line, f"{path}:{number}")
            for number, line in enumerate(text.splitlines(), 1)
            if line.strip() and not line.lstrip().startswith("#")
        )


class AirflowVariableSecrets(SecretsProvider):
    """A variable of Airflow. The id is its key; options as for :func:`one_or_many`, ``json`` being off by default."""

    TYPE = "airflow-variable"

    def get_secret_as_dict(
        self, secret_id: str, options: Mapping[str, Any] = _NOTHING, role: str | None = None
    ) -> dict[str, str]:
        """The variable, called as its key in upper case unless ``env_var_name`` says otherwise."""
        text = _airflow_text(self.TYPE, secret_id, "variable")
        if options.get("json"):
            return one_or_many(text, secret_id, options)
        return {str(options.get("env_var_name") or variable_name(secret_id).upper()): text}


class AirflowConnectionSecrets(SecretsProvider):
    """A connection of Airflow. The id is the connection's.

    A connection ``warehouse`` becomes ``WAREHOUSE_HOST``, ``_PORT``, ``_LOGIN``, ``_PASSWORD``, ``_SCHEMA``, ``_TYPE`` and
    ``_EXTRA`` (JSON), those that it has. The option ``prefix`` says something else than ``WAREHOUSE``.
    """

    TYPE = "airflow-connection"

    def get_secret_as_dict(
        self, secret_id: str, options: Mapping[str, Any] = _NOTHING, role: str | None = None
    ) -> dict[str, str]:
        """The parts of the connection."""
        parts = read_connection(_airflow_text(self.TYPE, secret_id, "connection"))
        prefix = str(options.get("prefix") or variable_name(secret_id).upper())
        return {f"{prefix}_{name.upper()}": value for name, value in parts.items()}


def read_connection(text: str) -> dict[str, str]:
    """The parts of a connection in one of Airflow's two forms, JSON or URI.

    Returns:
        Those of ``type``, ``host``, ``port``, ``login``, ``password``, ``schema`` and ``extra`` (JSON) that it has.

    Raises:
        MetaflowException: It is neither. The text is not shown.
    """
    found: dict[str, Any]
    try:
        if text.lstrip().startswith("{"):
            found = json.loads(text)
            found["type"] = found.pop("conn_type", None)
        else:
            uri = urlsplit(text)
            query = dict(parse_qsl(uri.query, keep_blank_values=True))
            extra = query.pop("__extra__", None) or (json.dumps(query) if query else None)
            found = {
                "type": uri.scheme.replace("-", "_"),
                "host": unquote(uri.hostname or ""),
                "port": uri.port,
                "login": unquote(uri.username or ""),
                "password": unquote(uri.password or ""),
                "schema": unquote(uri.path[1:]),
                "extra": extra,
            }
    except (ValueError, AttributeError):
        raise MetaflowException(
            "The connection is neither JSON nor a URI.", fix="Store it in one of Airflow's two forms."
        ) from None
    names = ("type", "host", "port", "login", "password", "schema", "extra")
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name in names
        if (value := found.get(name)) not in (None, "", {})
    }


def _airflow_text(kind: str, secret_id: str, what: str) -> str:
    variable = _AIRFLOW[kind] + secret_id.upper()
    text = os.environ.get(variable)
    if text is None:
        raise MetaflowException(
            f"The Airflow {what} '{secret_id}' is not known here: the environment has no {variable}.",
            fix=f"On Airflow, create the {what}; in a local run, set {variable}.",
            where={what: secret_id},
        )
    return text


def _environment_line(line: str, place: str) -> tuple[str, str]:
    name, equals, value = line.strip().removeprefix("export ").partition("=")
    if not equals:
        raise MetaflowException(f"{place} is not of the form NAME=value.", fix="Correct the line.")
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        inner = value[1:-1]
        return name.strip(), inner if value[0] == "'" else inner.replace("\\n", "\n").replace('\\"', '"')
    return name.strip(), re.sub(r"\s+#.*$", "", value)


def _default_backend(secret_id: str) -> str:
    backend = get("default_secrets_backend")
    if not backend:
        raise MetaflowException(
            f"The source '{secret_id}' of @secrets names no backend, and no default is configured.",
            fix="Write 'type.id', or set `default_secrets_backend` of [mlflow_provider].",
            where={"source": secret_id},
        )
    return str(backend)


def _failed(source: SecretSource, reason: str, fix: str = "") -> MetaflowException:
    return MetaflowException(
        f"The secret '{source}' cannot be fetched. {reason}",
        fix=fix or "Check the name of the secret and the rights of the identity that the step runs with.",
        where={"source": str(source)},
    )
