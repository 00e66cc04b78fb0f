"""The name of the person, or the service, that works with flows here."""

from __future__ import annotations

import os

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.exception import MetaflowUnknownUser

_VARIABLES = ("METAFLOW_USER", "SUDO_USER", "USERNAME", "USER")


def user_name() -> str:
    """The first of the option ``user`` and the usual variables that is set and not ``root``.

    Raises:
        MetaflowUnknownUser: None is.
    """
    candidates = [get("user"), *(os.environ.get(name) for name in _VARIABLES)]
    for name in candidates:
        if name and name != "root":
            return str(name)
    raise MetaflowUnknownUser(
        "The user's name is not known: the option `user` of [mlflow_provider] "
        f"(AIRFLOW__MLFLOW_PROVIDER__USER) and the variables {', '.join(_VARIABLES)} are unset or `root`.",
        fix="Set METAFLOW_USER to your name.",
    )
