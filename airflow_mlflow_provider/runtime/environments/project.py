"""A project's own lock: the ``uv.lock`` beside its ``pyproject.toml``, for ``--environment uv``."""

from __future__ import annotations

from pathlib import Path

import msgspec

from airflow_mlflow_provider.exception import InvalidEnvironmentException
from airflow_mlflow_provider.runtime.environments.uv_program import UvFailed, required_uv, run_uv

PROJECT_FILES = ("pyproject.toml", "uv.lock")


class UvProject(msgspec.Struct, frozen=True):
    """A project that uv has locked.

    Attributes:
        folder: Where ``pyproject.toml`` and ``uv.lock`` are.
    """

    folder: Path

    def pins(self) -> tuple[str, ...]:
        """What ``uv.lock`` pins, as requirements with markers; without development groups and the project itself.

        Raises:
            InvalidEnvironmentException: uv cannot read the lock, or is not installed.
        """
        arguments = (
            "export",
            "--quiet",
            "--frozen",
            "--no-dev",
            "--no-emit-local",
            "--no-hashes",
            "--no-annotate",
        )
        try:
            exported = run_uv(required_uv(), (*arguments, "--no-header"), folder=self.folder)
        except UvFailed as error:
            raise InvalidEnvironmentException(
                f"The lock {self.folder / 'uv.lock'} cannot be used: {error}",
                fix="Lock the project anew with `uv lock`.",
                where={"file": str(self.folder / "uv.lock")},
            ) from None
        return tuple(line for line in exported.splitlines() if line and not line.startswith("#"))


def find_project(flow_file: Path) -> UvProject:
    """The nearest folder, from a flow's file upward, with a ``pyproject.toml``.

    Raises:
        InvalidEnvironmentException: There is none, or no ``uv.lock`` beside it.
    """
    for folder in flow_file.resolve().parents:
        if not (folder / "pyproject.toml").is_file():
            continue
        if (folder / "uv.lock").is_file():
            return UvProject(folder)
        raise InvalidEnvironmentException(
            f"There is no uv.lock beside {folder / 'pyproject.toml'}, which --environment uv needs.",
            fix="Make it with `uv lock`.",
            where={"file": str(folder / "uv.lock")},
        )
    raise InvalidEnvironmentException(
        f"There is no pyproject.toml in {flow_file.resolve().parent} or above, which --environment uv needs.",
        fix="Make a project with `uv init` and `uv add`, or use --environment pypi.",
        where={"file": "pyproject.toml"},
    )


def project_files(environment: str, flow_file: Path) -> list[tuple[Path, str]]:
    """What belongs into the code package of a flow with ``--environment uv``: files, each with its path there.

    Raises:
        InvalidEnvironmentException: There is no such project.
    """
    if environment != "uv":
        return []
    folder = find_project(flow_file).folder
    return [(folder / name, name) for name in PROJECT_FILES]
