"""What the flows of these tests import: ``@parallel`` with nothing but its name, and plain functions."""

from __future__ import annotations

from typing import Any

from airflow_mlflow_provider.flow.decorators.base import StepDecorator, decorate_step


class ParallelDecorator(StepDecorator):
    """The decorator of gangs."""

    name = "parallel"


def parallel(function: Any) -> Any:
    """Mark a step as one that runs as a gang."""
    return decorate_step(ParallelDecorator, function, {})


def load_data() -> list[int]:
    """A function of a module."""
    return [1]


def fill(flow: Any) -> None:
    """Set an artifact of a flow."""
    flow.a = 1
