"""Finding uv and running it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from airflow_mlflow_provider.exception import InvalidEnvironmentException

_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# What pip is told about indexes holds for uv as well, unless uv is told otherwise.
_OF_PIP = {"PIP_INDEX_URL": "UV_DEFAULT_INDEX", "PIP_EXTRA_INDEX_URL": "UV_INDEX"}

# What older versions of uv draw around their errors.
_MARKS = "×╰─▶│├ "  # noqa: RUF001


class UvFailed(Exception):
    """uv ended with an error; the message is what it said."""


def installed_uv() -> str | None:
    """The uv of the PyPI package, or the one on the ``PATH``; ``None`` if there is neither."""
    try:
        import uv

        return uv.find_uv_bin()
    except (ImportError, FileNotFoundError):
        return shutil.which("uv")


def required_uv() -> str:
    """Path of uv.

    Raises:
        InvalidEnvironmentException: It is not installed.
    """
    found = installed_uv()
    if found is None:
        raise InvalidEnvironmentException(
            "Environments of steps are resolved by uv, which is not installed here.",
            fix="Install it with `pip install uv`.",
        )
    return found


def run_uv(
    uv: str,
    arguments: Sequence[str],
    *,
    given: str | None = None,
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> str:
    """Run uv.

    Args:
        uv: Its path.
        arguments: Its arguments.
        given: Its standard input.
        folder: Its working directory, where it looks for settings such as indexes.
        environ: More environment variables.

    Returns:
        What it printed.

    Raises:
        UvFailed: It failed.
    """
    ended = subprocess.run(
        [uv, *arguments],
        input=given,
        cwd=folder,
        env={**_environ(), **(environ or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise UvFailed(_plain(ended.stderr) or f"uv ended with code {ended.returncode}")
    return ended.stdout


def _environ() -> dict[str, str]:
    environ = dict(os.environ)
    for name in ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME"):
        environ.pop(name, None)
    # Trust what the machine trusts, such as the certificate of a company's proxy; the names of newer and older uv.
    if _CERTIFICATES.exists():
        environ.setdefault("UV_SYSTEM_CERTS", "true")
        environ.setdefault("UV_NATIVE_TLS", "true")
    for pip, own in _OF_PIP.items():
        if pip in environ:
            environ.setdefault(own, environ[pip])
    environ |= {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}
    return environ


def _plain(text: str) -> str:
    """What uv says of an error, in one paragraph, without its marks."""
    lines = (line.strip() for line in text.splitlines() if not line.startswith("warning:"))
    plain = (line.removeprefix("error: ").removeprefix("cause: ").lstrip(_MARKS) for line in lines)
    sentences = " ".join(line for line in plain if line)
    return sentences.removeprefix("No solution found when resolving dependencies").lstrip(": ")
