"""Values that are not written down: the output of a command, and the answer of Airflow's secrets backend."""

from __future__ import annotations

from airflow_mlflow_provider.exception import MetaflowConfigError

# A command that asks a password store may wait for the network; one that waits for a person never returns.
_COMMAND_SECONDS = 60


def output_of(command: str, source: str) -> str:
    """Run the command of a ``_cmd`` setting, without a shell, and return what it prints.

    Raises:
        MetaflowConfigError: It cannot be run, fails, or takes more than a minute. The output is never shown.
    """
    import shlex
    import subprocess

    try:
        completed = subprocess.run(
            shlex.split(command), capture_output=True, text=True, check=True, timeout=_COMMAND_SECONDS
        )
    except subprocess.CalledProcessError as error:
        raise _failed_command(
            source, f"exit code {error.returncode}: {error.stderr.strip()[-500:]}"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise _failed_command(source, f"no end after {_COMMAND_SECONDS} seconds") from error
    except (OSError, ValueError, IndexError) as error:
        raise _failed_command(source, str(error)) from error
    return completed.stdout.rstrip("\r\n")


def secret_named(name: str, source: str, *, backend: str | None, arguments: str | None) -> str:
    """Ask the secrets backend for the value of a ``_secret`` setting.

    Args:
        name: What the backend knows the value by.
        source: Where the setting stands, for messages.
        backend: Dotted path of the backend's class, Airflow's ``[secrets] backend``.
        arguments: JSON object of the class's arguments, Airflow's ``[secrets] backend_kwargs``.

    Raises:
        MetaflowConfigError: There is no backend, it cannot be made, or it does not know the name.
    """
    if not backend:
        raise MetaflowConfigError(
            f"{source} names a secret, and no secrets backend is configured.",
            fix="Set `backend` in Airflow's [secrets] section, or use the `_CMD` form.",
            where={"source": source},
        )
    import importlib
    import json

    module, _, name_of_class = backend.rpartition(".")
    try:
        instance = getattr(importlib.import_module(module), name_of_class)(**json.loads(arguments or "{}"))
        value = instance.get_config(name)
    except Exception as error:
        raise MetaflowConfigError(
            f"The secrets backend {backend} failed for {source}: {type(error).__name__}: {error}.",
            fix="Check `backend` and `backend_kwargs` in Airflow's [secrets] section.",
            where={"source": source},
        ) from error
    if value is None:
        raise MetaflowConfigError(
            f"The secrets backend {backend} has no configuration value for {source}.",
            fix="Store the value under the name that the setting gives.",
            where={"source": source},
        )
    return str(value)


def _failed_command(source: str, reason: str) -> MetaflowConfigError:
    return MetaflowConfigError(
        f"The command of {source} gave no value ({reason}).",
        fix="Run the command by hand to see why; it is started without a shell.",
        where={"source": source},
    )
