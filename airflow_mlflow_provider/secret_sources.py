"""Secrets outside of ``@secrets``: fetching one, and writing a backend."""

from __future__ import annotations

from typing import Any

from airflow_mlflow_provider.flow.decorators.secret_backends import SecretsProvider, fetch, read_source

__all__ = ["SecretsProvider", "get_secret"]


def get_secret(source: Any, role: str | None = None) -> dict[str, str]:
    """Fetch a secret.

    Args:
        source: ``"type.id"``, ``"id"`` of the default backend, or a dict of ``type``, ``id``, ``options`` and ``role``.
        role: The identity to take on when the source names none.

    Returns:
        Values by the names of environment variables.

    Raises:
        MetaflowException: The backend is unknown, or cannot fetch the secret.
    """
    return fetch(read_source(source), role)
