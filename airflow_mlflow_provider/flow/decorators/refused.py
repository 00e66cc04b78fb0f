"""Decorators of Metaflow that are not offered here: they can be written, and the linter names the alternative."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from airflow_mlflow_provider.exception import MetaflowException
from airflow_mlflow_provider.flow.decorators.attributes import Fields
from airflow_mlflow_provider.flow.decorators.base import (
    FlowDecorator,
    Problem,
    StepDecorator,
    decorate_flow,
    decorate_step,
)

_ENVIRONMENT = "Use @pypi or @pypi_base, `--environment uv`, or an image with @kubernetes(image=…)."
_PROGRESS = "Keep progress in artifacts, with a step that chooses itself, or write a user decorator."


class _NotOffered:
    name: ClassVar[str]
    alternative: ClassVar[str]

    def refusal(self) -> Problem:
        """The finding."""
        return Problem("D007", f"@{self.name} is not offered by airflow_mlflow_provider.", self.alternative)


class RefusedStepDecorator(_NotOffered, StepDecorator):
    """A step decorator that is not offered, whatever its attributes."""

    def _effective(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return dict(given)

    def check(self) -> Iterator[Problem]:
        """Refuse it."""
        yield self.refusal()


class CondaDecorator(RefusedStepDecorator):
    """``@conda``."""

    name = "conda"
    alternative = _ENVIRONMENT


class BatchDecorator(RefusedStepDecorator):
    """``@batch``."""

    name = "batch"
    alternative = "Use @kubernetes, or @resources."


class CheckpointDecorator(RefusedStepDecorator):
    """``@checkpoint``."""

    name = "checkpoint"
    alternative = _PROGRESS


class SlurmDecorator(RefusedStepDecorator):
    """``@slurm``."""

    name = "slurm"
    alternative = "Use @kubernetes, or @airflow_task to choose an executor, pool or queue."


class CondaBaseDecorator(_NotOffered, FlowDecorator):
    """``@conda_base``."""

    name = "conda_base"
    alternative = _ENVIRONMENT
    fields: ClassVar[Fields] = {}

    def _effective(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return dict(given)

    def check(self) -> Iterator[Problem]:
        """Refuse it."""
        yield self.refusal()


def conda(function: Any = None, /, **attributes: Any) -> Any:
    """Not offered; the linter names ``@pypi``."""
    return decorate_step(CondaDecorator, function, attributes)


def batch(function: Any = None, /, **attributes: Any) -> Any:
    """Not offered; the linter names ``@kubernetes``."""
    return decorate_step(BatchDecorator, function, attributes)


def checkpoint(function: Any = None, /, **attributes: Any) -> Any:
    """Not offered; the linter names artifacts and user decorators."""
    return decorate_step(CheckpointDecorator, function, attributes)


def slurm(function: Any = None, /, **attributes: Any) -> Any:
    """Not offered; the linter names ``@kubernetes``."""
    return decorate_step(SlurmDecorator, function, attributes)


def conda_base(flow: Any = None, /, **attributes: Any) -> Any:
    """Not offered; the linter names ``@pypi_base``."""
    return decorate_flow(CondaBaseDecorator, flow, attributes)


class Checkpoint:
    """Not offered; ``from airflow_mlflow_provider import Checkpoint`` works, and making one names the alternative."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise MetaflowException(
            "Checkpoint is not offered by airflow_mlflow_provider; artifacts and a step that chooses itself keep progress.",
            fix=_PROGRESS,
        )
